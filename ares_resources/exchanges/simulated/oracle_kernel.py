"""The compiled exact filter: Bayes' rule over the three regimes, minute by minute.

Belongs here: the filter's loop.  Does not belong here: reading bars, forecasts.  Its plain twin
is :mod:`ares_resources.exchanges.simulated.oracle_reference`.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, fastmath=False)
def filter_regimes(
    e: np.ndarray,
    signal_before: np.ndarray,
    funding: np.ndarray,
    start: np.ndarray,
    transition: np.ndarray,
    drift: np.ndarray,
    loading: np.ndarray,
    intercept: np.ndarray,
    variance_start: np.ndarray,
    garch: np.ndarray,
    mixture: np.ndarray,
    funding_mean: np.ndarray,
    funding_noise: float,
    break_minute: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Posterior of each regime given everything published up to each close.

    Parameters
    ----------
    e, signal_before, funding
        r / s, x of the minute before, and the rate settled at the close (NaN: none), (n,).
    start, transition, drift, loading, intercept, variance_start
        As in ``market_kernel.evolve``.
    garch
        GARCH shock, memory and cap, (3,).
    mixture
        Jump probability, standard deviation without and with a jump, (3,).
    funding_mean, funding_noise
        Law of the rate: mean a regime (3,), standard deviation.
    break_minute
        First minute whose return does not load on the signal.

    Returns
    -------
    posterior (n, 3), and the variances sigma2_k of the minute after each close (n, 3).
    """
    n = e.shape[0]
    posterior = np.empty((n, 3))
    next_variance = np.empty((n, 3))
    arch, memory, cap = garch
    jump, ordinary, jumping = mixture
    sigma2 = variance_start.copy()
    belief = start.copy()
    prior = np.empty(3)
    log_likelihood = np.empty(3)
    for t in range(n):
        for k in range(3):
            if t == 0:
                prior[k] = belief[k]
            else:
                prior[k] = 0.0
                for i in range(3):
                    prior[k] += belief[i] * transition[i, k]
            mean = drift[k]
            if t < break_minute:
                mean += loading[k] * signal_before[t]
            sigma = np.sqrt(sigma2[k])
            z = (e[t] - mean) / sigma
            # The wider component leads, so that neither exponential can underflow to zero.
            wide = -0.5 * (z / jumping) ** 2
            narrow = -0.5 * (z / ordinary) ** 2
            ratio = (1.0 - jump) / ordinary * np.exp(narrow - wide) + jump / jumping
            log_likelihood[k] = wide + np.log(ratio) - np.log(sigma)
            if not np.isnan(funding[t]):
                log_likelihood[k] -= 0.5 * ((funding[t] - funding_mean[k]) / funding_noise) ** 2
            sigma2[k] = intercept[k] + arch * min(e[t] * e[t], cap * sigma2[k]) + memory * sigma2[k]
            next_variance[t, k] = sigma2[k]
        best = np.max(log_likelihood)
        total = 0.0
        for k in range(3):
            belief[k] = prior[k] * np.exp(log_likelihood[k] - best)
            total += belief[k]
        for k in range(3):
            belief[k] /= total
            posterior[t, k] = belief[k]
    return posterior, next_variance


@njit(cache=True, fastmath=False)
def accumulate_signal(innovation: np.ndarray, persistence: float) -> np.ndarray:
    """x of u: x_t = rho x_{t-1} + sqrt(1 - rho**2) u_t from x = 0, (n,)."""
    noise_scale = np.sqrt(1.0 - persistence * persistence)
    signal = np.empty(innovation.shape[0])
    x = 0.0
    for t in range(innovation.shape[0]):
        x = persistence * x + noise_scale * innovation[t]
        signal[t] = x
    return signal
