"""The feature table: each feature's name, meaning, unit, window, sources and computation.

Belongs here: the rows; code and documentation are both made from them.  Does not belong here:
the indicators themselves, joining timeframes, dropping features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ares_assets.analyst import indicators as ind
from ares_assets.analyst.indicators import Array, BarSeries

LEAST_WARMUP_BARS = 200


@dataclass(frozen=True)
class Feature:
    """One row of the table.

    ``window`` is in bars of the feature's own timeframe, or in minutes where ``in_minutes``;
    for an exponentially weighted mean it is the half-life.  ``sources`` are columns of the
    market frame.
    """

    name: str
    formula: str
    unit: str
    window: int
    sources: tuple[str, ...]
    compute: Callable[[BarSeries], Array]
    in_minutes: bool = False

    def warmup_bars(self, bars: BarSeries) -> int:
        """Rows at the start that are NaN: 200, or twice the window if that is more."""
        window = bars.bars_in(self.window) if self.in_minutes else self.window
        return max(LEAST_WARMUP_BARS, 2 * window)

    def values(self, bars: BarSeries) -> Array:
        """The feature per bar, float64, shape (n,), NaN in its warm-up."""
        computed = self.compute(bars).astype(np.float64, copy=True)
        computed[: self.warmup_bars(bars)] = np.nan
        return computed


_CLOSE = ("close",)
_CANDLE = ("high", "low", "close")
_FLOW = ("taker_buy_share", "volume")


def _log_return(span: int) -> Feature:
    return Feature(
        f"return_{span}",
        f"log of the close over the close {span} bars before",
        "log return",
        span,
        _CLOSE,
        lambda bars: ind.log_return(bars, span),
    )


def _volatility(span: int) -> Feature:
    return Feature(
        f"volatility_{span}",
        f"root mean square of the last {span} one-bar log returns",
        "log return per bar",
        span,
        _CLOSE,
        lambda bars: ind.realised_volatility(bars, span),
    )


def _flow(halflife: int) -> Feature:
    return Feature(
        f"taker_flow_{halflife}",
        "exponentially weighted mean of the normal quantile of the taker-buy share",
        "standard deviations",
        halflife,
        _FLOW,
        lambda bars: ind.smoothed(bars.taker_flow, halflife),
    )


def _volatility_ratio(bars: BarSeries) -> Array:
    short, long = ind.realised_volatility(bars, 30), ind.realised_volatility(bars, 240)
    return ind.ratio(short, long, neutral=1.0)


RSI = Feature(
    "rsi_14", "Wilder's relative strength index", "0 to 100", 14, _CLOSE, ind.relative_strength
)
ADX = Feature(
    "adx_14",
    "Wilder's average directional index",
    "0 to 100",
    14,
    _CANDLE,
    ind.average_directional_index,
)

BASE_FEATURES: tuple[Feature, ...] = (
    *(_log_return(span) for span in (1, 5, 15, 60, 240)),
    RSI,
    ADX,
    Feature(
        "di_difference_14",
        "plus minus minus directional indicator",
        "-100 to 100",
        14,
        _CANDLE,
        ind.directional_difference,
    ),
    Feature(
        "atr_share_14",
        "average true range over the close",
        "fraction of price",
        14,
        _CANDLE,
        lambda bars: bars.average_true_range / bars.close,
    ),
    Feature(
        "macd_histogram_atr",
        "MACD(12, 26) less its signal(9), over the average true range; 0 where that is 0",
        "ATR",
        26,
        _CANDLE,
        ind.macd_histogram,
    ),
    Feature(
        "bollinger_z_20",
        "close less its 20-bar mean, over its 20-bar standard deviation; 0 where that is 0",
        "standard deviations",
        20,
        _CLOSE,
        lambda bars: ind.rolling_z(bars.close, 20),
    ),
    _volatility(30),
    _volatility(240),
    Feature(
        "volatility_ratio",
        "volatility_30 over volatility_240; 1 where that is 0",
        "ratio",
        240,
        _CLOSE,
        _volatility_ratio,
    ),
    Feature(
        "volume_z_240",
        "volume less its 240-bar mean, over its 240-bar standard deviation; 0 where that is 0",
        "standard deviations",
        240,
        ("volume",),
        lambda bars: ind.rolling_z(bars.column("volume"), 240),
    ),
    Feature(
        "range_position_60",
        "place of the close in the 60-bar high-low range, less one half; 0 where that is 0",
        "-0.5 to 0.5",
        60,
        _CANDLE,
        lambda bars: ind.range_position(bars, 60),
    ),
    Feature(
        "taker_share",
        "share of the volume bought by takers, less one half",
        "-0.5 to 0.5",
        1,
        ("taker_buy_share",),
        lambda bars: bars.column("taker_buy_share") - 0.5,
    ),
    *(_flow(halflife) for halflife in (10, 30, 120)),
    Feature(
        "funding_rate",
        "last funding rate settled by the close",
        "fraction per settlement",
        1,
        ("funding_rate",),
        lambda bars: bars.column("funding_rate"),
    ),
    Feature(
        "funding_mean",
        "mean over one day of the last settled funding rate",
        "fraction per settlement",
        1440,
        ("funding_rate",),
        lambda bars: ind.trailing_mean(bars.column("funding_rate"), bars.bars_in(1440)),
        in_minutes=True,
    ),
    Feature(
        "open_interest_change_60",
        "log of open interest over that 60 bars before",
        "log change",
        60,
        ("open_interest",),
        lambda bars: ind.log_change(bars.column("open_interest"), 60),
    ),
    Feature(
        "hour_sine",
        "sine of the close's angle in the UTC day",
        "-1 to 1",
        1,
        ("timestamp",),
        lambda bars: np.sin(ind.time_of_day(bars)),
    ),
    Feature(
        "hour_cosine",
        "cosine of the close's angle in the UTC day",
        "-1 to 1",
        1,
        ("timestamp",),
        lambda bars: np.cos(ind.time_of_day(bars)),
    ),
)

SLOW_FEATURES: tuple[Feature, ...] = (RSI, ADX, _log_return(4), _volatility(30))
