"""One series of bars as columns: what features and indicators read.

Belongs here: columns as float64 arrays, close times, the average true range that trading
measures its stops in.  Does not belong here: features (``feature_table.py``), what they share
(``feature_block.py``), and joining timeframes.

Bars are taken in order of their rows; a gap of missing bars is neither filled nor treated as a
restart, so a span of k bars covers more than k timeframes where some are missing.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]


class BarSeries:
    """Columns of a market frame as float64 arrays.

    Parameters
    ----------
    frame
        Market or bars frame of n rows; a column it lacks reads as all NaN.
    timeframe_ms
        Length of its bars, ms.
    """

    def __init__(self, frame: pd.DataFrame, timeframe_ms: int) -> None:
        self._frame = frame
        self._columns: dict[str, Array] = {}
        self.timeframe_ms = timeframe_ms

    def __len__(self) -> int:
        return len(self._frame)

    def has(self, name: str) -> bool:
        """Whether the frame has the column."""
        return name in self._frame.columns

    def column(self, name: str) -> Array:
        """The column, shape (n,), or NaN throughout where the frame lacks it."""
        if name not in self._columns:
            self._columns[name] = self._read(name)
        return self._columns[name]

    def _read(self, name: str) -> Array:
        if not self.has(name):
            return np.full(len(self), np.nan)
        # Kernels are compiled for arrays that may be written to; one that may not is copied.
        return np.require(self._frame[name].to_numpy(), np.float64, ["C", "W"])

    def bars_in(self, minutes: int) -> int:
        """Bars that cover so many minutes, at least one."""
        return max(1, round(minutes * 60_000 / self.timeframe_ms))

    @cached_property
    def close_times(self) -> NDArray[np.int64]:
        """When each bar closes and becomes usable, ms UTC."""
        return self._frame["timestamp"].to_numpy() + self.timeframe_ms

    @cached_property
    def average_true_range(self) -> Array:
        """Wilder's ATR over 14 bars, in price; NaN for the first 14."""
        import talib

        high, low, close = (self.column(name) for name in ("high", "low", "close"))
        return talib.ATR(high, low, close, timeperiod=14)
