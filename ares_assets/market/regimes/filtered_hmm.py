"""Regimes by a hidden Markov model of returns and funding, filtered online.

Belongs here: the fitted model, and fitting and naming it.  Does not belong here: the search for
the likeliest law (``switching_fit``), the loops over bars (``switching_kernel``), hysteresis.
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
    log_volatility,
    settled_rates,
)
from ares_assets.market.regimes.return_scale import ReturnScale
from ares_assets.market.regimes.switching_fit import fit_switching_law
from ares_assets.market.regimes.switching_law import SwitchingLaw, reordered
from ares_assets.market.regimes.volatility_levels import clipped_level, fit_three_levels
from ares_resources.settings import RegimeSettings

FUNDING_OUTLIER = 4.0
FEWEST_SETTLEMENTS = 10


@dataclass(frozen=True)
class FilteredHmmModel:
    """The fitted numbers; states are ordered bull, bear, sideways.

    ``return_scale`` is the standard deviation of the deseasonalised return on the bars fitted on
    and the unit of ``level`` (variance) and ``drift``; ``funding_scale`` the mean and standard
    deviation of the settled rates there, deviation 0 where funding is unknown.  The others,
    ``converged`` and ``iterations`` included, are those of
    :class:`~ares_assets.market.regimes.switching_law.SwitchingLaw`.
    """

    intraday: tuple[float, ...]
    baseline: tuple[float, float]
    return_scale: float
    funding_scale: tuple[float, float]
    level: Triple
    dynamics: tuple[float, float]
    jumps: tuple[float, float]
    transition: tuple[Triple, Triple, Triple]
    drift: Triple
    funding_mean: Triple
    funding_deviation: float
    evidence_power: float
    converged: bool
    iterations: int
    algorithm: str = "filtered_hmm"

    def probabilities(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Filtered probability of each regime at each bar's close; see the interface.

        The forward recursion of Hamilton (1989); nothing is smoothed.  Without settlements the
        returns alone decide.
        """
        from ares_assets.market.regimes.switching_kernel import switching_filter

        filtered = switching_filter(
            ReturnScale(self.intraday, self.baseline).standardised(frame) / self.return_scale,
            _standardised_rates(frame, self.funding_scale),
            np.array(self.level),
            np.array(self.dynamics),
            np.array(self.jumps),
            np.array(self.transition),
            np.array(self.funding_mean),
            self.funding_deviation,
            np.array(self.drift),
            self.evidence_power,
        )
        return as_frame(filtered)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> FilteredHmmModel:
        """Read :meth:`to_dict`'s form, also after a passage through JSON."""
        plain = dict(values)
        plain["transition"] = tuple(tuple(row) for row in values["transition"])
        lists = ("intraday", "baseline", "funding_scale", "level", "dynamics", "jumps", "drift")
        for name in (*lists, "funding_mean"):
            plain[name] = tuple(values[name])
        return cls(**plain)


class FilteredHmmAlgorithm(OnVolatility):
    """A regime-switching GARCH with funding, fitted by likelihood."""

    name = "filtered_hmm"

    def fit(
        self,
        frame: pd.DataFrame,
        *,
        fit_rows: NDArray[np.bool_] | NDArray[np.int64] | slice,
        timeframe_ms: int,
        settings: RegimeSettings,
        seed: int,
    ) -> FilteredHmmModel:
        """Fit on ``fit_rows``, see the interface; at least 20 volatility half-lives of bars.

        ``seed`` is unused: nothing is drawn, the search starts from a mixture of volatilities.
        """
        halflife = settings.volatility_halflife_bars
        past, rows = rows_to_fit(frame, fit_rows, least=self.fewest_bars(settings))
        scale = ReturnScale.fit(past, rows, settings)
        returns = scale.standardised(past)
        unit = float(returns[rows].std())
        returns /= unit
        level, _, _ = fit_three_levels(
            clipped_level(log_volatility(returns, halflife), rows)[rows], halflife
        )
        funding_scale = _funding_scale(past, rows)
        law = fit_switching_law(
            returns[rows],
            _standardised_rates(past, funding_scale)[rows],
            level=np.exp(2 * level) * np.pi / 2,  # of a normal's mean absolute value
            settings=settings,
        )
        model = _model(scale, unit, funding_scale, law, np.zeros(STATES))
        belief = model.probabilities(past).to_numpy()[rows]
        average, _, t_statistic = drift_statistics(returns[rows], belief)
        direction = t_statistic + funding_statistics(past.iloc[rows], belief)
        order = order_by_name(direction, np.log(law.level) / 2)
        shrunk = average * t_statistic**2 / (1 + t_statistic**2)
        return _model(scale, unit, funding_scale, reordered(law, order), shrunk[order])


def _model(
    scale: ReturnScale,
    return_scale: float,
    funding_scale: tuple[float, float],
    law: SwitchingLaw,
    drift: Array,
) -> FilteredHmmModel:
    return FilteredHmmModel(
        intraday=scale.intraday,
        baseline=scale.baseline,
        return_scale=return_scale,
        funding_scale=funding_scale,
        level=triple(law.level),
        dynamics=(law.persistence, law.shock),
        jumps=(law.jump_probability, law.jump_ratio),
        transition=tuple(triple(row) for row in law.transition),  # type: ignore[arg-type]
        drift=triple(drift),
        funding_mean=triple(law.funding_mean),
        funding_deviation=law.funding_deviation,
        evidence_power=law.power,
        converged=law.converged,
        iterations=law.iterations,
    )


def _funding_scale(frame: pd.DataFrame, rows: NDArray[np.int64]) -> tuple[float, float]:
    """Mean and deviation of the rates settled on ``rows``; (0, 0): too few, or none varies."""
    rates = settled_rates(frame)[rows]
    known = rates[np.isfinite(rates)]
    if len(known) < FEWEST_SETTLEMENTS or np.ptp(known) == 0:
        return 0.0, 0.0
    return float(known.mean()), float(known.std())


def _standardised_rates(frame: pd.DataFrame, scale: tuple[float, float]) -> Array:
    """Settled rates in deviations from the mean, outliers clipped; NaN where none, (n,)."""
    centre, deviation = scale
    if deviation == 0.0:
        return np.full(len(frame), np.nan)
    rates = (settled_rates(frame) - centre) / deviation
    return np.clip(rates, -FUNDING_OUTLIER, FUNDING_OUTLIER)
