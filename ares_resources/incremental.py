"""Refits that continue a model instead of starting again, as long as that costs no accuracy.

Belongs here: the decision between continuing and a fit from scratch, and its record.  Does
not belong here: learners, which windows are refitted, and how a window is cut in time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, Protocol, TypeVar

import numpy as np

from ares_resources.errors import BadInput

Data = TypeVar("Data")
Model = TypeVar("Model")
_Read = TypeVar("_Read", contravariant=True)
# A model never holds more than this many times the trees of a fit from scratch.
GROWTH_LIMIT = 2
_BATCHES = 10
TOO_FEW = "too few events show what continuing costs"


class Learner(Protocol[_Read, Model]):
    """What the trainer needs of a way of training; it knows nothing else of data or models."""

    @property
    def scratch_trees(self) -> int:
        """Trees of a fit from scratch."""

    def fit(self, data: _Read) -> Model:
        """A model of these data alone."""

    def continue_fit(self, previous: Model, data: _Read, trees: int) -> Model:
        """``previous``, left as it is, with ``trees`` more that are trained on ``data``."""

    def tree_count(self, model: Model) -> int:
        """Trees that the model holds."""

    def losses(self, model: Model, data: _Read) -> tuple[np.ndarray, np.ndarray]:
        """Log-loss (nats) and weight of each event in time order, float64 (n,) each."""


@dataclass(frozen=True)
class Window(Generic[Data]):
    """What a refit may learn from, and how the two ways are compared inside it.

    ``whole`` is the training window.  ``late`` is its last part, later than all that the
    model before has seen; ``early`` is what remains of the window after purging ``late``'s
    past by the labels' horizon.  The comparison trains on ``early`` and scores on ``late``;
    then the better way is applied to ``whole``.  What the refit is judged on is in no part.
    """

    whole: Data
    early: Data
    late: Data


@dataclass(frozen=True)
class Comparison:
    """Log-losses (nats) on a window's late part of models that its early part trained.

    ``error`` is the standard error of the difference.
    """

    continued: float
    scratch: float
    error: float

    @property
    def difference(self) -> float:
        """What continuing costs against scratch, nats."""
        return self.continued - self.scratch


@dataclass(frozen=True)
class Refit(Generic[Model]):
    """One refit: the model, how it was made and why.

    ``comparison`` is None where no two models were trained; ``since_check`` counts refits since
    the last one and ``failed`` says that it spoke against continuing.  ``continued_from`` is the
    model that was continued, None after a fit from scratch.  ``seconds`` is the wall-clock time
    of the whole refit and ``scratch_seconds`` that of the last fit from scratch on a whole
    window: both are shown, neither decides anything nor counts when refits are compared.
    """

    model: Model
    used: Literal["continued", "scratch"]
    reason: str
    comparison: Comparison | None = None
    since_check: int = 0
    failed: bool = False
    continued_from: Model | None = field(default=None, repr=False)
    seconds: float = field(default=0.0, compare=False)
    scratch_seconds: float = field(default=0.0, compare=False)


class IncrementalTrainer(Generic[Data, Model]):
    """Refits a model by adding to the last one, and from scratch where that is better.

    Parameters
    ----------
    learner
        The way of training.
    extra_trees
        Trees that a continuation adds.  A continuation is made twice where it is compared,
        so it saves time only where this is less than half of ``learner.scratch_trees``.
    tolerance
        Log-loss, nats, by which a continuation may be worse than scratch on the late part, one
        standard error of the difference included: what cannot be shown is not believed.
    check_every
        Refits from one comparison with scratch to the next; 1 compares every time.  In between
        nothing is trained for comparison: where it spoke against continuing, refits are from
        scratch; where it did not, they continue.  Except that the first continuation of a
        model from scratch is always compared, and that where the model before scores worse on
        the late part than the one that it continued, beyond the tolerance, the comparison comes
        at once: trees that harm on what came after them are what drift looks like.
    clock
        Seconds, for the record only.
    """

    def __init__(
        self,
        learner: Learner[Data, Model],
        *,
        extra_trees: int = 20,
        tolerance: float = 0.002,
        check_every: int = 10,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        for name, value in (("extra_trees", extra_trees), ("check_every", check_every)):
            if value < 1:
                raise BadInput(f"{name} {value} must be at least 1")
        if not tolerance >= 0:
            raise BadInput(f"tolerance {tolerance} must be 0 or more")
        self.learner, self.extra_trees = learner, extra_trees
        self.tolerance, self.check_every = tolerance, check_every
        self._clock = clock

    def scratch(self, data: Data, reason: str) -> Refit[Model]:
        """A fit from scratch, for a reason that the caller knows."""
        begun = self._clock()
        model = self.learner.fit(data)
        spent = self._clock() - begun
        return Refit(model, "scratch", reason, seconds=spent, scratch_seconds=spent)

    def refit(self, window: Window[Data], previous: Refit[Model] | None = None) -> Refit[Model]:
        """A model of the whole window, made the way that its late part speaks for.

        The choice depends on the data and the trees alone, never on time.
        """
        if previous is None:
            return self.scratch(window.whole, "first fit")
        obstacle = self._obstacle(previous.model)
        if obstacle:
            return self.scratch(window.whole, obstacle)
        since = previous.since_check + 1
        if previous.failed and since < self.check_every:
            made = self.scratch(window.whole, "continuing failed when last compared")
            return replace(made, since_check=since, failed=True)
        begun = self._clock()
        if since < self.check_every and self._did_no_harm(previous, window.late):
            made = self._continued(window.whole, previous, "the trees added last did no harm")
            return replace(made, since_check=since, seconds=self._clock() - begun)
        made = self._compared(window, previous)
        return replace(made, seconds=self._clock() - begun)

    def _compared(self, window: Window[Data], previous: Refit[Model]) -> Refit[Model]:
        learner = self.learner
        trial = learner.continue_fit(previous.model, window.early, self.extra_trees)
        found = compare(
            *learner.losses(trial, window.late),
            learner.losses(learner.fit(window.early), window.late)[0],
        )
        if found.difference + found.error <= self.tolerance:
            reason = "within the tolerance of a fit from scratch"
            return replace(self._continued(window.whole, previous, reason), comparison=found)
        costly = found.difference > self.tolerance
        reason = "continuing costs more than tolerated" if costly else TOO_FEW
        return replace(self.scratch(window.whole, reason), comparison=found, failed=True)

    def _continued(self, whole: Data, previous: Refit[Model], reason: str) -> Refit[Model]:
        return Refit(
            self.learner.continue_fit(previous.model, whole, self.extra_trees),
            "continued",
            reason,
            continued_from=previous.model,
            scratch_seconds=previous.scratch_seconds,
        )

    def _obstacle(self, model: Model) -> str | None:
        """Why continuing is no choice at all, without looking at data."""
        scratch, extra = self.learner.scratch_trees, self.extra_trees
        if 2 * extra >= scratch:
            return f"{scratch} trees are too few for {extra} more to save time"
        count = self.learner.tree_count(model) + extra
        if count > GROWTH_LIMIT * scratch:
            return f"{count} trees would be over {GROWTH_LIMIT} times the {scratch} of scratch"
        return None

    def _did_no_harm(self, previous: Refit[Model], late: Data) -> bool:
        """Whether the last continuation is no worse on what neither model had seen."""
        if previous.continued_from is None:
            return False
        found = compare(
            *self.learner.losses(previous.model, late),
            self.learner.losses(previous.continued_from, late)[0],
        )
        return found.difference <= self.tolerance


def compare(continued: np.ndarray, weights: np.ndarray, scratch: np.ndarray) -> Comparison:
    """Weighted means of two models' losses on the same events (n,), in time order.

    The error comes from the means of consecutive batches, since the labels of neighbouring
    events overlap and their losses go together (batch means: Law 2015, Simulation Modeling
    and Analysis, ch. 9).  It is infinite where fewer than two batches have any weight.
    """
    cost, parts = continued - scratch, np.array_split(np.arange(len(weights)), _BATCHES)
    means = [np.average(cost[p], weights=weights[p]) for p in parts if weights[p].sum() > 0]
    error = np.std(means, ddof=1) / np.sqrt(len(means)) if len(means) > 1 else np.inf
    return Comparison(
        float(np.average(continued, weights=weights)),
        float(np.average(scratch, weights=weights)),
        float(error),
    )


def summary(refits: Sequence[Refit[Any]]) -> dict[str, Any]:
    """How refits were made, without any time: equal refits, equal summary.

    ``difference`` is the mean log-loss, nats, that continuing cost against scratch on the
    late parts over the ``compared`` refits, ``largest_difference`` the worst of them; None
    without any.
    """
    found = [refit.comparison for refit in refits if refit.comparison is not None]
    differences = [comparison.difference for comparison in found]
    return {
        "continued": sum(refit.used == "continued" for refit in refits),
        "scratch": sum(refit.used == "scratch" for refit in refits),
        "reasons": dict(sorted(Counter(f"{r.used}: {r.reason}" for r in refits).items())),
        "compared": len(differences),
        "difference": sum(differences) / len(differences) if differences else None,
        "largest_difference": max(differences, default=None),
    }


def seconds_saved(refits: Sequence[Refit[Any]]) -> float:
    """Seconds saved against fitting every window from scratch, by the last such fit's time.

    Comparisons are paid for out of it, so that it can be negative.  Differs from run to run.
    """
    return sum(refit.scratch_seconds - refit.seconds for refit in refits)
