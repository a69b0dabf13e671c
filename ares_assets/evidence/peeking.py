"""What looking again and again does: to a test made for one look, and to the always-valid one.

Belongs here: errors under peeking, and the p-value as it stood after each bar.  Does not
belong here: the always-valid test itself (``sequential.py``).

Armitage, McPherson & Rowe (1969), Repeated significance tests on accumulating data, JRSS A 132.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from ares_assets.evidence.performance import DAY_MS
from ares_assets.evidence.sequential import FIRST_LOOK, running_bounds
from ares_resources.errors import BadInput

_NODES = 256
_MOST_LOOKS = 1000


def fixed_test_peeking_error(looks: int, *, level: float = 0.05) -> float:
    """Chance that a two-sided normal test of one look errs at one of ``looks`` equal looks.

    What a reader of daily p-values would do to a test of nominal ``level``; integrated by
    recursion over the sums that no look has yet called significant (Armitage et al., sec. 2).

    Raises
    ------
    BadInput
        For fewer than one or more than 1000 looks, or a level outside (0, 1).
    """
    if not 1 <= looks <= _MOST_LOOKS or not 0.0 < level < 1.0:
        raise BadInput(f"looks = {looks}, level = {level}; allowed: 1 to {_MOST_LOOKS} and (0, 1)")
    quantile = NormalDist().inv_cdf(1.0 - level / 2.0)
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    sums = quantile * nodes
    mass = quantile * weights * _normal_density(sums)
    for look in range(2, looks + 1):
        reach = quantile * math.sqrt(look)
        following = reach * nodes
        density = _normal_density(following[:, None] - sums) @ mass
        sums, mass = following, reach * weights * density
    return 1.0 - float(mass.sum())


def _normal_density(values: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * values**2) / math.sqrt(2.0 * math.pi)


def crossings(
    sequences: np.ndarray,
    *,
    level: float = 0.05,
    block: int = 1,
    first_look: int = FIRST_LOOK,
    tuned_for: int | None = None,
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
        values, level=level, block=block, first_look=first_look, tuned_for=tuned_for
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
