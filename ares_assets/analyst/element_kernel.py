"""Compiled values of single bars that windows are summed over.  Twins: ``element_reference``.

Belongs here: what one bar and the one before it contribute.  Does not belong here: windows
and recursions.  Logarithms are taken here, one by one: numpy's vectorised ones need not give
the same bits for a row wherever it stands in an array.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

# The order of ``element_columns``, again (a test compares them): numba's disk cache is renewed when
# this file changes, but not when a number that it imports does.
ABSOLUTE, BIPOWER, LAGGED, RANGE, GARMAN_KLASS, SIGNED, WEIGHTED, VOLUME_SQUARE = range(8)
VOLUME, TURNOVER, ILLIQUIDITY, TRADED = range(4)

SHARE_CLIP = 0.001
# Keeps a trade of next to nothing from overflowing the sum that it is in.
MOST_ILLIQUID = 1e150


@njit(cache=True, fastmath=False)
def log_returns(
    close: np.ndarray, start: int, stop: int, logs: np.ndarray, returns: np.ndarray
) -> None:
    """Log of the close and its one-bar change (0 at row 0), into whole columns."""
    for i in range(start, stop):
        logs[i] = math.log(close[i])
        if i > start:
            returns[i] = logs[i] - logs[i - 1]
        elif i > 0:
            returns[i] = logs[i] - math.log(close[i - 1])
        else:
            returns[i] = 0.0


@njit(cache=True, fastmath=False)
def squares(returns: np.ndarray, begin: int, stop: int, out: np.ndarray) -> None:
    """Square of the one-bar log return, (1, stop - begin)."""
    for i in range(begin, stop):
        out[0, i - begin] = returns[i] * returns[i]


@njit(cache=True, fastmath=False)
def cubes(returns: np.ndarray, begin: int, stop: int, out: np.ndarray) -> None:
    """Third power of the one-bar log return, (1, stop - begin)."""
    for i in range(begin, stop):
        out[0, i - begin] = returns[i] * returns[i] * returns[i]


@njit(cache=True, fastmath=False)
def candle_elements(
    opens: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    close: np.ndarray,
    volume: np.ndarray,
    returns: np.ndarray,
    begin: int,
    stop: int,
    out: np.ndarray,
) -> None:
    """With r the log return, v the volume: |r|, |r||r'|, r r', ln(h/l)^2, Garman and Klass'
    variance, sign(r) v, |r| v, v^2; r' is the return before."""
    body_share = 2.0 * math.log(2.0) - 1.0
    for i in range(begin, stop):
        now, last = returns[i], returns[i - 1] if i > 0 else 0.0
        reach, body = math.log(high[i] / low[i]), math.log(close[i] / opens[i])
        at = i - begin
        out[ABSOLUTE, at] = abs(now)
        out[BIPOWER, at] = abs(now * last)
        out[LAGGED, at] = now * last
        out[RANGE, at] = reach * reach
        out[GARMAN_KLASS, at] = 0.5 * reach * reach - body_share * body * body
        out[SIGNED, at] = volume[i] * ((now > 0.0) - (now < 0.0))
        out[WEIGHTED, at] = abs(now) * volume[i]
        out[VOLUME_SQUARE, at] = volume[i] * volume[i]


@njit(cache=True, fastmath=False)
def trade_elements(
    high: np.ndarray,
    low: np.ndarray,
    close: np.ndarray,
    volume: np.ndarray,
    returns: np.ndarray,
    begin: int,
    stop: int,
    out: np.ndarray,
) -> None:
    """Volume; volume times typical price; |r| over turnover (0 without trades); traded or not."""
    for i in range(begin, stop):
        at, turnover = i - begin, volume[i] * close[i]
        out[VOLUME, at] = volume[i]
        out[TURNOVER, at] = volume[i] * ((high[i] + low[i] + close[i]) / 3.0)
        out[ILLIQUIDITY, at] = (
            min(abs(returns[i]) / turnover, MOST_ILLIQUID) if turnover > 0.0 else 0.0
        )
        out[TRADED, at] = 1.0 if turnover > 0.0 else 0.0


@njit(cache=True, fastmath=False)
def money_flows(
    high: np.ndarray,
    low: np.ndarray,
    close: np.ndarray,
    volume: np.ndarray,
    begin: int,
    stop: int,
    out: np.ndarray,
) -> None:
    """Volume times typical price of bars whose typical price rose, and of those where it fell."""
    row = max(begin - 1, 0)
    last = (high[row] + low[row] + close[row]) / 3.0
    for i in range(begin, stop):
        typical = (high[i] + low[i] + close[i]) / 3.0
        out[0, i - begin] = typical * volume[i] if typical > last else 0.0
        out[1, i - begin] = typical * volume[i] if typical < last else 0.0
        last = typical


@njit(cache=True, fastmath=False)
def normal_quantile(chance: float) -> float:
    """Standard-normal quantile of a chance in [1e-11, 1 - 1e-11] (Wichura 1988, AS 241)."""
    q = chance - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        top = 2.5090809287301226727e3
        top = top * r + 3.3430575583588128105e4
        top = top * r + 6.7265770927008700853e4
        top = top * r + 4.5921953931549871457e4
        top = top * r + 1.3731693765509461125e4
        top = top * r + 1.9715909503065514427e3
        top = top * r + 1.3314166789178437745e2
        top = top * r + 3.3871328727963666080e0
        bottom = 5.2264952788528545610e3
        bottom = bottom * r + 2.8729085735721942674e4
        bottom = bottom * r + 3.9307895800092710610e4
        bottom = bottom * r + 2.1213794301586595867e4
        bottom = bottom * r + 5.3941960214247511077e3
        bottom = bottom * r + 6.8718700749205790830e2
        bottom = bottom * r + 4.2313330701600911252e1
        return q * top / (bottom * r + 1.0)
    r = math.sqrt(-math.log(chance if q < 0.0 else 1.0 - chance)) - 1.6
    top = 7.74545014278341407640e-4
    top = top * r + 2.27238449892691845833e-2
    top = top * r + 2.41780725177450611770e-1
    top = top * r + 1.27045825245236838258e0
    top = top * r + 3.64784832476320460504e0
    top = top * r + 5.76949722146069140550e0
    top = top * r + 4.63033784615654529590e0
    top = top * r + 1.42343711074968357734e0
    bottom = 1.05075007164441684324e-9
    bottom = bottom * r + 5.47593808499534494600e-4
    bottom = bottom * r + 1.51986665636164571966e-2
    bottom = bottom * r + 1.48103976427480074590e-1
    bottom = bottom * r + 6.89767334985100004550e-1
    bottom = bottom * r + 1.67638483018380384940e0
    bottom = bottom * r + 2.05319162663775882187e0
    size = top / (bottom * r + 1.0)
    return -size if q < 0.0 else size


@njit(cache=True, fastmath=False)
def taker_flow(
    share: np.ndarray,
    volume: np.ndarray,
    start: int,
    stop: int,
    seen: np.ndarray,
    out: np.ndarray,
) -> None:
    """Taker-buy share, clipped to [0.001, 0.999], as a standard-normal quantile.

    NaN where the share is missing; but a bar without volume counts as balanced (0) once a
    share has been seen, which ``seen[0]`` (0 or 1) keeps.
    """
    for i in range(start, stop):
        if not np.isnan(share[i]):
            seen[0] = 1.0
            out[i - start] = normal_quantile(min(max(share[i], SHARE_CLIP), 1.0 - SHARE_CLIP))
        else:
            out[i - start] = 0.0 if seen[0] > 0.0 and volume[i] == 0.0 else np.nan


@njit(cache=True, fastmath=False)
def ratio(numerator: np.ndarray, denominator: np.ndarray, neutral: float) -> np.ndarray:
    """Quotient, ``neutral`` where the denominator is zero; NaN stays NaN."""
    out = np.empty(len(numerator))
    for i in range(len(numerator)):
        zero = denominator[i] == 0.0
        quotient = numerator[i] / (1.0 if zero else denominator[i])
        out[i] = neutral if zero and not np.isnan(numerator[i]) else quotient
    return out


@njit(cache=True, fastmath=False)
def log_change(values: np.ndarray, span: int, start: int, stop: int, out: np.ndarray) -> None:
    """Log of a value over that ``span`` rows before; NaN where either is none above 0."""
    for i in range(start, stop):
        out[i - start] = np.nan
        if i >= span and values[i] > 0.0 and values[i - span] > 0.0:
            out[i - start] = math.log(values[i] / values[i - span])
