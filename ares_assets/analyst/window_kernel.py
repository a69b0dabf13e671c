"""Compiled statistics of the last so many rows.  Their plain twins: ``window_reference``.

Belongs here: sums, extremes, standard scores and straight lines over a moving window.  Does
not belong here: recursions (``recursive_kernel``), and what is summed (``element_kernel``).

Rows are cut into blocks of one window's length, counted from row 0.  A window reaches over two
blocks at most, so its sum is that of the end of the one plus that of the beginning of the
other (van Herk 1992, Gil and Werman 1993, for extremes).  Nothing is ever subtracted: a huge
value leaves no rounding dust behind once it has left the window, a NaN does not outlive it, and
the result depends on the rows of two blocks alone, so that a computation may begin at any row
and give the same bits.

Every function fills ``out[..., i - start]`` for the rows ``start <= i < stop``.  Where the window
reaches before row 0, the rows there are counted as absent.
"""

from __future__ import annotations

import numpy as np
from numba import njit

# A variance below this share of the mean square is rounding, not movement.
DUST = 1e-13


@njit(cache=True, fastmath=False)
def rolling_sums(
    values: np.ndarray, first: int, span: int, start: int, stop: int, out: np.ndarray
) -> None:
    """Sums of each series in ``values`` (m, n), which begin at row ``first``; out is (m, rows)."""
    series = values.shape[0]
    for k in range(0, series - series % 4, 4):
        # Four chains of additions at once: one alone waits for each of its sums.
        _four_sums(values[k : k + 4], first, span, start, stop, out[k : k + 4])
    suffix = np.zeros(span + 1)
    for k in range(series - series % 4, series):
        block = start // span * span
        while block < stop:
            total = 0.0
            for row in range(block - 1, block - span, -1):
                if row >= 0:
                    total += values[k, row - first]
                suffix[row - block + span] = total
            total = 0.0
            for row in range(block, min(block + span, stop)):
                total += values[k, row - first]
                if row >= start:
                    out[k, row - start] = suffix[row - block + 1] + total
            block += span


@njit(cache=True, fastmath=False)
def _four_sums(
    values: np.ndarray, first: int, span: int, start: int, stop: int, out: np.ndarray
) -> None:
    suffix = np.zeros((span + 1, 4))
    block = start // span * span
    while block < stop:
        one, two, three, four = 0.0, 0.0, 0.0, 0.0
        for row in range(block - 1, max(block - span, -1), -1):
            at = row - first
            one, two = one + values[0, at], two + values[1, at]
            three, four = three + values[2, at], four + values[3, at]
            to = suffix[row - block + span]
            to[0], to[1], to[2], to[3] = one, two, three, four
        one, two, three, four = 0.0, 0.0, 0.0, 0.0
        for row in range(block, min(block + span, stop)):
            at = row - first
            one, two = one + values[0, at], two + values[1, at]
            three, four = three + values[2, at], four + values[3, at]
            if row >= start:
                late, to = suffix[row - block + 1], row - start
                out[0, to], out[1, to] = late[0] + one, late[1] + two
                out[2, to], out[3, to] = late[2] + three, late[3] + four
        block += span


@njit(cache=True, fastmath=False)
def rolling_extremes(
    high: np.ndarray,
    low: np.ndarray,
    span: int,
    start: int,
    stop: int,
    highest: np.ndarray,
    lowest: np.ndarray,
) -> None:
    """Highest high and lowest low; ``high`` and ``low`` are whole columns."""
    top, bottom = np.full(span + 1, -np.inf), np.full(span + 1, np.inf)
    block = start // span * span
    while block < stop:
        for j in range(span - 1, 0, -1):
            row = block - span + j
            top[j], bottom[j] = top[j + 1], bottom[j + 1]
            if row >= 0:
                top[j], bottom[j] = max(top[j], high[row]), min(bottom[j], low[row])
        up, down = -np.inf, np.inf
        for row in range(block, min(block + span, stop)):
            up, down = max(up, high[row]), min(down, low[row])
            if row >= start:
                highest[row - start] = max(up, top[row - block + 1])
                lowest[row - start] = min(down, bottom[row - block + 1])
        block += span


@njit(cache=True, fastmath=False)
def rolling_score(
    values: np.ndarray,
    span: int,
    start: int,
    stop: int,
    mean: np.ndarray,
    score: np.ndarray,
) -> None:
    """Mean of the known values, and the distance of the last from it in standard deviations.

    Both are NaN where the last value is; the score is 0 where all are equal.  ``values`` is a
    whole column.  Sums are taken of the distances from the block's first value, which the
    window holds, so that a level far above the spread costs no digits.
    """
    # Rows: how many are known, their distances' sum, their squares' sum.
    suffix, prefix = np.zeros((3, span + 1)), np.empty((3, span))
    block = start // span * span
    while block < stop:
        centre = 0.0 if np.isnan(values[block]) else values[block]
        count, total, square = 0.0, 0.0, 0.0
        for j in range(span - 1, 0, -1):
            row = block - span + j
            if row >= 0 and not np.isnan(values[row]):
                distance = values[row] - centre
                count, total, square = count + 1.0, total + distance, square + distance * distance
            suffix[0, j], suffix[1, j], suffix[2, j] = count, total, square
        count, total, square = 0.0, 0.0, 0.0
        first, last = max(block, start), min(block + span, stop)
        for row in range(block, last):
            if not np.isnan(values[row]):
                distance = values[row] - centre
                count, total, square = count + 1.0, total + distance, square + distance * distance
            j = row - block
            prefix[0, j], prefix[1, j], prefix[2, j] = count, total, square
        j, rows = first - block, last - first
        _scores(
            values[first:last],
            centre,
            suffix[:, j + 1 : j + 1 + rows],
            prefix[:, j : j + rows],
            mean[first - start : last - start],
            score[first - start : last - start],
        )
        block += span


# Without Python's check of each division, the loop is computed several rows at a time.
@njit(cache=True, fastmath=False, error_model="numpy")
def _scores(
    values: np.ndarray,
    centre: float,
    suffix: np.ndarray,
    prefix: np.ndarray,
    mean: np.ndarray,
    score: np.ndarray,
) -> None:
    for i in range(len(values)):
        inverse = 1.0 / (suffix[0, i] + prefix[0, i])
        middle = (suffix[1, i] + prefix[1, i]) * inverse
        power = (suffix[2, i] + prefix[2, i]) * inverse
        spread = power - middle * middle
        away = (values[i] - centre - middle) / np.sqrt(spread)
        if not spread > DUST * power:
            away = 0.0
        unknown = np.isnan(values[i])
        mean[i] = np.nan if unknown else centre + middle
        score[i] = np.nan if unknown else away


@njit(cache=True, fastmath=False)
def rolling_line(
    values: np.ndarray, span: int, start: int, stop: int, slope: np.ndarray, fit: np.ndarray
) -> None:
    """Least-squares slope per row over the window, and the share of variance it explains.

    Both are 0 where all values are equal.  ``values`` is a whole column without NaN.
    """
    suffix = np.zeros((span + 1, 3))
    spread_of_rows = span * (span * span - 1.0) / 12.0
    block = start // span * span
    while block < stop:
        centre = values[block]
        for j in range(span - 1, 0, -1):
            row = block - span + j
            distance = values[row] - centre if row >= 0 else 0.0
            suffix[j, 0] = suffix[j + 1, 0] + distance
            suffix[j, 1] = suffix[j + 1, 1] + distance * distance
            suffix[j, 2] = suffix[j + 1, 2] + distance * (j - span)
        total, square, moment = 0.0, 0.0, 0.0
        for row in range(block, min(block + span, stop)):
            distance = values[row] - centre
            total += distance
            square += distance * distance
            moment += distance * (row - block)
            if row < start:
                continue
            j = row - block + 1
            whole = suffix[j, 0] + total
            # The rows of the window have their middle here, counted from the block.
            middle = row - block - (span - 1) / 2.0
            covariance = suffix[j, 2] + moment - middle * whole
            power = suffix[j, 1] + square
            spread = power - whole * whole / span
            steepness = covariance / spread_of_rows
            slope[row - start] = fit[row - start] = 0.0
            if spread > DUST * power:
                slope[row - start] = steepness
                fit[row - start] = min(1.0, steepness * covariance / spread)
        block += span
