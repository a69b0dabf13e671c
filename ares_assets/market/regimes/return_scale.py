"""What a return is measured against: the time of day and, where it pays, a slow baseline.

Belongs here: the scale that all regime algorithms share, and whether the bars to fit on call
for a baseline.  Does not belong here: the intraday shape itself (``observations``), regimes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ares_assets.market.regimes.observations import Array, IntradayShape, log_volatility
from ares_assets.market.regimes.volatility_levels import clipped_level, mixture_log_likelihood
from ares_resources.settings import RegimeSettings

# Gain in mean log likelihood of a bar's log volatility from which on a baseline is
# used.  Simulated markets, whose level does not wander, reached .045 on 90 tuning fits of 60 to
# 180 days; half years and years of real minutes .09 to .22 (docs/regimes.md).
WORTHWHILE_GAIN = 0.05
SPAN_HALFLIVES = 8.0
LEAST_BASELINE = 1e-3


@dataclass(frozen=True)
class ReturnScale:
    """Intraday shape, and a baseline of the absolute return (half-life 0: none).

    ``baseline`` is its half-life in bars and its value before the first bar, the mean absolute
    return of the bars fitted on.
    """

    intraday: tuple[float, ...]
    baseline: tuple[float, float]

    @classmethod
    def fit(
        cls, frame: pd.DataFrame, rows: NDArray[np.int64], settings: RegimeSettings
    ) -> ReturnScale:
        """The shape on ``rows``, and the baseline of the settings if it pays there.

        It pays where the rows span :data:`SPAN_HALFLIVES` of it and a mixture of three levels
        explains log volatility relative to it better than as it is, by
        :data:`WORTHWHILE_GAIN`.  A market whose level wanders over months gains much; one that
        only changes regime loses, since its baseline follows the regimes.

        Raises
        ------
        BadInput
            If price never moves on these rows, or volatility hardly varies.
        """
        shape = IntradayShape.fit(frame, rows)
        returns = shape.standardised(frame)
        start = float(np.abs(returns[rows]).mean())
        plain = cls(shape.coefficients, (0.0, start))
        slow = cls(shape.coefficients, (float(settings.baseline_halflife_bars), start))
        if not 0 < SPAN_HALFLIVES * slow.baseline[0] <= len(rows):
            return plain
        halflife = settings.volatility_halflife_bars
        relative = _likelihood(returns / slow._relative_baseline(returns), rows, halflife)
        absolute = _likelihood(returns, rows, halflife)
        return slow if relative - absolute >= WORTHWHILE_GAIN else plain

    def standardised(self, frame: pd.DataFrame) -> Array:
        """Log returns over the shape at their time of day and over the baseline, (n,)."""
        returns = IntradayShape(self.intraday).standardised(frame)
        return returns / self._relative_baseline(returns) if self.baseline[0] else returns

    def _relative_baseline(self, returns: Array) -> Array:
        """The baseline before each bar over its start, (n,); a bar is not in its own."""
        halflife, start = self.baseline
        sizes = pd.Series(np.concatenate([[start], np.abs(returns[:-1])])) / start
        average = sizes.ewm(halflife=halflife, adjust=False).mean().to_numpy()
        return np.maximum(average[: len(returns)], LEAST_BASELINE)


def _likelihood(returns: Array, rows: NDArray[np.int64], halflife: float) -> float:
    """Mean log likelihood of a bar's log volatility under a mixture of three levels."""
    level = clipped_level(log_volatility(returns, halflife), rows)[rows]
    return mixture_log_likelihood(level, halflife)
