"""Plain twin of ``bootstrap_kernel.py``: every path written out and walked through.

Belongs here: the oracle, as slow and obvious as can be.  Does not belong here: anything a
step runs.
"""

from __future__ import annotations

import math

import numpy as np

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def mix(value: int) -> int:
    """SplitMix64's finaliser on Python integers."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def path_indices(rows: int, draws: int, mean_block: float, seed: int, path: int) -> list[int]:
    """Rows of one resample of length ``draws``, in order."""
    state = mix(seed ^ mix((path + _GOLDEN) & _MASK))
    indices: list[int] = []
    while len(indices) < draws:
        state = (state + _GOLDEN) & _MASK
        start = min(int(_uniform(state) * rows), rows - 1)
        length = 1
        if mean_block > 1.0:
            state = (state + _GOLDEN) & _MASK
            length = 1 + math.floor(math.log(_uniform(state)) / math.log1p(-1.0 / mean_block))
        indices += [(start + i) % rows for i in range(min(length, draws - len(indices)))]
    return indices


def path_statistics(
    returns: np.ndarray, mean_block: float, seed: int, path: int, periods: int | None = None
) -> tuple[float, float, float, float]:
    """Sum, squared sum, log growth and deepest log fall of one path of the returns (n,).

    The path is ``periods`` long, or as long as the sample.
    """
    draws = returns.size if periods is None else periods
    drawn = returns[path_indices(returns.size, draws, mean_block, seed, path)]
    growth, peak, fall = 0.0, 0.0, 0.0
    for value in drawn:
        growth += math.log1p(value)
        peak = max(peak, growth)
        fall = max(fall, peak - growth)
    return float(drawn.sum()), float((drawn**2).sum()), growth, fall


def _uniform(state: int) -> float:
    return ((mix(state) >> 11) + 0.5) / 9007199254740992.0
