"""Compiled recursions with a state that can be kept.  Their plain twins: ``recursive_reference``.

Belongs here: Wilder's indicators, MACD, exponentially weighted means.  Does not belong here:
windows (``window_kernel``).

Each function goes over the rows ``start <= i < stop``, fills ``out[..., i - start]`` and leaves
in ``state`` all that the next row needs beside the columns; a state of zeros belongs to row 0.
First values are seeded as TA-Lib 0.6 seeds them, so that the two agree from the first value on.
Sums and means here decay geometrically and never divide by zero.
"""

from __future__ import annotations

import numpy as np
from numba import njit

WILDER_STATE, MACD_STATE, MEAN_STATE = 7, 3, 2
PERIOD = 14
FAST, SLOW, SIGNAL = 12, 26, 9


@njit(cache=True, fastmath=False)
def wilder(
    high: np.ndarray,
    low: np.ndarray,
    close: np.ndarray,
    start: int,
    stop: int,
    state: np.ndarray,
    out: np.ndarray,
) -> None:
    """Rows of ``out``: RSI, ADX, +DI less -DI, average true range (price), over 14 bars.

    Wilder (1978).  RSI is 50 and the others are 0 where nothing has moved.
    """
    gain, loss, plus, minus, reach, average, index = state
    before, weight = PERIOD - 1.0, 1.0 / PERIOD
    for i in range(start, stop):
        if i > 0:
            change = close[i] - close[i - 1]
            up, down = max(change, 0.0), max(-change, 0.0)
            rise, fall = high[i] - high[i - 1], low[i - 1] - low[i]
            plus_move = rise if rise > 0.0 and rise > fall else 0.0
            minus_move = fall if fall > 0.0 and fall > rise else 0.0
            extent = max(high[i], close[i - 1]) - min(low[i], close[i - 1])
            if i <= PERIOD:
                gain += up * weight
                loss += down * weight
                average += extent * weight
            else:
                gain = (gain * before + up) * weight
                loss = (loss * before + down) * weight
                average = (average * before + extent) * weight
            if i < PERIOD:
                plus, minus, reach = plus + plus_move, minus + minus_move, reach + extent
            else:
                plus += plus_move - plus * weight
                minus += minus_move - minus * weight
                reach += extent - reach * weight
                both = plus + minus
                spread = 100.0 * abs(plus - minus) / both if both > 0.0 else 0.0
                if i < 2 * PERIOD:
                    index += spread * weight
                elif both > 0.0:
                    index = (index * before + spread) * weight
        at, movement = i - start, gain + loss
        out[0, at] = 100.0 * (gain / movement) if movement > 0.0 else 50.0
        out[1, at] = index
        out[2, at] = 100.0 * (plus - minus) / reach if reach > 0.0 else 0.0
        out[3, at] = average
    state[:] = (gain, loss, plus, minus, reach, average, index)


@njit(cache=True, fastmath=False)
def macd_histogram(
    close: np.ndarray, start: int, stop: int, state: np.ndarray, out: np.ndarray
) -> None:
    """MACD(12, 26) less its signal(9), in price (Appel 1979)."""
    fast, slow, signal = state[0], state[1], state[2]
    for i in range(start, stop):
        price = close[i]
        if i < SLOW:
            slow += price / SLOW
            if i >= SLOW - FAST:
                fast += price / FAST
        else:
            fast += (price - fast) * (2.0 / (FAST + 1))
            slow += (price - slow) * (2.0 / (SLOW + 1))
        difference = fast - slow
        if i >= SLOW + SIGNAL - 1:
            signal += (difference - signal) * (2.0 / (SIGNAL + 1))
        elif i >= SLOW - 1:
            signal += difference / SIGNAL
        out[i - start] = difference - signal
    state[0], state[1], state[2] = fast, slow, signal


@njit(cache=True, fastmath=False)
def weighted_means(
    values: np.ndarray,
    decays: np.ndarray,
    start: int,
    stop: int,
    state: np.ndarray,
    out: np.ndarray,
) -> None:
    """Exponentially weighted means of the known values; NaN where the value itself is.

    Weights fall by each of ``decays`` (m,) a row, missing or not; ``values[0]`` is row
    ``start``.  State (m, 2): the mean and the weight behind it.
    """
    for i in range(stop - start):
        known = not np.isnan(values[i])
        for k in range(len(decays)):
            state[k, 1] *= decays[k]
            if known:
                state[k, 1] += 1.0
                state[k, 0] += (values[i] - state[k, 0]) / state[k, 1]
            out[k, i] = state[k, 0] if known else np.nan
