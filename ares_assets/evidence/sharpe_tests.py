"""Whether a Sharpe ratio is more than luck: PSR, MinTRL, DSR, MinBTL.

Belongs here: closed formulas on a Sharpe ratio and its moments.  Does not belong here:
measuring performance (``performance.py``) and resampling (``bootstrap.py``).

Every Sharpe ratio here is per observation, NOT annualised, unless its name says annual.
Kurtosis is Pearson's: 3 for a normal distribution, not 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from ares_assets.evidence.performance import Floats, checked_returns
from ares_resources.errors import BadInput

_NORMAL = NormalDist()
EULER_MASCHERONI = 0.5772156649015329


@dataclass(frozen=True)
class SharpeMoments:
    """What the tests need to know of a sample of returns.

    ``sharpe`` is per observation; ``skew`` and ``kurtosis`` (3 = normal) are population
    moments; ``observations`` counts returns.
    """

    sharpe: float
    observations: int
    skew: float = 0.0
    kurtosis: float = 3.0

    @property
    def variance_factor(self) -> float:
        """(n - 1) times the variance of the estimated Sharpe ratio (Mertens 2002)."""
        tail = (self.kurtosis - 1.0) / 4.0 * self.sharpe**2
        factor = 1.0 - self.skew * self.sharpe + tail
        if not factor > 0.0:
            raise BadInput(
                f"skew {self.skew} and kurtosis {self.kurtosis} belong to no distribution; "
                "needed: kurtosis at least 1 + skew squared"
            )
        return factor


def sharpe_moments(returns: Floats) -> SharpeMoments:
    """Sharpe ratio and moments of returns (n,), n >= 2.

    Raises
    ------
    BadInput
        Fewer than two returns, or all alike: then there is no Sharpe ratio to test.
    """
    values = checked_returns(returns, at_least=2)
    if np.ptp(values) == 0.0:
        raise BadInput(f"all {values.size} returns are {values[0]}; a Sharpe ratio needs variation")
    centred = values - values.mean()
    variance = float(np.mean(centred**2))
    return SharpeMoments(
        sharpe=float(values.mean() / values.std(ddof=1)),
        observations=values.size,
        skew=float(np.mean(centred**3)) / variance**1.5,
        kurtosis=float(np.mean(centred**4)) / variance**2,
    )


def probabilistic_sharpe_ratio(moments: SharpeMoments, *, benchmark: float = 0.0) -> float:
    """Probability that the true Sharpe ratio exceeds ``benchmark`` (per observation).

    Bailey & López de Prado (2012), The Sharpe Ratio Efficient Frontier, eq. 10.
    """
    if moments.observations < 2:
        raise BadInput(f"observations = {moments.observations}; needed: 2 or more")
    gain = (moments.sharpe - benchmark) * math.sqrt(moments.observations - 1)
    return _NORMAL.cdf(gain / math.sqrt(moments.variance_factor))


def minimum_track_record_length(
    moments: SharpeMoments, *, benchmark: float = 0.0, confidence: float = 0.95
) -> float:
    """Observations needed for a PSR of ``confidence``; infinite at or below the benchmark.

    Bailey & López de Prado (2012), eq. 11.  ``moments.observations`` is not used.
    """
    if moments.sharpe <= benchmark:
        return math.inf
    quantile = _NORMAL.inv_cdf(_open_share(confidence, "confidence"))
    return 1.0 + moments.variance_factor * (quantile / (moments.sharpe - benchmark)) ** 2


def expected_maximum_of_normals(trials: float) -> float:
    """Expected best of ``trials`` independent standard normals, by extreme value theory.

    Bailey & López de Prado (2014), The Deflated Sharpe Ratio, eq. 1; 0 for a single trial.
    """
    if not (math.isfinite(trials) and trials >= 1):
        raise BadInput(f"trials = {trials}; needed: 1 or more")
    if trials == 1:
        return 0.0
    typical = _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    larger = _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return max(0.0, (1.0 - EULER_MASCHERONI) * typical + EULER_MASCHERONI * larger)


def expected_maximum_sharpe(trials: float, *, trial_variance: float) -> float:
    """Sharpe ratio that the best of ``trials`` worthless strategies is expected to show.

    ``trial_variance`` is the variance of the trials' Sharpe ratios, per observation.
    """
    if not (math.isfinite(trial_variance) and trial_variance >= 0.0):
        raise BadInput(f"trial_variance = {trial_variance}; needed: finite, 0 or more")
    return math.sqrt(trial_variance) * expected_maximum_of_normals(trials)


def deflated_sharpe_ratio(moments: SharpeMoments, *, trials: float, trial_variance: float) -> float:
    """PSR against the best that ``trials`` worthless tries would show.

    ``trials`` is every trial ever made (the ledger's count), not only those kept;
    ``trial_variance`` the variance of their Sharpe ratios per observation.  Bailey & López de
    Prado (2014), eq. 2.
    """
    hurdle = expected_maximum_sharpe(trials, trial_variance=trial_variance)
    return probabilistic_sharpe_ratio(moments, benchmark=hurdle)


def null_trial_variance(observations: int) -> float:
    """Variance of the Sharpe ratio of a worthless strategy: the least trials can differ by.

    Where a ledger knows too few trials, or trials so alike that their spread says nothing,
    take the larger of this and the measured variance.
    """
    if observations < 2:
        raise BadInput(f"observations = {observations}; needed: 2 or more")
    return 1.0 / (observations - 1)


def minimum_backtest_length(trials: float, *, annual_sharpe: float = 1.0) -> float:
    """Years below which the best of ``trials`` worthless tries shows ``annual_sharpe``.

    Bailey, Borwein, López de Prado & Zhu (2014), Pseudo-mathematics and financial
    charlatanism, theorem 1.
    """
    if not annual_sharpe > 0.0:
        raise BadInput(f"annual_sharpe = {annual_sharpe}; needed: above 0")
    return (expected_maximum_of_normals(trials) / annual_sharpe) ** 2


def observations_for_probability(
    probability: float, sharpe: float, observations: float, *, wanted: float
) -> float | None:
    """Observations at which a PSR or DSR, now ``probability``, will be ``wanted``.

    ``sharpe`` is per observation; both it and the number of tries are taken as staying what
    they are, and returns as normal.  None where that is reached already, or never is: at a
    Sharpe ratio not above 0, or a probability of 0.

    The normal score of both is the Sharpe ratio times root of n - 1, less what as many
    worthless tries are expected to show.  That does not grow with n, so the score that lacks
    is made up by the first term alone.  Derived from Bailey & López de Prado (2014), The
    Deflated Sharpe Ratio, eq. 2, with the trials' variance of worthless ones, 1 / (n - 1).
    """
    if not (0.0 < probability < wanted and sharpe > 0.0 and observations >= 2):
        return None
    lacking = _NORMAL.inv_cdf(_open_share(wanted, "wanted")) - _NORMAL.inv_cdf(probability)
    return (math.sqrt(observations - 1.0) + lacking / sharpe) ** 2 + 1.0


def _open_share(value: float, name: str) -> float:
    if not 0.0 < value < 1.0:
        raise BadInput(f"{name} = {value}; allowed: between 0 and 1")
    return value
