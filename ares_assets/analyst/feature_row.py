"""One row of the feature table: what a feature is called, means, reads, and how it is made.

Belongs here: the row and its warm-up.  Does not belong here: any feature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ares_assets.analyst.feature_block import FeatureBlock
from ares_assets.analyst.indicators import Array, BarSeries

LEAST_WARMUP_BARS = 200


@dataclass(frozen=True)
class Feature:
    """A named function of the bars so far.

    ``window`` is the longest span looked at: bars of the feature's own timeframe, minutes where
    ``in_minutes``, or the half-life of an exponentially weighted mean.  ``sources`` are columns
    of the market frame.  ``reference`` names who proposed it, or whose convention is followed.
    """

    name: str
    formula: str
    unit: str
    window: int
    sources: tuple[str, ...]
    reference: str
    compute: Callable[[FeatureBlock], Array]
    in_minutes: bool = False

    def window_bars(self, bars: BarSeries) -> int:
        """The window in bars."""
        return bars.bars_in(self.window) if self.in_minutes else self.window

    def warmup_bars(self, bars: BarSeries) -> int:
        """Rows at the start that are NaN: 200, or twice the window if that is more."""
        return max(LEAST_WARMUP_BARS, 2 * self.window_bars(bars))

    def fill(self, block: FeatureBlock, out: Array) -> None:
        """Write the block's values, shape (stop - start,), NaN in the warm-up."""
        out[:] = self.compute(block)
        warm = self.warmup_bars(block.bars) - block.start
        if warm > 0:
            out[:warm] = np.nan
