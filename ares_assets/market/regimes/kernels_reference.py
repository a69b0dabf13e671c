"""Plain twins of this package's kernels, the oracles of their tests.  No step calls them."""

from __future__ import annotations

import numpy as np


def forward_filter(
    log_evidence: np.ndarray, transition: np.ndarray, initial: np.ndarray
) -> np.ndarray:
    """Same arguments and results as the kernel, up to rounding."""
    rows = []
    belief = initial
    for evidence in log_evidence:
        joint = (belief @ transition) * np.exp(evidence - evidence.max())
        belief = joint / joint.sum()
        rows.append(belief)
    return np.array(rows).reshape(log_evidence.shape)


def decide_with_hysteresis(
    probabilities: np.ndarray, enter_probability: float, minimum_dwell_bars: int, start: int
) -> np.ndarray:
    """Same arguments and results as the kernel."""
    held = [start]
    since = minimum_dwell_bars
    for row in probabilities:
        best = held[-1] if row[held[-1]] == row.max() else int(np.argmax(row))
        switch = best != held[-1] and since >= minimum_dwell_bars and row[best] >= enter_probability
        since = 1 if switch else since + 1
        held.append(best if switch else held[-1])
    return np.array(held[1:], dtype=np.int8)
