"""Features of every bar, over several timeframes.

Belongs here: the feature frame, whole or extended, and dropping features that are mostly
missing.  Does not belong here: the table's rows (``feature_table.py``), going over rows and
joining slower timeframes (``feature_run.py``), selection by usefulness, scaling.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ares_assets.analyst.feature_run import advance, slower_bars
from ares_assets.analyst.feature_state import FeatureState
from ares_assets.analyst.feature_table import BASE_FEATURES, SLOW_FEATURES
from ares_assets.analyst.indicators import Array, BarSeries
from ares_resources.errors import BadInput
from ares_resources.settings import FeatureSettings
from ares_resources.timeframes import slower_timeframes, timeframe_ms


def feature_names(settings: FeatureSettings, timeframe: str) -> tuple[str, ...]:
    """Columns of :func:`compute_features`, in order.

    Timeframes that cannot be made of the base one's bars are left out; only defaults ever are, as
    ``load_settings`` refuses others that do not fit.
    """
    base = [feature.name for feature in BASE_FEATURES]
    slow = [
        f"{feature.name}_{name}"
        for name in slower_timeframes(settings.timeframes, timeframe)
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
    values, _ = extend_features(market_frame, timeframe=timeframe, settings=settings)
    return as_frame(values, settings, timeframe)


def as_frame(values: Array, settings: FeatureSettings, timeframe: str) -> pd.DataFrame:
    """Values of :func:`extend_features` with their names; the array itself, not a copy."""
    names = list(feature_names(settings, timeframe))
    return pd.DataFrame(values.T, columns=names, copy=False)


def extend_features(
    market_frame: pd.DataFrame,
    *,
    timeframe: str,
    settings: FeatureSettings,
    earlier: Sequence[Array] = (),
    state: FeatureState | None = None,
    pauses: Sequence[int] = (),
) -> tuple[Array, list[FeatureState]]:
    """Features of a frame whose first rows were computed before: only later rows are computed.

    The result is that of :func:`compute_features` on the whole frame, bit for bit, wherever it
    was cut and however often.

    Parameters
    ----------
    market_frame
        Market frame of n rows, the first of which are those computed before.
    earlier
        What this function returned for them, (k, rows) each, in order of time.
    state
        And the state at their end; none where nothing was computed.
    pauses
        Numbers of rows after which a state is wanted too; those not ahead are passed over.

    Returns
    -------
    Values, float64, shape (k, n), a row for each name; and the states to go on from, that at
    the end last.
    """
    state = FeatureState() if state is None else state
    bars = BarSeries(market_frame, timeframe_ms(timeframe))
    slower = [
        (name, slower_bars(market_frame, timeframe, name))
        for name in slower_timeframes(settings.timeframes, timeframe)
    ]
    values = np.empty((len(feature_names(settings, timeframe)), len(bars)))
    if earlier:
        np.concatenate(earlier, axis=1, out=values[:, : state.rows])
    states = []
    ahead = {rows for rows in pauses if state.rows < rows < len(bars)}
    for stop in sorted({*ahead, len(bars)}):
        state = copy.deepcopy(state)
        advance(bars, slower, state, stop, values[:, state.rows : stop])
        states.append(state)
    return values, states


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
