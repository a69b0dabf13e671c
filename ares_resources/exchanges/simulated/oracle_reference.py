"""The plain twin of the oracle's filter and forecast: the published formulas, term by term.

Belongs here: the slow, readable form that tests hold the fast one against.  Nothing else calls
it.
"""

from __future__ import annotations

import math

import numpy as np

from ares_resources.exchanges.simulated import recipe as law
from ares_resources.exchanges.simulated.recipe import MarketRecipe


def shock_density(z: float) -> float:
    """Density of the unit-variance normal mixture at z."""
    weights = (1.0 - law.JUMP_PROBABILITY, law.JUMP_PROBABILITY)
    return sum(
        weight * math.exp(-0.5 * (z / scale) ** 2) / (scale * math.sqrt(2.0 * math.pi))
        for weight, scale in zip(weights, law.shock_scales(), strict=True)
    )


def filter_plainly(
    recipe: MarketRecipe,
    e: np.ndarray,
    signal_before: np.ndarray,
    funding: np.ndarray,
    break_minute: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The same as ``oracle_kernel.filter_regimes``: posterior (n, 3), next variances (n, 3)."""
    variance = law.mean_volatility() ** 2
    belief = law.stationary_distribution()
    posterior, variances = [], []
    for t, value in enumerate(e):
        prior = belief if t == 0 else belief @ law.transition_matrix()
        loading = recipe.loading if t < break_minute else np.zeros(3)
        mean = recipe.drift + loading * signal_before[t]
        sigma = np.sqrt(variance)
        likelihood = np.array([shock_density(z) for z in (value - mean) / sigma]) / sigma
        if not math.isnan(funding[t]):
            gap = (funding[t] - np.array(law.FUNDING_MEAN)) / law.FUNDING_NOISE
            likelihood = likelihood * np.exp(-0.5 * gap**2)
        belief = prior * likelihood / np.sum(prior * likelihood)
        capped = np.minimum(value**2, law.SHOCK_CAP * variance)
        variance = (
            law.variance_intercepts() + law.GARCH_SHOCK * capped + law.GARCH_MEMORY * variance
        )
        posterior.append(belief)
        variances.append(variance)
    return np.array(posterior), np.array(variances)


def forecast_plainly(
    recipe: MarketRecipe,
    close_ms: int,
    posterior: np.ndarray,
    signal: float,
    next_variance: np.ndarray,
    horizon: int,
) -> tuple[float, float]:
    """E and W of the sum of the ``horizon`` returns after the close at ``close_ms``."""
    expected, variance, belief = 0.0, 0.0, posterior
    excess = next_variance - law.mean_volatility() ** 2
    for j in range(1, horizon + 1):
        opens = close_ms + (j - 1) * law.MINUTE_MS
        shape = float(law.intraday_shape(np.array([opens]))[0])
        belief = belief @ law.transition_matrix()
        broken = recipe.break_ms is not None and opens >= recipe.break_ms
        loading = np.zeros(3) if broken else recipe.loading
        mean = recipe.drift + law.SIGNAL_PERSISTENCE ** (j - 1) * signal * loading
        sigma2 = law.mean_volatility() ** 2 + law.variance_persistence() ** (j - 1) * excess
        expected += shape * float(belief @ mean)
        variance += shape**2 * float(belief @ sigma2)
    return expected, variance
