"""Compiled filter of the regime-switching GARCH, and the law of one bar.

Belongs here: the recursion over bars that decodes.  Does not belong here: the likelihood
(``switching_likelihood_kernel``), names of states.  Plain twin: ``kernels_reference``.

The law of one bar in state k, in units of the standardised return:

- variance_k' = level_k (1 - persistence) + shock min(return^2, CAP variance_k)
  + (persistence - shock) variance_k.  Each state runs its own recursion on the observed return,
  whichever state is the true one, so no path has to be remembered: Haas, Mittnik and Paolella
  (2004), A new approach to Markov-switching GARCH models.  The cap keeps one jump from being
  taken for a wild market;
- the return over the root of its variance is normal, with a small chance of a wider normal
  (a jump), the mixture scaled to unit variance;
- where a funding rate is settled, it is normal about the state's mean.
"""

from __future__ import annotations

import numpy as np
from numba import njit

SHOCK_CAP = 9.0
STATES = 3


@njit(cache=True, fastmath=False)
def jump_scales(probability: float, ratio: float) -> tuple[float, float]:
    """Standard deviations of the ordinary and the wide normal whose mixture has variance 1."""
    ordinary = 1.0 / np.sqrt(1.0 + probability * (ratio * ratio - 1.0))
    return ordinary, ratio * ordinary


@njit(cache=True, fastmath=False)
def shock_density(
    square: float, probability: float, ordinary: float, wide: float
) -> tuple[float, float]:
    """Log density (without the constant) of a shock with that square, and the chance that the
    ordinary normal drew it.

    The wide normal leads, so that neither exponential can underflow to a sum of zero.
    """
    far = -0.5 * square / (wide * wide)
    near = -0.5 * square / (ordinary * ordinary)
    calm = (1.0 - probability) / ordinary * np.exp(near - far)
    total = calm + probability / wide
    return far + np.log(total), calm / total


@njit(cache=True, fastmath=False)
def next_variance(
    variance: float, square: float, level: float, persistence: float, shock: float
) -> float:
    """One step of the variance recursion of the module's description."""
    capped = min(square, SHOCK_CAP * variance)
    return level * (1.0 - persistence) + shock * capped + (persistence - shock) * variance


@njit(cache=True, fastmath=False)
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
    """Probability of each state given all bars up to each close, (n, 3); rows sum to 1.

    Parameters
    ----------
    returns, funding
        Standardised returns, and the standardised rate settled at the close (NaN: none), (n,).
    level, dynamics, jumps
        ``level`` (3,); persistence and shock, (2,); probability and ratio of jumps, (2,).
    transition, funding_mean, funding_deviation, drift
        Chance to go from row to column a bar (3, 3); (3,); scalar; mean return (3,).
    power
        The evidence of a bar counts to this power, in (0, 1].
    """
    n = returns.shape[0]
    ordinary, wide = jump_scales(jumps[0], jumps[1])
    filtered = np.empty((n, STATES))
    belief = np.full(STATES, 1.0 / STATES)
    variance = level.copy()
    evidence = np.empty(STATES)
    for t in range(n):
        for k in range(STATES):
            square = (returns[t] - drift[k]) ** 2 / variance[k]
            log_density, _ = shock_density(square, jumps[0], ordinary, wide)
            evidence[k] = log_density - 0.5 * np.log(variance[k])
            if not np.isnan(funding[t]):
                evidence[k] -= 0.5 * ((funding[t] - funding_mean[k]) / funding_deviation) ** 2
            evidence[k] *= power
            variance[k] = next_variance(
                variance[k], returns[t] ** 2, level[k], dynamics[0], dynamics[1]
            )
        peak = evidence.max()
        total = 0.0
        for k in range(STATES):
            predicted = 0.0
            for j in range(STATES):
                predicted += belief[j] * transition[j, k]
            filtered[t, k] = predicted * np.exp(evidence[k] - peak)
            total += filtered[t, k]
        for k in range(STATES):
            filtered[t, k] /= total
            belief[k] = filtered[t, k]
    return filtered
