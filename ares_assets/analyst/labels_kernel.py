"""Compiled triple-barrier walk.  Its plain twin, the oracle, is ``labels_reference``."""

from __future__ import annotations

import numpy as np
from numba import njit

UPPER, LOWER, VERTICAL, TRUNCATED, NO_WIDTH, NO_BAR = 0, 1, 2, 3, 4, 5


@njit(cache=True, fastmath=False)
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

    ``upper`` and ``lower`` are distances from the entry as fractions of it, shape (m,).
    """
    n, m = len(timestamp), len(rows)
    outcome = np.empty(m, np.int8)
    last_row = np.full(m, -1, np.int64)
    gross = np.full(m, np.nan)
    for event in range(m):
        row = rows[event]
        deadline = timestamp[row] + horizon_ms
        if timestamp[n - 1] < deadline:
            outcome[event] = TRUNCATED
            continue
        if not (upper[event] > 0.0 and lower[event] > 0.0):
            outcome[event] = NO_WIDTH
            continue
        if timestamp[row + 1] > deadline:
            outcome[event] = NO_BAR
            continue
        entry = opens[row + 1]
        top = entry * (1.0 + upper[event])
        bottom = entry * (1.0 - lower[event])
        code = VERTICAL
        leave = 0.0
        bar = row + 1
        while bar < n and timestamp[bar] <= deadline:
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
            if timestamp[bar - 1] == deadline:
                bar -= 1
                leave = close[bar]
            else:
                leave = opens[bar]
        outcome[event] = code
        last_row[event] = bar
        gross[event] = leave / entry - 1.0
    return outcome, last_row, gross
