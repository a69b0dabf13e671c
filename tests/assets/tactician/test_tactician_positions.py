"""Position management: the rule, its hysteresis, its books, and a cut future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.tactician.meta_labels import meta_labels
from ares_assets.tactician.positions import (
    EXIT,
    HOLD,
    REDUCE,
    expected_change,
    judge_management,
    managed_returns,
    next_signal,
    position_signals,
)
from ares_resources.settings import CostSettings

COSTS = CostSettings(fee_bp=8, slippage_bp=2, latency_bars=1)  # one side costs 0.001


def trade(**changes: float) -> pd.DataFrame:
    values = {"row": 0, "t1_row": 10, "side": 1, "entry_row": 1, "exit_row": 10}
    return pd.DataFrame([{**values, **changes}])


def test_expected_change_shrinks_with_time() -> None:
    got = expected_change(
        np.array([1, 1, -1, 1]),
        np.array([0.6, 0.6, 0.6, 0.6]),
        np.full(4, 0.05),
        np.array([0, 5, 5, 20]),
        horizon_bars=10,
    )
    assert got.tolist() == pytest.approx([0.01, 0.005, -0.005, 0.0])


@pytest.mark.parametrize(
    ("current", "change", "expected"),
    [
        (HOLD, 0.0005, HOLD),
        (HOLD, 0.0, REDUCE),
        (HOLD, -0.0005, REDUCE),
        (HOLD, -0.001, EXIT),
        (REDUCE, 0.0005, REDUCE),
        (REDUCE, 0.001, HOLD),
        (REDUCE, -0.002, EXIT),
        (EXIT, 0.9, EXIT),
    ],
)
def test_rule(current: str, change: float, expected: str) -> None:
    assert next_signal(current, change, cost=0.001) == expected


def test_signals_by_hand() -> None:
    p = np.full(12, np.nan)
    p[[0, 2, 4, 5, 7, 9]] = [0.9, 0.6, 0.49, 0.505, 0.3, 0.9]
    got = position_signals(trade(), p, np.array([0.05]), horizon_bars=10, costs=COSTS)
    assert got["row"].tolist() == [2, 4, 5, 7]
    assert got["elapsed_bars"].tolist() == [2, 4, 5, 7]
    assert got["signal"].tolist() == [HOLD, REDUCE, REDUCE, EXIT]
    assert got["expected_change"].tolist() == pytest.approx([0.008, -0.0006, 0.00025, -0.006])


def test_no_decision_that_could_not_fill_before_the_end() -> None:
    p = np.full(12, 0.9)
    got = position_signals(trade(exit_row=3), p, np.array([0.05]), horizon_bars=10, costs=COSTS)
    assert got["row"].tolist() == [1, 2]


def test_no_positions() -> None:
    none = trade().iloc[:0]
    got = position_signals(none, np.full(5, 0.5), np.empty(0), horizon_bars=3, costs=COSTS)
    assert got.empty
    frame = pd.DataFrame({"open": [1.0], "funding_payment": [0.0]})
    labels = none.assign(net_return=0.0, gross_return=0.0, funding=0.0)
    assert managed_returns(frame, labels, got, costs=COSTS).size == 0


def test_books_of_a_halved_restored_and_closed_position() -> None:
    frame = pd.DataFrame({"open": [100.0, 100, 104, 102, 106, 90, 90], "funding_payment": 0.0})
    frame.loc[[1, 3, 5], "funding_payment"] = [0.0001, 0.0002, 0.0004]
    labels = trade(exit_row=5).assign(gross_return=-0.1, funding=0.0007, cost=0.0019)
    labels["net_return"] = -0.1 - 0.0019 - 0.0007
    signals = pd.DataFrame(
        {"position": 0, "row": [1, 2, 3], "signal": [REDUCE, HOLD, EXIT]},
    )
    got = managed_returns(frame, labels, signals, costs=COSTS)
    gross = 1.0 * 0.04 + 0.5 * (-0.02) + 1.0 * 0.04
    cost = 0.001 * (1 + 0.5 * 1.04 + 0.5 * 1.02 + 1.06)
    funding = 1.0 * 0.0001 + 0.5 * 0.0 + 1.0 * 0.0002
    assert got.tolist() == pytest.approx([gross - cost - funding])


def world(seed: int, n: int = 150):
    generator = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.01 * generator.standard_normal(n)))
    frame = pd.DataFrame({"open": np.roll(close, 1), "high": close, "low": close, "close": close})
    frame.loc[0, "open"] = 100.0
    frame["high"] = frame[["open", "close"]].max(axis=1) * 1.001
    frame["low"] = frame[["open", "close"]].min(axis=1) * 0.999
    frame["funding_payment"] = np.where(np.arange(n) % 8 == 7, 0.0003, 0.0)
    row = np.arange(2, n - 20, 4)
    p = np.full(n, np.nan)
    p[row] = generator.random(row.size)
    width = np.full(row.size, 0.03)
    labels = meta_labels(
        frame,
        pd.DataFrame({"row": row, "t1_row": row}),
        p[row],
        upper_width=width,
        lower_width=width,
        horizon_bars=12,
        costs=COSTS,
        delay_bars=2,
    )
    return frame, labels, p


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 300), cut=st.integers(5, 140))
def test_signals_prefix(seed: int, cut: int) -> None:
    _, labels, p = world(seed)
    move = np.full(len(labels), 0.03)

    def signals(path: np.ndarray) -> pd.DataFrame:
        got = position_signals(labels, path, move, horizon_bars=12, costs=COSTS)
        return got[got["row"] < cut].reset_index(drop=True)

    noisy = p.copy()
    noisy[cut:] = np.where(np.isnan(noisy[cut:]), np.nan, 1 - noisy[cut:])
    pd.testing.assert_frame_equal(signals(p), signals(noisy))


@given(seed=st.integers(0, 300))
@settings(max_examples=20, deadline=None)
def test_holding_throughout_is_the_label(seed: int) -> None:
    frame, labels, p = world(seed)
    always = np.where(np.isnan(p), np.nan, 0.5)
    signals = position_signals(labels, always, np.zeros(len(labels)), horizon_bars=12, costs=COSTS)
    signals["signal"] = HOLD
    got = managed_returns(frame, labels, signals, costs=COSTS)
    np.testing.assert_array_equal(got, labels["net_return"].to_numpy())


def test_management_is_kept_only_on_evidence() -> None:
    _, labels, _ = world(3)
    net = labels["net_return"].to_numpy()
    noise = 0.001 * np.random.default_rng(1).standard_normal(net.size)
    taken = np.ones(net.size, bool)
    better = judge_management(labels, net + 0.002 + noise, taken=taken, confidence=0.9)
    worse = judge_management(labels, net - 0.002 + noise, taken=taken, confidence=0.9)
    nobody = judge_management(labels, net + 0.002, taken=~taken, confidence=0.9)
    assert (better.kept, worse.kept, nobody.kept) == (True, False, False)
    assert worse.reason.startswith("hold to the barriers")
