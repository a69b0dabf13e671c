"""Rows of the feature table that read volume, order flow, funding, open interest, the clock.

Belongs here: features of what was traded, by whom, held and paid.  Does not belong here: those
of candles alone (``price_features.py``), how shared parts are computed (``feature_block.py``).

Volumes enter as ratios only, so that the unit they are counted in does not matter.  What a
source does not have is NaN throughout and is dropped by name before training.
"""

from __future__ import annotations

import math

import numpy as np

from ares_assets.analyst.element_columns import (
    ABSOLUTE,
    ILLIQUIDITY,
    SIGNED,
    TRADED,
    TURNOVER,
    VOLUME,
    VOLUME_SQUARE,
    WEIGHTED,
)
from ares_assets.analyst.feature_block import FeatureBlock, contrast, ratio
from ares_assets.analyst.feature_row import Feature
from ares_assets.analyst.indicators import Array
from ares_resources.timeframes import DAY_MS, WEEK_MS

_CANDLE_VOLUME = ("high", "low", "close", "volume")
_FLOW = ("taker_buy_share", "volume")
# Below this share of the mean square, a variance is rounding.
_DUST = 1e-9
_DAY, _THREE_DAYS = 1440, 4320


def vwap_distance(span: int) -> Feature:
    def distance(block: FeatureBlock) -> Array:
        trades, close = block.trades(span), block.column("close")
        away = ratio(close * trades[VOLUME], trades[TURNOVER], neutral=1.0) - 1.0
        return ratio(away, block.volatility(span) * math.sqrt(span))

    return Feature(
        f"vwap_distance_{span}",
        f"close over the volume-weighted typical price of {span} bars, less one, over volatility "
        f"of {span} bars times root {span}; 0 where nothing traded or moved",
        "standard deviations",
        span,
        _CANDLE_VOLUME,
        "Berkowitz, Logue and Noser 1988",
        distance,
    )


def taker_flow(halflife: int) -> Feature:
    return Feature(
        f"taker_flow_{halflife}",
        "exponentially weighted mean of the normal quantile of the taker-buy share, clipped to "
        "0.001 and 0.999; the window is the half-life",
        "standard deviations",
        halflife,
        _FLOW,
        "order-flow imbalance, Cont, Kukanov and Stoikov 2014; quantile: Wichura 1988",
        lambda block: block.smoothed_flows[halflife],
    )


def _volume_volatility(block: FeatureBlock) -> Array:
    candles, count = block.candles(60) / 60, block.trades(60)[VOLUME] / 60
    size, square = candles[ABSOLUTE], block.squares(60) / 60
    spread, spread_of_volume = square - size * size, candles[VOLUME_SQUARE] - count * count
    dust = (spread <= _DUST * square) | (spread_of_volume <= _DUST * candles[VOLUME_SQUARE])
    product = np.where(dust, 0.0, spread * spread_of_volume)
    return ratio(candles[WEIGHTED] - size * count, np.sqrt(product))


def _illiquidity(block: FeatureBlock, span: int) -> Array:
    trades = block.trades(span)
    return ratio(trades[ILLIQUIDITY], trades[TRADED])


def _money_flow(block: FeatureBlock) -> Array:
    rising, falling = block.money_flows(14)
    return 100.0 * ratio(rising, rising + falling, neutral=0.5)


VOLUME_FEATURES = (
    Feature(
        "volume_z_240",
        "volume less its 240-bar mean, over its 240-bar standard deviation; 0 where that is 0",
        "standard deviations",
        240,
        ("volume",),
        "abnormal volume, as FreqAI's relative volume",
        lambda block: block.mean_and_score("volume", 240)[1],
    ),
    Feature(
        "volume_trend_60",
        "mean volume of 60 bars less that of 1440, over their sum; 0 where that is 0",
        "-1 to 1",
        1440,
        ("volume",),
        "Qlib Alpha158 VMA",
        lambda block: contrast(block.trades(60)[VOLUME] / 60, block.trades(1440)[VOLUME] / 1440),
    ),
    Feature(
        "signed_volume_60",
        "volume of rising less that of falling bars, over the volume, 60 bars; 0 where that is 0",
        "-1 to 1",
        60,
        ("close", "volume"),
        "tick rule, Lee and Ready 1991; Granville's on-balance volume",
        lambda block: ratio(block.candles(60)[SIGNED], block.trades(60)[VOLUME]),
    ),
    Feature(
        "money_flow_14",
        "money flow of bars with a risen typical price, over that of risen and fallen ones, "
        "14 bars; 50 where that is 0",
        "0 to 100",
        14,
        _CANDLE_VOLUME,
        "money flow index, Quong and Soudack 1989, as TA-Lib",
        _money_flow,
    ),
    vwap_distance(1440),
    Feature(
        "volume_volatility_60",
        "correlation of volume and absolute one-bar return over 60 bars; 0 where either is still",
        "-1 to 1",
        60,
        ("close", "volume"),
        "Karpoff 1987; Qlib Alpha158 CORD",
        _volume_volatility,
    ),
    Feature(
        "illiquidity_60",
        "mean of absolute return over turnover of 60 bars less that of 1440, over their sum; bars "
        "that traded; 0 where that is 0",
        "-1 to 1",
        1440,
        ("close", "volume"),
        "Amihud 2002, against its own day",
        lambda block: contrast(_illiquidity(block, 60), _illiquidity(block, 1440)),
    ),
    Feature(
        "taker_share",
        "share of the volume bought by takers, less one half",
        "-0.5 to 0.5",
        1,
        ("taker_buy_share",),
        "Binance's taker-buy volume",
        lambda block: block.column("taker_buy_share") - 0.5,
    ),
    *(taker_flow(halflife) for halflife in (10, 30, 120)),
)

FUNDAMENTAL_FEATURES = (
    Feature(
        "funding_rate",
        "last funding rate settled by the close",
        "fraction per settlement",
        1,
        ("funding_rate",),
        "perpetual swaps' carry",
        lambda block: block.column("funding_rate"),
    ),
    Feature(
        "funding_mean",
        "mean over one day of the last settled funding rate",
        "fraction per settlement",
        _DAY,
        ("funding_rate",),
        "perpetual swaps' carry",
        lambda block: block.mean_and_score("funding_rate", block.span(_DAY))[0],
        in_minutes=True,
    ),
    Feature(
        "funding_z",
        "last funding rate less its mean over three days, over its standard deviation there; "
        "0 where that is 0",
        "standard deviations",
        _THREE_DAYS,
        ("funding_rate",),
        "perpetual swaps' carry",
        lambda block: block.mean_and_score("funding_rate", block.span(_THREE_DAYS))[1],
        in_minutes=True,
    ),
    Feature(
        "open_interest_change_60",
        "log of open interest over that 60 bars before",
        "log change",
        60,
        ("open_interest",),
        "Bessembinder and Seguin 1993",
        lambda block: block.log_change("open_interest", 60),
    ),
    Feature(
        "open_interest_change_1440",
        "log of open interest over that one day before",
        "log change",
        _DAY,
        ("open_interest",),
        "Bessembinder and Seguin 1993",
        lambda block: block.log_change("open_interest", block.span(_DAY)),
        in_minutes=True,
    ),
    Feature(
        "open_interest_with_price_60",
        "open_interest_change_60 times the sign of return_60: positions opened with the move "
        "are above 0",
        "log change",
        60,
        ("open_interest", "close"),
        "Bessembinder and Seguin 1993, with the price's direction",
        lambda block: block.log_change("open_interest", 60) * np.sign(block.log_return(60)),
    ),
)


def _clock(name: str, function: str, words: str, period_ms: int) -> Feature:
    return Feature(
        name,
        f"{words} of the close's angle in the {'UTC day' if period_ms == DAY_MS else 'UTC week'}",
        "-1 to 1",
        1,
        ("timestamp",),
        "intraday and weekly seasonality, Andersen and Bollerslev 1997",
        lambda block: block.angle(function, period_ms),
    )


CALENDAR_FEATURES = (
    _clock("hour_sine", "sin", "sine", DAY_MS),
    _clock("hour_cosine", "cos", "cosine", DAY_MS),
    _clock("week_sine", "sin", "sine", WEEK_MS),
    _clock("week_cosine", "cos", "cosine", WEEK_MS),
)
