"""Compiled dynamic programmes of the statistical jump model.  Twins: ``kernels_reference``.

Belongs here: the cheapest cost of every state up to each row, and the cheapest path.  Does not
belong here: features, centres' fitting, probabilities.

A path of states costs, for every row, ``weight / 2`` times the squared distance to its state's
centre, and ``penalty`` for every switch: Nystrup, Lindström and Madsen (2020), Learning hidden
Markov models with persistent states by penalizing jumps.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, fastmath=False)
def accumulated_costs(
    features: np.ndarray, centres: np.ndarray, penalty: float, weight: float
) -> np.ndarray:
    """Cost of the cheapest path over rows 0..t that ends in each state, (n, K).

    Row t uses rows 0..t only.  Each row is counted from its smallest entry, which changes no
    difference and keeps the sums from growing.
    """
    n, width = features.shape
    states = centres.shape[0]
    costs = np.empty((n, states))
    for t in range(n):
        lowest = np.inf
        for k in range(states):
            distance = 0.0
            for f in range(width):
                distance += (features[t, f] - centres[k, f]) ** 2
            before = 0.0
            if t > 0:
                before = min(costs[t - 1, k], penalty)  # the row's least is 0
            costs[t, k] = before + 0.5 * weight * distance
            lowest = min(lowest, costs[t, k])
        for k in range(states):
            costs[t, k] -= lowest
    return costs


@njit(cache=True, fastmath=False)
def cheapest_path(features: np.ndarray, centres: np.ndarray, penalty: float) -> np.ndarray:
    """State of each row on the cheapest path over ALL rows, int64 (n,): for fitting only."""
    costs = accumulated_costs(features, centres, penalty, 1.0)
    n = costs.shape[0]
    path = np.empty(n, np.int64)
    path[n - 1] = np.argmin(costs[n - 1])
    for t in range(n - 2, -1, -1):
        best = path[t + 1]
        if costs[t].min() + penalty < costs[t, best]:
            best = np.argmin(costs[t])
        path[t] = best
    return path
