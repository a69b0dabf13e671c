"""Indicators on one series of bars: the raw material of the feature table.

Belongs here: TA-Lib calls, rolling and exponentially weighted statistics, and what they give
where a denominator is zero.  Does not belong here: which of them are features, and joining
timeframes.

Every function sees bar i and earlier ones only.  Bars are taken in order of their rows; a gap
of missing bars is neither filled nor treated as a restart, so a span of k bars covers more
than k timeframes where some are missing.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHARE_CLIP = 0.001


def ratio(numerator: Array, denominator: Array, *, neutral: float = 0.0) -> Array:
    """Quotient, with ``neutral`` where the denominator is zero; NaN stays NaN."""
    zero = denominator == 0
    quotient = numerator / np.where(zero, 1.0, denominator)
    return np.where(zero & ~np.isnan(numerator), neutral, quotient)


class BarSeries:
    """Columns of a market frame as float64 arrays, with shared intermediates computed once.

    Parameters
    ----------
    frame
        Market or bars frame of n rows; a column it lacks reads as all NaN.
    timeframe_ms
        Length of its bars, ms.
    """

    def __init__(self, frame: pd.DataFrame, timeframe_ms: int) -> None:
        self._frame = frame
        self.timeframe_ms = timeframe_ms

    def __len__(self) -> int:
        return len(self._frame)

    def column(self, name: str) -> Array:
        """The column, shape (n,), or NaN throughout where the frame lacks it."""
        if name not in self._frame.columns:
            return np.full(len(self), np.nan)
        return np.ascontiguousarray(self._frame[name].to_numpy(dtype=np.float64))

    def bars_in(self, minutes: int) -> int:
        """Bars that cover so many minutes, at least one."""
        return max(1, round(minutes * 60_000 / self.timeframe_ms))

    @cached_property
    def close_times(self) -> NDArray[np.int64]:
        """When each bar closes and becomes usable, ms UTC."""
        return self._frame["timestamp"].to_numpy() + self.timeframe_ms

    @cached_property
    def high(self) -> Array:
        return self.column("high")

    @cached_property
    def low(self) -> Array:
        return self.column("low")

    @cached_property
    def close(self) -> Array:
        return self.column("close")

    @cached_property
    def log_close(self) -> Array:
        return np.log(self.close)

    @cached_property
    def average_true_range(self) -> Array:
        """Wilder's ATR over 14 bars, in price."""
        import talib

        return talib.ATR(self.high, self.low, self.close, timeperiod=14)

    @cached_property
    def taker_flow(self) -> Array:
        """Taker-buy share as a standard-normal quantile; 0 where nothing traded.

        Shares are clipped to [0.001, 0.999].  NaN where the source lacks the share; a bar
        without volume counts as balanced once a share has been seen.
        """
        from scipy.special import ndtri

        share = self.column("taker_buy_share")
        seen = np.maximum.accumulate(~np.isnan(share)) if len(share) else np.isnan(share)
        idle = seen & np.isnan(share) & (self.column("volume") == 0)
        flow = ndtri(np.clip(share, SHARE_CLIP, 1 - SHARE_CLIP))
        return np.where(idle, 0.0, flow)


def log_return(bars: BarSeries, span: int) -> Array:
    """Log of close over the close ``span`` bars before; NaN for the first ``span``."""
    returns = np.full(len(bars), np.nan)
    returns[span:] = bars.log_close[span:] - bars.log_close[:-span]
    return returns


def relative_strength(bars: BarSeries, period: int = 14) -> Array:
    """Wilder's RSI, 0 to 100; 50 as long as price has never moved."""
    import talib

    strength = talib.RSI(bars.close, timeperiod=period)
    still = np.cumsum(np.abs(np.diff(bars.close, prepend=bars.close[:1]))) == 0
    return np.where(still & ~np.isnan(strength), 50.0, strength)


def average_directional_index(bars: BarSeries, period: int = 14) -> Array:
    """Wilder's ADX, 0 to 100."""
    import talib

    return talib.ADX(bars.high, bars.low, bars.close, timeperiod=period)


def directional_difference(bars: BarSeries, period: int = 14) -> Array:
    """+DI minus -DI, -100 to 100."""
    import talib

    plus = talib.PLUS_DI(bars.high, bars.low, bars.close, timeperiod=period)
    return plus - talib.MINUS_DI(bars.high, bars.low, bars.close, timeperiod=period)


def macd_histogram(bars: BarSeries) -> Array:
    """MACD(12, 26) less its signal(9), in ATR; 0 where the ATR is zero."""
    import talib

    histogram = talib.MACD(bars.close, fastperiod=12, slowperiod=26, signalperiod=9)[2]
    return ratio(histogram, bars.average_true_range)


def rolling_z(values: Array, span: int) -> Array:
    """Distance from the mean of the last ``span`` values in their standard deviations.

    0 where they are all equal.
    """
    rolling = pd.Series(values).rolling(span)
    mean, spread = rolling.mean().to_numpy(), rolling.std(ddof=0).to_numpy()
    flat = rolling.max().to_numpy() == rolling.min().to_numpy()
    return ratio(values - mean, np.where(flat, 0.0, spread))


def realised_volatility(bars: BarSeries, span: int) -> Array:
    """Root mean square of the last ``span`` one-bar log returns (per bar, no mean taken out)."""
    squares = pd.Series(log_return(bars, 1) ** 2)
    # A running sum leaves rounding dust, of either sign, where every return in it is zero.
    mean = np.maximum(squares.rolling(span).mean().to_numpy(), 0.0)
    moved = squares.rolling(span).max().to_numpy() > 0
    return np.where(np.isnan(mean), np.nan, np.sqrt(np.where(moved, mean, 0.0)))


def range_position(bars: BarSeries, span: int) -> Array:
    """Where the close lies in the high-low range of ``span`` bars, -0.5 to 0.5; 0 if flat."""
    highest = pd.Series(bars.high).rolling(span).max().to_numpy()
    lowest = pd.Series(bars.low).rolling(span).min().to_numpy()
    return ratio(bars.close - lowest, highest - lowest, neutral=0.5) - 0.5


def smoothed(values: Array, halflife: float) -> Array:
    """Exponentially weighted mean of the values so far; NaN where the value itself is."""
    mean = pd.Series(values).ewm(halflife=halflife).mean().to_numpy()
    return np.where(np.isnan(values), np.nan, mean)


def trailing_mean(values: Array, span: int) -> Array:
    """Mean of the known values among the last ``span``; NaN where the value itself is."""
    mean = pd.Series(values).rolling(span, min_periods=1).mean().to_numpy()
    return np.where(np.isnan(values), np.nan, mean)


def log_change(values: Array, span: int) -> Array:
    """Log of the value over that ``span`` rows before; NaN where either is not above 0."""
    logs = np.log(np.where(values > 0, values, np.nan))
    change = np.full(len(values), np.nan)
    change[span:] = logs[span:] - logs[:-span]
    return change


def time_of_day(bars: BarSeries) -> Array:
    """Angle of the close within the UTC day, radians."""
    day = 86_400_000
    return (bars.close_times % day).astype(np.float64) * (2 * np.pi / day)
