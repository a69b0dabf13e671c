"""Regimes by a statistical jump model of log volatility, decoded online.

Belongs here: the fitted model, its fit by coordinate descent, its probabilities.  Does not
belong here: the dynamic programmes (``jump_kernel``), naming, hysteresis.
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
from ares_assets.market.regimes.observations import Array, log_volatility
from ares_assets.market.regimes.return_scale import ReturnScale
from ares_assets.market.regimes.volatility_levels import three_means
from ares_resources.errors import BadInput
from ares_resources.settings import RegimeSettings

# The penalty smooths by itself, so the feature is smoothed less than the setting's half-life
# (measured on simulated flip markets: the whole of it costs .02 of balanced accuracy).
SMOOTHING_SHARE = 0.25
MOST_ROUNDS = 100
MOST_HALVINGS = 6


@dataclass(frozen=True)
class JumpModel:
    """The fitted numbers; states are ordered bull, bear, sideways.

    ``feature_halflife_bars`` of the log volatility that is the feature; ``feature_scale`` its
    mean and standard deviation on the bars fitted on, ``feature_range`` its least and greatest
    value there, to which later ones are clipped; ``centre`` each state's standardised feature;
    ``penalty`` of a switch; ``stride_bars``, the bars that count as one observation.
    """

    feature_halflife_bars: float
    intraday: tuple[float, ...]
    baseline: tuple[float, float]
    feature_scale: tuple[float, float]
    feature_range: tuple[float, float]
    centre: Triple
    penalty: float
    stride_bars: float
    algorithm: str = "jump_model"

    def probabilities(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Probability of each regime at each bar's close; see the interface.

        A jump model has costs, not probabilities: V_t(k), what the cheapest path that ends in k
        has cost.  Half a squared distance is minus the log density of a normal of variance 1,
        so exp(-V_t(k)) is the largest joint density of any such path under the Gaussian hidden
        Markov model with these centres; the three, scaled to sum 1, are given.  The most
        probable regime is the one of the cheapest path.  Dividing by the variance that is seen
        within states instead makes it overconfident (log loss 1.0 against .4 nats, simulated
        flip markets).
        """
        from ares_assets.market.regimes.jump_kernel import accumulated_costs

        costs = accumulated_costs(
            self._feature(frame)[:, None],
            np.array(self.centre)[:, None],
            self.penalty,
            1.0 / self.stride_bars,
        )
        chance = np.exp(-costs)
        total = chance[:, 0] + chance[:, 1] + chance[:, 2]
        return as_frame(chance / total[:, None])

    def _feature(self, frame: pd.DataFrame) -> Array:
        returns = ReturnScale(self.intraday, self.baseline).standardised(frame)
        level = np.clip(log_volatility(returns, self.feature_halflife_bars), *self.feature_range)
        centre, deviation = self.feature_scale
        return (level - centre) / deviation

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> JumpModel:
        """Read :meth:`to_dict`'s form, also after a passage through JSON."""
        plain = dict(values)
        for name in ("intraday", "baseline", "feature_scale", "feature_range", "centre"):
            plain[name] = tuple(values[name])
        return cls(**plain)


class JumpModelAlgorithm(OnVolatility):
    """Three centres of log volatility and a price on every switch between them.

    Nystrup, Lindström and Madsen (2020), Learning hidden Markov models with persistent states by
    penalizing jumps.  A trend is no second feature: it is so noisy that the centres split on it.
    """

    name = "jump_model"

    def fit(
        self,
        frame: pd.DataFrame,
        *,
        fit_rows: NDArray[np.bool_] | NDArray[np.int64] | slice,
        timeframe_ms: int,
        settings: RegimeSettings,
        seed: int,
    ) -> JumpModel:
        """Fit on ``fit_rows``, see the interface; at least 20 volatility half-lives of bars.

        ``seed`` is unused: the descent starts from three means, not from a draw.
        """
        halflife = settings.volatility_halflife_bars
        past, rows = rows_to_fit(frame, fit_rows, least=self.fewest_bars(settings))
        scale = ReturnScale.fit(past, rows, settings)
        returns = scale.standardised(past)
        smoothing = max(1.0, SMOOTHING_SHARE * halflife)
        level = log_volatility(returns, smoothing)
        known = level[rows][np.isfinite(level[rows])]
        known_range = (float(known.min()), float(known.max()))
        clipped = np.clip(level, *known_range)
        centre, deviation = float(clipped[rows].mean()), float(clipped[rows].std())
        stride = max(1, int(halflife / 2))
        thinned = (clipped[rows][::stride] - centre) / max(deviation, 1e-12)
        centres, penalty = _cheapest_centres(thinned, float(settings.jump_penalty))
        unnamed = JumpModel(
            feature_halflife_bars=smoothing,
            intraday=scale.intraday,
            baseline=scale.baseline,
            feature_scale=(centre, max(deviation, 1e-12)),
            feature_range=known_range,
            centre=triple(centres),
            penalty=penalty,
            stride_bars=float(stride),
        )
        belief = unnamed.probabilities(past).to_numpy()[rows]
        direction = drift_statistics(returns[rows], belief)[2]
        direction = direction + funding_statistics(past.iloc[rows], belief)
        order = order_by_name(direction, centres * deviation)
        return JumpModel(**{**asdict(unnamed), "centre": triple(centres[order])})


def _cheapest_centres(feature: Array, penalty: float) -> tuple[Array, float]:
    """Centres (3,), ascending, and the penalty they were found with.

    A penalty too dear for three states on these bars is halved until there are three.

    Raises
    ------
    BadInput
        If there are none however cheap a switch is (volatility hardly varies).
    """
    for halvings in range(MOST_HALVINGS):
        price = penalty / 2**halvings
        path = _descend(feature, price)
        if path is not None:
            return np.sort(_centres(feature, path)), price
    raise BadInput("regimes: volatility hardly varies on the bars to fit on; no 3 states")


def _descend(feature: Array, penalty: float) -> NDArray[np.int64] | None:
    """State of each row by coordinate descent, (n,); None where a state is given up.

    Path for the centres, centres for the path, until the path stays; neither can raise the cost.
    """
    from ares_assets.market.regimes.jump_kernel import cheapest_path

    path = three_means(feature)
    for _ in range(MOST_ROUNDS):
        moved = cheapest_path(feature[:, None], _centres(feature, path)[:, None], penalty)
        if len(np.unique(moved)) < STATES:
            return None
        if (moved == path).all():
            break
        path = moved
    return path


def _centres(feature: Array, path: NDArray[np.int64]) -> Array:
    return np.array([feature[path == state].mean() for state in range(STATES)])
