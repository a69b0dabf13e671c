"""Tests that stay valid however often one looks.

Belongs here: the mixture sequential probability ratio test and asymptotic confidence
sequences.  Does not belong here: how much data a test will need (``power.py``), what peeking
does to a test of one look (``peeking.py``), and what follows from an outcome (``gate.py``,
``rollout.py``).

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
from ares_assets.evidence.running_moments import RunningMoments, running_moments
from ares_resources.errors import BadInput

Decision = Literal["better", "worse", "undecided"]

FIRST_LOOK = 20
"""Blocks (days, in Ares) with a difference before the first look: the bound is asymptotic."""

TUNED_FOR = 100
"""Blocks at which the bound is tightest: a choice that must not depend on the data."""

OPPOSED = 2
"""Blocks of the other sign that a bound waits for."""

PATIENCE = 3
"""First looks after which a bound no longer waits for them."""


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
    one-sided bounds of the mean difference per observation of blocks that differ at all, each
    valid at all looks at once at ``level``; before the first look they are 1, -inf and inf.
    ``decision_index`` is the look at which a bound first passed 0, None while undecided.
    ``differing`` counts the blocks with a difference.
    """

    p_values: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    decision: Decision
    decision_index: int | None
    level: float
    block: int
    observations: int
    differing: int
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
    first_look: int = FIRST_LOOK,
    tuned_for: int | None = None,
    opposed: int = OPPOSED,
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
        Blocks with a difference before the first look: the bound is asymptotic.
    tuned_for
        Number of blocks at which the bound is tightest; None takes ``TUNED_FOR``.
    opposed
        Blocks of the other sign that a bound waits for; 0 where waiting costs more than the
        error of strategies that seldom lose.

    Notes
    -----
    The bound is the one-sided normal mixture with the running variance in place of the
    truth (Waudby-Smith et al., section 2); the p-value inverts it.  Three things make it hold
    its level on returns as strategies have them (docs/proof.md has the measurements):

    - Blocks without any difference say nothing of its sign and are not counted: the bounds are
      of the mean of the others, and ``first_look`` counts those.
    - Each bound is moved by Johnson's (1978, JASA 73) skewness correction of the mean, where
      that makes it more careful, and by ``SKEWNESS_CARE`` as much as Johnson says, since the
      skewness of a stretch without a large loss is underestimated too.
    - A bound waits for ``opposed`` blocks of the other sign, at most ``PATIENCE`` first looks.
    """
    values = _checked_differences(differences)
    bounds = running_bounds(
        values,
        level=level,
        block=block,
        first_look=first_look,
        tuned_for=tuned_for,
        opposed=opposed,
    )
    decision, index = _decide(bounds.lower, bounds.upper)
    return SequentialResult(
        p_values=bounds.p_values,
        lower=bounds.lower,
        upper=bounds.upper,
        decision=decision,
        decision_index=index,
        level=level,
        block=block,
        observations=values.size,
        differing=int(bounds.blocks[-1]) if bounds.blocks.size else 0,
        mean_difference=float(values.mean()) if values.size else 0.0,
    )


@dataclass(frozen=True)
class Bounds:
    """Running p-values, bounds and the number of blocks that differed, each (..., looks)."""

    p_values: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    blocks: np.ndarray


def running_bounds(
    values: np.ndarray,
    *,
    level: float,
    block: int,
    first_look: int,
    tuned_for: int | None,
    opposed: int,
) -> Bounds:
    """The bounds of ``always_valid_test`` for sequences along the last axis, (..., n)."""
    _check_options(level, block, first_look)
    looks = values.shape[-1] // block
    sums = values[..., : looks * block].reshape(*values.shape[:-1], looks, block).sum(axis=-1)
    rho = mixture_precision(level, TUNED_FOR if tuned_for is None else tuned_for)
    moments = running_moments(sums)
    radius = moments.deviation * boundary_radius(
        np.maximum(moments.blocks, 1), level=level, rho=rho
    )
    # Blocks that never varied cannot be standardised: no evidence, not infinite evidence.
    radius = np.where(moments.deviation == 0.0, np.inf, radius)
    low, high = moments.mean + moments.shift_down, moments.mean + moments.shift_up
    unlooked_low = _too_early(moments.blocks, sums < 0.0, first_look, opposed)
    unlooked_high = _too_early(moments.blocks, sums > 0.0, first_look, opposed)
    lower = np.maximum.accumulate(np.where(unlooked_low, -np.inf, low - radius), axis=-1) / block
    upper = np.minimum.accumulate(np.where(unlooked_high, np.inf, high + radius), axis=-1) / block
    p_values = _p_values(low, moments, unlooked_low, rho)
    return Bounds(p_values, lower, upper, moments.blocks)


def _too_early(
    blocks: np.ndarray, against: np.ndarray, first_look: int, opposed: int
) -> np.ndarray:
    """Looks at which nothing may be concluded yet; both rules only ever take looks away.

    A model that gains a little on most days and seldom loses much shows nothing but gains for
    weeks, and no estimate of its spread can know of the losses.  So a bound also waits for a
    few blocks of the other sign, or for so many blocks that their absence tells something.
    """
    unopposed = (np.cumsum(against, axis=-1) < opposed) & (blocks < PATIENCE * first_look)
    return (blocks < first_look) | unopposed


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


def _p_values(
    mean: np.ndarray, moments: RunningMoments, early: np.ndarray, rho: float
) -> np.ndarray:
    n = moments.blocks.astype(np.float64)
    width = n * rho**2 + 1.0
    spread = moments.deviation
    score = np.divide(n * mean, spread, out=np.zeros_like(mean), where=spread > 0.0)
    exponent = np.minimum((np.maximum(score, 0.0) * rho) ** 2 / (2.0 * width), 700.0)
    with np.errstate(divide="ignore"):
        p = np.sqrt(width) / (2.0 * np.expm1(exponent))
    return np.minimum.accumulate(np.where(early, 1.0, np.minimum(1.0, p)), axis=-1)


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
