"""The compiled recursion that turns random draws into a market, minute by minute.

Belongs here: the loop that cannot be vectorised.  Does not belong here: drawing, constants.
Its plain twin is :mod:`ares_resources.exchanges.simulated.market_reference`.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, fastmath=False)
def evolve(
    regime_uniform: np.ndarray,
    shock: np.ndarray,
    innovation: np.ndarray,
    shape: np.ndarray,
    start: np.ndarray,
    transition: np.ndarray,
    drift: np.ndarray,
    loading: np.ndarray,
    intercept: np.ndarray,
    variance_start: np.ndarray,
    range_start: float,
    constants: np.ndarray,
    break_minute: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Run the chain, the signal, the three variances and the range scale over n minutes.

    Parameters
    ----------
    regime_uniform, shock, innovation, shape
        Uniform draws for the chain, z, u and s, each (n,).
    start, transition, drift, loading, intercept, variance_start
        Law of the first regime (3,), P (3, 3), mu (3,), b sbar (3,), w (3,), sigma2 of the
        first minute (3,).
    range_start
        Squared range scale of the first minute before the intraday shape.
    constants
        GARCH shock and memory, cap, signal persistence, range memory, m; (6,).
    break_minute
        First minute whose return does not load on the signal.

    Returns
    -------
    regime (n,) int8, signal x (n,), returns r (n,), variance sigma2_k (n, 3) as used in that
    minute, range scale h (n,).
    """
    n = shock.shape[0]
    regime = np.empty(n, dtype=np.int8)
    signal = np.empty(n)
    returns = np.empty(n)
    variance = np.empty((n, 3))
    range_scale = np.empty(n)
    arch, memory, cap, rho, range_memory, moment = constants
    noise_scale = np.sqrt(1.0 - rho * rho)
    x = 0.0
    state = -1
    sigma2 = variance_start.copy()
    spread = range_start
    for t in range(n):
        row = start if state < 0 else transition[state]
        draw = regime_uniform[t]
        if draw < row[0]:
            state = 0
        elif draw < row[0] + row[1]:
            state = 1
        else:
            state = 2
        mean = drift[state]
        if t < break_minute:
            mean += loading[state] * x
        e = mean + np.sqrt(sigma2[state]) * shock[t]
        regime[t] = state
        returns[t] = shape[t] * e
        range_scale[t] = shape[t] * np.sqrt(spread)
        for k in range(3):
            variance[t, k] = sigma2[k]
            sigma2[k] = intercept[k] + arch * min(e * e, cap * sigma2[k]) + memory * sigma2[k]
        spread = range_memory * spread + (1.0 - range_memory) * min(e * e, cap * spread) / moment
        x = rho * x + noise_scale * innovation[t]
        signal[t] = x
    return regime, signal, returns, variance, range_scale


@njit(cache=True, fastmath=False)
def compound(returns: np.ndarray, initial_price: float) -> np.ndarray:
    """Closes (n,) of simple returns (n,), multiplied in order: P_t = P_{t-1} (1 + r_t)."""
    close = np.empty(returns.shape[0])
    price = initial_price
    for t in range(returns.shape[0]):
        price = price * (1.0 + returns[t])
        close[t] = price
    return close
