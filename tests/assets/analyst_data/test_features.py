"""Features: columns as tabled, availability across timeframes, no future, nothing infinite."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from helpers.prefix import assert_prefix_invariant, random_cuts
from helpers.random_bars import random_market
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.analyst.feature_table import BASE_FEATURES, SLOW_FEATURES
from ares_assets.analyst.features import compute_features, feature_names, usable_features
from ares_assets.analyst.indicators import BarSeries
from ares_assets.market.bars import MARKET_COLUMNS
from ares_assets.market.resampling import resample_bars
from ares_resources.errors import BadInput
from ares_resources.settings import FeatureSettings

SETTINGS = FeatureSettings(timeframes=("5m", "15m"))
QUARTER = 15 * 60_000


def features(frame: pd.DataFrame) -> pd.DataFrame:
    return compute_features(frame, timeframe="1m", settings=SETTINGS)


@pytest.fixture(scope="module")
def market() -> pd.DataFrame:
    return random_market(6000, seed=9, missing_share=0.003)


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
        assert feature.window > 0
        assert set(feature.sources) <= set(MARKET_COLUMNS)


def test_features_see_no_future(market):
    assert_prefix_invariant(features, market, [1, 201, *random_cuts(len(market), 5, seed=3)])


def test_features_read_only_the_sources_that_the_table_names(market):
    for feature in BASE_FEATURES:
        changed = market.copy()
        others = set(MARKET_COLUMNS) - set(feature.sources) - {"timestamp"}
        changed[sorted(others)] = 3.0
        before = feature.values(BarSeries(market, 60_000))
        np.testing.assert_array_equal(before, feature.values(BarSeries(changed, 60_000)))


def test_warmup_is_missing_and_nothing_after_it(market):
    made = features(market)
    bars = BarSeries(market, 60_000)
    for feature in BASE_FEATURES:
        warmup = feature.warmup_bars(bars)
        assert warmup >= 200
        assert made[feature.name].iloc[:warmup].isna().all()
        later = made[feature.name].iloc[warmup + 480 :]
        assert later.notna().all(), feature.name


def test_a_slower_value_joins_when_its_bar_has_closed():
    market = random_market(5000, seed=2)
    made = features(market)["rsi_14_15m"].to_numpy()
    slow = resample_bars(market, "1m", "15m")
    strength = SLOW_FEATURES[0].values(BarSeries(slow, QUARTER))
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
    halts=st.lists(st.tuples(st.integers(0, 1400), st.integers(1, 400)), max_size=3),
)
def test_no_feature_is_ever_infinite(seed, scale, halts):
    frame = random_market(1500, seed=seed)
    for start, length in halts:
        price = frame["close"].iloc[start]
        frame.loc[start : start + length, ["open", "high", "low", "close"]] = price
        frame.loc[start : start + length, "volume"] = 0.0
        frame.loc[start : start + length, "taker_buy_share"] = np.nan
    frame[["open", "high", "low", "close"]] *= scale
    made = features(frame)
    assert not np.isinf(made.to_numpy()).any()
    price_features = [f.name for f in BASE_FEATURES if set(f.sources) <= set(MARKET_COLUMNS[1:6])]
    assert made[price_features].iloc[480:].notna().all(axis=None)


def test_faster_timeframes_are_left_out_and_bad_ones_refused():
    assert feature_names(FeatureSettings(timeframes=("5m", "1h")), "15m")[-1].endswith("_1h")
    assert "rsi_14_5m" not in feature_names(FeatureSettings(timeframes=("5m", "1h")), "15m")
    with pytest.raises(BadInput, match="'5m' is not a whole multiple of the base '3m'"):
        feature_names(FeatureSettings(timeframes=("5m",)), "3m")
    with pytest.raises(BadInput, match="must not repeat"):
        feature_names(FeatureSettings(timeframes=("5m", "5m")), "1m")
    with pytest.raises(ValueError, match="'7m' cannot be used"):
        FeatureSettings(timeframes=("7m",))


@pytest.mark.slow
def test_a_year_of_minutes_takes_seconds():
    market = random_market(525_600, seed=1)
    features(market.iloc[:1000])
    started = time.perf_counter()
    features(market)
    assert time.perf_counter() - started < 8


@pytest.mark.market
def test_real_bars_through_a_halt_have_features(market_dir):
    frame = pd.read_parquet(market_dir / "real" / "binance_ETHUSDT_1m.parquet")
    stamps = frame["timestamp"].astype("datetime64[ms, UTC]").astype("int64")
    halt = int(np.flatnonzero(np.diff(stamps) > 60_000)[0])
    part = frame.assign(timestamp=stamps).iloc[halt - 9000 : halt + 2000].reset_index(drop=True)
    made = features(part)
    price_features = [f.name for f in BASE_FEATURES if set(f.sources) <= set(MARKET_COLUMNS[1:6])]
    assert made[price_features].iloc[480:].notna().all(axis=None)
    assert not np.isinf(made.to_numpy()).any()
    assert_prefix_invariant(features, part, [8990, 9001, 9500])
