"""Compiled forward filter of a hidden Markov chain.  Twin: ``kernels_reference``."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, fastmath=False)
def forward_filter(
    log_evidence: np.ndarray, transition: np.ndarray, initial: np.ndarray
) -> np.ndarray:
    """p_t(k) ~ [p_{t-1} P]_k exp(log_evidence[t, k]), each row scaled to sum 1; shape (n, K).

    ``transition[j, k]`` is the chance to go from j to k; ``initial`` is the belief before row 0.
    """
    n, states = log_evidence.shape
    filtered = np.empty((n, states))
    belief = initial.copy()
    for t in range(n):
        peak = log_evidence[t].max()
        total = 0.0
        for k in range(states):
            predicted = 0.0
            for j in range(states):
                predicted += belief[j] * transition[j, k]
            filtered[t, k] = predicted * np.exp(log_evidence[t, k] - peak)
            total += filtered[t, k]
        for k in range(states):
            filtered[t, k] /= total
            belief[k] = filtered[t, k]
    return filtered
