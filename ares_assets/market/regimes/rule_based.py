"""Regimes by rule: a trend is on when ADX and volatility are high, and has a direction.

Belongs here: the rule and the development quantiles it is measured against.  Does not belong
here: learning of any other kind.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ares_assets.market.regimes.base import as_frame, rows_to_fit
from ares_assets.market.regimes.observations import Array, log_volatility, trend
from ares_assets.market.regimes.return_scale import ReturnScale
from ares_resources.settings import RegimeSettings

Scale = tuple[float, float]


@dataclass(frozen=True)
class RuleBasedModel:
    """Half-lives, the intraday shape, and the development median and spread of two measures."""

    volatility_halflife_bars: float
    trend_halflife_bars: float
    intraday: tuple[float, ...]
    baseline: tuple[float, float]
    strength_scale: Scale
    volatility_scale: Scale
    algorithm: str = "rule_based"

    def probabilities(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Probability of each regime at each bar's close; see the interface.

        A trend is on with the logistic of the summed scores of ADX and log volatility (their
        distance from the development median in spreads); it points up with the normal
        probability of the trend's t-statistic.  What is no trend is sideways.
        """
        from scipy.special import expit, ndtr

        returns = ReturnScale(self.intraday, self.baseline).standardised(frame)
        strength = _strength(frame, self.trend_halflife_bars)
        level = log_volatility(returns, self.volatility_halflife_bars)
        trending = expit(
            _score(strength, self.strength_scale) + _score(level, self.volatility_scale)
        )
        upward = ndtr(trend(returns, self.trend_halflife_bars))
        parts = (trending * upward, trending * (1 - upward), 1 - trending)
        return as_frame(np.stack(parts, axis=1))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RuleBasedModel:
        """Read :meth:`to_dict`'s form, also after a passage through JSON."""
        plain = dict(values)
        for name in ("intraday", "baseline", "strength_scale", "volatility_scale"):
            plain[name] = tuple(values[name])
        return cls(**plain)


class RuleBasedAlgorithm:
    """ADX for strength, a t-statistic for direction, volatility to tell quiet from moving."""

    name = "rule_based"

    def fewest_bars(self, settings: RegimeSettings) -> int:
        """See the interface."""
        return int(4 * settings.trend_halflife_bars) + 1

    def fit(
        self,
        frame: pd.DataFrame,
        *,
        fit_rows: NDArray[np.bool_] | NDArray[np.int64] | slice,
        timeframe_ms: int,
        settings: RegimeSettings,
        seed: int,
    ) -> RuleBasedModel:
        """Measure medians and spreads on ``fit_rows``, see the interface; ``seed`` is unused.

        At least four trend half-lives of bars are needed.
        """
        past, rows = rows_to_fit(frame, fit_rows, least=self.fewest_bars(settings))
        scale = ReturnScale.fit(past, rows, settings)
        level = log_volatility(scale.standardised(past), settings.volatility_halflife_bars)
        strength = _strength(past, settings.trend_halflife_bars)
        return RuleBasedModel(
            volatility_halflife_bars=float(settings.volatility_halflife_bars),
            trend_halflife_bars=float(settings.trend_halflife_bars),
            intraday=scale.intraday,
            baseline=scale.baseline,
            strength_scale=_scale(strength[rows]),
            volatility_scale=_scale(level[rows]),
        )


def _strength(frame: pd.DataFrame, halflife_bars: float) -> Array:
    """Log of one plus ADX, its Wilder period matched to the half-life; NaN in its warm-up."""
    import talib

    period = max(2, round(halflife_bars * float(np.log(2))))
    high, low, close = (
        np.ascontiguousarray(frame[name].to_numpy()) for name in ("high", "low", "close")
    )
    return np.log1p(talib.ADX(high, low, close, timeperiod=period))


def _scale(values: Array) -> Scale:
    known = values[np.isfinite(values)]
    low, middle, high = (float(value) for value in np.quantile(known, (0.25, 0.5, 0.75)))
    return middle, max(high - low, 1e-12)


def _score(values: Array, scale: Scale) -> Array:
    """Distance from the median in spreads, at most 8; 0 where the measure is not yet known."""
    middle, spread = scale
    score = np.clip((values - middle) / spread, -8.0, 8.0)
    return np.where(np.isnan(score), 0.0, score)
