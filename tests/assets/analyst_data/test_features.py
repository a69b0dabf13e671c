"""Features: columns as tabled, availability across timeframes, no future, nothing infinite."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from helpers.feature_definitions import definitions
from helpers.prefix import assert_prefix_invariant, random_cuts
from helpers.random_bars import random_market
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.analyst.feature_block import BLOCK_ROWS as BLOCK
from ares_assets.analyst.feature_state import FeatureState
from ares_assets.analyst.feature_table import BASE_FEATURES, SLOW_FEATURES
from ares_assets.analyst.features import (
    compute_features,
    extend_features,
    feature_names,
    usable_features,
)
from ares_assets.analyst.indicators import BarSeries
from ares_assets.market.bars import MARKET_COLUMNS
from ares_assets.market.resampling import resample_bars
from ares_resources.errors import BadInput, CorruptArtifact
from ares_resources.settings import FeatureSettings

SETTINGS = FeatureSettings(timeframes=("5m", "15m"))
QUARTER = 15 * 60_000


def features(frame: pd.DataFrame) -> pd.DataFrame:
    return compute_features(frame, timeframe="1m", settings=SETTINGS)


@pytest.fixture(scope="module")
def market() -> pd.DataFrame:
    return random_market(20_000, seed=9, missing_share=0.003)


def test_columns_are_the_table_in_order(market):
    made = features(market)
    assert tuple(made.columns) == feature_names(SETTINGS, "1m")
    assert len(set(made.columns)) == len(BASE_FEATURES) + 2 * len(SLOW_FEATURES)
    assert made.index.equals(market.index)
    assert set(made.dtypes.astype(str)) == {"float64"}
    assert made.iloc[-1].notna().all()


def test_every_row_of_the_table_says_what_it_is():
    for feature in (*BASE_FEATURES, *SLOW_FEATURES):
        assert len(feature.formula) > 10
        assert feature.unit
        assert feature.reference
        assert feature.window > 0
        assert set(feature.sources) <= set(MARKET_COLUMNS)


def test_every_feature_is_what_its_definition_says(market):
    made, plain = features(market), definitions(market)
    assert set(plain) == {feature.name for feature in BASE_FEATURES}
    generator = np.random.default_rng(np.random.SeedSequence([5]))
    rows = [*generator.integers(8_700, len(market), 25), len(market) - 1]
    for name, definition in plain.items():
        expected = [definition(int(row)) for row in rows]
        np.testing.assert_allclose(
            made[name].iloc[rows], expected, rtol=1e-7, atol=1e-9, err_msg=name
        )


def test_the_slower_row_that_the_base_lacks_is_what_its_definition_says(market):
    steps = np.diff(np.log(resample_bars(market, "1m", "15m")["close"].to_numpy()))
    made = features(market).iloc[-1]["return_over_volatility_24_15m"]
    volatility = np.sqrt(np.mean(steps[-96:] ** 2))
    assert made == pytest.approx(steps[-24:].sum() / (volatility * np.sqrt(24)))


def test_features_see_no_future(market):
    cuts = [1, 201, BLOCK - 1, BLOCK, BLOCK + 1, *random_cuts(len(market), 5, seed=3)]
    assert_prefix_invariant(features, market, cuts)


@pytest.mark.parametrize(
    ("timeframe", "step", "slower"),
    [
        ("1s", 1_000, "1m"),
        ("15m", QUARTER, "4h"),
        ("1h", 4 * QUARTER, "1d"),
        ("1w", 672 * QUARTER, "1w"),
    ],
)
def test_any_base_timeframe_has_features(timeframe, step, slower):
    market = random_market(3_200, seed=5, timeframe_ms=step, missing_share=0.01)
    market["timestamp"] += 5 * 96 * QUARTER  # weeks open on Mondays
    chosen = FeatureSettings(timeframes=(slower,))

    def made(frame: pd.DataFrame) -> pd.DataFrame:
        return compute_features(frame, timeframe=timeframe, settings=chosen)

    assert_prefix_invariant(made, market, [150, 500, 2_901])
    found = made(market)
    assert not np.isinf(found.to_numpy()).any()
    price = [f.name for f in BASE_FEATURES if set(f.sources) <= set(MARKET_COLUMNS[1:6])]
    assert found[price].iloc[2880:].notna().all(axis=None)


def test_features_see_no_future_across_gaps():
    market = random_market(4_000, seed=4, missing_share=0.02)
    market = market.drop(index=range(1_500, 1_900)).reset_index(drop=True)
    assert_prefix_invariant(features, market, [1_500, 1_501, *random_cuts(3_400, 8, seed=8)])


def test_features_read_all_the_sources_that_the_table_names_and_no_others(market):
    """Any other column may hold anything, and each named one changes something."""
    market = market.copy()
    market.loc[6_000:6_002, "volume"] = 0.0
    market.loc[6_000:6_002, "taker_buy_share"] = np.nan
    before = features(market)
    for feature in BASE_FEATURES:
        changed = market.copy()
        others = set(MARKET_COLUMNS) - set(feature.sources) - {"timestamp"}
        changed[sorted(others)] = 3.0
        with np.errstate(invalid="ignore"):  # an open of 3 lies far outside its candle
            after = features(changed)[feature.name]
        np.testing.assert_array_equal(before[feature.name], after, err_msg=feature.name)
    generator = np.random.default_rng(np.random.SeedSequence([6]))
    for source in set(MARKET_COLUMNS) - {"timestamp", "funding_payment"}:
        noise = 1e-3 * market[source].mean() * generator.random(len(market))
        after = features(market.assign(**{source: market[source] + noise}))
        same = [name for name in before if before[name].equals(after[name])]
        reading = [feature.name for feature in BASE_FEATURES if source in feature.sources]
        assert not set(same) & set(reading), source


def test_warmup_is_missing_and_nothing_after_it(market):
    made = features(market)
    bars = BarSeries(market, 60_000)
    for feature in BASE_FEATURES:
        warmup = feature.warmup_bars(bars)
        assert warmup >= 200
        assert made[feature.name].iloc[:warmup].isna().all()
        later = made[feature.name].iloc[warmup + 480 :]
        assert later.notna().all(), feature.name


@pytest.mark.parametrize("rows", [0, 1, 14, 200])
def test_a_frame_within_the_warmup_is_missing_throughout(rows):
    made = features(random_market(200, seed=1).iloc[:rows])
    assert made.shape == (rows, len(feature_names(SETTINGS, "1m")))
    assert made.isna().all(axis=None)


@pytest.mark.parametrize("moved_before", [False, True])
def test_a_market_that_does_not_move_gives_neutral_values(moved_before):
    market = random_market(9_000, seed=4).assign(open_interest=7.0, funding_rate=1e-4)
    still = market.index >= (3_000 if moved_before else 0)
    for name in ("open", "high", "low", "close"):
        market.loc[still, name] = market["close"].iloc[2_999]
    market.loc[still, "volume"] = 0.0
    last = features(market).iloc[-1]
    neutral = {
        "volatility_ratio": 1, "parkinson_ratio_60": 1, "money_flow_14": 50, "rsi_14": 50,
        "range_position_60": 0, "funding_rate": 1e-4, "funding_mean": 1e-4,
    }  # fmt: skip
    remembered = ("rsi", "adx", "di_", "atr", "macd", "taker", "hour", "week")
    for name in last.index:
        if moved_before and name.startswith(remembered):
            assert np.isfinite(last[name])
        elif not name.startswith(("taker", "hour", "week")):
            short = name.removesuffix("_15m").removesuffix("_5m")
            assert last[name] == pytest.approx(neutral.get(short, 0), abs=1e-18), name


def test_a_missing_value_never_outlives_its_window(market):
    holes = market.copy()
    for name in ("taker_buy_share", "funding_rate", "open_interest"):
        holes.loc[5_000:5_010, name] = np.nan
    made, whole = features(holes), features(market)
    for name in made.columns:
        assert (
            made[name].iloc[5_000 + 1_500 :].notna().sum()
            == whole[name].iloc[5_000 + 1_500 :].notna().sum()
        ), name


def test_a_slower_value_joins_when_its_bar_has_closed():
    market = random_market(5000, seed=2)
    made = features(market)["rsi_14_15m"].to_numpy()
    slow = resample_bars(market, "1m", "15m")
    alone = compute_features(slow, timeframe="15m", settings=FeatureSettings(timeframes=()))
    strength = alone["rsi_14"].to_numpy()
    bar = 250
    available = slow["timestamp"].iloc[bar] + QUARTER
    row = int(np.flatnonzero(market["timestamp"] + 60_000 == available)[0])
    assert made[row] == strength[bar]
    assert made[row - 1] == strength[bar - 1]
    assert made[row + 14] == strength[bar]


def test_nothing_is_carried_over_a_long_gap():
    market = random_market(6000, seed=2)
    gap = np.arange(6000)
    cut = market[(gap < 5000) | (gap >= 5100)].reset_index(drop=True)
    made = features(cut)
    after = made.iloc[5000:]
    assert after["rsi_14_15m"].iloc[:5].isna().all()
    assert after["rsi_14"].notna().all()
    assert after["rsi_14_15m"].iloc[40:].notna().all()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    cuts=st.lists(st.integers(0, 3_000), min_size=1, max_size=4),
    slower=st.sampled_from([("5m", "15m"), ("15m", "1h"), ()]),
    missing=st.sampled_from([0.0, 0.02]),
)
def test_added_bars_give_what_a_whole_computation_gives_bit_for_bit(seed, cuts, slower, missing):
    chosen = FeatureSettings(timeframes=slower)
    market = random_market(3_000, seed=seed, missing_share=missing)
    parts: list[np.ndarray] = []
    state = None
    for cut in [*sorted(cuts), len(market)]:
        rows = 0 if state is None else state.rows
        told = None if state is None else json.loads(json.dumps(state.to_json()))
        values, (*_, state) = extend_features(
            market.iloc[:cut],
            timeframe="1m",
            settings=chosen,
            earlier=parts,
            state=None if told is None else FeatureState.from_json(told),
        )
        parts.append(values[:, rows:])
    whole, states = extend_features(market, timeframe="1m", settings=chosen, pauses=cuts)
    assert values.tobytes() == whole.tobytes()
    assert state.to_json() == states[-1].to_json()
    for paused in states[:-1]:
        assert paused.rows in cuts
        again, (*_, last) = extend_features(
            market,
            timeframe="1m",
            settings=chosen,
            earlier=[whole[:, : paused.rows]],
            state=paused,
        )
        assert again.tobytes() == whole.tobytes()
        assert last.to_json() == state.to_json()


def test_a_state_is_told_from_something_else():
    _, (state,) = extend_features(random_market(500, seed=1), timeframe="1m", settings=SETTINGS)
    assert FeatureState.from_json(state.to_json()).to_json() == state.to_json()
    for damaged in ({}, {"rows": "many"}, {**state.to_json(), "slow": {"5m": {"rows": 1}}}):
        with pytest.raises(CorruptArtifact, match="no feature state"):
            FeatureState.from_json(damaged)


def test_missing_sources_are_dropped_with_the_reason(market):
    poor = market.assign(taker_buy_share=np.nan).drop(columns="open_interest")
    poor.loc[:3000, "funding_rate"] = np.nan
    made = features(poor)
    kept, dropped = usable_features(made, np.arange(1000, 5000), 0.2)
    assert dropped["taker_share"] == "missing on every development row"
    assert dropped["open_interest_change_60"] == "missing on every development row"
    assert dropped["funding_rate"].startswith("missing on 50.0% of development rows, above 20.0%")
    assert kept == [name for name in made.columns if name not in dropped]
    assert {"rsi_14", "rsi_14_5m"} <= set(kept)


def test_a_constant_feature_is_dropped_and_only_the_given_rows_are_judged():
    frame = pd.DataFrame({"a": [1.0, 1.0, 2.0], "b": [np.nan, 3.0, 4.0]})
    kept, dropped = usable_features(frame, np.array([0, 1]), 0.6)
    assert kept == []
    assert dropped == {
        "a": "constant (1) on development rows",
        "b": "constant (3) on development rows",
    }
    assert usable_features(frame, np.array([False, True, True]), 0.0)[0] == ["a", "b"]
    with pytest.raises(BadInput, match="at least one"):
        usable_features(frame, np.array([], np.int64), 0.2)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-9, 1.0, 1e6]),
    halts=st.lists(st.tuples(st.integers(0, 3500), st.integers(1, 400)), max_size=3),
)
def test_no_feature_is_ever_infinite(seed, scale, halts):
    frame = random_market(3600, seed=seed)
    for start, length in halts:
        price = frame["close"].iloc[start]
        frame.loc[start : start + length, ["open", "high", "low", "close"]] = price
        frame.loc[start : start + length, "volume"] = 0.0
        frame.loc[start : start + length, "taker_buy_share"] = np.nan
    frame[["open", "high", "low", "close"]] *= scale
    made = features(frame)
    assert not np.isinf(made.to_numpy()).any()
    price_features = [f.name for f in BASE_FEATURES if set(f.sources) <= set(MARKET_COLUMNS[1:6])]
    assert made[price_features].iloc[2880:].notna().all(axis=None)


def test_timeframes_that_the_bars_cannot_give_are_left_out_and_bad_ones_refused():
    assert feature_names(FeatureSettings(timeframes=("5m", "1h")), "15m")[-1].endswith("_1h")
    assert "rsi_14_5m" not in feature_names(FeatureSettings(timeframes=("5m", "1h")), "15m")
    assert feature_names(FeatureSettings(timeframes=("5m", "15m")), "3m")[-1].endswith("_15m")
    assert "rsi_14_5m" not in feature_names(FeatureSettings(timeframes=("5m", "15m")), "3m")
    with pytest.raises(ValueError, match="each may be named once"):
        FeatureSettings(timeframes=("5m", "5m"))
    with pytest.raises(ValueError, match="'7m' cannot be used"):
        FeatureSettings(timeframes=("7m",))


@pytest.mark.market
def test_real_bars_through_a_halt_have_features(market_dir):
    frame = pd.read_parquet(market_dir / "real" / "binance_ETHUSDT_1m.parquet")
    stamps = frame["timestamp"].astype("datetime64[ms, UTC]").astype("int64")
    halt = int(np.flatnonzero(np.diff(stamps) > 60_000)[0])
    part = frame.assign(timestamp=stamps).iloc[halt - 9000 : halt + 2000].reset_index(drop=True)
    made = features(part)
    price_features = [f.name for f in BASE_FEATURES if set(f.sources) <= set(MARKET_COLUMNS[1:6])]
    assert made[price_features].iloc[2880:].notna().all(axis=None)
    assert not np.isinf(made.to_numpy()).any()
    assert_prefix_invariant(features, part, [8990, 9001, 9500])


@pytest.mark.market
def test_no_two_features_are_nearly_the_same_on_real_bars(market_dir):
    frame = pd.read_parquet(market_dir / "real" / "binance_ETHUSDT_1m.parquet")
    stamps = frame["timestamp"].astype("datetime64[ms, UTC]").astype("int64")
    part = frame.assign(timestamp=stamps).iloc[-60_000:].reset_index(drop=True)
    chosen = FeatureSettings()
    made = compute_features(part, timeframe="1m", settings=chosen).iloc[20_000::5]
    ranks = made.loc[:, made.notna().any()].rank()
    alike = np.triu(ranks.corr().abs().to_numpy(), 1)
    first, second = np.unravel_index(np.argmax(alike), alike.shape)
    assert alike.max() < 0.97, (ranks.columns[first], ranks.columns[second])
