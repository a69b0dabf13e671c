"""Sets that walk together through tiles of bars give what each gives alone, bit for bit.

Here: the tiled sweep beside the recorded path and the plain twin, over every boundary of tiles,
blocks, days and gaps.  Not here: the rules themselves (``test_kernel``).
"""

from __future__ import annotations

import math
from dataclasses import astuple, replace

import numpy as np
import pytest
from helpers.random_bars import random_market as random_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from toolkit_markets import parameter_sets, random_market

from ares_resources.backtesting import (
    EXIT_NAMES,
    MarketArrays,
    Signals,
    StrategyParameters,
    backtest_path,
    kernel,
)
from ares_resources.backtesting.kernel_reference import simulate_reference
from ares_resources.backtesting.strategy import parameter_matrix

PLAIN = StrategyParameters(0.6, 0.4, 2.0, 3.0, 10, 4e-4, 1e-4)
ORDERS = np.array([-2, -1, 0, 1, 2])


def orders(seed: int, rows: int) -> np.ndarray:
    generator = np.random.default_rng(seed + 7)
    return generator.choice(ORDERS, rows, p=[0.05, 0.1, 0.7, 0.1, 0.05])


def tiled(signals: Signals, sets: list[StrategyParameters], tile: int):
    """Figures (sets, 6) and daily returns of all sets, ``tile`` rows at a time."""
    days = len(signals.market.day_end_rows)
    figures, daily = np.full((len(sets), 6), np.nan), np.full((len(sets), days), np.nan)
    nothing = np.empty(0), np.empty((6, 0), np.int64), np.empty(0)
    matrix = parameter_matrix(sets)
    kernel.sweep(*signals.arrays, matrix, 0, len(sets), tile, figures, daily, *nothing)
    return figures, daily


def twin(signals: Signals, parameters: StrategyParameters):
    told = [] if signals.management is None else signals.management.tolist()
    arrays = signals.probability.tolist(), signals.size.tolist()
    outcome = simulate_reference(signals.market, *arrays, parameters, told)
    wins = sum(trade[-1] > 0 for trade in outcome.trades)
    trades = len(outcome.trades)
    figures = [
        outcome.equity[-1] - 1.0,
        outcome.sharpe,
        outcome.max_drawdown,
        outcome.turnover,
        trades,
        wins / trades if trades else 0.0,
    ]
    return figures, outcome


def alone(signals: Signals, parameters: StrategyParameters) -> list[float]:
    path = backtest_path(
        signals.market, signals.probability, signals.size, parameters, signals.management
    )
    return list(astuple(path.result))[:6]


def assert_three_agree(signals: Signals, sets: list[StrategyParameters], tiles: list[int]) -> None:
    expected = [twin(signals, one) for one in sets]
    assert [alone(signals, one) for one in sets] == [figures for figures, _ in expected]
    for tile in tiles:
        figures, daily = tiled(signals, sets, tile)
        assert figures.tolist() == [figures for figures, _ in expected], f"tile {tile}"
        assert daily.tolist() == [outcome.daily_return for _, outcome in expected], f"tile {tile}"


@settings(max_examples=250, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(1, 260),
    st.lists(parameter_sets(), min_size=1, max_size=4),
    st.booleans(),
    st.lists(st.integers(1, 90), min_size=1, max_size=3),
)
def test_tiles_path_and_twin_agree_on_jagged_bars(seed, rows, sets, managed, tiles):
    market, probability, size = random_market(seed, rows, step_minutes=37)
    signals = Signals(market, probability, size, orders(seed, rows) if managed else None)
    assert_three_agree(signals, sets, tiles)


def long_sets() -> st.SearchStrategy[StrategyParameters]:
    """Few decisions and far barriers: positions that last over many blocks, tiles and days."""
    width = st.sampled_from([2.0, 6.0, 15.0, math.inf])
    return st.builds(
        StrategyParameters,
        enter_long=st.sampled_from([0.8, 0.97, 0.999, math.inf]),
        enter_short=st.sampled_from([0.2, 0.03, 0.001, -math.inf]),
        stop_width=width,
        target_width=width,
        time_stop_bars=st.sampled_from([3, 16, 64, 500, 10_000]),
        fee=st.sampled_from([0.0, 4e-4]),
        slippage=st.sampled_from([0.0, 1e-4]),
        latency_bars=st.sampled_from([1, 2, 40]),
        size_multiple=st.sampled_from([0.0, 1.0, 30.0, 400.0]),
    )


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32),
    st.integers(200, 2500),
    st.lists(long_sets(), min_size=1, max_size=4),
    st.sampled_from([0.0, 0.1]),
    st.sampled_from([0.0, 0.01]),
    st.sampled_from([16, 63, 64, 100, 1024, 4096]),
)
def test_tiles_path_and_twin_agree_on_smooth_bars(seed, rows, sets, missing, ordered, tile):
    signals = smooth_signals(seed, rows, missing, ordered)
    assert_three_agree(signals, sets, [tile])


def smooth_signals(seed: int, rows: int, missing: float, ordered: float) -> Signals:
    frame = random_frame(rows, seed=seed, missing_share=missing)
    generator = np.random.default_rng(seed)
    atr = frame["close"].to_numpy() * generator.uniform(5e-4, 2e-3, len(frame))
    market = MarketArrays.from_frame(frame, atr)
    told = generator.choice(ORDERS, len(frame)) * (generator.random(len(frame)) < ordered)
    probability = generator.random(len(frame))
    return Signals(market, probability, generator.uniform(0.0, 1.0, len(frame)), told)


@pytest.mark.parametrize("tile", [1, 7, 16, 64, 1000])
@pytest.mark.parametrize("trend", [-3e-4, 0.0, 3e-4])
def test_rising_falling_and_ruined_accounts_agree(tile, trend):
    """New peaks in every trade, new drawdowns in every trade, and accounts that end at zero."""
    rows = 3000
    generator = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(trend + 1e-3 * generator.standard_normal(rows)))
    opens = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opens, close) * 1.0005, np.minimum(opens, close) * 0.9995
    funding = np.where(np.arange(rows) % 480 == 479, 1e-3, 0.0)
    stamps = np.arange(rows, dtype=np.int64) * 60_000
    market = MarketArrays(stamps, opens, high, low, close, close * 1e-3, funding)
    signals = Signals(market, generator.random(rows), np.full(rows, 0.5))
    sets = [
        replace(
            PLAIN, enter_short=-math.inf, stop_width=stop, target_width=target, time_stop_bars=bars
        )
        for stop, target, bars in [(5, 5, 60), (40, math.inf, 900), (math.inf, 3, 9000)]
    ]
    sets += [replace(one, enter_long=math.inf, enter_short=0.4) for one in sets]
    sets += [replace(one, size_multiple=60.0) for one in sets]
    assert_three_agree(signals, sets, [tile])
    figures, _ = tiled(signals, sets, tile)
    assert (figures[:, 0] == -1.0).any()
    if trend:
        assert figures[:, 0].max() > 0.1


def test_ruin_between_a_level_of_ruin_and_the_stop_comes_before_the_stop():
    """The first trade loses; the second is ruined at a close, bars before its stop is met."""
    flat = (100.0, 100.0, 100.0, 100.0)
    bars = [flat, flat, (100.0, 100, 98, 98), flat, flat, (100.0, 100, 98.5, 98.5), flat]
    bars += [(100.0, 100, 97, 97), flat]
    rows = len(bars)
    stamps = np.arange(rows, dtype=np.int64) * 60_000
    prices = np.array(bars).T
    market = MarketArrays(stamps, *prices, np.ones(rows), np.zeros(rows))
    chance = np.full(rows, np.nan)
    chance[[0, 3]] = 0.9
    size = np.full(rows, 5.0)
    size[3] = 90.0
    signals = Signals(market, chance, size)
    near = replace(PLAIN, target_width=0.1, fee=0.0, slippage=0.0)
    path = backtest_path(market, chance, size, near)
    assert [EXIT_NAMES[int(reason)] for reason in path.exit_reason] == ["stop", "ruin"]
    assert path.exit_row.tolist() == [2, 5]
    assert_three_agree(signals, [near], [1, 3, 16])


@pytest.mark.parametrize("funded", [0.0, 0.5])
def test_equity_of_exactly_zero_at_a_close_is_ruin(funded):
    """A short of all equity at 100 has nothing left at 200; at 150 if it pays half of that."""
    top = 200.0 if funded == 0 else 150.0
    bars = np.full((6, 4), 100.0)
    bars[3] = (100.0, top, 100.0, top)
    funding = np.zeros(6)
    funding[3] = -funded / 1.5
    stamps = np.arange(6, dtype=np.int64) * 60_000
    market = MarketArrays(stamps, *bars.T, np.ones(6), funding)
    chance = np.full(6, np.nan)
    chance[1] = 0.1
    never = replace(PLAIN, stop_width=math.inf, target_width=math.inf, fee=0.0, slippage=0.0)
    path = backtest_path(market, chance, np.ones(6), never)
    assert path.equity.tolist() == [1, 1, 1, 0, 0, 0]
    assert_three_agree(Signals(market, chance, np.ones(6)), [never], [1, 4, 16])


def test_the_comparison_meets_every_exit_and_every_boundary():
    """Exits of each kind, and trades that span several tiles, are among what is compared."""
    seen: set[str] = set()
    longest = 0
    for seed in range(40):
        signals = smooth_signals(seed, 1500, 0.05, 0.002)
        for one in (
            StrategyParameters(0.97, 0.03, 6.0, 6.0, 64, 4e-4, 1e-4),
            StrategyParameters(0.97, 0.03, math.inf, math.inf, 10_000, 0.0, 0.0),
            StrategyParameters(0.8, 0.2, math.inf, 15.0, 500, 0.0, 0.0, size_multiple=400.0),
        ):
            path = backtest_path(
                signals.market, signals.probability, signals.size, one, signals.management
            )
            seen |= {EXIT_NAMES[int(reason)] for reason in path.exit_reason}
            longest = max(longest, int((path.exit_row - path.entry_row).max(initial=0)))
    assert seen == set(EXIT_NAMES.values())
    assert longest > 200


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32),
    st.lists(parameter_sets(), min_size=1, max_size=150),
    st.randoms(use_true_random=False),
)
def test_order_threads_and_neighbours_change_nothing(seed, sets, shuffler):
    market, probability, size = random_market(seed, 150)
    signals = Signals(market, probability, size)
    expected = {one: signals.sweep([one], threads=1).result(0) for one in sets}
    shuffled = shuffler.sample(sets, len(sets))
    for threads in (1, 2, 5):
        assert signals.sweep(shuffled, threads=threads).results() == [
            expected[one] for one in shuffled
        ]


@pytest.mark.parametrize("rows", [1, 2, 15, 16, 17, 63, 64, 65])
@pytest.mark.parametrize("kind", ["none", "nan", "every bar"])
def test_extreme_signals_on_few_bars(rows, kind):
    market, _, _ = random_market(rows, rows, step_minutes=10)
    chance = {"none": 0.5, "nan": np.nan, "every bar": 0.9}[kind]
    signals = Signals(market, np.full(rows, chance), np.ones(rows))
    hasty = replace(PLAIN, time_stop_bars=1)
    assert_three_agree(signals, [PLAIN, hasty], [1, 16, 64])
    figures, _ = tiled(signals, [hasty], 16)
    assert (figures[0, 4] > 0) == (kind == "every bar" and bool((market.atr[:-1] > 0).any()))


def test_extremes_of_blocks_cover_their_rows_and_no_others():
    market, probability, size = random_market(11, 603)
    lowest, highest = market.extremes
    spans = [slice(16 * block, 16 * block + 16) for block in range(38)]
    spans += [slice(256 * block, 256 * block + 256) for block in range(3)]
    assert lowest.tolist() == [market.low[rows].min() for rows in spans]
    assert highest.tolist() == [market.high[rows].max() for rows in spans]
    least, most = kernel.chance_extremes(probability, size, market.atr)
    open_to_decide = (size > 0) & (market.atr > 0) & ~np.isnan(probability)
    for block in range(4):
        rows = slice(64 * block, 64 * block + 64)
        chances = probability[rows][open_to_decide[rows]]
        assert (least[block], most[block]) == (chances.min(), chances.max())
    assert len(least) == 10


def test_nothing_that_may_decide_leaves_a_block_out():
    nothing = np.full(70, np.nan)
    least, most = kernel.chance_extremes(nothing, np.ones(70), np.ones(70))
    assert (least == np.inf).all()
    assert (most == -np.inf).all()


def test_rows_of_events_and_gaps_end_beyond_the_bars():
    frame = random_frame(3000, seed=4, missing_share=0.01)
    market = MarketArrays.from_frame(frame, np.ones(len(frame)))
    beyond = np.iinfo(np.int64).max
    expected = sorted({*np.flatnonzero(market.funding_payment), *market.day_end_rows})
    assert market.event_rows.tolist() == [*expected, beyond]
    late = np.flatnonzero(np.diff(market.timestamp) > 60_000) + 1
    assert market.gap_rows.tolist() == [*late, beyond]
    whole = MarketArrays.from_frame(random_frame(300, seed=4), np.ones(300))
    assert whole.gap_rows.tolist() == [beyond]


def test_bars_that_keep_no_whole_distance_are_counted_in_slots():
    """Bars at 1, 1.5 and 2 lengths: slots jump where a length is missing, and there alone."""
    stamps = np.cumsum([0, 60, 90, 60, 60, 120, 90, 60, 60]) * 1000
    prices = np.full((4, len(stamps)), 100.0)
    market = MarketArrays(stamps, *prices, np.ones(len(stamps)), np.zeros(len(stamps)))
    assert market.slot.tolist() == [0, 1, 2, 3, 4, 6, 8, 9, 10]
    assert market.gap_rows[:-1].tolist() == [5, 6]
    signals = Signals(market, np.full(len(stamps), 0.9), np.ones(len(stamps)))
    sets = [replace(PLAIN, time_stop_bars=bars) for bars in range(1, 10)]
    assert_three_agree(signals, sets, [1, 4, 16])
