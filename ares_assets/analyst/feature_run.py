"""Going over rows: from the state at one row to that at a later one, all timeframes together.

Belongs here: cutting rows into blocks, joining slower timeframes by availability.  Does not
belong here: what a feature is (``feature_table.py``), and whole frames (``features.py``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ares_assets.analyst.feature_block import BLOCK_ROWS, FeatureBlock, PriceLogs
from ares_assets.analyst.feature_row import Feature
from ares_assets.analyst.feature_state import FeatureState, SlowState, State
from ares_assets.analyst.feature_table import BASE_FEATURES, SLOW_FEATURES
from ares_assets.analyst.indicators import Array, BarSeries
from ares_assets.market.bars import BAR_COLUMNS
from ares_assets.market.resampling import resample_bars
from ares_resources.timeframes import timeframe_ms

STALE_AFTER_SLOW_BARS = 2


def slower_bars(market_frame: pd.DataFrame, timeframe: str, slow_timeframe: str) -> BarSeries:
    """The complete slower bars of a frame."""
    columns = [name for name in BAR_COLUMNS if name in market_frame.columns]
    slow = resample_bars(market_frame[columns], timeframe, slow_timeframe)
    return BarSeries(slow, timeframe_ms(slow_timeframe))


def advance(
    bars: BarSeries,
    slower: Sequence[tuple[str, BarSeries]],
    state: FeatureState,
    stop: int,
    out: Array,
) -> None:
    """Values of the rows from the state's end to ``stop`` into ``out``; the state moves there."""
    width = len(BASE_FEATURES)
    _fill(BASE_FEATURES, bars, state.recursions, state.rows, out[:width])
    closes = bars.close_times[state.rows : stop]
    for name, slow in slower:
        into = out[width : width + len(SLOW_FEATURES)]
        _join(slow, closes, state.slow.setdefault(name, SlowState()), into)
        width += len(SLOW_FEATURES)
    state.rows = stop


def _fill(
    features: Sequence[Feature], bars: BarSeries, recursions: State, start: int, out: Array
) -> None:
    """Values of the rows from ``start`` on, block by block, into ``out`` (k, rows)."""
    end = start + out.shape[1]
    longest = max(feature.window_bars(bars) for feature in features)
    logs = PriceLogs(bars, max(0, start - 2 * longest), end)
    for begin in range(start, end, BLOCK_ROWS):
        stop = min(begin + BLOCK_ROWS, end)
        block = FeatureBlock(bars, logs, begin, stop, recursions)
        for feature, row in zip(features, out, strict=True):
            feature.fill(block, row[begin - start : stop - start])


def _join(slow: BarSeries, closes: NDArray[np.int64], state: SlowState, out: Array) -> None:
    """The slower values that are known at each of these closes, into ``out``."""
    if not len(closes):
        return
    known = np.searchsorted(slow.close_times, closes, side="right")
    # A slower bar is complete, or not, for good: later rows only append complete ones.
    rows = int(known[-1])
    # First the last bar computed before (or none), then the new ones, then "none or too old".
    values = np.full((len(out), rows - state.rows + 2), np.nan)
    if state.last is not None:
        values[:, 0] = state.last
    _fill(SLOW_FEATURES, slow, state.recursions, state.rows, values[:, 1:-1])
    age = closes - np.append(slow.close_times, 0)[known - 1]
    fresh = (known > 0) & (age <= STALE_AFTER_SLOW_BARS * slow.timeframe_ms)
    position = np.where(fresh, known - state.rows, values.shape[1] - 1)
    for row, into in zip(values, out, strict=True):
        np.take(row, position, out=into, mode="clip")
    if rows:
        state.last = values[:, -2].copy()
    state.rows = rows
