"""The compiled backtest: one parameter set or many, a tile of bars at a time.

Belongs here: numba code only, on plain arrays.  Does not belong here: checks of input and
dataclasses (``strategy``, ``engine``).  ``kernel_reference`` states the same rules bar by
bar in plain Python and must give equal results to the last bit; the rules are described
there and in ``docs/backtest.md``.

Every set has a state from which it goes on, so that a sweep takes all sets through bars that
rest in the cache (``advance``, ``sweep``).  Bars are read only where something can happen:

* Extremes of 64 probabilities and of the lows and highs of 16 and of 256 bars tell that nothing
  in a block reaches a threshold or a level.
* Equity at a close rises (long) or falls (short) with the price, in floating point as well.
  Closes of a position's bars lie between its stop and its target, or inside the extremes of
  their block: where equity at both ends makes neither a new peak, nor a deeper drawdown, nor
  ruin, no close between them does.

All in one file: numba's cache on disk notices a change of the file of a function, not of those
that it calls elsewhere.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# The reasons of ``results``, again (a test compares them): numba's disk cache is renewed when this
# file changes, but not when a number that it imports does.
EXIT_STOP, EXIT_TARGET, EXIT_TIME, EXIT_END, EXIT_RUIN, EXIT_SIGNAL = 1, 2, 3, 4, 5, 6

FIGURES = 6
"""Columns of a figures row: return, Sharpe, drawdown, turnover, trades, win rate."""

NUMBERS, COUNTS = 11, 14
"""Columns of a set's state: float64 and int64."""

AT_OPEN, INSIDE, AT_CLOSE = 0, 1, 2
"""Moments of a bar at which a position can end."""

SEEKING, WAITING, HOLDING, FINISHED = 0, 1, 2, 3
"""What a set is doing between two tiles."""

REDUCED_SHARE = 0.5
"""What a reduced position keeps of its quantity."""

PRICE_SHIFT, CHANCE_SHIFT = 4, 6
"""Binary logarithms of the rows that share one extreme of prices, and of probabilities."""

FAR_SHIFT = 8
"""The same of the rows that share a further extreme of prices, for positions held long."""

PRICE_BLOCK, CHANCE_BLOCK, FAR_BLOCK = 1 << PRICE_SHIFT, 1 << CHANCE_SHIFT, 1 << FAR_SHIFT

# A drawdown is compared without its division where it is out of reach by more than rounding.
_ROUNDING = 1e-12

_compiled = njit(cache=True, fastmath=False, nogil=True, error_model="numpy")


@_compiled
def price_extremes(low, high):  # type: ignore[no-untyped-def]
    """Lowest low and highest high of every block of 16 rows, then of every block of 256."""
    rows = len(low)
    blocks = (rows + PRICE_BLOCK - 1) >> PRICE_SHIFT
    both = blocks + ((rows + FAR_BLOCK - 1) >> FAR_SHIFT)
    lowest, highest = np.full(both, np.inf), np.full(both, -np.inf)
    for block in range(blocks):
        begin = block << PRICE_SHIFT
        least, most = low[begin], high[begin]
        for i in range(begin + 1, min(begin + PRICE_BLOCK, rows)):
            least, most = min(least, low[i]), max(most, high[i])
        lowest[block], highest[block] = least, most
        far = blocks + (begin >> FAR_SHIFT)
        lowest[far], highest[far] = min(lowest[far], least), max(highest[far], most)
    return lowest, highest


@_compiled
def chance_extremes(probability, size, atr):  # type: ignore[no-untyped-def]
    """Lowest and highest probability of every 64 rows, of rows that may decide alone."""
    rows = len(probability)
    blocks = (rows + CHANCE_BLOCK - 1) >> CHANCE_SHIFT
    lowest, highest = np.full(blocks, np.inf), np.full(blocks, -np.inf)
    for i in range(rows):
        chance = probability[i]
        if size[i] > 0.0 and atr[i] > 0.0 and chance == chance:
            block = i >> CHANCE_SHIFT
            lowest[block] = min(lowest[block], chance)
            highest[block] = max(highest[block], chance)
    return lowest, highest


@_compiled
def order_extremes(management):  # type: ignore[no-untyped-def]
    """Lowest and highest order of every 64 rows: int8 ``(blocks,)`` each."""
    rows = len(management)
    blocks = (rows + CHANCE_BLOCK - 1) >> CHANCE_SHIFT
    lowest, highest = np.zeros(blocks, np.int8), np.zeros(blocks, np.int8)
    for i in range(rows):
        block = i >> CHANCE_SHIFT
        lowest[block] = min(lowest[block], management[i])
        highest[block] = max(highest[block], management[i])
    return lowest, highest


@_compiled
def find_decision(  # type: ignore[no-untyped-def]
    probability, size, atr, least, most, row, stop, enter_long, enter_short
):
    """First row in ``row <= i < stop`` whose close decides to enter, and the side; else 0."""
    i = row
    while i < stop:
        block = i >> CHANCE_SHIFT
        edge = min((block + 1) << CHANCE_SHIFT, stop)
        if most[block] >= enter_long or least[block] <= enter_short:
            for j in range(i, edge):
                chance = probability[j]
                if chance >= enter_long:
                    if size[j] > 0.0 and atr[j] > 0.0:
                        return j, 1
                elif chance <= enter_short and size[j] > 0.0 and atr[j] > 0.0:
                    return j, -1
        i = edge
    return stop, 0


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
def find_touch(low, high, lowest, highest, row, stop, lower, upper):  # type: ignore[no-untyped-def]
    """First row in ``row <= i < stop`` that reaches one of two levels; ``stop`` if none."""
    beyond = (len(low) + PRICE_BLOCK - 1) >> PRICE_SHIFT
    i = row
    while i < stop:
        if i & (FAR_BLOCK - 1) == 0:
            far = beyond + (i >> FAR_SHIFT)
            if lowest[far] > lower and highest[far] < upper:
                i = min(i + FAR_BLOCK, stop)
                continue
        block = i >> PRICE_SHIFT
        edge = min((block + 1) << PRICE_SHIFT, stop)
        if lowest[block] <= lower or highest[block] >= upper:
            for j in range(i, edge):
                if low[j] <= lower or high[j] >= upper:
                    return j
        i = edge
    return stop


@_compiled
def exit_in_bar(first, worst, side, stop, target):  # type: ignore[no-untyped-def]
    """Raw price, reason and moment of an exit in a bar that reaches stop or target.

    ``worst`` is the bar's low for a long, its high for a short.
    """
    if side * (first - stop) <= 0.0:
        return first, EXIT_STOP, AT_OPEN
    if side * (first - target) >= 0.0:
        return first, EXIT_TARGET, AT_OPEN
    if side * (worst - stop) <= 0.0:
        return stop, EXIT_STOP, INSIDE
    return target, EXIT_TARGET, INSIDE


@_compiled
def find_order(management, lowest, highest, side, first, last, level):  # type: ignore[no-untyped-def]
    """First row in first..last that tells a side's positions to reduce (1) or exit (2).

    An exit answers both levels; -1 if there is none.
    """
    i = first
    while i <= last:
        block = i >> CHANCE_SHIFT
        edge = min((block + 1) << CHANCE_SHIFT, last + 1)
        if -side * (lowest[block] if side > 0 else highest[block]) >= level:
            for j in range(i, edge):
                if -side * management[j] >= level:
                    return j
        i = edge
    return -1


@_compiled
def reduce_position(cash, quantity, turnover, raw, fill, side, fee, slippage, before):  # type: ignore[no-untyped-def]
    """Cash, quantity and turnover after part of a position was sold at the raw price."""
    sold = quantity * (1.0 - REDUCED_SHARE)
    price = raw * (1.0 - side * slippage)
    cash = cash + side * sold * (price - fill) - fee * (sold * price)
    return cash, quantity - sold, turnover + sold * price / before


@_compiled
def mark_closes(  # type: ignore[no-untyped-def]
    close, lowest, highest, begin, end, cash, signed, fill, paid, peak, drawdown, equity
):
    """Equity at the closes ``begin <= i < end``: row of ruin (-1: none), peak and drawdown.

    ``signed`` is the quantity, negative for a short.  ``equity`` is filled if it has the
    length of ``close``; then no block is left out.
    """
    record = len(equity) == len(close)
    floor = peak * ((1.0 - drawdown) + _ROUNDING)
    beyond = (len(close) + PRICE_BLOCK - 1) >> PRICE_SHIFT
    i = begin
    while i < end:
        block = i >> PRICE_SHIFT
        edge = min((block + 1) << PRICE_SHIFT, end)
        if not record:
            if i & (FAR_BLOCK - 1) == 0:
                far = beyond + (i >> FAR_SHIFT)
                one = cash + signed * (lowest[far] - fill) - paid
                two = cash + signed * (highest[far] - fill) - paid
                if one >= floor and two >= floor and one <= peak and two <= peak:
                    i = min(i + FAR_BLOCK, end)
                    continue
            one = cash + signed * (lowest[block] - fill) - paid
            two = cash + signed * (highest[block] - fill) - paid
            if one >= floor and two >= floor and one <= peak and two <= peak:
                i = edge
                continue
        for j in range(i, edge):
            mark = cash + signed * (close[j] - fill) - paid
            if mark <= 0.0:
                return j, peak, drawdown
            if mark > peak:
                peak = mark
                floor = peak * ((1.0 - drawdown) + _ROUNDING)
            elif mark < floor:
                fall = 1.0 - mark / peak
                if fall > drawdown:
                    drawdown = fall
                    floor = peak * ((1.0 - drawdown) + _ROUNDING)
            if record:
                equity[j] = mark
        i = edge
    return -1, peak, drawdown


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
def begin_sets(numbers, counts):  # type: ignore[no-untyped-def]
    """The state before the first bar, for every set: one unit of cash, nothing done."""
    numbers[:] = 0.0
    counts[:] = 0
    numbers[:, 0] = 1.0
    numbers[:, 1] = 1.0


@_compiled
def advance(  # type: ignore[no-untyped-def]
    open_,
    high,
    low,
    close,
    atr,
    funding,
    slot,
    day_ends,
    events,
    gaps,
    gap_funding,
    lowest,
    highest,
    probability,
    size,
    least,
    most,
    management,
    least_order,
    most_order,
    parameters,
    tile_end,
    numbers,
    counts,
    day_equity,
    equity,
    trade_rows,
    trade_returns,
):
    """Take one set from the bars of its state to the bars before ``tile_end``.

    ``numbers`` (11,) and ``counts`` (14,) are the state; ``day_equity`` is filled for the
    days that are over.  ``equity`` is filled per bar if it has the length of the bars, then the
    tile must be all of them; ``trade_rows`` (6, capacity) and ``trade_returns`` per trade if
    the capacity is not zero.  ``management`` is empty where nothing is managed.
    """
    enter_long, enter_short = parameters[0], parameters[1]
    stop_width, target_width = parameters[2], parameters[3]
    fee, slippage = parameters[5], parameters[6]
    time_stop, latency = int(parameters[4]), int(parameters[7])
    rows = len(close)
    managed = len(management) == rows
    record = len(equity) == rows
    record_trades = len(trade_returns) > 0
    cash, peak, drawdown, turnover = numbers[0], numbers[1], numbers[2], numbers[3]
    stop, target, fill, quantity = numbers[4], numbers[5], numbers[6], numbers[7]
    notional, before, paid = numbers[8], numbers[9], numbers[10]
    phase, row, trades, wins = counts[0], counts[1], counts[2], counts[3]
    day, event, gap = counts[4], counts[5], counts[6]
    decision, entry, side = counts[7], counts[8], counts[9]
    time_row, at_open = counts[10], counts[11] != 0
    reduce_row, heard = counts[12], counts[13]
    while phase != FINISHED:
        if phase == SEEKING:
            decision, side = find_decision(
                probability, size, atr, least, most, row, tile_end, enter_long, enter_short
            )
            if side == 0:
                if record:
                    equity[row:tile_end] = cash
                row = tile_end
                break
            entry = decision + latency
            if entry >= rows:
                phase = FINISHED
                break
            phase = WAITING
        if phase == WAITING:
            if entry >= tile_end:
                break
            while events[event] < entry:
                if day_ends[day] == events[event]:
                    day_equity[day] = cash
                    day += 1
                event += 1
            if record:
                equity[row:entry] = cash
            raw = open_[entry]
            stop = raw - side * (stop_width * atr[decision])
            target = raw + side * (target_width * atr[decision])
            fill = raw * (1.0 + side * slippage)
            notional = cash * (size[decision] * parameters[8])
            quantity = notional / fill
            before = cash
            cash = cash - fee * notional
            paid = 0.0
            while gaps[gap] <= entry:
                gap += 1
            time_row, at_open = entry + time_stop - 1, False
            if time_row >= gaps[gap]:
                time_row, at_open = find_deadline(slot, entry, time_stop)
            reduce_row = -1
            row = heard = entry
            phase = HOLDING
        # The first exit among the bars of this tile, by prices and time.
        limit = min(time_row if at_open else time_row + 1, rows)
        limit = min(limit, tile_end)
        exit_row = find_touch(
            low, high, lowest, highest, row, limit, min(stop, target), max(stop, target)
        )
        exit_raw, reason, moment = 0.0, 0, AT_CLOSE
        if exit_row < limit:
            exit_raw, reason, moment = exit_in_bar(
                open_[exit_row],
                low[exit_row] if side > 0 else high[exit_row],
                side,
                stop,
                target,
            )
        elif at_open:
            if limit == time_row and time_row < tile_end:
                exit_raw, reason, moment = open_[time_row], EXIT_TIME, AT_OPEN
                if side * (exit_raw - stop) <= 0.0:
                    reason = EXIT_STOP
                elif side * (exit_raw - target) >= 0.0:
                    reason = EXIT_TARGET
        elif limit == time_row + 1 or limit == rows:
            exit_row = limit - 1
            exit_raw, reason = close[exit_row], EXIT_TIME if exit_row == time_row else EXIT_END
        waiting = -1
        if managed:
            last = (exit_row if reason != 0 else limit - 1) - latency
            order = find_order(management, least_order, most_order, side, heard, last, 2)
            if order >= 0 and (order + latency < exit_row or moment != AT_OPEN):
                exit_row, reason, moment = order + latency, EXIT_SIGNAL, AT_OPEN
                exit_raw = open_[exit_row]
            # An exit's order answers here as well, so that none after it is found.
            if reduce_row < 0:
                order = find_order(management, least_order, most_order, side, heard, last, 1)
                if order >= 0 and (order + latency < exit_row or moment != AT_OPEN):
                    reduce_row = waiting = order + latency
            heard = max(heard, last + 1)
        # Equity at the closes before the exit.
        end = exit_row if reason != 0 else limit
        signed = side * quantity
        worst = cash + signed * (stop - fill) - paid
        best = cash + signed * (target - fill) - paid
        floor = peak * ((1.0 - drawdown) + _ROUNDING)
        # A stop costs at least as much as any close before it: the exit tells that drawdown.
        quiet = (
            best <= peak
            and (worst >= floor or (reason == EXIT_STOP and worst > 0.0))
            and waiting < 0
            and events[event] > end
        )
        if not quiet or record:
            begin = row
            # One stretch of bars before a reduction and one after: no test of it in every bar.
            while True:
                edge = waiting if waiting >= 0 else end
                while begin < edge:
                    pause = min(events[event], edge)
                    ruin, peak, drawdown = mark_closes(
                        close,
                        lowest,
                        highest,
                        begin,
                        pause,
                        cash,
                        signed,
                        fill,
                        paid,
                        peak,
                        drawdown,
                        equity,
                    )
                    begin = pause
                    if ruin < 0 and pause < edge:
                        while gaps[gap] < pause:
                            gap += 1
                        if gaps[gap] == pause:
                            paid += side * gap_funding[gap] * (quantity * open_[pause])
                            gap += 1
                        if funding[pause] != 0.0:
                            paid += side * funding[pause] * (quantity * close[pause])
                        mark = cash + signed * (close[pause] - fill) - paid
                        if mark <= 0.0:
                            ruin = pause
                        else:
                            peak = max(peak, mark)
                            drawdown = max(drawdown, 1.0 - mark / peak)
                            if record:
                                equity[pause] = mark
                            if pause == day_ends[day]:
                                day_equity[day] = mark
                                day += 1
                            event += 1
                            begin += 1
                    if ruin >= 0:
                        exit_row, exit_raw, reason, moment = ruin, close[ruin], EXIT_RUIN, AT_OPEN
                        break
                if waiting < 0 or reason == EXIT_RUIN:
                    break
                while gaps[gap] < waiting:
                    gap += 1
                if gaps[gap] == waiting:
                    paid += side * gap_funding[gap] * (quantity * open_[waiting])
                    gap += 1
                cash, quantity, turnover = reduce_position(
                    cash, quantity, turnover, open_[waiting], fill, side, fee, slippage, before
                )
                signed = side * quantity
                begin, waiting = waiting, -1
        if reason == 0:
            row = limit
            break
        if events[event] == exit_row:
            # A gap before the entry has been passed, and one that is paid for as well.
            while gaps[gap] < exit_row:
                gap += 1
            if gaps[gap] == exit_row:
                paid += side * gap_funding[gap] * (quantity * open_[exit_row])
                gap += 1
            if moment != AT_OPEN:
                payment = side * funding[exit_row] * (quantity * exit_raw)
                # When in the bar it was settled is not known: what would help does not count.
                if moment == AT_CLOSE or payment > 0.0:
                    paid += payment
        exit_fill = exit_raw * (1.0 - side * slippage)
        cash = cash + side * quantity * (exit_fill - fill) - paid - fee * (quantity * exit_fill)
        turnover += notional / before + quantity * exit_fill / before
        if reason == EXIT_RUIN or cash <= 0.0:
            cash = 0.0
            reason = EXIT_RUIN
            phase = FINISHED
        else:
            phase = SEEKING
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
        if record:
            equity[exit_row] = cash
        trades += 1
        row = exit_row + 1
    numbers[0], numbers[1], numbers[2], numbers[3] = cash, peak, drawdown, turnover
    numbers[4], numbers[5], numbers[6], numbers[7] = stop, target, fill, quantity
    numbers[8], numbers[9], numbers[10] = notional, before, paid
    counts[0], counts[1], counts[2], counts[3] = phase, row, trades, wins
    counts[4], counts[5], counts[6] = day, event, gap
    counts[7], counts[8], counts[9] = decision, entry, side
    counts[10], counts[11] = time_row, 1 if at_open else 0
    counts[12], counts[13] = reduce_row, heard


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
    events,
    gaps,
    gap_funding,
    lowest,
    highest,
    probability,
    size,
    least,
    most,
    management,
    least_order,
    most_order,
    parameters,
    first,
    stop,
    tile,
    figures,
    day_return,
    equity,
    trade_rows,
    trade_returns,
):
    """Run the sets ``first <= k < stop`` together, ``tile`` bars at a time.

    ``figures`` (sets, 6) and ``day_return`` (sets, days), or (1, 0) for none, are filled.  The
    last three are filled for one set alone, in one tile; see ``advance``.
    """
    rows, days, sets = len(close), len(day_ends), stop - first
    numbers, counts = np.empty((sets, NUMBERS)), np.empty((sets, COUNTS), np.int64)
    begin_sets(numbers, counts)
    day_equity = np.empty((sets, days))
    scratch = np.empty(days)
    tile_end = 0
    while tile_end < rows:
        tile_end = min(tile_end + tile, rows)
        for k in range(sets):
            if counts[k, 0] != FINISHED:
                advance(
                    open_,
                    high,
                    low,
                    close,
                    atr,
                    funding,
                    slot,
                    day_ends,
                    events,
                    gaps,
                    gap_funding,
                    lowest,
                    highest,
                    probability,
                    size,
                    least,
                    most,
                    management,
                    least_order,
                    most_order,
                    parameters[first + k],
                    tile_end,
                    numbers[k],
                    counts[k],
                    day_equity[k],
                    equity,
                    trade_rows,
                    trade_returns,
                )
    keep = day_return.shape[0] == parameters.shape[0] and day_return.shape[1] == days
    for k in range(sets):
        cash, trades = numbers[k, 0], counts[k, 2]
        day_equity[k, counts[k, 4] :] = cash
        if len(equity) == rows:
            equity[counts[k, 1] :] = cash
        row = figures[first + k]
        row[0] = cash - 1.0
        row[1] = daily_figures(day_equity[k], day_return[first + k] if keep else scratch)
        row[2], row[3] = numbers[k, 2], numbers[k, 3]
        row[4] = trades
        row[5] = counts[k, 3] / trades if trades > 0 else 0.0


@_compiled
def bars_are_sound(timestamp, open_, high, low, close, atr, funding):  # type: ignore[no-untyped-def]
    """Whether every bar keeps the rules of ``MarketArrays``, in one pass and without a copy."""
    bad = False
    for i in range(1, len(timestamp)):
        bad |= timestamp[i] <= timestamp[i - 1]
    for i in range(len(close)):
        # Comparisons are false for NaN: only the ATR may be one.
        sound = (low[i] > 0.0) & (high[i] < np.inf)
        sound &= (low[i] <= open_[i]) & (low[i] <= close[i])
        sound &= (high[i] >= open_[i]) & (high[i] >= close[i])
        sound &= abs(funding[i]) < np.inf
        bad |= (not sound) | (atr[i] < 0.0) | (atr[i] == np.inf)
    return not bad


@_compiled
def first_bad_size(size):  # type: ignore[no-untyped-def]
    """First row whose size is negative or infinite; -1 if none (NaN means no decision)."""
    for i in range(len(size)):
        if size[i] < 0.0 or size[i] == np.inf:
            return i
    return -1
