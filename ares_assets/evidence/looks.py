"""What a sequential test says look by look: over many sequences, and after each bar.

Belongs here: errors of the always-valid test under peeking, and its p-value as it stood after
each bar.  Does not belong here: the test itself (``sequential.py``), and what peeking does to a
test that was made for one look (``peeking.py``).
"""

from __future__ import annotations

import numpy as np

from ares_assets.evidence.performance import DAY_MS
from ares_assets.evidence.sequential import FIRST_LOOK, OPPOSED, running_bounds
from ares_resources.errors import BadInput


def crossings(
    sequences: np.ndarray,
    *,
    level: float = 0.05,
    block: int = 1,
    first_look: int = FIRST_LOOK,
    tuned_for: int | None = None,
    opposed: int = OPPOSED,
) -> tuple[np.ndarray, np.ndarray]:
    """Which of many sequences, looked at after every block, were ever called better, or worse.

    ``sequences`` is (m, n), a sequence a row; the other options are those of
    ``always_valid_test``, whose own bounds these are.  Returns two bool arrays (m,): on
    sequences without a difference their means are the errors that peeking makes.
    """
    values = np.asarray(sequences, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise BadInput(f"sequences have shape {values.shape}; needed: (m, n), finite")
    bounds = running_bounds(
        values,
        level=level,
        block=block,
        first_look=first_look,
        tuned_for=tuned_for,
        opposed=opposed,
    )
    better = np.any(bounds.lower > 0.0, axis=-1)
    return np.asarray(better), np.asarray(np.any(bounds.upper < 0.0, axis=-1))


def p_values_by_bar(
    p_values: np.ndarray, days: np.ndarray, stamps: np.ndarray, *, step_ms: int
) -> np.ndarray:
    """The running p-value as it stood after each bar: a step at the end of each tested day.

    Parameters
    ----------
    p_values
        Of ``always_valid_test`` on daily differences, one block a day, (days,).
    days
        The tested days' opens, int64 ms UTC, ascending, (days,).
    stamps
        Opens of the bars, int64 ms UTC, ascending, (bars,).
    step_ms
        Length of a bar, milliseconds.

    Returns
    -------
    (bars,) float64: 1 until the first tested day is over.  A day is over when a bar closes at
    or after its end, so no value depends on a later bar.
    """
    closes = np.asarray(stamps, dtype=np.int64) + step_ms
    over = np.searchsorted(np.asarray(days, dtype=np.int64) + DAY_MS, closes, side="right")
    return np.r_[1.0, np.asarray(p_values, dtype=np.float64)][over]
