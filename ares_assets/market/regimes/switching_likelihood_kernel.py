"""Compiled likelihood of the regime-switching GARCH, and its slopes.

Belongs here: the forward and the backward pass over the bars to FIT on; the latter looks ahead.
Does not belong here: anything that decodes (``switching_kernel``), which parameters are tried
(``switching_fit``).  Plain twin: ``kernels_reference``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ares_assets.market.regimes.switching_kernel import (
    SHOCK_CAP,
    STATES,
    jump_scales,
    next_variance,
    shock_density,
)


@njit(cache=True, fastmath=False)
def _forward(
    returns: np.ndarray,
    funding: np.ndarray,
    level: np.ndarray,
    dynamics: np.ndarray,
    jumps: np.ndarray,
    transition: np.ndarray,
    funding_mean: np.ndarray,
    funding_deviation: float,
    power: float,
) -> tuple:
    """Filtered probabilities and, per bar and state, what the backward pass needs.

    Returns the log likelihood; filtered (n, 3); density over the bar's best (n, 3); the scaling
    of each bar (n,); the slopes of the log density in level, persistence and shock (n, 3, 3);
    the chance of no jump (n, 3) and the squared shock (n, 3).
    """
    n = returns.shape[0]
    persistence, shock = dynamics
    ordinary, wide = jump_scales(jumps[0], jumps[1])
    filtered = np.empty((n, STATES))
    density = np.empty((n, STATES))
    scaling = np.empty(n)
    slopes = np.empty((n, STATES, 3))
    calm = np.empty((n, STATES))
    squares = np.empty((n, STATES))
    belief = np.full(STATES, 1.0 / STATES)
    variance = level.copy()
    change = np.zeros((STATES, 3))  # of each variance with its level, persistence and shock
    change[:, 0] = 1.0
    evidence = np.empty(STATES)
    log_likelihood = 0.0
    for t in range(n):
        square = returns[t] ** 2
        for k in range(STATES):
            held = variance[k]
            squares[t, k] = square / held
            log_density, calm[t, k] = shock_density(squares[t, k], jumps[0], ordinary, wide)
            evidence[k] = log_density - 0.5 * np.log(held)
            if not np.isnan(funding[t]):
                surprise = (funding[t] - funding_mean[k]) / funding_deviation
                evidence[k] -= 0.5 * surprise**2 + np.log(funding_deviation)
            evidence[k] *= power
            pull = calm[t, k] / ordinary**2 + (1.0 - calm[t, k]) / wide**2
            slope = 0.5 * (squares[t, k] * pull - 1.0) / held
            capped = min(square, SHOCK_CAP * held)
            memory = persistence - shock
            if square > SHOCK_CAP * held:
                memory += shock * SHOCK_CAP
            for q in range(3):
                slopes[t, k, q] = slope * change[k, q]
            change[k, 0] = (1.0 - persistence) + memory * change[k, 0]
            change[k, 1] = held - level[k] + memory * change[k, 1]
            change[k, 2] = capped - held + memory * change[k, 2]
            variance[k] = next_variance(held, square, level[k], persistence, shock)
        peak = evidence.max()
        total = 0.0
        for k in range(STATES):
            predicted = 0.0
            for j in range(STATES):
                predicted += belief[j] * transition[j, k]
            density[t, k] = np.exp(evidence[k] - peak)
            filtered[t, k] = predicted * density[t, k]
            total += filtered[t, k]
        scaling[t] = total
        log_likelihood += np.log(total) + peak
        for k in range(STATES):
            filtered[t, k] /= total
            belief[k] = filtered[t, k]
    return log_likelihood, filtered, density, scaling, slopes, calm, squares


@njit(cache=True, fastmath=False)
def switching_likelihood(
    returns: np.ndarray,
    funding: np.ndarray,
    level: np.ndarray,
    dynamics: np.ndarray,
    jumps: np.ndarray,
    transition: np.ndarray,
    funding_mean: np.ndarray,
    funding_deviation: float,
    power: float,
) -> tuple:
    """Log likelihood of all bars and its slopes, for FITTING only: the slopes look both ways.

    The slope of the log likelihood is the smoothed expectation of the slope of the complete
    data's (Fisher's identity), so one forward and one backward pass give all of them.

    Returns
    -------
    The log likelihood (constants left out); expected moves between states (3, 3), whose ratio to
    ``transition`` is the slope in it; slopes in level (3,), dynamics (2,), jumps (2,), funding
    means (3,) and funding deviation.
    """
    n = returns.shape[0]
    log_likelihood, filtered, density, scaling, slopes, calm, squares = _forward(
        returns,
        funding,
        level,
        dynamics,
        jumps,
        transition,
        funding_mean,
        funding_deviation,
        power,
    )
    probability, ratio = jumps
    ordinary, wide = jump_scales(probability, ratio)
    spread = 1.0 + probability * (ratio * ratio - 1.0)
    with_probability = -(ratio * ratio - 1.0) / (2.0 * spread)  # of log ordinary and log wide
    with_ratio = -probability * ratio / spread  # of log ordinary
    moves = np.zeros((STATES, STATES))
    by_level = np.zeros(STATES)
    by_dynamics = np.zeros(2)
    by_jumps = np.zeros(2)
    by_mean = np.zeros(STATES)
    by_deviation = 0.0
    later = np.ones(STATES)
    earlier = np.empty(STATES)
    for t in range(n - 1, -1, -1):
        for k in range(STATES):
            weight = power * filtered[t, k] * later[k]
            by_level[k] += weight * slopes[t, k, 0]
            by_dynamics[0] += weight * slopes[t, k, 1]
            by_dynamics[1] += weight * slopes[t, k, 2]
            near = calm[t, k] * (squares[t, k] / ordinary**2 - 1.0)
            far = (1.0 - calm[t, k]) * (squares[t, k] / wide**2 - 1.0)
            by_jumps[0] += weight * (
                (1.0 - calm[t, k]) / probability
                - calm[t, k] / (1.0 - probability)
                + (near + far) * with_probability
            )
            by_jumps[1] += weight * (near * with_ratio + far * (1.0 / ratio + with_ratio))
            if not np.isnan(funding[t]):
                surprise = (funding[t] - funding_mean[k]) / funding_deviation
                by_mean[k] += weight * surprise / funding_deviation
                by_deviation += weight * (surprise**2 - 1.0) / funding_deviation
        for j in range(STATES):
            earlier[j] = 0.0
            before = filtered[t - 1, j] if t > 0 else 1.0 / STATES
            for k in range(STATES):
                step = transition[j, k] * density[t, k] * later[k] / scaling[t]
                earlier[j] += step
                moves[j, k] += before * step
        later[:] = earlier
    return log_likelihood, moves, by_level, by_dynamics, by_jumps, by_mean, by_deviation
