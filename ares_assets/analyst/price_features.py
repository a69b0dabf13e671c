"""Rows of the feature table about where the price went: returns, trend, reversion.

Belongs here: features of price's direction and place.  Does not belong here: those of its
volatility (``volatility_features.py``), of volume, funding and the calendar
(``flow_features.py``), and how shared parts are computed (``feature_block.py``).

All are free of scale: prices in another currency give the same values.  "Volatility" is the
root mean square of one-bar log returns over the bars named.
"""

from __future__ import annotations

import math

import numpy as np

from ares_assets.analyst.element_columns import (
    ABSOLUTE,
    LAGGED,
)
from ares_assets.analyst.feature_block import FeatureBlock, ratio
from ares_assets.analyst.feature_row import Feature
from ares_assets.analyst.indicators import Array

_CLOSE = ("close",)
_CANDLE = ("high", "low", "close")
WILDER = "Wilder 1978, as TA-Lib"
ALPHA158 = "Qlib Alpha158"


def log_return(span: int) -> Feature:
    return Feature(
        f"return_{span}",
        f"log of the close over that {span} bars before",
        "log return",
        span,
        _CLOSE,
        f"{ALPHA158} ROC, in logs",
        lambda block: block.log_return(span),
    )


def return_over_volatility(span: int, base: int) -> Feature:
    return Feature(
        f"return_over_volatility_{span}",
        f"return over {span} bars, over volatility of {base} bars times root {span}; "
        "0 where that is 0",
        "standard deviations",
        base,
        _CLOSE,
        "time-series momentum, Moskowitz, Ooi and Pedersen 2012",
        lambda block: ratio(block.log_return(span), block.volatility(base) * math.sqrt(span)),
    )


def range_position(span: int) -> Feature:
    def place(block: FeatureBlock) -> Array:
        highest, lowest = block.extremes(span)
        return ratio(block.column("close") - lowest, highest - lowest, neutral=0.5) - 0.5

    return Feature(
        f"range_position_{span}",
        f"place of the close in the {span}-bar high-low range, less one half; 0 where that is 0",
        "-0.5 to 0.5",
        span,
        _CANDLE,
        f"{ALPHA158} RSV (stochastic %K)",
        place,
    )


RSI = Feature(
    "rsi_14",
    "Wilder's relative strength index; 50 where nothing has moved",
    "0 to 100",
    14,
    _CLOSE,
    WILDER,
    lambda block: block.wilder["rsi"],
)
ADX = Feature(
    "adx_14",
    "Wilder's average directional index",
    "0 to 100",
    14,
    ("high", "low"),
    WILDER,
    lambda block: block.wilder["adx"],
)

RETURNS = tuple(log_return(span) for span in (1, 5, 15, 60, 240))

TREND = (
    RSI,
    ADX,
    Feature(
        "di_difference_14",
        "plus less minus directional indicator",
        "-100 to 100",
        14,
        _CANDLE,
        WILDER,
        lambda block: block.wilder["di_difference"],
    ),
    Feature(
        "macd_histogram_atr",
        "MACD(12, 26) less its signal(9), over the 14-bar average true range; 0 where that is 0",
        "ATR",
        26,
        _CANDLE,
        "Appel 1979, as TA-Lib",
        lambda block: ratio(block.macd_histogram, block.wilder["atr"]),
    ),
    Feature(
        "efficiency_60",
        "absolute return over 60 bars, over the sum of the 60 absolute one-bar returns; "
        "0 where that is 0",
        "0 to 1",
        60,
        _CLOSE,
        "Kaufman's efficiency ratio 1995",
        lambda block: ratio(np.abs(block.log_return(60)), block.candles(60)[ABSOLUTE]),
    ),
    Feature(
        "trend_slope_60",
        "least-squares slope of the log close over 60 bars, over the root mean square of their "
        "one-bar log returns; 0 where that is 0",
        "standard deviations per bar",
        60,
        _CLOSE,
        f"{ALPHA158} BETA",
        lambda block: ratio(block.line(60)[0], block.volatility(60)),
    ),
    Feature(
        "trend_fit_60",
        "share of the log close's variance over 60 bars that a straight line explains",
        "0 to 1",
        60,
        _CLOSE,
        f"{ALPHA158} RSQR",
        lambda block: block.line(60)[1],
    ),
)

REVERSION = (
    Feature(
        "bollinger_z_20",
        "close less its 20-bar mean, over its 20-bar standard deviation; 0 where that is 0",
        "standard deviations",
        20,
        _CLOSE,
        "Bollinger 2001",
        lambda block: block.mean_and_score("close", 20)[1],
    ),
    range_position(60),
    range_position(240),
    Feature(
        "drawdown_1440",
        "close over the highest high of 1440 bars, less one",
        "fraction of price",
        1440,
        ("high", "close"),
        f"{ALPHA158} MAX",
        lambda block: block.column("close") / block.extremes(1440)[0] - 1.0,
    ),
    Feature(
        "recovery_1440",
        "close over the lowest low of 1440 bars, less one",
        "fraction of price",
        1440,
        ("low", "close"),
        f"{ALPHA158} MIN",
        lambda block: block.column("close") / block.extremes(1440)[1] - 1.0,
    ),
    Feature(
        "return_autocorrelation_60",
        "sum of products of neighbouring one-bar returns over 60 bars, over the sum of their "
        "squares; 0 where that is 0",
        "about -1 to 1",
        60,
        _CLOSE,
        "Lo and MacKinlay 1988",
        lambda block: ratio(block.candles(60)[LAGGED], block.squares(60)),
    ),
)

PRICE_FEATURES: tuple[Feature, ...] = (*RETURNS, *TREND, *REVERSION)
