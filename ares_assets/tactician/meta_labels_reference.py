"""The plain-Python twin of the meta-label kernel: slow, obvious, and the oracle in tests.

Belongs here: the same arithmetic, one event at a time, split where a reader would split it.
Does not belong here: anything that production code calls.
"""

from __future__ import annotations

import numpy as np


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

    Parameters
    ----------
    open_, high, low, close, funding_payment, gap_payment
        float64 (n_rows,); payments are the rate settled in (open, close], and in the gap before
        the bar, else 0.
    entry_row, side
        int64 (n_events,); the row whose open fills the order, and +1 or -1.
    target_width, stop_width
        float64 (n_events,), fractions of the entry price.
    last_row, ends_at_open
        int64 and bool (n_events,); the last row that a position may be held in, and whether it
        leaves at that row's open instead of its close (the bar of its deadline is missing).
    cost_rate
        Fee plus slippage of one side, fraction of the notional traded.

    Returns
    -------
    money, rows
        float64 (n_events, 5): gross return, cost, funding paid, adverse and favourable
        excursion, all fractions of the entry price; int64 (n_events, 2): exit row, bars held.

    Source: Lopez de Prado, Advances in Financial Machine Learning, ch. 3 (triple barrier,
    meta-labelling); the adverse barrier first, and fills of gaps at the open, are Ares' rules.
    """
    money = np.empty((entry_row.size, 5))
    rows = np.empty((entry_row.size, 2), dtype=np.int64)
    for i in range(entry_row.size):
        first, s, entry = int(entry_row[i]), float(side[i]), float(open_[entry_row[i]])
        stop = entry * (1.0 - s * float(stop_width[i]))
        target = entry * (1.0 + s * float(target_width[i]))
        ends = int(last_row[i]), bool(ends_at_open[i])
        path = _follow(open_, high, low, close, first, ends, s, entry, stop, target)
        exit_row, exit_price, moment, adverse, favourable = path
        paid = 0.0
        for row in range(first, exit_row + 1):
            if row > first:
                paid += s * float(gap_payment[row])
            payment = s * float(funding_payment[row])
            if row < exit_row or moment == "close":
                paid += payment
            elif moment == "inside":
                paid += max(payment, 0.0)
        gross = s * (exit_price / entry - 1.0)
        money[i] = gross, cost_rate * (1.0 + exit_price / entry), paid, adverse, favourable
        rows[i] = exit_row, exit_row - first + (0 if moment == "open" else 1)
    return money, rows


def _follow(
    open_: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    close: np.ndarray,
    first: int,
    ends: tuple[int, bool],
    s: float,
    entry: float,
    stop: float,
    target: float,
) -> tuple[int, float, str, float, float]:
    adverse = favourable = 0.0
    last, leaves_at_open = ends

    def mark(price: float, *, worse: bool, better: bool) -> None:
        nonlocal adverse, favourable
        if worse:
            adverse = max(adverse, s * (entry - price) / entry)
        if better:
            favourable = max(favourable, s * (price - entry) / entry)

    for row in range(first, last + 1):
        start = float(open_[row])
        mark(start, worse=True, better=True)
        gapped = s * (start - stop) <= 0.0 or s * (start - target) >= 0.0
        if row > first and (gapped or (row == last and leaves_at_open)):
            return row, start, "open", adverse, favourable
        worst, best = (low[row], high[row]) if s > 0.0 else (high[row], low[row])
        if s * (float(worst) - stop) <= 0.0:
            mark(stop, worse=True, better=True)
            return row, stop, "inside", adverse, favourable
        mark(float(worst), worse=True, better=False)
        if s * (float(best) - target) >= 0.0:
            mark(target, worse=True, better=True)
            return row, target, "inside", adverse, favourable
        mark(float(best), worse=False, better=True)
    mark(float(close[last]), worse=True, better=True)
    return last, float(close[last]), "close", adverse, favourable
