"""Position management: the rule, its books, the backtest's kernel, and a cut future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.tactician.meta_labels import meta_labels, side_cost
from ares_assets.tactician.positions import (
    CODES,
    judge_management,
    managed_returns,
    management_signals,
    signal_codes,
    signal_names,
)
from ares_resources.backtesting import MarketArrays, StrategyParameters, backtest_path
from ares_resources.errors import BadInput
from ares_resources.settings import CostSettings

COSTS = CostSettings(fee_bp=10, slippage_bp=0, latency_bars=1)  # one side costs 0.001


@pytest.mark.parametrize(
    ("probability", "name"),
    [
        (0.5, "hold"),
        (0.509, "hold"),
        (0.51, "reduce_short"),
        (0.519, "reduce_short"),
        (0.53, "exit_short"),
        (0.491, "hold"),
        (0.485, "reduce_long"),
        (0.2, "exit_long"),
        (np.nan, "hold"),
    ],
)
def test_rule(probability: float, name: str) -> None:
    # A move of 5 % and a band of 0.1 %: one percent of probability is a band.
    got = management_signals(np.array([probability]), np.array([0.05]), band=0.001 - 1e-12)
    assert signal_names(got).tolist() == [name]
    assert signal_codes(signal_names(got)).tolist() == got.tolist() == [CODES[name]]


def test_rule_where_the_move_is_unknown_or_free() -> None:
    got = management_signals(np.array([0.9, 0.5, 0.51]), np.array([np.nan, 0.05, 0.05]), band=0.0)
    assert got.tolist() == [0, 0, 2]
    with pytest.raises(BadInput, match="band nan"):
        management_signals(np.array([0.9]), np.array([0.05]), band=np.nan)
    with pytest.raises(BadInput, match="'wait'; allowed: hold"):
        signal_codes(np.array(["hold", "wait"], dtype=object))


def trade(**changes: float) -> pd.DataFrame:
    values = {"row": 0, "t1_row": 10, "side": 1, "entry_row": 1, "exit_row": 5}
    return pd.DataFrame([{**values, "gross_return": -0.1, "funding": 0.0007, **changes}])


def books(labels: pd.DataFrame, told: dict[int, int], latency: int = 1) -> float:
    frame = pd.DataFrame({"open": [100.0, 100, 104, 102, 106, 90, 90], "funding_payment": 0.0})
    frame.loc[[1, 3, 5], "funding_payment"] = [0.0001, 0.0002, 0.0004]
    signals = np.zeros(7, np.int8)
    signals[list(told)] = list(told.values())
    got = managed_returns(frame, labels, signals, cost=0.001, latency_bars=latency)
    return float(got[0])


def test_books_of_a_halved_and_closed_long() -> None:
    labels = trade(net_return=-0.1 - 0.0019 - 0.0007)
    got = books(labels, {1: -1, 2: 2, 3: -2, 4: -2})
    gross = 0.5 * 0.04 + 0.5 * 0.06
    cost = 0.001 * (1 + 0.5 * 1.04 + 0.5 * 1.06)
    funding = 0.0001 + 0.5 * 0.0002
    assert got == pytest.approx(gross - cost - funding)
    whole = books(labels, {3: -2})
    assert whole == pytest.approx(0.06 - 0.001 * 2.06 - 0.0003)
    only_half = books(labels, {1: -1, 3: -1})
    assert only_half == pytest.approx(
        0.5 * 0.04 - 0.5 * 0.1 - 0.001 * (1 + 0.5 * 1.04 + 0.5 * 0.9) - 0.0001 - 0.5 * 0.0006
    )


def test_books_of_a_short_and_of_orders_that_come_too_late() -> None:
    labels = trade(side=-1, gross_return=0.1, funding=-0.0007, net_return=0.1 - 0.0019 + 0.0007)
    got = books(labels, {2: 2, 1: -2})
    assert got == pytest.approx(-0.02 - 0.001 * 2.02 + 0.0001)
    long = trade(net_return=-0.1026)
    assert books(long, {0: -2, 5: -2}) == -0.1026  # before the entry, and after the exit
    assert books(long, {4: -2}, latency=2) == -0.1026
    # Out at the open of the exit's own bar: that bar's funding is not paid.
    assert books(long, {3: -2}, latency=2) == pytest.approx(-0.1026 + 0.0004)


def test_no_positions() -> None:
    frame = pd.DataFrame({"open": [1.0], "funding_payment": [0.0]})
    labels = trade(net_return=0.0).iloc[:0]
    got = managed_returns(frame, labels, np.zeros(1, np.int8), cost=0.001, latency_bars=1)
    assert got.size == 0


def world(seed: int, n: int = 150):
    generator = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.01 * generator.standard_normal(n)))
    frame = pd.DataFrame({"open": np.roll(close, 1), "high": close, "low": close, "close": close})
    frame.loc[0, "open"] = 100.0
    frame["high"] = frame[["open", "close"]].max(axis=1) * 1.001
    frame["low"] = frame[["open", "close"]].min(axis=1) * 0.999
    frame["funding_payment"] = np.where(np.arange(n) % 8 == 7, 0.0003, 0.0)
    frame.insert(0, "timestamp", 60_000 * np.arange(n, dtype=np.int64))
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
        timeframe_ms=60_000,
        costs=COSTS,
        delay_bars=2,
    )
    return frame, labels, p


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 300), cut=st.integers(5, 140))
def test_signals_prefix(seed: int, cut: int) -> None:
    _, _, p = world(seed)
    move = np.full(p.size, 0.03)
    noisy = p.copy()
    noisy[cut:] = 1 - noisy[cut:]
    whole, changed = (management_signals(path, move, band=0.001) for path in (p, noisy))
    assert whole[:cut].tolist() == changed[:cut].tolist()
    assert whole[:cut].tolist() == management_signals(p[:cut], move[:cut], band=0.001).tolist()


@given(seed=st.integers(0, 300))
@settings(max_examples=20, deadline=None)
def test_holding_throughout_is_the_label(seed: int) -> None:
    frame, labels, _ = world(seed)
    got = managed_returns(frame, labels, np.zeros(len(frame), np.int8), cost=0.001, latency_bars=1)
    np.testing.assert_array_equal(got, labels["net_return"].to_numpy())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 300), latency=st.integers(1, 3))
def test_what_is_judged_is_what_the_backtest_does(seed: int, latency: int) -> None:
    """One position at a time through the kernel, with the label's barriers: the same money."""
    frame, _, p = world(seed)
    costs = COSTS.model_copy(update={"latency_bars": latency})
    row = np.flatnonzero(~np.isnan(p))
    width = np.full(row.size, 0.03)
    labels = meta_labels(
        frame,
        pd.DataFrame({"row": row, "t1_row": row}),
        p[row],
        upper_width=width,
        lower_width=width,
        horizon_bars=12,
        timeframe_ms=60_000,
        costs=costs,
        delay_bars=2,
    )
    frame = frame.assign(funding_payment=0.0)  # the kernel and the label value payments apart
    labels["net_return"] += labels["funding"]
    labels["funding"] = 0.0
    signals = management_signals(p, np.full(p.size, 0.005), band=0.001)
    cost = side_cost(costs)
    managed = managed_returns(frame, labels, signals, cost=cost, latency_bars=latency)
    opened = frame["open"].to_numpy()
    atr = np.append(opened[latency:], np.full(latency, 100.0)) * 0.03
    market = MarketArrays.from_frame(frame, atr)
    parameters = StrategyParameters(0.5, 0.49999, 1.0, 1.0, 12, 0.001, 0.0, latency)
    for number in range(0, len(labels), 3):
        alone = np.full(len(frame), np.nan)
        alone[labels["row"].iloc[number]] = p[labels["row"].iloc[number]]
        path = backtest_path(market, alone, np.ones(len(frame)), parameters, signals)
        # Barriers of label and kernel differ in the last bit; so does the money.
        assert path.trade_return[0] == pytest.approx(managed[number], rel=1e-9, abs=1e-12)
    assert not np.array_equal(managed, labels["net_return"])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_labels_and_backtest_charge_the_same_settlements(seed: int) -> None:
    """Valued on the entry's notional there and on the price here: equal up to the move."""
    frame, _, _ = world(seed)
    generator = np.random.default_rng(seed)
    keep = np.sort(generator.choice(150, 120, replace=False))
    frame = frame.iloc[keep].reset_index(drop=True)
    sign = 0.001 * generator.choice([-1.0, 1.0], (2, 120))
    after_gap = np.diff(keep, prepend=keep[0]) > 1
    frame["funding_payment"] = np.where(generator.random(120) < 0.4, sign[0], 0.0)
    frame["gap_payment"] = np.where(after_gap, sign[1], 0.0)
    row = np.arange(2, 95, 3)
    p = generator.random(row.size)
    width = np.full(row.size, 0.03)
    labels = meta_labels(
        frame,
        pd.DataFrame({"row": row, "t1_row": row}),
        p,
        upper_width=width,
        lower_width=width,
        horizon_bars=12,
        timeframe_ms=60_000,
        costs=CostSettings(fee_bp=0, slippage_bp=0, latency_bars=1),
        delay_bars=2,
    )
    atr = np.append(frame["open"].to_numpy()[1:], 100.0) * 0.03
    unpaid = frame.assign(funding_payment=0.0, gap_payment=0.0)
    parameters = StrategyParameters(0.5, 0.49999, 1.0, 1.0, 12, 0.0, 0.0)
    for number in range(len(labels)):
        alone = np.full(120, np.nan)
        alone[row[number]] = p[number]
        paths = [
            backtest_path(
                MarketArrays.from_frame(one, atr, bar_ms=60_000), alone, np.ones(120), parameters
            )
            for one in (unpaid, frame)
        ]
        paid = paths[0].trade_return[0] - paths[1].trade_return[0]
        assert paths[1].exit_row[0] == labels["exit_row"].iloc[number]
        assert paid == pytest.approx(labels["funding"].iloc[number], abs=0.0005)


def test_books_leave_out_what_a_gap_costs_after_the_position_is_gone() -> None:
    frame = pd.DataFrame({"open": [100.0] * 7, "funding_payment": 0.0, "gap_payment": 0.0})
    frame.loc[[1, 3, 5], "gap_payment"] = [0.5, 0.0002, 0.0004]  # entered behind the first gap
    labels = trade(gross_return=0.0, funding=0.0006, net_return=-0.0006)
    for told, paid in (({1: -2}, 0.0), ({2: -2}, 0.0002), ({1: -1}, 0.0003), ({4: -2}, 0.0006)):
        signals = np.zeros(7, np.int8)
        signals[list(told)] = list(told.values())
        got = managed_returns(frame, labels, signals, cost=0.0, latency_bars=1)
        assert got[0] == pytest.approx(-paid)


def test_management_is_kept_only_on_evidence() -> None:
    _, labels, _ = world(3)
    net = labels["net_return"].to_numpy()
    noise = 0.001 * np.random.default_rng(1).standard_normal(net.size)
    taken = np.ones(net.size, bool)
    better = judge_management(labels, net + 0.002 + noise, taken=taken, confidence=0.9)
    worse = judge_management(labels, net - 0.002 + noise, taken=taken, confidence=0.9)
    nobody = judge_management(labels, net + 0.002, taken=~taken, confidence=0.9)
    assert (better.kept, worse.kept, nobody.kept) == (True, False, False)
    assert worse.reason.startswith("hold to the barriers: gain")
    assert nobody.reason == "hold to the barriers: no signal is taken"


def judged_on(told: np.ndarray, close: np.ndarray):
    """The verdict on the rule where ``told`` is the probability at every second bar."""
    n = close.size
    opened = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    frame = pd.DataFrame({"open": opened, "high": high, "low": low, "close": close})
    frame["funding_payment"] = 0.0
    frame.insert(0, "timestamp", 60_000 * np.arange(n, dtype=np.int64))
    row = np.arange(0, n - 50, 2)
    p = np.full(n, np.nan)
    p[row] = told[row]
    labels = meta_labels(
        frame,
        pd.DataFrame({"row": row, "t1_row": row}),
        p[row],
        upper_width=np.full(row.size, 0.05),
        lower_width=np.full(row.size, 0.05),
        horizon_bars=40,
        timeframe_ms=60_000,
        costs=COSTS,
        delay_bars=2,
    )
    signals = management_signals(p, np.full(n, 0.02), band=side_cost(COSTS))
    managed = managed_returns(
        frame, labels, signals, cost=side_cost(COSTS), latency_bars=COSTS.latency_bars
    )
    taken = np.ones(len(labels), bool)
    return judge_management(labels, managed, taken=taken, confidence=0.9)


def test_the_rule_is_kept_where_the_analyst_sees_turns_and_not_where_it_guesses() -> None:
    generator = np.random.default_rng(8)
    n = 6000
    trend = np.repeat(generator.choice([-1.0, 1.0], n // 20), 20)
    close = 100 * np.exp(np.cumsum(0.0006 * trend + 0.001 * generator.standard_normal(n)))
    seeing = judged_on(0.5 + 0.2 * trend, close)
    assert seeing.kept
    assert seeing.reason.startswith("gain ")
    guessing = judged_on(0.5 + 0.2 * generator.choice([-1.0, 1.0], n), close)
    assert not guessing.kept
