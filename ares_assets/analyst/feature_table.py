"""The feature table: every feature by name; the code, the documentation and the lineage of
columns are all made from it.

Belongs here: which rows there are, in their order, and at which timeframes.  Does not belong
here: the rows themselves (``price_features.py``, ``volatility_features.py``, ``flow_features.py``),
joining timeframes, dropping features.
"""

from __future__ import annotations

from ares_assets.analyst.feature_row import LEAST_WARMUP_BARS, Feature
from ares_assets.analyst.flow_features import (
    CALENDAR_FEATURES,
    FUNDAMENTAL_FEATURES,
    VOLUME_FEATURES,
    taker_flow,
)
from ares_assets.analyst.price_features import (
    ADX,
    PRICE_FEATURES,
    RSI,
    log_return,
    range_position,
    return_over_volatility,
)
from ares_assets.analyst.volatility_features import VOLATILITY_FEATURES, volatility

__all__ = ["BASE_FEATURES", "GROUPS", "LEAST_WARMUP_BARS", "SLOW_FEATURES", "Feature"]

# The windows of slower timeframes stay below half of the least warm-up: more would need weeks.
SLOW_FEATURES: tuple[Feature, ...] = (
    RSI,
    ADX,
    log_return(4),
    return_over_volatility(24, 96),
    volatility(30),
    range_position(60),
    taker_flow(10),
)

GROUPS: dict[str, tuple[Feature, ...]] = {
    "Price": PRICE_FEATURES,
    "Volatility and shape": VOLATILITY_FEATURES,
    "Volume and order flow": VOLUME_FEATURES,
    "Funding and open interest": FUNDAMENTAL_FEATURES,
    "Calendar": CALENDAR_FEATURES,
}

BASE_FEATURES: tuple[Feature, ...] = tuple(
    feature for group in GROUPS.values() for feature in group
)
