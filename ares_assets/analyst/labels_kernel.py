"""Compiled triple-barrier labels.  Their plain twin, the oracle, is ``labels_reference``.

Belongs here: the first touch of each event's barriers, on plain arrays.  Does not belong here:
which rows are events, checks, frames (``labels.py``).

Neighbouring events look at the same bars, so the lowest low and highest high of every 1, 2, 4 ...
64 bars from each bar on are tabled for a few thousand bars at a time, which stay in the
processor's cache.  An event leaps over 64 bars that touch neither barrier with one comparison,
and halves its way to the bar that does.  Where events are too few to share a table, bars are
walked one by one; both ways end at the same bar.
"""

from __future__ import annotations

import numpy as np
from numba import njit

UPPER, LOWER, VERTICAL, TRUNCATED, NO_WIDTH, NO_BAR = 0, 1, 2, 3, 4, 5

_LEVELS = 6
_LEAP = 1 << _LEVELS
_TABLE_BARS = 4096
_CHUNK_EVENTS = 4096
# What a table costs in steps of the walk, for each of its bars and of its events.
_STEPS_A_BAR, _STEPS_AN_EVENT = 5, 15


@njit(cache=True, fastmath=False, nogil=True)
def walk_barriers(
    timestamp: np.ndarray,
    opens: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    close: np.ndarray,
    rows: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    horizon_ms: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcome (int8 code), last row (int64) and gross return (float64) of each event.

    ``timestamp`` ascends.  ``upper`` and ``lower`` are distances from the entry as fractions of
    it, shape (m,).  Rows may come in any order; ascending ones are quickest.
    """
    m = len(rows)
    outcome = np.empty(m, np.int8)
    last_row = np.full(m, -1, np.int64)
    gross = np.full(m, np.nan)
    ends = np.empty(m, np.int64)
    _find_ends(timestamp, rows, upper, lower, horizon_ms, outcome, ends)
    table = np.empty((_LEVELS + 1, 2 * (_TABLE_BARS + _LEAP)))
    event, held = 0, np.inf
    while event < m:
        stop, first, bars, events = _chunk(rows, ends, event)
        # How far events will go is guessed from how far the last ones went.
        tabled = events > 1 and _STEPS_A_BAR * bars < events * (held - _STEPS_AN_EVENT)
        if tabled:
            _fill_table(opens, high, low, first, bars, table)
        held = 0.0
        for k in range(event, stop):
            if ends[k] < 0:
                continue
            row, end = rows[k], ends[k]
            entry = opens[row + 1]
            top = entry * (1.0 + upper[k])
            bottom = entry * (1.0 - lower[k])
            bar = row + 1
            if tabled:
                bar = first + _leap(table, bar - first, end - first, bottom, -top)
            code, leave = VERTICAL, 0.0
            while bar < end:
                if opens[bar] <= bottom:
                    code, leave = LOWER, opens[bar]
                elif opens[bar] >= top:
                    code, leave = UPPER, opens[bar]
                elif low[bar] <= bottom:
                    code, leave = LOWER, bottom
                elif high[bar] >= top:
                    code, leave = UPPER, top
                if code != VERTICAL:
                    break
                bar += 1
            if code == VERTICAL:
                bar = end
                if timestamp[end - 1] == timestamp[row] + horizon_ms:
                    bar = end - 1
                    leave = close[bar]
                else:
                    leave = opens[bar]
            outcome[k] = code
            last_row[k] = bar
            gross[k] = leave / entry - 1.0
            held += bar - row
        event, held = stop, held / max(events, 1)
    return outcome, last_row, gross


@njit(cache=True, fastmath=False, nogil=True)
def _find_ends(
    timestamp: np.ndarray,
    rows: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    horizon_ms: int,
    outcome: np.ndarray,
    ends: np.ndarray,
) -> None:
    """First row after each event's horizon into ``ends``; -1, and why, where it has no label."""
    n = len(timestamp)
    reach = 1
    for event in range(len(rows)):
        row = rows[event]
        deadline = timestamp[row] + horizon_ms
        ends[event] = -1
        if timestamp[n - 1] < deadline:
            outcome[event] = TRUNCATED
        elif not (upper[event] > 0.0 and lower[event] > 0.0):
            outcome[event] = NO_WIDTH
        elif timestamp[row + 1] > deadline:
            outcome[event] = NO_BAR
        else:
            # Without a gap, the horizon holds as many bars as the last event's did.
            end = min(row + reach, n)
            if timestamp[end - 1] > deadline or (end < n and timestamp[end] <= deadline):
                end = row + 1 + np.searchsorted(timestamp[row + 1 :], deadline, side="right")
                reach = end - row
            ends[event] = end


@njit(cache=True, fastmath=False, nogil=True)
def _chunk(rows: np.ndarray, ends: np.ndarray, event: int) -> tuple[int, int, int, int]:
    """Events from ``event`` on that fit one table: their end, its first bar, its bars, and how
    many of them have a label."""
    m = len(rows)
    first = rows[event] + 1
    last, labelled = first, 0
    stop = event
    while stop < min(m, event + _CHUNK_EVENTS):
        if ends[stop] >= 0:
            if rows[stop] + 1 < first or ends[stop] - first > _TABLE_BARS:
                break
            last = max(last, ends[stop])
            labelled += 1
        stop += 1
    if stop == event:
        return event + 1, first, ends[event] - first, 1
    return stop, first, last - first, labelled


@njit(cache=True, fastmath=False, nogil=True)
def _fill_table(
    opens: np.ndarray, high: np.ndarray, low: np.ndarray, first: int, bars: int, table: np.ndarray
) -> None:
    """At level j, entries 2 k and 2 k + 1: the lowest price and the highest one, negated, of the
    2^j bars from bar ``first + k`` on.  Bars past the data, and NaN, are never touched."""
    width = bars + _LEAP
    known = min(width, len(low) - first)
    for k in range(known):
        bar = first + k
        lowest, highest = np.inf, -np.inf
        if low[bar] < lowest:
            lowest = low[bar]
        if opens[bar] < lowest:
            lowest = opens[bar]
        if high[bar] > highest:
            highest = high[bar]
        if opens[bar] > highest:
            highest = opens[bar]
        table[0, 2 * k], table[0, 2 * k + 1] = lowest, -highest
    table[0, 2 * known : 2 * width] = np.inf
    for level in range(1, _LEVELS + 1):
        step = 1 << level
        inner = 2 * width - step
        here, one = table[level, :inner], table[level - 1, :inner]
        other = table[level - 1, step : 2 * width]
        for i in range(inner):
            here[i] = min(one[i], other[i])
        table[level, inner : 2 * width] = table[level - 1, inner : 2 * width]


@njit(cache=True, fastmath=False, nogil=True)
def _leap(table: np.ndarray, at: int, end: int, bottom: float, minus_top: float) -> int:
    """First bar from ``at`` on that touches either barrier; ``end`` or more where none does."""
    whole = table[_LEVELS]
    while at < end and not (whole[2 * at] <= bottom or whole[2 * at + 1] <= minus_top):
        at += _LEAP
    if at < end:
        for level in range(_LEVELS - 1, -1, -1):
            part = table[level]
            touched = (part[2 * at] <= bottom) | (part[2 * at + 1] <= minus_top)
            at += 0 if touched else 1 << level
    return at
