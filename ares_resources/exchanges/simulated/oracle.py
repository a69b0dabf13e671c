"""The truth about a simulated market: the exact filter of its regimes and the best forecast.

Belongs here: what can be known from the published bars by one who knows the law.  It reads
bars and funding only, never the hidden path.  Does not belong here: anything that learns, and
any use in training: it is what results are judged against.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput
from ares_resources.exchanges.simulated import recipe as law
from ares_resources.exchanges.simulated.recipe import MarketRecipe


@dataclass(frozen=True)
class OracleBelief:
    """What is known at each close.

    ``timestamp`` (n,) int64 ms UTC, the bar's open; ``probability`` (n, 3) of the regime of that
    bar; ``signal`` x (n,), which moves the next bar; ``next_variance`` (n, 3) sigma2_k of the
    next bar before its intraday shape.
    """

    timestamp: np.ndarray
    probability: np.ndarray
    signal: np.ndarray
    next_variance: np.ndarray


@dataclass(frozen=True)
class OracleForecast:
    """E and W of the sum of the next H simple returns, each (n,); ``score`` is E / sqrt(W)."""

    expected: np.ndarray
    variance: np.ndarray

    @property
    def score(self) -> np.ndarray:
        return self.expected / np.sqrt(self.variance)


def oracle_filter(recipe: MarketRecipe, bars: pd.DataFrame, funding: pd.DataFrame) -> OracleBelief:
    """p_t(k): the exact probability of each regime given all published up to each close.

    p_t(k) ~ [p_{t-1} P]_k f((e_t - mu_k - b_k sbar_k x_{t-1}) / sigma_{k,t}) / sigma_{k,t}
    N(funding | k), with f the density of the shock (Hamilton 1989; Haas, Mittnik and Paolella
    2004 for the variances).

    Parameters
    ----------
    recipe
        The market's law.
    bars
        Its minute bars, without a gap, at least 1.  From the genesis the result is exact; from
        later on it forgets the missing past within about a day.
    funding
        Settlements; those at the bars' closes are used.

    Raises
    ------
    BadInput
        If bars are missing or not of one minute.
    """
    from ares_resources.exchanges.simulated import oracle_kernel

    timestamp = bars["timestamp"].to_numpy(np.int64)
    _check_minutes(timestamp)
    e = _standardised_returns(bars, timestamp)
    signal = oracle_kernel.accumulate_signal(
        _innovation(bars["taker_buy_share"].to_numpy(float)), law.SIGNAL_PERSISTENCE
    )
    before = np.concatenate([[0.0], signal[:-1]])
    settled = funding_at_close(timestamp, funding)
    probability, next_variance = oracle_kernel.filter_regimes(
        e, before, settled, *filter_law(recipe, int(timestamp[0]))
    )
    return OracleBelief(timestamp, probability, signal, next_variance)


def filter_law(recipe: MarketRecipe, first_ms: int) -> tuple:
    """What the filter's kernel needs besides the observations, in its order."""
    return (
        law.stationary_distribution(),
        law.transition_matrix(),
        recipe.drift,
        recipe.loading,
        law.variance_intercepts(),
        law.mean_volatility() ** 2,
        np.array([law.GARCH_SHOCK, law.GARCH_MEMORY, law.SHOCK_CAP]),
        np.array([law.JUMP_PROBABILITY, *law.shock_scales()]),
        np.array(law.FUNDING_MEAN),
        law.FUNDING_NOISE,
        recipe.break_minute(first_ms),
    )


def funding_at_close(timestamp: np.ndarray, funding: pd.DataFrame) -> np.ndarray:
    """The rate settled at each bar's close, NaN where there is none, (n,)."""
    rates = pd.Series(funding["funding_rate"].to_numpy(float), index=funding["timestamp"])
    return rates.reindex(timestamp + law.MINUTE_MS).to_numpy()


def oracle_forecast(recipe: MarketRecipe, belief: OracleBelief, *, horizon: int) -> OracleForecast:
    """The best forecast of the sum of the next ``horizon`` returns, and its variance.

    E = sum_j s_{t+j} sum_k [p_t P^j]_k (mu_k + rho^{j-1} x_t b_k sbar_k) and
    W = sum_j s_{t+j}^2 sum_k [p_t P^j]_k E[sigma2_{k,t+j}], the latter by the recursion's own
    decay towards sbar2_k.  After a break b is 0, a break within the horizon included.

    Raises
    ------
    BadInput
        If the horizon is below 1.
    """
    if horizon < 1:
        raise BadInput(f"horizon {horizon!r} of a forecast: at least 1 minute is allowed")
    minute = ((belief.timestamp // law.MINUTE_MS) + 1) % law.MINUTES_PER_DAY
    drift, level, excess = _tables(recipe, horizon)
    p, x = belief.probability, belief.signal
    expected = np.einsum("nk,nk->n", p, drift[minute])
    expected += x * _signal_part(recipe, belief, minute, horizon)
    gap = belief.next_variance - law.mean_volatility() ** 2
    variance = np.einsum("nk,nk->n", p, level[minute])
    variance += np.einsum("nk,nkl,nl->n", p, excess[minute], gap, optimize=True)
    return OracleForecast(expected, variance)


def information_coefficient_to_auc(information_coefficient: float) -> float:
    """AUC of a score for the sign of what it correlates with: 1/2 + (2/pi) asin(IC / sqrt 2).

    For a score and an outcome that are jointly normal, IC is corr(E / sqrt W, R / sqrt W).

    Raises
    ------
    BadInput
        If the coefficient is not within -1 and 1.
    """
    if not -1.0 <= information_coefficient <= 1.0:
        raise BadInput(f"information coefficient {information_coefficient!r}: -1 to 1 is allowed")
    return 0.5 + 2.0 / math.pi * math.asin(information_coefficient / math.sqrt(2.0))


def _check_minutes(timestamp: np.ndarray) -> None:
    if len(timestamp) == 0:
        raise BadInput("0 bars for the oracle: at least 1 is allowed")
    wrong = np.flatnonzero(np.diff(timestamp) != law.MINUTE_MS)
    if len(wrong):
        raise BadInput(
            f"bar {int(timestamp[wrong[0] + 1])} ms does not follow the one before by a minute: "
            "the oracle allows minute bars without a gap"
        )


def _standardised_returns(bars: pd.DataFrame, timestamp: np.ndarray) -> np.ndarray:
    """e = r / s, (n,); a bar opens at the close before it."""
    returns = bars["close"].to_numpy(float) / bars["open"].to_numpy(float) - 1.0
    return returns / law.intraday_shape(timestamp)


def _innovation(taker_buy_share: np.ndarray) -> np.ndarray:
    """u, (n,), from the share that publishes it."""
    from scipy.special import ndtri

    return ndtri(taker_buy_share) / law.TAKER_LOADING


def _steps(horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """P^j (H, 3, 3) and s_{m+j-1} (1440, H) for j = 1..H and each minute m of the day."""
    powers = np.empty((horizon, 3, 3))
    power = np.eye(3)
    for j in range(horizon):
        power = power @ law.transition_matrix()
        powers[j] = power
    minute = np.arange(law.MINUTES_PER_DAY)[:, None] + np.arange(horizon)[None, :]
    return powers, law.intraday_shape(minute * law.MINUTE_MS)


def _tables(recipe: MarketRecipe, horizon: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By minute of the day of the first bar ahead: what multiplies p in E and in W."""
    powers, shape = _steps(horizon)
    decay = law.variance_persistence() ** np.arange(horizon)
    drift = np.einsum("mj,jkl,l->mk", shape, powers, recipe.drift, optimize=True)
    level = np.einsum("mj,jkl,l->mk", shape**2, powers, law.mean_volatility() ** 2, optimize=True)
    excess = np.einsum("mj,jkl,j->mkl", shape**2, powers, decay, optimize=True)
    return drift, level, excess


def _signal_part(
    recipe: MarketRecipe, belief: OracleBelief, minute: np.ndarray, horizon: int
) -> np.ndarray:
    """The multiple of x in E, (n,), counting only minutes ahead that precede the break."""
    powers, shape = _steps(horizon)
    decay = law.SIGNAL_PERSISTENCE ** np.arange(horizon)
    ahead = decay[:, None] * (powers @ recipe.loading)
    part = np.einsum("nk,nk->n", belief.probability, (shape @ ahead)[minute])
    left = recipe.break_minute(int(belief.timestamp[0])) - 1 - np.arange(len(part))
    part[left <= 0] = 0.0
    for row in np.flatnonzero((left > 0) & (left < horizon)):
        steps = left[row]
        part[row] = belief.probability[row] @ (shape[minute[row], :steps] @ ahead[:steps])
    return part
