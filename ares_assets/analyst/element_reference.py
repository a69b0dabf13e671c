"""Plain twins of ``element_kernel``: what one bar contributes, bar by bar.

Belongs here: the oracle of tests.  Does not belong here: anything that a step calls.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist

Columns = Mapping[str, Sequence[float]]


def _log_return(bars: Columns, i: int) -> float:
    close = bars["close"]
    return math.log(close[i]) - math.log(close[i - 1]) if i > 0 else 0.0


def _typical(bars: Columns, i: int) -> float:
    return (bars["high"][i] + bars["low"][i] + bars["close"][i]) / 3.0


def squares(bars: Columns, i: int) -> list[float]:
    """Square of the log return."""
    return [_log_return(bars, i) ** 2]


def cubes(bars: Columns, i: int) -> list[float]:
    """Third power of the log return."""
    return [_log_return(bars, i) ** 3]


def candle_elements(bars: Columns, i: int) -> list[float]:
    """As ``element_kernel.candle_elements``."""
    now, last = _log_return(bars, i), _log_return(bars, i - 1) if i > 0 else 0.0
    reach = math.log(bars["high"][i] / bars["low"][i])
    body, volume = math.log(bars["close"][i] / bars["open"][i]), bars["volume"][i]
    return [
        abs(now),
        abs(now) * abs(last),
        now * last,
        reach**2,
        reach**2 / 2 - (2 * math.log(2) - 1) * body**2,
        math.copysign(volume, now) if now else 0.0,
        abs(now) * volume,
        volume**2,
    ]


def trade_elements(bars: Columns, i: int) -> list[float]:
    """As ``element_kernel.trade_elements``."""
    volume = bars["volume"][i]
    turnover = volume * bars["close"][i]
    illiquidity = abs(_log_return(bars, i)) / turnover if turnover else 0.0
    return [volume, volume * _typical(bars, i), illiquidity, float(turnover > 0)]


def money_flows(bars: Columns, i: int) -> list[float]:
    """As ``element_kernel.money_flows``."""
    now, last = _typical(bars, i), _typical(bars, max(i - 1, 0))
    flow = now * bars["volume"][i]
    return [flow if now > last else 0.0, flow if now < last else 0.0]


def taker_flow(bars: Columns, i: int) -> float:
    """As ``element_kernel.taker_flow``."""
    share = bars["taker_buy_share"]
    if not math.isnan(share[i]):
        return NormalDist().inv_cdf(min(max(share[i], 0.001), 0.999))
    seen = any(not math.isnan(value) for value in share[:i])
    return 0.0 if seen and bars["volume"][i] == 0 else math.nan
