"""Plain twins of this package's kernels, the oracles of their tests.  No step calls them."""

from __future__ import annotations

from itertools import pairwise

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


def switching_filter(
    returns: np.ndarray,
    funding: np.ndarray,
    level: np.ndarray,
    dynamics: np.ndarray,
    jumps: np.ndarray,
    transition: np.ndarray,
    funding_mean: np.ndarray,
    funding_deviation: float,
    drift: np.ndarray,
    power: float,
) -> np.ndarray:
    """Same arguments and results as the kernel, up to rounding."""
    evidence = _switching_evidence(
        returns, funding, level, dynamics, jumps, funding_mean, funding_deviation, drift
    )
    return forward_filter(power * evidence, transition, np.full(3, 1 / 3))


def switching_log_likelihood(
    returns: np.ndarray,
    funding: np.ndarray,
    level: np.ndarray,
    dynamics: np.ndarray,
    jumps: np.ndarray,
    transition: np.ndarray,
    funding_mean: np.ndarray,
    funding_deviation: float,
    power: float,
) -> float:
    """The first result of the kernel ``switching_likelihood``, up to rounding."""
    evidence = _switching_evidence(
        returns, funding, level, dynamics, jumps, funding_mean, funding_deviation, np.zeros(3)
    )
    belief, total = np.full(3, 1 / 3), 0.0
    for row in evidence:
        joint = (belief @ transition) * np.exp(power * row)
        total += np.log(joint.sum())
        belief = joint / joint.sum()
    return float(total)


def _switching_evidence(
    returns: np.ndarray,
    funding: np.ndarray,
    level: np.ndarray,
    dynamics: np.ndarray,
    jumps: np.ndarray,
    funding_mean: np.ndarray,
    funding_deviation: float,
    drift: np.ndarray,
) -> np.ndarray:
    """Log density of each bar in each state, sqrt(2 pi) left out, (n, 3)."""
    persistence, shock = dynamics
    probability, ratio = jumps
    ordinary = 1 / np.sqrt(1 - probability + probability * ratio**2)
    variance, rows = level, []
    for value, rate in zip(returns, funding, strict=True):
        z = (value - drift) / np.sqrt(variance)
        density = sum(
            weight * np.exp(-0.5 * (z / width) ** 2) / width
            for weight, width in ((1 - probability, ordinary), (probability, ratio * ordinary))
        )
        row = np.log(density / np.sqrt(variance))
        if not np.isnan(rate):
            surprise = (rate - funding_mean) / funding_deviation
            row = row - 0.5 * surprise**2 - np.log(funding_deviation)
        rows.append(row)
        seen = np.minimum(value**2, 9 * variance)
        variance = level * (1 - persistence) + shock * seen + (persistence - shock) * variance
    return np.array(rows).reshape(-1, 3)


def accumulated_costs(
    features: np.ndarray, centres: np.ndarray, penalty: float, weight: float
) -> np.ndarray:
    """Same arguments and results as the kernel, up to rounding."""
    rows, before = [], np.zeros(len(centres))
    for feature in features:
        distance = ((feature - centres) ** 2).sum(axis=1)
        total = np.minimum(before, before.min() + penalty) + weight / 2 * distance
        rows.append(total - total.min())
        before = total
    return np.array(rows)


def path_cost(
    features: np.ndarray, centres: np.ndarray, penalty: float, path: tuple[int, ...]
) -> float:
    """What one path costs; the kernel's ``cheapest_path`` is one with the least."""
    distances = sum(
        ((row - centres[state]) ** 2).sum() for row, state in zip(features, path, strict=True)
    )
    switches = sum(left != right for left, right in pairwise(path))
    return float(distances / 2 + penalty * switches)
