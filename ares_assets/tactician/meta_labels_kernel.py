"""The compiled loop that acts on signals and follows each position to its exit.

Belongs here: the one kernel, on plain arrays.  Does not belong here: checks, frames and
costs in basis points (``meta_labels.py``), and the twin that proves it
(``meta_labels_reference.py``).
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, fastmath=False)
def act_on_signals(
    open_: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    close: np.ndarray,
    funding_payment: np.ndarray,
    gap_payment: np.ndarray,
    entry_row: np.ndarray,
    side: np.ndarray,
    target_width: np.ndarray,
    stop_width: np.ndarray,
    last_row: np.ndarray,
    ends_at_open: np.ndarray,
    cost_rate: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Outcome of entering at the open of each ``entry_row`` and leaving at the first barrier.

    Arguments and results are those of ``meta_labels_reference.act_on_signals``, bit by bit.
    """
    n = entry_row.size
    money = np.empty((n, 5))
    rows = np.empty((n, 2), dtype=np.int64)
    for i in range(n):
        first = entry_row[i]
        s = float(side[i])
        entry = open_[first]
        stop = entry * (1.0 - s * stop_width[i])
        target = entry * (1.0 + s * target_width[i])
        last = last_row[i]
        exit_row, exit_price, held = last, close[last], last - first + 1
        adverse, favourable, paid = 0.0, 0.0, 0.0
        for row in range(first, last + 1):
            start = open_[row]
            adverse = max(adverse, s * (entry - start) / entry)
            favourable = max(favourable, s * (start - entry) / entry)
            if row > first:
                paid += s * gap_payment[row]
            if row > first and (s * (start - stop) <= 0.0 or s * (start - target) >= 0.0):
                exit_row, exit_price, held = row, start, row - first
                break
            if row == last and ends_at_open[i]:
                exit_row, exit_price, held = row, start, row - first
                break
            worst = low[row] if s > 0.0 else high[row]
            best = high[row] if s > 0.0 else low[row]
            payment = s * funding_payment[row]
            if s * (worst - stop) <= 0.0:
                exit_row, exit_price, held = row, stop, row - first + 1
                paid += max(payment, 0.0)
                break
            adverse = max(adverse, s * (entry - worst) / entry)
            if s * (best - target) >= 0.0:
                exit_row, exit_price, held = row, target, row - first + 1
                paid += max(payment, 0.0)
                break
            favourable = max(favourable, s * (best - entry) / entry)
            paid += payment
        adverse = max(adverse, s * (entry - exit_price) / entry)
        favourable = max(favourable, s * (exit_price - entry) / entry)
        money[i, 0] = s * (exit_price / entry - 1.0)
        money[i, 1] = cost_rate * (1.0 + exit_price / entry)
        money[i, 2] = paid
        money[i, 3] = adverse
        money[i, 4] = favourable
        rows[i, 0] = exit_row
        rows[i, 1] = held
    return money, rows
