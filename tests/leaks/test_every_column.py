"""Every feature, label, weight and tactician's column, at many rows, under two other futures.

The asset checks try a few rows of each run; here many rows of real and simulated bars are
tried, with single bars and whole hours missing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.market_files import read_bars_file
from helpers.random_bars import random_market

from ares_assets.analyst.events import labelled_events
from ares_assets.analyst.features import compute_features, feature_names
from ares_assets.leak_proof.differences import first_difference
from ares_assets.leak_proof.other_future import OtherBars, other_bars
from ares_assets.market.bars import join_reference
from ares_assets.market.classification import classify, decode
from ares_assets.release.partition_model import make_signals
from ares_assets.tactician.model import TacticianContext
from ares_assets.tactician.outcomes import signal_outcomes
from ares_resources.exchanges.simulated.exchange import SimulatedExchange
from ares_resources.settings import load_settings
from ares_resources.timeframes import DAY_MS, MINUTE_MS

CLOCK, ROWS = 1_704_067_200_000, 12_000
SETTINGS = load_settings()
LABELS = SETTINGS.labels
KNOWN = ("row", "timestamp", "t1_row", "label", "barrier", "gross_return", "volatility")


def with_gaps(market: pd.DataFrame) -> pd.DataFrame:
    """Without one bar of fifty, and without three hours in the middle."""
    draws = np.random.default_rng(9)
    kept = draws.random(len(market)) >= 0.02
    kept[len(market) // 2 : len(market) // 2 + 180] = False
    return market[kept].reset_index(drop=True)


def simulated_bars() -> pd.DataFrame:
    exchange = SimulatedExchange(as_of_ms=CLOCK)
    start = CLOCK - ROWS * MINUTE_MS
    bars = pd.concat(list(exchange.bars("ETHUSDT", "1m", start, CLOCK)), ignore_index=True)
    funding = exchange.funding("ETHUSDT", start, CLOCK)
    nothing = pd.DataFrame({"timestamp": np.array([], np.int64), "open_interest": np.array([])})
    return with_gaps(join_reference(bars, funding, nothing, "1m"))


def real_bars(folder: Path) -> pd.DataFrame:
    """Twelve days of minutes around the halt of 24 March 2023, with funding drawn for them."""
    bars = read_bars_file(folder / "real" / "binance_ETHUSDT_1m.parquet").frame
    halt = int(bars["timestamp"].searchsorted(1_679_661_600_000))
    bars = bars.iloc[halt - ROWS // 2 : halt + ROWS // 2].reset_index(drop=True)
    times = np.arange(bars["timestamp"].iloc[0], bars["timestamp"].iloc[-1], DAY_MS // 3)
    rates = 1e-4 * np.random.default_rng(2).standard_normal(len(times))
    funding = pd.DataFrame({"timestamp": times, "funding_rate": rates})
    nothing = pd.DataFrame({"timestamp": np.array([], np.int64), "open_interest": np.array([])})
    return with_gaps(join_reference(bars, funding, nothing, "1m"))


def bars_of(kind: str, request: pytest.FixtureRequest) -> pd.DataFrame:
    if kind == "real":
        return real_bars(request.getfixturevalue("market_dir"))
    return simulated_bars() if kind == "simulated" else random_market(5_000, seed=8)


@pytest.fixture(
    params=[
        pytest.param(("random", 4), id="a few rows"),
        pytest.param(("simulated", 60), id="simulated", marks=pytest.mark.slow),
        pytest.param(("real", 60), id="real", marks=[pytest.mark.slow, pytest.mark.market]),
    ],
    scope="module",
)
def case(request: pytest.FixtureRequest) -> tuple[pd.DataFrame, list[OtherBars]]:
    """The market, and twice as many others as rows are tried."""
    kind, rows = request.param
    market = bars_of(kind, request)
    tried = np.random.default_rng(7).integers(1_500, len(market), rows)
    return market, list(other_bars(market, [int(row) for row in tried]))


Case = tuple[pd.DataFrame, list[OtherBars]]


def assert_same(again: pd.DataFrame, kept: pd.DataFrame, rows: np.ndarray, words: str) -> None:
    different = first_difference(again, kept, rows)
    assert different is None, f"{words}: {different}"


def test_every_feature(case: Case) -> None:
    market, others = case
    options = {"timeframe": "1m", "settings": SETTINGS.features}
    kept = compute_features(market, **options)  # type: ignore[arg-type]
    assert tuple(kept.columns) == feature_names(SETTINGS.features, "1m")
    for other in others:
        again = compute_features(other.frame, **options)  # type: ignore[arg-type]
        before = slice(0, other.row)
        assert_same(again.iloc[before], kept.iloc[before], np.arange(other.row), other.words)


def test_every_regime_and_its_probabilities(case: Case) -> None:
    market, others = case
    kept, model = classify(
        market,
        fit_rows=np.arange(len(market) // 2),
        timeframe="1m",
        settings=SETTINGS.regimes,
        seed=3,
    )
    for other in others:
        again = decode(other.frame, model, SETTINGS.regimes)
        before = slice(0, other.row)
        assert_same(again.iloc[before], kept.iloc[before], np.arange(other.row), other.words)


def labelled(market: pd.DataFrame) -> pd.DataFrame:
    return labelled_events(market, np.arange(len(market)), settings=LABELS, timeframe_ms=MINUTE_MS)


def test_every_label_and_weight_that_is_known_by_a_row(case: Case) -> None:
    market, others = case
    kept, horizon = labelled(market), LABELS.horizon_bars * MINUTE_MS
    for other in others:
        again = labelled(other.frame)
        if other.cut:
            passed = kept["timestamp"] + horizon <= market["timestamp"].iloc[other.row - 1]
            now, then = again, kept[passed]
        else:
            now, then = (part[part["t1_row"] < other.row] for part in (again, kept))
        rows = then["row"].to_numpy()
        assert np.array_equal(now["row"], rows), other.words
        assert_same(now[list(KNOWN)], then[list(KNOWN)], rows, other.words)
        if other.cut:
            # A label is at work from the bar after its decision, so it may end on the next one.
            lost = kept["timestamp"][~passed].min() - LABELS.horizon_bars * 60_000
            now, then = (part[part["timestamp"] <= lost] for part in (now, then))
        else:
            # The times are the same, so every weight is, before and after.
            now, then = again, kept
        names = ["last_row", "uniqueness"]
        rows = then["row"].to_numpy()
        assert_same(now[names], then[names], rows, other.words)


def test_every_column_of_the_tactician(case: Case) -> None:
    market, others = case
    context = TacticianContext("1m", LABELS.horizon_bars, SETTINGS.costs, SETTINGS.tactician)
    rows = np.arange(1_000, len(market), 13)
    probability = np.random.default_rng(4).uniform(0.3, 0.7, len(rows))
    even = pd.DataFrame(1 / 3, index=market.index, columns=["p_bull", "p_bear", "p_sideways"])

    def made(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
        inside = rows < len(frame)
        signals = make_signals(frame, rows[inside], probability[inside], LABELS)
        labels, _ = signal_outcomes(frame, signals, context)
        regimes = even.iloc[: len(frame)]
        return labels, context.features(frame, regimes, signals, context.settled(labels))

    kept_labels, kept = made(market)
    for other in others:
        labels, features = made(other.frame)
        count = int((rows < other.row).sum())
        for timeframe, again in features.items():
            then = kept[timeframe].iloc[:count]
            assert_same(again.iloc[:count], then, rows[:count], f"{other.words}, {timeframe}")
        known = labels[labels["t1_row"] < other.row].reset_index(drop=True)
        then = kept_labels[kept_labels["row"].isin(known["row"])].reset_index(drop=True)
        # Signals that are cut away neither weigh on the others nor manage their positions.
        names = [n for n in then if not other.cut or n not in ("weight", "managed_return")]
        assert_same(known[names], then[names], known["row"].to_numpy(), other.words)
        if not other.cut:
            assert (kept_labels["t1_row"] < other.row).sum() == len(known)
            timed = ["row", "settled_row", "weight"]
            every = kept_labels["row"].to_numpy()
            assert_same(labels[timed], kept_labels[timed], every, other.words)
