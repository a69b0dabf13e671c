"""From decisions to a backtest: the arrays the kernel walks over.

Belongs here: placing decisions on bars, and the strategy's parameters from the search's.
Does not belong here: the kernel (``ares_resources/backtesting``) and the decisions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ares_assets.tactician.positions import signal_codes
from ares_resources.settings import CostSettings

if TYPE_CHECKING:
    from ares_resources.backtesting.market import MarketArrays
    from ares_resources.backtesting.strategy import StrategyParameters


def market_arrays(frame: pd.DataFrame, timeframe_ms: int) -> MarketArrays:
    """The bars of a market frame with their average true range, for the kernel."""
    from ares_assets.analyst.indicators import BarSeries
    from ares_resources.backtesting.market import MarketArrays

    atr = BarSeries(frame, timeframe_ms).average_true_range
    return MarketArrays.from_frame(frame, atr, bar_ms=timeframe_ms)


def decision_arrays(
    decisions: pd.DataFrame, bars: int, *, delay_bars: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probability, size and management per bar, (bars,): NaN, 0 and 0 where nothing is decided.

    Parameters
    ----------
    decisions
        ``row``, ``probability`` (calibrated), ``side`` (of the tactician), ``take``, ``wait``,
        ``size`` and ``management``; a decision whose calibrated probability points the other
        way than the signal that the tactician judged is not acted on.
    delay_bars
        Bars by which a waiting decision is put off; a fresh one on that bar stands before it.
    """
    probability, size = np.full(bars, np.nan), np.zeros(bars)
    calibrated = decisions["probability"].to_numpy(np.float64)
    agrees = np.sign(calibrated - 0.5) == decisions["side"].to_numpy()
    acted = decisions["take"].to_numpy(bool) & agrees
    waiting = decisions["wait"].to_numpy(bool)
    rows = decisions["row"].to_numpy(np.int64)
    for chosen, shift in ((acted & waiting, delay_bars), (acted & ~waiting, 0)):
        target = rows[chosen] + shift
        inside = target < bars
        probability[target[inside]] = calibrated[chosen][inside]
        size[target[inside]] = decisions["size"].to_numpy(np.float64)[chosen][inside]
    management = np.zeros(bars, np.int8)
    management[rows] = signal_codes(decisions["management"].to_numpy())
    return probability, size, management


def sizes_within(
    size: np.ndarray, chosen: Mapping[str, float], *, maximum_position: float
) -> np.ndarray:
    """Sizes, (n,), cut so that ``size_multiple`` times them is at most ``maximum_position``."""
    return np.minimum(size, maximum_position / float(chosen.get("size_multiple", 1.0)))


def strategy_parameters(
    chosen: Mapping[str, float],
    *,
    horizon_bars: int,
    costs: CostSettings,
    cost_multiple: float = 1.0,
    extra_latency_bars: int = 0,
) -> StrategyParameters:
    """The kernel's parameters from a point of step 12's search space.

    ``enter_margin`` is the distance of the calibrated probability from 1/2 that is needed;
    ``stop_width`` and ``target_width`` are multiples of the average true range;
    ``size_multiple``, 1 where there is none, is a factor on the decisions' sizes
    (:func:`sizes_within` keeps them within bounds).
    """
    from ares_resources.backtesting.strategy import StrategyParameters

    # An entry at exactly one half would be both a long and a short.
    margin = max(float(chosen["enter_margin"]), math.ulp(0.5))
    return StrategyParameters(
        enter_long=0.5 + margin,
        enter_short=0.5 - margin,
        stop_width=float(chosen["stop_width"]),
        target_width=float(chosen["target_width"]),
        time_stop_bars=horizon_bars,
        fee=costs.fee_bp * 1e-4 * cost_multiple,
        slippage=costs.slippage_bp * 1e-4 * cost_multiple,
        latency_bars=costs.latency_bars + extra_latency_bars,
        size_multiple=float(chosen.get("size_multiple", 1.0)),
    )
