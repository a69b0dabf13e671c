"""Features of every bar, over several timeframes.

Belongs here: making the feature frame from the table, joining slower timeframes by
availability, and dropping features that are mostly missing.  Does not belong here: the table's
rows, selection by usefulness, scaling.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ares_assets.analyst.feature_table import BASE_FEATURES, SLOW_FEATURES
from ares_assets.analyst.indicators import Array, BarSeries
from ares_assets.market.bars import BAR_COLUMNS
from ares_assets.market.resampling import resample_bars
from ares_resources.errors import BadInput
from ares_resources.settings import FeatureSettings
from ares_resources.timeframes import timeframe_ms

STALE_AFTER_SLOW_BARS = 2


def slow_timeframes(settings: FeatureSettings, timeframe: str) -> tuple[str, ...]:
    """The configured timeframes that are slower than the base one, in their order.

    Raises
    ------
    BadInput
        If one is unknown, repeated, or slower but not a whole multiple of the base one.
    """
    base = timeframe_ms(timeframe)
    if len(set(settings.timeframes)) < len(settings.timeframes):
        raise BadInput(f"features.timeframes {settings.timeframes} must not repeat one")
    slower = tuple(name for name in settings.timeframes if timeframe_ms(name) > base)
    for name in slower:
        if timeframe_ms(name) % base:
            raise BadInput(
                f"features.timeframes: {name!r} is not a whole multiple of the base {timeframe!r}"
            )
    return slower


def feature_names(settings: FeatureSettings, timeframe: str) -> tuple[str, ...]:
    """Columns of :func:`compute_features`, in order."""
    base = [feature.name for feature in BASE_FEATURES]
    slow = [
        f"{feature.name}_{name}"
        for name in slow_timeframes(settings, timeframe)
        for feature in SLOW_FEATURES
    ]
    return (*base, *slow)


def compute_features(
    market_frame: pd.DataFrame, *, timeframe: str, settings: FeatureSettings
) -> pd.DataFrame:
    """Every feature of the table at every bar's close.

    A value uses that bar and earlier ones only.  It is NaN in its warm-up (at least 200 bars
    of its own timeframe from the first row) and where its source is missing; a source that
    the frame lacks altogether makes its features NaN throughout.  Missing bars are not filled:
    the bars present are taken in order.

    Slower timeframes are resampled from complete bars only and joined by the time they became
    available (their close), backward as-of; a slower value is NaN once it is older than two of
    its bars, so that nothing is carried over a longer gap.

    Parameters
    ----------
    market_frame
        Market frame of n rows.
    timeframe
        Its base timeframe.

    Returns
    -------
    Frame of float64, n rows aligned with the market frame's, columns :func:`feature_names`.
    No value is infinite.
    """
    bars = BarSeries(market_frame, timeframe_ms(timeframe))
    columns = {feature.name: feature.values(bars) for feature in BASE_FEATURES}
    for name in slow_timeframes(settings, timeframe):
        columns |= _joined(market_frame, bars, timeframe, name)
    return pd.DataFrame(columns, columns=list(feature_names(settings, timeframe)))


def _joined(
    market_frame: pd.DataFrame, bars: BarSeries, timeframe: str, slow_timeframe: str
) -> dict[str, Array]:
    candles = market_frame[list(BAR_COLUMNS[:6])]
    slow = BarSeries(
        resample_bars(candles, timeframe, slow_timeframe), timeframe_ms(slow_timeframe)
    )
    available = slow.close_times
    position = np.searchsorted(available, bars.close_times, side="right")
    age = bars.close_times - np.concatenate([[np.iinfo(np.int64).min // 2], available])[position]
    fresh = age <= STALE_AFTER_SLOW_BARS * slow.timeframe_ms
    joined = {}
    for feature in SLOW_FEATURES:
        values = np.concatenate([[np.nan], feature.values(slow)])[position]
        joined[f"{feature.name}_{slow_timeframe}"] = np.where(fresh, values, np.nan)
    return joined


def usable_features(
    features: pd.DataFrame,
    rows: NDArray[np.int64] | NDArray[np.bool_],
    maximum_nan_share: float,
) -> tuple[list[str], dict[str, str]]:
    """Which features can be trained on, judged on ``rows`` (the development rows) alone.

    Parameters
    ----------
    features
        Frame of :func:`compute_features`.
    rows
        Row numbers or mask of the rows that decide.
    maximum_nan_share
        A feature with a larger share of missing values is dropped.

    Returns
    -------
    The names kept, in order, and for each dropped one the reason in words.

    Raises
    ------
    BadInput
        If ``rows`` selects nothing.
    """
    judged = features.to_numpy()[np.asarray(rows)]
    if len(judged) == 0:
        raise BadInput("no rows to judge features on; at least one is needed")
    kept: list[str] = []
    dropped: dict[str, str] = {}
    for name, values in zip(features.columns, judged.T, strict=True):
        reason = _why_unusable(values, maximum_nan_share)
        if reason is None:
            kept.append(name)
        else:
            dropped[name] = reason
    return kept, dropped


def _why_unusable(values: Array, maximum_nan_share: float) -> str | None:
    missing = float(np.isnan(values).mean())
    if missing == 1.0:
        return "missing on every development row"
    if missing > maximum_nan_share:
        return f"missing on {missing:.1%} of development rows, above {maximum_nan_share:.1%}"
    if np.nanmin(values) == np.nanmax(values):
        return f"constant ({values[~np.isnan(values)][0]:g}) on development rows"
    return None
