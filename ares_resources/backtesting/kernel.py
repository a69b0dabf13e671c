"""The compiled backtest: one pass over the bars for one parameter set.

Belongs here: numba code only, on plain arrays.  Does not belong here: checks of input and
dataclasses (``strategy``, ``engine``).  ``kernel_reference`` states the same rules bar by
bar in plain Python and must give equal results to the last bit; the rules are described
there.  A trade is handled in three passes (find the decision, find the exit, mark the closes
between) so that each reads only the columns it needs.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ares_resources.backtesting.results import (
    EXIT_END,
    EXIT_RUIN,
    EXIT_STOP,
    EXIT_TARGET,
    EXIT_TIME,
)

FIGURES = 6
"""Columns of a figures row: return, Sharpe, drawdown, turnover, trades, win rate."""

_compiled = njit(cache=True, fastmath=False, nogil=True, error_model="numpy")


@_compiled
def find_decision(probability, size, atr, row, enter_long, enter_short):  # type: ignore[no-untyped-def]
    """First row >= ``row`` whose close decides to enter, and the side; (n, 0) if none."""
    rows = len(probability)
    for i in range(row, rows):
        chance = probability[i]
        if chance >= enter_long:
            if size[i] > 0.0 and atr[i] > 0.0:
                return i, 1
        elif chance <= enter_short and size[i] > 0.0 and atr[i] > 0.0:
            return i, -1
    return rows, 0


@_compiled
def find_exit(open_, high, low, close, entry, last, time_row, side, stop, target):  # type: ignore[no-untyped-def]
    """Row, raw price and reason of a position's exit, as the prices alone have it."""
    for i in range(entry, last + 1):
        if side > 0:
            if open_[i] <= stop:
                return i, open_[i], EXIT_STOP
            if open_[i] >= target:
                return i, open_[i], EXIT_TARGET
            if low[i] <= stop:
                return i, stop, EXIT_STOP
            if high[i] >= target:
                return i, target, EXIT_TARGET
        else:
            if open_[i] >= stop:
                return i, open_[i], EXIT_STOP
            if open_[i] <= target:
                return i, open_[i], EXIT_TARGET
            if high[i] >= stop:
                return i, stop, EXIT_STOP
            if low[i] <= target:
                return i, target, EXIT_TARGET
        if i == time_row:
            return i, close[i], EXIT_TIME
    return last, close[last], EXIT_END


@_compiled
def daily_figures(day_equity, day_return):  # type: ignore[no-untyped-def]
    """Fill the daily returns; return the annualised Sharpe ratio."""
    days = len(day_equity)
    before = 1.0
    total = 0.0
    for day in range(days):
        day_return[day] = day_equity[day] / before - 1.0 if before > 0.0 else 0.0
        total += day_return[day]
        before = day_equity[day]
    if days < 2:
        return 0.0
    mean = total / days
    squares = 0.0
    for day in range(days):
        squares += (day_return[day] - mean) * (day_return[day] - mean)
    if squares <= 0.0:
        return 0.0
    return mean / np.sqrt(squares / (days - 1)) * np.sqrt(365.0)


@_compiled
def simulate(  # type: ignore[no-untyped-def]
    open_,
    high,
    low,
    close,
    atr,
    funding,
    day_ends,
    probability,
    size,
    parameters,
    figures,
    day_return,
    equity,
    trade_rows,
    trade_returns,
):
    """Run one parameter set; returns the number of trades.

    ``figures`` (6,) and ``day_return`` (days,) are filled.  ``equity`` is filled per bar if
    it has the length of the bars, ``trade_rows`` (5, capacity) and ``trade_returns`` per
    trade if the capacity is not zero.
    """
    enter_long, enter_short = parameters[0], parameters[1]
    stop_width, target_width = parameters[2], parameters[3]
    fee, slippage = parameters[5], parameters[6]
    time_stop, latency = int(parameters[4]), int(parameters[7])
    rows = len(close)
    last = rows - 1
    record = len(equity) == rows
    record_trades = len(trade_returns) > 0
    day_equity = np.empty(len(day_ends), np.float64)
    cash = 1.0
    peak = 1.0
    drawdown = 0.0
    turnover = 0.0
    trades = 0
    wins = 0
    day = 0
    marked = 0
    row = 0
    while cash > 0.0:
        decision, side = find_decision(probability, size, atr, row, enter_long, enter_short)
        entry = decision + latency
        if entry >= rows:
            break
        while day_ends[day] < entry:
            day_equity[day] = cash
            day += 1
        if record:
            equity[marked:entry] = cash
        raw = open_[entry]
        stop = raw - side * (stop_width * atr[decision])
        target = raw + side * (target_width * atr[decision])
        exit_row, exit_raw, reason = find_exit(
            open_, high, low, close, entry, last, entry + time_stop - 1, side, stop, target
        )
        fill = raw * (1.0 + side * slippage)
        notional = cash * (size[decision] * parameters[8])
        quantity = notional / fill
        before = cash
        cash = cash - fee * notional
        paid = 0.0
        for i in range(entry, exit_row):
            if funding[i] != 0.0:
                paid += side * funding[i] * (quantity * close[i])
            mark = cash + side * quantity * (close[i] - fill) - paid
            if mark <= 0.0:
                exit_row, exit_raw, reason = i, close[i], EXIT_RUIN
                break
            if mark > peak:
                peak = mark
            fall = 1.0 - mark / peak
            if fall > drawdown:
                drawdown = fall
            if record:
                equity[i] = mark
            if i == day_ends[day]:
                day_equity[day] = mark
                day += 1
        if reason in (EXIT_TIME, EXIT_END) and funding[exit_row] != 0.0:
            paid += side * funding[exit_row] * (quantity * close[exit_row])
        exit_fill = exit_raw * (1.0 - side * slippage)
        cash = cash + side * quantity * (exit_fill - fill) - paid - fee * (quantity * exit_fill)
        turnover += notional / before + quantity * exit_fill / before
        if reason == EXIT_RUIN or cash <= 0.0:
            cash = 0.0
            reason = EXIT_RUIN
        if cash > peak:
            peak = cash
        fall = 1.0 - cash / peak
        if fall > drawdown:
            drawdown = fall
        if cash > before:
            wins += 1
        if record_trades:
            trade_rows[0, trades] = decision
            trade_rows[1, trades] = entry
            trade_rows[2, trades] = exit_row
            trade_rows[3, trades] = side
            trade_rows[4, trades] = reason
            trade_returns[trades] = cash / before - 1.0
        trades += 1
        row = exit_row + 1
        marked = exit_row
    if record:
        equity[marked:rows] = cash
    for rest in range(day, len(day_ends)):
        day_equity[rest] = cash
    figures[0] = cash - 1.0
    figures[1] = daily_figures(day_equity, day_return)
    figures[2] = drawdown
    figures[3] = turnover
    figures[4] = trades
    figures[5] = wins / trades if trades > 0 else 0.0
    return trades


@_compiled
def sweep(  # type: ignore[no-untyped-def]
    open_,
    high,
    low,
    close,
    atr,
    funding,
    day_ends,
    probability,
    size,
    parameters,
    first,
    stop,
    figures,
    day_return,
):
    """Run the sets ``first <= k < stop``; ``day_return`` is (sets, days), or (1, 0) for none."""
    no_equity = np.empty(0, np.float64)
    no_rows = np.empty((5, 0), np.int64)
    keep = day_return.shape[0] == parameters.shape[0] and day_return.shape[1] == len(day_ends)
    scratch = np.empty(len(day_ends), np.float64)
    for k in range(first, stop):
        simulate(
            open_,
            high,
            low,
            close,
            atr,
            funding,
            day_ends,
            probability,
            size,
            parameters[k],
            figures[k],
            day_return[k] if keep else scratch,
            no_equity,
            no_rows,
            no_equity,
        )


@_compiled
def first_bad_size(size):  # type: ignore[no-untyped-def]
    """First row whose size is negative or infinite; -1 if none (NaN means no decision)."""
    for i in range(len(size)):
        if size[i] < 0.0 or size[i] == np.inf:
            return i
    return -1
