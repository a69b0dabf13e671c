"""The compiled backtest: one pass over the bars for one parameter set.

Belongs here: numba code only, on plain arrays.  Does not belong here: checks of input and
dataclasses (``strategy``, ``engine``).  ``kernel_reference`` states the same rules bar by
bar in plain Python and must give equal results to the last bit; the rules are described
there.  A trade is handled in three passes (find the decision, find the exit, mark the closes
between) so that each reads only the columns it needs.  All in one file: numba's cache on disk
notices a change of the file of a function, not of those that it calls elsewhere.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# The reasons of ``results``, again (a test compares them): numba's disk cache is renewed when this
# file changes, but not when a number that it imports does.
EXIT_STOP, EXIT_TARGET, EXIT_TIME, EXIT_END, EXIT_RUIN, EXIT_SIGNAL = 1, 2, 3, 4, 5, 6

FIGURES = 6
"""Columns of a figures row: return, Sharpe, drawdown, turnover, trades, win rate."""

AT_OPEN, INSIDE, AT_CLOSE = 0, 1, 2
"""Moments of a bar at which a position can end."""

REDUCED_SHARE = 0.5
"""What a reduced position keeps of its quantity."""

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
def find_deadline(slot, entry, time_stop):  # type: ignore[no-untyped-def]
    """Row at which a position's time is over, and whether it leaves there at the open.

    It leaves at the close of its ``time_stop``-th bar; where that bar is missing, at the open
    of the next one.  The row is the number of bars where the time outlasts them.
    """
    rows = len(slot)
    deadline = slot[entry] + time_stop - 1
    row = min(entry + time_stop - 1, rows - 1)
    # Slots increase by one or more: equal here means that no bar is missing between.
    if slot[row] == deadline:
        return row, False
    if slot[row] < deadline:
        return rows, False
    while row > entry and slot[row - 1] >= deadline:
        row -= 1
    return row, slot[row] > deadline


@_compiled
def find_exit(open_, high, low, close, entry, time_row, time_at_open, side, stop, target):  # type: ignore[no-untyped-def]
    """Row, raw price, reason and moment of a position's exit, as prices and time have it."""
    final = min(time_row - 1 if time_at_open else time_row, len(close) - 1)
    for i in range(entry, final + 1):
        if side > 0:
            if open_[i] <= stop:
                return i, open_[i], EXIT_STOP, AT_OPEN
            if open_[i] >= target:
                return i, open_[i], EXIT_TARGET, AT_OPEN
            if low[i] <= stop:
                return i, stop, EXIT_STOP, INSIDE
            if high[i] >= target:
                return i, target, EXIT_TARGET, INSIDE
        else:
            if open_[i] >= stop:
                return i, open_[i], EXIT_STOP, AT_OPEN
            if open_[i] <= target:
                return i, open_[i], EXIT_TARGET, AT_OPEN
            if high[i] >= stop:
                return i, stop, EXIT_STOP, INSIDE
            if low[i] <= target:
                return i, target, EXIT_TARGET, INSIDE
    if time_at_open:
        first = open_[time_row]
        if side * (first - stop) <= 0.0:
            return time_row, first, EXIT_STOP, AT_OPEN
        if side * (first - target) >= 0.0:
            return time_row, first, EXIT_TARGET, AT_OPEN
        return time_row, first, EXIT_TIME, AT_OPEN
    return final, close[final], EXIT_TIME if final == time_row else EXIT_END, AT_CLOSE


@_compiled
def find_order(management, side, first, last, level):  # type: ignore[no-untyped-def]
    """First row in first..last that tells a side's positions to reduce (1) or exit (2).

    An exit answers both levels; -1 if there is none.
    """
    for i in range(first, last + 1):
        if -side * management[i] >= level:
            return i
    return -1


@_compiled
def reduce_position(cash, quantity, turnover, raw, fill, side, fee, slippage, before):  # type: ignore[no-untyped-def]
    """Cash, quantity and turnover after part of a position was sold at the raw price."""
    sold = quantity * (1.0 - REDUCED_SHARE)
    price = raw * (1.0 - side * slippage)
    cash = cash + side * sold * (price - fill) - fee * (sold * price)
    return cash, quantity - sold, turnover + sold * price / before


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
    slot,
    day_ends,
    probability,
    size,
    management,
    parameters,
    figures,
    day_return,
    equity,
    trade_rows,
    trade_returns,
):
    """Run one parameter set; returns the number of trades.

    ``figures`` (6,) and ``day_return`` (days,) are filled.  ``equity`` is filled per bar if
    it has the length of the bars, ``trade_rows`` (6, capacity) and ``trade_returns`` per
    trade if the capacity is not zero.  ``management`` is empty where nothing is managed.
    """
    enter_long, enter_short = parameters[0], parameters[1]
    stop_width, target_width = parameters[2], parameters[3]
    fee, slippage = parameters[5], parameters[6]
    time_stop, latency = int(parameters[4]), int(parameters[7])
    rows = len(close)
    managed = len(management) == rows
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
        time_row, at_open = find_deadline(slot, entry, time_stop)
        exit_row, exit_raw, reason, moment = find_exit(
            open_, high, low, close, entry, time_row, at_open, side, stop, target
        )
        reduce_row = -1
        if managed:
            order = find_order(management, side, entry, exit_row - latency, 2)
            if order >= 0 and (order + latency < exit_row or moment != AT_OPEN):
                exit_row, reason, moment = order + latency, EXIT_SIGNAL, AT_OPEN
                exit_raw = open_[exit_row]
            order = find_order(management, side, entry, exit_row - latency, 1)
            if order >= 0 and (order + latency < exit_row or moment != AT_OPEN):
                reduce_row = order + latency
        waiting = reduce_row
        fill = raw * (1.0 + side * slippage)
        notional = cash * (size[decision] * parameters[8])
        quantity = notional / fill
        before = cash
        cash = cash - fee * notional
        paid = 0.0
        begin = entry
        # One stretch of bars before a reduction and one after: no test of it in every bar.
        while True:
            for i in range(begin, waiting if waiting >= 0 else exit_row):
                if funding[i] != 0.0:
                    paid += side * funding[i] * (quantity * close[i])
                mark = cash + side * quantity * (close[i] - fill) - paid
                if mark <= 0.0:
                    exit_row, exit_raw, reason, moment = i, close[i], EXIT_RUIN, AT_OPEN
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
            if waiting < 0 or reason == EXIT_RUIN:
                break
            cash, quantity, turnover = reduce_position(
                cash, quantity, turnover, open_[waiting], fill, side, fee, slippage, before
            )
            begin, waiting = waiting, -1
        if moment == AT_CLOSE and funding[exit_row] != 0.0:
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
            trade_rows[5, trades] = reduce_row if reduce_row <= exit_row else -1
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
    slot,
    day_ends,
    probability,
    size,
    management,
    parameters,
    first,
    stop,
    figures,
    day_return,
):
    """Run the sets ``first <= k < stop``; ``day_return`` is (sets, days), or (1, 0) for none."""
    no_equity = np.empty(0, np.float64)
    no_rows = np.empty((6, 0), np.int64)
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
            slot,
            day_ends,
            probability,
            size,
            management,
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
