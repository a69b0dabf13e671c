"""Compiled regime decisions with hysteresis.  Twin: ``kernels_reference``."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, fastmath=False)
def decide_with_hysteresis(
    probabilities: np.ndarray, enter_probability: float, minimum_dwell_bars: int, start: int
) -> np.ndarray:
    """Index of the regime held at each row, int8 (n,); ``start`` is held before row 0."""
    n, states = probabilities.shape
    held = np.empty(n, np.int8)
    current = start
    dwelt = minimum_dwell_bars
    for t in range(n):
        best = current
        for k in range(states):
            if probabilities[t, k] > probabilities[t, best]:
                best = k
        if (
            best != current
            and dwelt >= minimum_dwell_bars
            and probabilities[t, best] >= enter_probability
        ):
            current = best
            dwelt = 0
        held[t] = current
        dwelt += 1
    return held
