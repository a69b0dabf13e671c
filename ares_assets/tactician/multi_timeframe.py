"""Slower timeframes beside the base one, joined only once their bars have closed.

Belongs here: building slower bars from base bars, a few features of them, and the backward
as-of join on AVAILABILITY (bar open + timeframe).  Does not belong here: features of the
signal itself (``tactician_features.py``) and any model.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput
from ares_resources.timeframes import (
    grid_offset_ms,
    slower_timeframes,
    timeframe_ms,
    why_not_slower,
)

FAST_HALFLIFE_BARS = 6
SLOW_HALFLIFE_BARS = 48
RANGE_BARS = 20


def ascending_timeframes(base_timeframe: str, timeframes: Sequence[str]) -> tuple[str, ...]:
    """Those of ``timeframes`` that can be made of the base one's bars, the shortest first.

    Only defaults are ever left out: ``load_settings`` refuses others that do not fit.
    """
    return tuple(sorted(slower_timeframes(timeframes, base_timeframe), key=timeframe_ms))


def decision_times(market_frame: pd.DataFrame, row: np.ndarray, *, timeframe: str) -> np.ndarray:
    """Close time of each decision row, int64 milliseconds UTC, (n_events,)."""
    return market_frame["timestamp"].to_numpy(np.int64)[row] + timeframe_ms(timeframe)


def slower_bars(market_frame: pd.DataFrame, *, base_timeframe: str, timeframe: str) -> pd.DataFrame:
    """Bars of a slower timeframe that have closed by the last base bar's close.

    Returns
    -------
    pandas.DataFrame
        ``timestamp`` (open, ms), ``available`` (open + timeframe, ms), ``open, high, low,
        close, volume``; a slower bar of which base bars are missing is built from the rest.

    Raises
    ------
    BadInput
        The timeframe is not a longer, whole multiple of the base.
    """
    wrong = why_not_slower(timeframe, base_timeframe)
    if wrong is not None:
        raise BadInput(f"timeframe {timeframe!r} {wrong}; allowed: longer, whole multiples")
    length = timeframe_ms(timeframe)
    time = market_frame["timestamp"].to_numpy(np.int64)
    bucket = time - (time - grid_offset_ms(length)) % length
    groups = market_frame.groupby(bucket, sort=True)
    bars = groups.agg(
        open=("open", "first"),
        high=("high", "max"),
        low=("low", "min"),
        close=("close", "last"),
        volume=("volume", "sum"),
    )
    bars.insert(0, "timestamp", bars.index.to_numpy(np.int64))
    bars.insert(1, "available", bars["timestamp"] + length)
    now = time[-1] + timeframe_ms(base_timeframe) if time.size else 0
    return bars[bars["available"] <= now].reset_index(drop=True)


def join_available(
    decision_ms: np.ndarray, slower: pd.DataFrame, *, maximum_age_ms: int | None = None
) -> pd.DataFrame:
    """The last slower row that was available at each decision, backward only.

    Parameters
    ----------
    decision_ms
        int64 (n,), ascending, milliseconds UTC at which the decision is made.
    slower
        ``available`` (ascending, ms) and feature columns, (m, k + 1).
    maximum_age_ms
        A row older than this is not used: the features are NaN instead.

    Returns
    -------
    pandas.DataFrame
        (n, k): the feature columns; NaN where nothing was available.

    Raises
    ------
    BadInput
        Either side is out of order.
    """
    available = slower["available"].to_numpy(np.int64)
    for name, values in (("decision times", decision_ms), ("available times", available)):
        if np.any(np.diff(values) < 0):
            raise BadInput(f"{name} must ascend; {int(np.argmax(np.diff(values) < 0))} does not")
    place = np.searchsorted(available, decision_ms, side="right") - 1
    usable = place >= 0
    if maximum_age_ms is not None and available.size:
        usable &= decision_ms - available[np.maximum(place, 0)] <= maximum_age_ms
    features = slower.drop(columns="available").astype(np.float64)
    return features.reindex(np.where(usable, place, -1)).reset_index(drop=True)


def timeframe_context(
    market_frame: pd.DataFrame,
    row: np.ndarray,
    side: np.ndarray,
    *,
    base_timeframe: str,
    timeframe: str,
) -> pd.DataFrame:
    """What a slower timeframe says about each signal at its decision, (n_events, 3).

    ``trend_<tf>``: smoothed return in volatilities, in the direction of the trade;
    ``position_<tf>``: place of the close in its recent range, -1..1, in that direction;
    ``volatility_<tf>``: log ratio of recent to usual volatility.  A context older than one
    bar of its timeframe (a gap in the data) is NaN, not stale.
    """
    bars = slower_bars(market_frame, base_timeframe=base_timeframe, timeframe=timeframe)
    features = _bar_features(bars)
    moment = decision_times(market_frame, row, timeframe=base_timeframe)
    joined = join_available(moment, features, maximum_age_ms=timeframe_ms(timeframe))
    joined["trend"] *= side
    joined["position"] *= side
    return joined.add_suffix(f"_{timeframe}")


def _bar_features(bars: pd.DataFrame) -> pd.DataFrame:
    change = np.log(bars["close"]).diff()
    fast = _volatility(change, FAST_HALFLIFE_BARS)
    slow = _volatility(change, SLOW_HALFLIFE_BARS)
    drift = change.ewm(halflife=FAST_HALFLIFE_BARS, min_periods=FAST_HALFLIFE_BARS).mean()
    top = bars["high"].rolling(RANGE_BARS, min_periods=RANGE_BARS).max()
    bottom = bars["low"].rolling(RANGE_BARS, min_periods=RANGE_BARS).min()
    width = (top - bottom).where(top > bottom)
    return pd.DataFrame(
        {
            "available": bars["available"],
            "trend": (drift / slow).clip(-10.0, 10.0),
            "position": 2.0 * (bars["close"] - bottom) / width - 1.0,
            "volatility": np.log(fast / slow).clip(-10.0, 10.0),
        }
    )


def _volatility(change: pd.Series, halflife: int) -> pd.Series:
    variance = (change**2).ewm(halflife=halflife, min_periods=SLOW_HALFLIFE_BARS // 2).mean()
    return np.sqrt(variance.where(variance > 0.0))
