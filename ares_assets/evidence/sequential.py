"""Tests that stay valid however often one looks.

Belongs here: the mixture sequential probability ratio test and asymptotic confidence
sequences.  Does not belong here: how much data a test will need (``power.py``), and what
follows from its outcome (``gate.py``, ``rollout.py``).

Johari, Koomen, Pekelis & Walsh (2022), Always Valid Inference, Operations Research 70(3);
Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), Time-uniform central limit theory and
asymptotic confidence sequences, Annals of Statistics 52(6); Robbins (1970).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.performance import Floats
from ares_resources.errors import BadInput

Decision = Literal["better", "worse", "undecided"]


def mixture_likelihood_ratio(
    observations: float, mean_difference: float, *, variance: float, mixture_variance: float
) -> float:
    """mSPRT's likelihood ratio of "the difference is not 0" (Johari et al., eq. 9).

    ``variance`` is that of one difference (known); ``mixture_variance`` that of the normal
    prior over true differences.  Its reciprocal is an always-valid p-value.
    """
    if observations <= 0 or variance <= 0.0 or mixture_variance <= 0.0:
        raise BadInput(
            f"observations {observations}, variance {variance}, mixture variance "
            f"{mixture_variance}; needed: all above 0"
        )
    spread = variance + observations * mixture_variance
    exponent = (observations * mean_difference) ** 2 * mixture_variance / (2.0 * variance * spread)
    return math.sqrt(variance / spread) * math.exp(min(exponent, 700.0))


def mixture_sequential_test(
    differences: Floats, *, variance: float, mixture_variance: float
) -> np.ndarray:
    """Running two-sided always-valid p-values (n,) of normal differences of known variance."""
    values = _checked_differences(differences)
    means = np.cumsum(values) / np.arange(1, values.size + 1)
    ratios = [
        mixture_likelihood_ratio(n, mean, variance=variance, mixture_variance=mixture_variance)
        for n, mean in enumerate(means.tolist(), start=1)
    ]
    return np.minimum.accumulate(np.minimum(1.0, 1.0 / np.array(ratios)))


@dataclass(frozen=True)
class SequentialResult:
    """A sequential test of "the mean difference is not above 0", looked at after each block.

    ``p_values``, ``lower`` and ``upper`` are (looks,): running p-value of "not better", and
    one-sided bounds of the mean difference per observation, each valid at all looks at once
    at ``level``; before ``first_look`` blocks they are 1, -inf and inf.  ``decision_index``
    is the look at which a bound first passed 0, None while undecided.
    """

    p_values: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    decision: Decision
    decision_index: int | None
    level: float
    block: int
    observations: int
    mean_difference: float

    @property
    def p_value(self) -> float:
        """The last running p-value; 1 without a look."""
        return float(self.p_values[-1]) if self.p_values.size else 1.0

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; infinite bounds are None."""
        return jsonable(self) | {"p_value": self.p_value}


def always_valid_test(
    differences: Floats,
    *,
    level: float = 0.05,
    block: int = 1,
    first_look: int = 20,
    tuned_for: int | None = None,
) -> SequentialResult:
    """Compare two strategies on paired differences, with a look after every block.

    Parameters
    ----------
    differences
        Challenger minus champion, paired and in time order, (n,): daily net returns, say.
    level
        Chance of ever calling a challenger better that is not; as much again for "worse".
    block
        Differences summed before they are looked at, so that neighbours' dependence and heavy
        tails wash out; an incomplete last block is not looked at.
    first_look
        Blocks before the first look: the bound is asymptotic.
    tuned_for
        Number of blocks at which the bound is tightest; None takes 100, a choice that must
        not depend on the data.

    Notes
    -----
    The bound is the one-sided normal mixture with the running variance in place of the
    truth (Waudby-Smith et al., section 2); the p-value inverts it.  Where most days gain a
    little and few lose much, a stretch without a loss shows a high mean and a small deviation
    together, and the plain bound errs 14 % of the time at a level of 5 %.  So each bound
    is moved by Johnson's (1978, JASA 73) skewness correction of the mean, where that makes it
    more careful.
    """
    values = _checked_differences(differences)
    _check_options(level, block, first_look)
    looks = values.size // block
    sums = values[: looks * block].reshape(looks, block).sum(axis=1)
    rho = mixture_precision(level, 100 if tuned_for is None else tuned_for)
    moments = _running_moments(sums)
    radius = moments.deviation * boundary_radius(np.arange(1, looks + 1), level=level, rho=rho)
    # Blocks that never varied cannot be standardised: no evidence, not infinite evidence.
    radius[moments.deviation == 0.0] = np.inf
    early = np.arange(looks) < first_look - 1
    low, high = moments.mean + moments.shift_down, moments.mean + moments.shift_up
    lower = np.maximum.accumulate(np.where(early, -np.inf, low - radius)) / block
    upper = np.minimum.accumulate(np.where(early, np.inf, high + radius)) / block
    decision, index = _decide(lower, upper)
    return SequentialResult(
        p_values=_p_values(low, moments.deviation, early, rho),
        lower=lower,
        upper=upper,
        decision=decision,
        decision_index=index,
        level=level,
        block=block,
        observations=values.size,
        mean_difference=float(values.mean()) if values.size else 0.0,
    )


def mixture_precision(level: float, tuned_for: int) -> float:
    """Mixture width rho at which the one-sided bound is tightest after ``tuned_for`` looks."""
    if tuned_for < 1:
        raise BadInput(f"tuned_for = {tuned_for}; needed: 1 or more blocks")
    log = -2.0 * math.log(2.0 * level)
    return math.sqrt((log + math.log(log + 1.0)) / tuned_for)


def boundary_radius(looks: np.ndarray, *, level: float, rho: float) -> np.ndarray:
    """Distance of the one-sided bound from the running mean, in standard deviations of a block."""
    n = np.asarray(looks, dtype=np.float64)
    width = n * rho**2 + 1.0
    return np.sqrt(2.0 * width / (n * rho) ** 2 * np.log1p(np.sqrt(width) / (2.0 * level)))


def _p_values(mean: np.ndarray, deviation: np.ndarray, early: np.ndarray, rho: float) -> np.ndarray:
    n = np.arange(1, mean.size + 1, dtype=np.float64)
    width = n * rho**2 + 1.0
    score = np.divide(n * mean, deviation, out=np.zeros_like(mean), where=deviation > 0.0)
    exponent = np.minimum((np.maximum(score, 0.0) * rho) ** 2 / (2.0 * width), 700.0)
    with np.errstate(divide="ignore"):
        p = np.sqrt(width) / (2.0 * np.expm1(exponent))
    return np.minimum.accumulate(np.where(early, 1.0, np.minimum(1.0, p)))


@dataclass(frozen=True)
class _Moments:
    """Of all blocks up to each look: mean, deviation, and what skew takes from either bound."""

    mean: np.ndarray
    deviation: np.ndarray
    shift_down: np.ndarray
    shift_up: np.ndarray


def _running_moments(sums: np.ndarray) -> _Moments:
    n = np.arange(1, sums.size + 1)
    centred = sums - sums[:1]
    first, second, third = (np.cumsum(centred**power) / n for power in (1, 2, 3))
    mean = np.cumsum(sums) / n
    variance = np.maximum(second - first**2, 0.0) * n / np.maximum(n - 1, 1)
    variance = np.where(variance > 1e-24 + 1e-13 * mean**2, variance, 0.0)
    skewed = third - 3.0 * first * second + 2.0 * first**3
    held = np.where(variance > 0.0, variance, 1.0)
    shift = np.where(
        variance > 0.0, skewed / (6.0 * held * n) + skewed * mean**2 / (3.0 * held**2), 0.0
    )
    return _Moments(mean, np.sqrt(variance), np.minimum(shift, 0.0), np.maximum(shift, 0.0))


def _decide(lower: np.ndarray, upper: np.ndarray) -> tuple[Decision, int | None]:
    better = np.flatnonzero(lower > 0.0)
    worse = np.flatnonzero(upper < 0.0)
    first: dict[Decision, int] = {}
    if better.size:
        first["better"] = int(better[0])
    if worse.size:
        first["worse"] = int(worse[0])
    if not first:
        return "undecided", None
    decision = min(first, key=lambda name: first[name])
    return decision, first[decision]


def _check_options(level: float, block: int, first_look: int) -> None:
    if not 0.0 < level < 0.3:
        raise BadInput(f"level = {level}; allowed: between 0 and 0.3")
    if block < 1 or first_look < 2:
        raise BadInput(f"block = {block}, first_look = {first_look}; needed: 1 and 2 or more")


def _checked_differences(differences: Floats) -> np.ndarray:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1:
        raise BadInput(f"differences have shape {values.shape}; needed: (n,)")
    if not np.isfinite(values).all():
        first = int(np.argmin(np.isfinite(values)))
        raise BadInput(f"differences[{first}] = {values[first]}; needed: finite")
    return values
