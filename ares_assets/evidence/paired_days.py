"""Rivals on the same days: which days are whole, and what each strategy made on them.

Belongs here: pairing streams of bar returns for the sequential test, and how far their days
depend on each other.  Does not belong here: the test (``sequential.py``), and running a
strategy.

The first and the last day of a stretch of bars are seldom whole.  A part of a day counted as a
day has another spread than the others, so these days are left out of the comparison.
"""

from __future__ import annotations

import numpy as np

from ares_assets.evidence.performance import DAY_MS, aggregate_returns
from ares_assets.evidence.sequential import FIRST_LOOK


def whole_days(stamps: np.ndarray, *, step_ms: int) -> np.ndarray:
    """Bars of UTC days that are seen from their open to their close, bool (n,).

    Parameters
    ----------
    stamps
        Bar opens, int64 ms UTC, ascending, (n,).
    step_ms
        Length of a bar, milliseconds.

    Notes
    -----
    Only the first day can have begun before the first bar, and only the last can end after the
    last; a gap inside is a fact of the market, and its day counts.
    """
    day = np.asarray(stamps, dtype=np.int64) // DAY_MS
    inside = np.ones(day.size, dtype=bool)
    if day.size and stamps[0] > day[0] * DAY_MS:
        inside &= day != day[0]
    if day.size and stamps[-1] + step_ms < (day[-1] + 1) * DAY_MS:
        inside &= day != day[-1]
    return inside


def whole_days_between(start_ms: int, end_ms: int) -> int:
    """UTC days that lie wholly in [start, end), both ms UTC; 0 where there is none.

    At most so many days are compared: of bars in that span, ``whole_days`` marks these alone,
    and a day without any bar is none.
    """
    return max(0, end_ms // DAY_MS + -start_ms // DAY_MS)


def decides_nothing(days: int) -> bool:
    """Whether so many whole days are under the first look: no test of them can err."""
    return days < FIRST_LOOK


def daily_on(
    returns: np.ndarray, stamps: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Opens (int64 ms) and compounded returns of the days that ``inside`` marks, each (days,)."""
    if not inside.any():
        return np.empty(0, dtype=np.int64), np.empty(0)
    return aggregate_returns(np.asarray(returns)[inside], np.asarray(stamps)[inside])


def day_dependence(returns: np.ndarray) -> float | None:
    """Lag-1 autocorrelation of daily returns (days,), in [-1, 1].

    None below ``FIRST_LOOK`` days, where its normal limit does not hold, and where nothing
    varies.
    """
    if returns.size < FIRST_LOOK or np.ptp(returns) == 0.0:
        return None
    centred = returns - returns.mean()
    return float(centred[1:] @ centred[:-1] / (centred @ centred))


def at_volatility_of(returns: np.ndarray, model: np.ndarray) -> np.ndarray:
    """A rival's daily returns shrunk or stretched to the spread of a model's, (days,).

    Else a full-time holding of the market would be compared with a model that is seldom in it.
    The scale is that of the same days, so the row that uses it informs and does not decide.
    """
    if returns.size < 2 or np.std(returns) == 0.0:
        return np.zeros_like(returns)
    return np.asarray(returns * (np.std(model) / np.std(returns)))
