"""The compiled backtest equals its plain twin, keeps its rules, and never sees the future."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toolkit_markets import parameter_sets, random_market

from ares_resources.backtesting import (
    EXIT_NAMES,
    MarketArrays,
    Signals,
    StrategyParameters,
    backtest,
    backtest_path,
    backtest_sweep,
)
from ares_resources.backtesting.kernel_reference import simulate_reference
from ares_resources.errors import BadInput

DAY = 86_400_000
ALL_COLUMNS = (
    *("timestamp", "open", "high", "low", "close", "atr", "funding_payment"),
    "gap_payment",
)
PLAIN = StrategyParameters(
    enter_long=0.6,
    enter_short=0.4,
    stop_width=2.0,
    target_width=3.0,
    time_stop_bars=10,
    fee=0.0,
    slippage=0.0,
)


def market_of(
    bars: list[tuple[float, float, float, float]], **columns: list[float]
) -> MarketArrays:
    rows = np.array(bars, dtype=float)
    stamps = np.asarray(columns.get("timestamp", np.arange(len(bars)) * DAY // 4))
    atr = np.asarray(columns.get("atr", np.ones(len(bars))))
    funding = np.asarray(columns.get("funding", np.zeros(len(bars))))
    gap = np.array(columns["gap"]) if "gap" in columns else None
    return MarketArrays(stamps.astype(np.int64), *rows.T, atr, funding, gap_payment=gap)


def run(
    market: MarketArrays,
    probability: list[float],
    parameters: StrategyParameters = PLAIN,
    management: list[int] | None = None,
):
    told = None if management is None else np.array(management)
    return backtest_path(market, np.array(probability), np.ones(len(market)), parameters, told)


FLAT = (100.0, 100.0, 100.0, 100.0)


def orders(seed: int, rows: int) -> np.ndarray:
    generator = np.random.default_rng(seed + 7)
    return generator.choice(np.array([-2, -1, 0, 1, 2]), rows, p=[0.05, 0.1, 0.7, 0.1, 0.05])


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 80), parameter_sets(), st.booleans())
def test_kernel_equals_its_plain_twin_exactly(seed, rows, parameters, managed):
    market, probability, size = random_market(seed, rows)
    management = orders(seed, rows) if managed else None
    path = backtest_path(market, probability, size, parameters, management)
    twin = simulate_reference(
        market,
        probability.tolist(),
        size.tolist(),
        parameters,
        management.tolist() if managed else (),
    )

    assert path.equity.tolist() == twin.equity
    trades = zip(
        path.decision_row,
        path.entry_row,
        path.exit_row,
        path.side,
        path.exit_reason,
        path.reduce_row,
        path.trade_return,
        strict=True,
    )
    assert list(trades) == twin.trades
    result = path.result
    assert (result.turnover, result.max_drawdown) == (twin.turnover, twin.max_drawdown)
    assert result.sharpe == twin.sharpe
    assert result.total_return == twin.equity[-1] - 1
    assert result.trades == len(twin.trades)
    wins = sum(trade[-1] > 0 for trade in twin.trades)
    assert result.win_rate == (wins / len(twin.trades) if twin.trades else 0.0)
    sweep = Signals(market, probability, size, management).sweep(
        [parameters], threads=1, daily=True
    )
    assert result == sweep.result(0)
    if not managed:
        assert result == backtest(market, probability, size, parameters)
    assert sweep.daily_return[0].tolist() == twin.daily_return


def test_the_twin_comparison_meets_every_exit_and_ruin():
    seen: set[str] = set()
    for seed in range(120):
        market, probability, size = random_market(seed, 80)
        for parameters in (PLAIN, replace(PLAIN, size_multiple=8.0, stop_width=math.inf)):
            short = replace(parameters, time_stop_bars=3 if seed % 2 else 40)
            path = backtest_path(market, probability, size, short, orders(seed, 80))
            seen |= {EXIT_NAMES[int(reason)] for reason in path.exit_reason}
    assert seen == set(EXIT_NAMES.values())


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 120), parameter_sets(), st.data())
def test_cutting_the_future_leaves_the_past(seed, rows, parameters, data):
    market, probability, size = random_market(seed, rows)
    cut = data.draw(st.integers(1, rows - 1))
    signals = orders(seed, rows)
    whole = backtest_path(market, probability, size, parameters, signals)
    part = backtest_path(
        market.rows(0, cut), probability[:cut], size[:cut], parameters, signals[:cut]
    )
    # The last row of the cut path may hold the forced close; everything before is the same.
    assert part.equity[:-1].tolist() == whole.equity[: cut - 1].tolist()
    closed = part.exit_row < cut - 1
    for name in (
        "decision_row",
        "entry_row",
        "exit_row",
        "side",
        "trade_return",
        "exit_reason",
        "reduce_row",
    ):
        past = getattr(part, name)[closed].tolist()
        assert past == getattr(whole, name)[: len(past)].tolist()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(parameter_sets(), min_size=1, max_size=23))
def test_sweep_equals_one_by_one_for_any_thread_count(seed, parameters):
    market, probability, size = random_market(seed, 150)
    alone = [backtest(market, probability, size, one) for one in parameters]
    for threads in (1, 2, 3):
        sweep = backtest_sweep(market, probability, size, parameters, threads=threads)
        assert sweep.results() == alone


def test_path_adds_up():
    market, probability, size = random_market(3, 400)
    path = backtest_path(market, probability, size, replace(PLAIN, fee=4e-4, slippage=1e-4))
    assert len(path.trade_return) > 10
    assert np.prod(1 + path.trade_return) == pytest.approx(path.equity[-1], rel=1e-12)
    assert np.prod(1 + path.net_return) == pytest.approx(path.equity[-1], rel=1e-12)
    daily = pd.Series(path.equity).groupby(market.timestamp // DAY).last()
    change = (daily / daily.shift(fill_value=1.0) - 1).to_numpy()
    sharpe = change.mean() / change.std(ddof=1) * math.sqrt(365)
    assert path.result.sharpe == pytest.approx(sharpe, rel=1e-9)
    fall = 1 - path.equity / np.maximum.accumulate(np.maximum(path.equity, 1.0))
    assert path.result.max_drawdown == fall.max()
    assert path.result.days == len(daily)


def test_fill_at_the_open_after_the_decision_and_target_fixed_at_entry():
    bars = [FLAT, (101, 102, 100, 101), (101, 104, 100, 103), (103, 103, 103, 103)]
    path = run(market_of(bars, atr=[1, 9, 9, 9]), [0.9, np.nan, np.nan, np.nan])
    assert (path.entry_row.tolist(), path.exit_row.tolist()) == ([1], [2])
    assert path.trade_return[0] == pytest.approx(104 / 101 - 1)  # target 101 + 3 x ATR(row 0)
    assert EXIT_NAMES[int(path.exit_reason[0])] == "target"


def test_stop_comes_first_when_both_are_inside_a_bar():
    path = run(market_of([FLAT, (100, 105, 95, 101), FLAT]), [0.9, np.nan, np.nan])
    assert EXIT_NAMES[int(path.exit_reason[0])] == "stop"
    assert path.trade_return[0] == pytest.approx(-0.02)


def test_gap_through_the_stop_fills_at_the_open():
    path = run(market_of([FLAT, FLAT, (90, 91, 89, 90), FLAT]), [0.9] + [np.nan] * 3)
    assert path.exit_row.tolist() == [2]
    assert path.trade_return[0] == pytest.approx(-0.10)


def test_short_mirrors_long():
    path = run(market_of([FLAT, FLAT, (100, 100, 96, 97), FLAT]), [0.1] + [np.nan] * 3)
    assert path.side.tolist() == [-1]
    assert path.trade_return[0] == pytest.approx(0.03)


def test_time_stop_counts_the_entry_bar():
    market = market_of([FLAT] * 6)
    for bars_held in (1, 2, 3):
        path = run(market, [0.9] + [np.nan] * 5, replace(PLAIN, time_stop_bars=bars_held))
        assert path.exit_row.tolist() == [bars_held]
        assert EXIT_NAMES[int(path.exit_reason[0])] == "time"


def test_time_stop_is_counted_in_time_and_left_at_the_open_after_a_gap():
    quarter = DAY // 4
    late = (102.0, 103.0, 102.0, 103.0)
    whole = market_of([FLAT] * 5 + [late], timestamp=np.array([0, 1, 2, 3, 7, 8]) * quarter)
    held = replace(PLAIN, time_stop_bars=4, target_width=9.0)
    # Entry in slot 1; the fourth bar, slot 4, is missing: out at the open of slot 7.
    path = run(whole, [0.9] + [np.nan] * 5, held)
    assert (path.exit_row.tolist(), EXIT_NAMES[int(path.exit_reason[0])]) == ([4], "time")
    on_time = run(whole, [0.9] + [np.nan] * 5, replace(held, time_stop_bars=8))
    assert on_time.exit_row.tolist() == [5]
    assert on_time.trade_return[0] == pytest.approx(0.03)  # slot 8 is there: at its close
    funded = market_of(
        [FLAT] * 6, timestamp=np.array([0, 1, 2, 3, 7, 8]) * quarter, funding=[0, 0, 0, 0, 0.01, 0]
    )
    assert run(funded, [0.9] + [np.nan] * 5, held).result.total_return == 0.0
    part = whole.rows(3, 5)
    assert (part.bar_ms, part.slot.tolist()) == (quarter, [0, 4])


COSTLY = replace(PLAIN, fee=0.001, slippage=0.01, stop_width=50.0, target_width=50.0)
STAIRS = [FLAT, FLAT, (102.0, 102, 102, 102), (104.0, 104, 104, 104), (106.0, 106, 106, 106)]


def test_a_reduced_and_then_closed_long_by_hand():
    funding = [0, 0.01, 0.01, 0.01, 0.01]
    path = run(market_of(STAIRS, funding=funding), [0.9] + [np.nan] * 4, COSTLY, [0, -1, -2, 0, 0])
    # Entry at 100 in row 1, half sold at row 2's open, the rest at row 3's.
    fill, quantity = 101.0, 1 / 101.0
    half = quantity / 2
    first, second = 102 * 0.99, 104 * 0.99
    gain = half * (first - fill) + half * (second - fill)
    fees = 0.001 * (1 + half * first + half * second)
    paid = 0.01 * quantity * 100 + 0.01 * half * 102  # row 3 was left at its open
    assert path.equity[-1] == pytest.approx(1 + gain - fees - paid, rel=1e-13)
    assert (path.exit_row.tolist(), path.reduce_row.tolist()) == ([3], [2])
    assert EXIT_NAMES[int(path.exit_reason[0])] == "signal"
    assert path.result.turnover == pytest.approx(1 + half * first + half * second, rel=1e-13)
    # A bar that closed a position does not decide, however it was closed.
    again = run(market_of(STAIRS), [0.9] * 5, COSTLY, [0, -2, 0, 0, 0])
    assert again.decision_row.tolist() == [0, 3]


def test_a_short_hears_only_what_is_against_it():
    path = run(market_of(STAIRS), [0.1] + [np.nan] * 4, COSTLY, [2, -2, -1, 2, 0])
    assert (path.exit_row.tolist(), EXIT_NAMES[int(path.exit_reason[0])]) == ([4], "signal")
    longs = run(market_of(STAIRS), [0.9] + [np.nan] * 4, COSTLY, [-2, 2, 1, 1, 0])
    assert EXIT_NAMES[int(longs.exit_reason[0])] == "end"
    assert longs.reduce_row.tolist() == [-1]


def test_an_order_waits_for_its_latency_and_a_gap_goes_first():
    slow = replace(COSTLY, latency_bars=2)
    path = run(market_of(STAIRS), [0.9] + [np.nan] * 4, slow, [0, 0, -2, 0, 0])
    assert (path.entry_row.tolist(), path.exit_row.tolist()) == ([2], [4])
    gap = market_of([FLAT, FLAT, (90.0, 90, 90, 90), FLAT])
    stopped = run(gap, [0.9] + [np.nan] * 3, PLAIN, [0, -2, 0, 0])
    assert EXIT_NAMES[int(stopped.exit_reason[0])] == "stop"
    assert stopped.trade_return[0] == pytest.approx(-0.10)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), parameter_sets())
def test_silent_management_changes_nothing(seed, parameters):
    market, probability, size = random_market(seed, 60)
    silent = np.zeros(60, np.int8)
    assert Signals(market, probability, size, silent).management is None
    plain = backtest_path(market, probability, size, parameters)
    told = backtest_path(market, probability, size, parameters, silent)
    assert told.equity.tolist() == plain.equity.tolist()


def test_a_bar_that_closed_a_position_does_not_decide_and_opposite_signals_are_ignored():
    path = run(
        market_of([FLAT] * 6), [0.9, 0.1, 0.9, 0.9, 0.9, 0.9], replace(PLAIN, time_stop_bars=2)
    )
    assert path.decision_row.tolist() == [0, 3]
    assert path.side.tolist() == [1, 1]


def test_open_trade_is_closed_at_the_last_close():
    path = run(market_of([FLAT, FLAT, (100, 101, 100, 101)]), [0.9, np.nan, np.nan])
    assert path.exit_row.tolist() == [2]
    assert EXIT_NAMES[int(path.exit_reason[0])] == "end"
    assert path.result.total_return == pytest.approx(0.01)


def test_decision_without_a_bar_to_fill_at_is_lost():
    path = run(market_of([FLAT, FLAT]), [np.nan, 0.9])
    assert path.result.trades == 0
    assert path.equity.tolist() == [1.0, 1.0]


def test_costs_on_both_sides():
    costly = replace(PLAIN, fee=0.001, slippage=0.01, time_stop_bars=1)
    path = run(market_of([FLAT, FLAT, FLAT]), [0.9, np.nan, np.nan], costly)
    quantity = 1 / 101
    expected = 1 - 0.001 + quantity * (99 - 101) - 0.001 * quantity * 99
    assert path.equity[1] == pytest.approx(expected, rel=1e-14)
    assert path.result.turnover == pytest.approx(1 + quantity * 99, rel=1e-14)


@pytest.mark.parametrize(("probability", "sign"), [(0.9, -1), (0.1, 1)])
def test_longs_pay_funding_and_shorts_receive_it(probability, sign):
    market = market_of([FLAT] * 4, funding=[0.5, 0.01, 0.0, 0.5])
    path = run(market, [probability] + [np.nan] * 3, replace(PLAIN, time_stop_bars=2))
    assert path.result.total_return == pytest.approx(sign * 0.01)


@pytest.mark.parametrize("rate", [0.01, -0.01])
@pytest.mark.parametrize("chance", [0.9, 0.1])
@pytest.mark.parametrize("barrier", ["stop", "target"])
@pytest.mark.parametrize("held", [0, 1])
def test_a_bar_left_at_a_barrier_inside_charges_its_funding_only_against_the_position(
    rate, chance, barrier, held
):
    """Also in the entry bar; paid on the level at which the position left."""
    side = 1 if chance > 0.5 else -1
    move = side * (-2 if barrier == "stop" else 3)
    level = 100.0 + move
    reach = (100.0, max(100.0, level), min(100.0, level), 100.0)
    bars = [FLAT] * (1 + held) + [reach, FLAT]
    funding = [0.0] * (1 + held) + [rate, 0.0]
    path = run(market_of(bars, funding=funding), [chance] + [np.nan] * (len(bars) - 1))
    assert EXIT_NAMES[int(path.exit_reason[0])] == barrier
    paid = max(side * rate, 0.0) * level / 100
    assert path.result.total_return == pytest.approx(side * move / 100 - paid, rel=1e-12)


def test_funding_is_not_paid_in_a_bar_left_at_its_open():
    market = market_of([FLAT, FLAT, (90, 95, 85, 90), FLAT], funding=[0, 0, 0.01, 0])
    assert run(market, [0.9] + [np.nan] * 3).result.total_return == pytest.approx(-0.1)


GAP_STAMPS = np.array([0, 1, 2, 7, 8]) * DAY // 4


def test_a_settlement_while_bars_were_missing_is_due_for_what_was_held_over_the_gap():
    stairs = [FLAT, FLAT, FLAT, (101, 102, 101, 102), (102, 102, 102, 102)]
    market = market_of(stairs, timestamp=GAP_STAMPS, gap=[0, 0, 0, 0.01, 0])
    held = replace(PLAIN, time_stop_bars=20, stop_width=50, target_width=50)
    for chance, side in ((0.9, 1), (0.1, -1)):
        path = run(market, [chance] + [np.nan] * 4, held)
        # On the quantity that came out of the gap, at the first price after it.
        assert path.equity[3] == pytest.approx(1 + side * (0.02 - 0.01 * 1.01), rel=1e-12)
        assert path.equity[4] == path.equity[3]
        opened_there = run(market, [np.nan, np.nan, chance, np.nan, np.nan], held)
        assert opened_there.entry_row.tolist() == [3]
        assert opened_there.result.total_return == pytest.approx(side * (102 / 101 - 1))


@pytest.mark.parametrize(
    ("bar", "parameters", "told", "reason"),
    [
        ((90.0, 91, 89, 90), PLAIN, None, "stop"),
        ((110.0, 111, 109, 110), PLAIN, None, "target"),
        ((101.0, 101, 101, 101), replace(PLAIN, time_stop_bars=3), None, "time"),
        ((101.0, 101, 101, 101), PLAIN, [0, 0, -2, 0, 0], "signal"),
        ((101.0, 101, 97, 101), replace(PLAIN, stop_width=1e9), [0, 0, -2, 0, 0], "signal"),
    ],
)
def test_what_leaves_at_the_open_after_a_gap_was_held_over_it(bar, parameters, told, reason):
    market = market_of([FLAT] * 3 + [bar, FLAT], timestamp=GAP_STAMPS, gap=[0, 0, 0, 0.01, 0])
    path = run(market, [0.9] + [np.nan] * 4, parameters, told)
    assert (path.exit_row.tolist(), EXIT_NAMES[int(path.exit_reason[0])]) == ([3], reason)
    assert path.result.total_return == pytest.approx(bar[0] / 100 * 0.99 - 1, rel=1e-12)


def test_a_reduction_at_the_open_after_a_gap_comes_after_what_the_gap_cost():
    market = market_of([FLAT] * 5, timestamp=GAP_STAMPS, gap=[0, 0, 0, 0.01, 0])
    held = replace(PLAIN, time_stop_bars=20)
    path = run(market, [0.9] + [np.nan] * 4, held, [0, 0, -1, 0, 0])
    assert path.reduce_row.tolist() == [3]
    assert path.result.total_return == pytest.approx(-0.01, rel=1e-12)


def test_a_drawdown_before_a_stop_that_a_gap_paid_for_is_not_forgotten():
    """Funding received at the exit can leave more than the lowest close before it."""
    low, stop = (98.5,) * 4, (97.5,) * 4
    minutes = np.array([0, 1, 2, 7, 8]) * 60_000
    market = market_of([FLAT, FLAT, low, stop, FLAT], timestamp=minutes, gap=[0, 0, 0, -0.05, 0])
    costly = replace(PLAIN, fee=0.02, target_width=1.0)
    path = run(market, [0.9] + [np.nan] * 4, costly)
    sweep = Signals(market, np.array([0.9] + [np.nan] * 4), np.ones(5)).sweep([costly], threads=1)
    assert path.result.total_return == pytest.approx(-0.02 - 0.025 + 0.04875 - 0.0195)
    assert path.result.max_drawdown == pytest.approx(0.035)
    assert sweep.result(0) == path.result


def test_equity_is_a_share_of_size_at_the_decision():
    market = market_of([FLAT, FLAT, (100, 103, 100, 103), FLAT])
    size = np.array([0.25, 9.0, 9.0, 9.0])
    path = backtest_path(market, np.array([0.9] + [np.nan] * 3), size, PLAIN)
    assert path.result.total_return == pytest.approx(0.25 * 0.03)


def test_ruin_ends_the_account_at_zero():
    market = market_of([FLAT, FLAT, (100, 250, 100, 250), FLAT, FLAT, FLAT])
    path = run(market, [0.1, np.nan, np.nan, 0.9, 0.9, 0.9], replace(PLAIN, stop_width=math.inf))
    assert path.equity.tolist() == [1, 1, 0, 0, 0, 0]
    assert (path.result.total_return, path.result.max_drawdown) == (-1.0, 1.0)
    assert path.result.trades == 1


def test_no_trades_means_zero_everywhere():
    market, _, size = random_market(1, 50)
    result = backtest(market, np.full(50, np.nan), size, PLAIN)
    assert (result.sharpe, result.total_return, result.trades, result.win_rate) == (0, 0, 0, 0)
    assert result.bars == 50


def test_days_are_utc_days_that_have_bars():
    stamps = [0, DAY - 1, DAY, 5 * DAY]
    market = market_of([FLAT] * 4, timestamp=stamps)
    assert market.day_end_rows.tolist() == [1, 2, 3]


def test_rows_are_views():
    market, _, _ = random_market(1, 50)
    part = market.rows(10, 20)
    assert np.shares_memory(part.close, market.close)
    assert part.fingerprint != market.fingerprint


def test_the_length_of_a_bar_is_part_of_the_fingerprint():
    """Bars that lie far apart are other bars where they are counted in other lengths."""
    quarter = DAY // 4
    whole = market_of([FLAT] * 7, timestamp=np.array([0, 1, 2, 4, 6, 8, 10]) * quarter)
    part = whole.rows(2, 7)
    alone = MarketArrays(*(getattr(part, name) for name in ALL_COLUMNS[:-1]))
    assert (part.bar_ms, alone.bar_ms) == (quarter, 2 * quarter)
    held = replace(PLAIN, time_stop_bars=3)
    exits = [run(one, [0.9] + [np.nan] * 4, held).exit_row.tolist() for one in (part, alone)]
    assert exits == [[2], [3]]
    assert part.fingerprint != alone.fingerprint
    again = MarketArrays(*(getattr(part, name) for name in ALL_COLUMNS[:-1]), bar_ms=quarter)
    assert again.fingerprint == part.fingerprint


def test_what_a_gap_costs_is_part_of_the_fingerprint_and_zeros_are_not():
    plain = market_of([FLAT] * 5, timestamp=GAP_STAMPS)
    paying = market_of([FLAT] * 5, timestamp=GAP_STAMPS, gap=[0, 0, 0, 0.01, 0])
    silent = market_of([FLAT] * 5, timestamp=GAP_STAMPS, gap=[0.0] * 5)
    assert paying.fingerprint != plain.fingerprint == silent.fingerprint
    assert paying.rows(0, 3).fingerprint == plain.rows(0, 3).fingerprint


def test_a_length_of_bars_that_cannot_be_is_named():
    market, _, _ = random_market(1, 10)
    columns = [getattr(market, name) for name in ALL_COLUMNS[:-1]]
    with pytest.raises(BadInput, match=r"row \d+: timestamp \d+ is \d+ ms after the row before"):
        MarketArrays(*columns, bar_ms=10 * market.bar_ms)
    for wrong in (-1, 1.5, True):
        with pytest.raises(BadInput, match="bar_ms"):
            MarketArrays(*columns, bar_ms=wrong)


def test_bars_are_not_copied_by_a_sweep():
    market, probability, size = random_market(1, 50)
    again = MarketArrays(*(getattr(market, name) for name in market.__dataclass_fields__))
    assert np.shares_memory(again.close, market.close)
    frame = pd.DataFrame({"timestamp": market.timestamp, "open": market.open, "high": market.high})
    frame = frame.assign(low=market.low, close=market.close, funding_payment=market.funding_payment)
    frame = frame.assign(gap_payment=market.gap_payment)
    from_frame = MarketArrays.from_frame(frame, market.atr, bar_ms=market.bar_ms)
    assert from_frame.fingerprint == market.fingerprint
    assert backtest(from_frame, probability, size, PLAIN) == backtest(
        market, probability, size, PLAIN
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"enter_long": 0.3}, "enter_long 0.3"),
        ({"enter_long": math.nan}, "enter_long nan"),
        ({"stop_width": 0.0}, "stop_width 0.0"),
        ({"target_width": -1.0}, "target_width -1.0"),
        ({"time_stop_bars": 0}, "time_stop_bars 0"),
        ({"time_stop_bars": 2.5}, "time_stop_bars 2.5"),
        ({"latency_bars": 0}, "latency_bars 0"),
        ({"fee": -0.1}, "fee -0.1"),
        ({"slippage": 1.0}, "slippage 1.0"),
        ({"size_multiple": math.inf}, "size_multiple inf"),
    ],
)
def test_unusable_parameters_are_named(change, message):
    with pytest.raises(BadInput, match=message):
        replace(PLAIN, **change)


@pytest.mark.parametrize(
    ("column", "row", "value", "message"),
    [
        ("timestamp", 3, 0, "row 3: timestamp 0"),
        ("close", 2, np.nan, "row 2: close nan"),
        ("open", 2, 0.0, "row 2: open 0.0"),
        ("high", 1, 1.0, "row 1: high 1.0"),
        ("low", 1, 999.0, "row 1: low 999.0"),
        ("atr", 4, -1.0, "row 4: atr -1.0"),
        ("funding_payment", 4, np.nan, "row 4: funding_payment nan"),
        ("gap_payment", 4, np.inf, "row 4: gap_payment inf"),
    ],
)
def test_unusable_bars_are_named(column, row, value, message):
    market, _, _ = random_market(1, 10)
    columns = {name: np.array(getattr(market, name)) for name in ALL_COLUMNS}
    columns[column][row] = value
    with pytest.raises(BadInput, match=message):
        MarketArrays(**columns)


def test_unusable_signals_are_named():
    market, probability, size = random_market(1, 10)
    with pytest.raises(BadInput, match=r"probability has shape \(9,\)"):
        backtest(market, probability[:9], size, PLAIN)
    size[4] = -0.5
    with pytest.raises(BadInput, match=r"size -0.5 in row 4"):
        backtest(market, probability, size, PLAIN)
    for told, message in ((np.zeros(9), r"management has shape"), (np.full(10, 3), r"3 in row 0")):
        with pytest.raises(BadInput, match=message):
            Signals(market, probability, np.ones(10), told)
    with pytest.raises(BadInput, match="threads 0"):
        backtest_sweep(market, probability, np.ones(10), [PLAIN], threads=0)
    with pytest.raises(BadInput, match="0 rows"):
        MarketArrays(*(getattr(market, name)[:0] for name in ALL_COLUMNS[:-1]))
    with pytest.raises(BadInput, match="not inside"):
        market.rows(5, 5)


def test_the_kernel_names_exits_as_results_do() -> None:
    from ares_resources.backtesting import kernel, results

    names = [name for name in vars(results) if name.startswith("EXIT_") and name != "EXIT_NAMES"]
    assert len(names) == 6
    assert all(getattr(kernel, name) == getattr(results, name) for name in names)
