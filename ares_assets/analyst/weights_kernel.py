"""Compiled average uniqueness.  Its plain twin, the oracle, is ``weights_reference``."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, fastmath=False)
def average_uniqueness(first: np.ndarray, last: np.ndarray, bars: int) -> np.ndarray:
    """Mean over each span [first, last] of 1 / (number of spans on the bar); O(bars + events)."""
    change = np.zeros(bars + 1, np.int64)
    for event in range(len(first)):
        change[first[event]] += 1
        change[last[event] + 1] -= 1
    summed = np.zeros(bars + 1)
    concurrent = 0
    for bar in range(bars):
        concurrent += change[bar]
        summed[bar + 1] = summed[bar] + (1.0 / concurrent if concurrent > 0 else 0.0)
    uniqueness = np.empty(len(first))
    for event in range(len(first)):
        span = last[event] + 1 - first[event]
        uniqueness[event] = (summed[last[event] + 1] - summed[first[event]]) / span
    return uniqueness
