"""Regimes by a Gaussian mixture on realised volatility, filtered online.

Belongs here: fitting the mixture, the chain and the drifts on development bars, and filtering
any later bars with them.  Does not belong here: naming, hysteresis, the kernel.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ares_assets.market.regimes.base import (
    STATES,
    OnVolatility,
    Triple,
    as_frame,
    rows_to_fit,
    triple,
)
from ares_assets.market.regimes.naming import drift_statistics, funding_statistics, order_by_name
from ares_assets.market.regimes.observations import (
    Array,
    effective_bars,
    log_volatility,
)
from ares_assets.market.regimes.return_scale import ReturnScale
from ares_assets.market.regimes.volatility_levels import clipped_level, fit_three_levels
from ares_resources.settings import RegimeSettings

OUTLIER_DEVIATIONS = 6.0


@dataclass(frozen=True)
class GaussianMixtureModel:
    """The fitted numbers; states are ordered bull, bear, sideways.

    ``mean`` and ``deviation`` of the log volatility in each state; ``transition`` per bar;
    ``drift`` (already shrunk) and ``return_deviation`` of the standardised one-bar return;
    ``volatility_range`` seen in fitting, to which later values are clipped, since a Gaussian's
    tails say nothing.
    """

    volatility_halflife_bars: float
    intraday: tuple[float, ...]
    baseline: tuple[float, float]
    volatility_range: tuple[float, float]
    mean: Triple
    deviation: Triple
    transition: tuple[Triple, Triple, Triple]
    drift: Triple
    return_deviation: Triple
    algorithm: str = "gaussian_mixture"

    def probabilities(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Filtered probability of each regime at each bar's close; see the interface.

        The log volatility of successive bars is almost the same number, so one bar's density
        counts only for the share of an independent observation that it is (the power
        ``1 / effective_bars``).  The one-bar return counts fully, but its evidence is only
        that of the drifts: it is what a smoothed trend would say, with its honest weight.
        """
        returns = ReturnScale(self.intraday, self.baseline).standardised(frame)
        evidence = self._volatility_evidence(returns) + self._drift_evidence(returns)
        return as_frame(_filtered(evidence, np.array(self.transition)))

    def _volatility_evidence(self, returns: Array) -> Array:
        level = log_volatility(returns, self.volatility_halflife_bars)
        density = _log_density(
            np.clip(level, *self.volatility_range), np.array(self.mean), np.array(self.deviation)
        )
        return density / effective_bars(self.volatility_halflife_bars)

    def _drift_evidence(self, returns: Array) -> Array:
        deviation, drift = np.array(self.return_deviation), np.array(self.drift)
        bound = OUTLIER_DEVIATIONS * deviation
        clipped = np.clip(returns[:, None], -bound, bound)
        return (clipped * drift - drift**2 / 2) / deviation**2

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GaussianMixtureModel:
        """Read :meth:`to_dict`'s form, also after a passage through JSON."""
        plain = dict(values)
        plain["transition"] = tuple(tuple(row) for row in values["transition"])
        for name in ("intraday", "baseline", "volatility_range", "mean", "deviation", "drift"):
            plain[name] = tuple(values[name])
        plain["return_deviation"] = tuple(values["return_deviation"])
        return cls(**plain)


class GaussianMixtureAlgorithm(OnVolatility):
    """Three Gaussians on smoothed log realised volatility, joined into a sticky chain.

    The trend is not a second coordinate of the mixture: it is so noisy beside the volatility
    that the components split on noise (measured on the simulated flip market, 180 days: .67
    balanced accuracy with it, .82 without).  It enters as drift evidence instead.
    """

    name = "gaussian_mixture"

    def fit(
        self,
        frame: pd.DataFrame,
        *,
        fit_rows: NDArray[np.bool_] | NDArray[np.int64] | slice,
        timeframe_ms: int,
        settings: RegimeSettings,
        seed: int,
    ) -> GaussianMixtureModel:
        """Fit on ``fit_rows``, see the interface; at least 20 volatility half-lives of bars.

        ``seed`` is unused: nothing is drawn.
        """
        halflife = settings.volatility_halflife_bars
        past, rows = rows_to_fit(frame, fit_rows, least=self.fewest_bars(settings))
        scale = ReturnScale.fit(past, rows, settings)
        returns = scale.standardised(past)
        level = clipped_level(log_volatility(returns, halflife), rows)
        mean, deviation, weights = fit_three_levels(level[rows], halflife)
        density = _log_density(level, mean, deviation)
        posterior = (density + np.log(weights))[rows].argmax(axis=1)
        transition = _sticky_transition(posterior, stride=max(1, round(halflife)))
        belief = _filtered(density / effective_bars(halflife), transition)[rows]
        average, variance, t_statistic = drift_statistics(returns[rows], belief)
        funding = funding_statistics(past.iloc[rows], belief)
        order = order_by_name(t_statistic + funding, mean)
        shrunk = average * t_statistic**2 / (1 + t_statistic**2)
        return GaussianMixtureModel(
            volatility_halflife_bars=float(halflife),
            intraday=scale.intraday,
            baseline=scale.baseline,
            volatility_range=(float(level[rows].min()), float(level[rows].max())),
            mean=triple(mean[order]),
            deviation=triple(deviation[order]),
            transition=tuple(triple(row) for row in transition[np.ix_(order, order)]),  # type: ignore[arg-type]
            drift=triple(shrunk[order]),
            return_deviation=triple(np.sqrt(variance)[order]),
        )


def _log_density(level: Array, mean: Array, deviation: Array) -> Array:
    return -0.5 * ((level[:, None] - mean) / deviation) ** 2 - np.log(deviation)


def _sticky_transition(states: NDArray[np.int64], stride: int) -> Array:
    """Per-bar transition matrix, from moves counted every ``stride`` bars, one added to each.

    Counting every bar would take the flutter between neighbouring bars for moves.
    """
    sampled = states[::stride]
    counts = np.ones((STATES, STATES))
    np.add.at(counts, (sampled[:-1], sampled[1:]), 1)
    leaving = counts - np.diag(np.diag(counts))
    per_bar = leaving / counts.sum(axis=1, keepdims=True) / stride
    return per_bar + np.diag(1 - per_bar.sum(axis=1))


def _filtered(evidence: Array, transition: Array) -> Array:
    from ares_assets.market.regimes.filter_kernel import forward_filter

    initial = np.full(STATES, 1.0 / STATES)
    return forward_filter(np.ascontiguousarray(evidence), transition, initial)
