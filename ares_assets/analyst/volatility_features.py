"""Rows of the feature table about how the price moved: volatility, jumps, asymmetry, candles.

Belongs here: features that do not care where the price went.  Does not belong here: those that
do (``price_features.py``), and how shared parts are computed (``feature_block.py``).
"""

from __future__ import annotations

import math

import numpy as np

from ares_assets.analyst.element_columns import BIPOWER, GARMAN_KLASS, RANGE
from ares_assets.analyst.feature_block import FeatureBlock, ratio
from ares_assets.analyst.feature_row import Feature
from ares_assets.analyst.indicators import Array
from ares_assets.analyst.price_features import ALPHA158, WILDER

_CLOSE = ("close",)
_CANDLE = ("high", "low", "close")
_OPEN_CANDLE = ("open", "high", "low", "close")
# Below this share of the mean square, a variance of returns is rounding.
_DUST = 1e-9


def volatility(span: int) -> Feature:
    return Feature(
        f"volatility_{span}",
        f"root mean square of the last {span} one-bar log returns",
        "log return per bar",
        span,
        _CLOSE,
        "realised volatility, Andersen and Bollerslev 1998",
        lambda block: block.volatility(span),
    )


def _skewness(block: FeatureBlock, span: int) -> Array:
    square, cube = block.squares(span) / span, block.cubes(span) / span
    mean = block.log_return(span) / span
    variance = square - mean * mean
    variance = np.where(variance > _DUST * square, variance, 0.0)
    return ratio(cube - 3 * mean * variance - mean * mean * mean, variance * np.sqrt(variance))


def _jump_share(block: FeatureBlock) -> Array:
    bipower = block.candles(60)[BIPOWER] * (math.pi / 2)
    return 1.0 - ratio(bipower, block.squares(60), neutral=1.0)


VOLATILITY = (
    Feature(
        "atr_share_14",
        "average true range over the close",
        "fraction of price",
        14,
        _CANDLE,
        WILDER,
        lambda block: block.wilder["atr"] / block.column("close"),
    ),
    volatility(30),
    volatility(240),
    volatility(1440),
    Feature(
        "volatility_ratio",
        "volatility_30 over volatility_240; 1 where that is 0",
        "ratio",
        240,
        _CLOSE,
        "term structure of realised volatility, Corsi 2009",
        lambda block: ratio(block.volatility(30), block.volatility(240), neutral=1.0),
    ),
    Feature(
        "garman_klass_60",
        "root mean of (ln h/l)^2 / 2 - (2 ln 2 - 1)(ln c/o)^2 over 60 bars",
        "log return per bar",
        60,
        _OPEN_CANDLE,
        "Garman and Klass 1980",
        lambda block: np.sqrt(block.candles(60)[GARMAN_KLASS] / 60),
    ),
    Feature(
        "parkinson_ratio_60",
        "root mean of (ln h/l)^2 / (4 ln 2) over 60 bars, over the root mean square of their "
        "one-bar log returns; 1 where that is 0",
        "ratio",
        60,
        _CANDLE,
        "Parkinson 1980",
        lambda block: ratio(
            np.sqrt(block.candles(60)[RANGE] / (60 * 4 * math.log(2))),
            block.volatility(60),
            neutral=1.0,
        ),
    ),
    Feature(
        "jump_share_60",
        "one less bipower variation over realised variance, 60 bars; 0 where that is 0",
        "-0.6 to 1",
        60,
        _CLOSE,
        "Barndorff-Nielsen and Shephard 2004",
        _jump_share,
    ),
    Feature(
        "return_skewness_240",
        "skewness of the last 240 one-bar log returns; 0 where they are all equal",
        "standardised third moment",
        240,
        _CLOSE,
        "Amaya, Christoffersen, Jacobs and Vasquez 2015",
        lambda block: _skewness(block, 240),
    ),
)

SHAPE = (
    Feature(
        "candle_body",
        "close less open, over high less low; 0 where that is 0",
        "-1 to 1",
        1,
        _OPEN_CANDLE,
        f"{ALPHA158} KMID2",
        lambda block: ratio(
            block.column("close") - block.column("open"),
            block.column("high") - block.column("low"),
        ),
    ),
    Feature(
        "shadow_difference",
        "lower less upper shadow, over high less low; 0 where that is 0",
        "-1 to 1",
        1,
        _OPEN_CANDLE,
        f"{ALPHA158} KLOW2 less KUP2",
        lambda block: ratio(
            np.minimum(block.column("open"), block.column("close"))
            + np.maximum(block.column("open"), block.column("close"))
            - block.column("low")
            - block.column("high"),
            block.column("high") - block.column("low"),
        ),
    ),
)

VOLATILITY_FEATURES: tuple[Feature, ...] = (*VOLATILITY, *SHAPE)
