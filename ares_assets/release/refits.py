"""How the members of an ensemble are refitted block by block: continued or from scratch.

Belongs here: the experts as learners of `IncrementalTrainer`, cutting a training window for
its comparison, and what is remembered from block to block.  Does not belong here: the blocks
(``evidence/walk_forward.py``), the choice between the two ways (`IncrementalTrainer`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ares_assets.analyst.dataset import Examples
from ares_assets.analyst.experts.base import (
    ContinuableExpert,
    Expert,
    FittedExpert,
    get_expert,
)
from ares_assets.analyst.scores import event_log_loss
from ares_resources.incremental import (
    IncrementalTrainer,
    Refit,
    Window,
    seconds_saved,
    summary,
)

# Fewer events cannot tell two ways of training apart.
MINIMUM_LATE_EVENTS = 30
NO_CONTINUATION = "this expert cannot be continued"
SWITCHED_OFF = "continuing is switched off (validation.incremental)"


@dataclass(frozen=True)
class MemberLearner:
    """A member of the ensemble as a `Learner`: ``kind, parameters, features``, seed, threads."""

    member: Mapping[str, Any]
    seed: int
    threads: int

    @property
    def expert(self) -> Expert:
        """The way of training."""
        return get_expert(self.member["kind"])

    @property
    def scratch_trees(self) -> int:
        """See `Learner.scratch_trees`."""
        default = self.expert.default_parameters()
        return int({**default, **self.member["parameters"]}["trees"])

    def fit(self, data: Examples) -> FittedExpert:
        """See `Learner.fit`."""
        return self.expert.fit(*self._arrays(data), **self._options())

    def continue_fit(self, previous: FittedExpert, data: Examples, trees: int) -> FittedExpert:
        """See `Learner.continue_fit`."""
        return self._continuable().continue_fit(
            previous, *self._arrays(data), trees=trees, **self._options()
        )

    def tree_count(self, model: FittedExpert) -> int:
        """See `Learner.tree_count`."""
        return self._continuable().tree_count(model)

    def losses(self, model: FittedExpert, data: Examples) -> tuple[np.ndarray, np.ndarray]:
        """See `Learner.losses`."""
        return event_log_loss(data.labels, model.probability(data.features)), data.weights

    def _continuable(self) -> ContinuableExpert:
        expert = self.expert
        if not isinstance(expert, ContinuableExpert):
            raise TypeError(f"expert {expert.kind} has no continue_fit")
        return expert

    def _arrays(self, data: Examples) -> tuple[Any, np.ndarray, np.ndarray]:
        return data.features[list(self.member["features"])], data.labels, data.weights

    def _options(self) -> dict[str, Any]:
        parameters = self.member["parameters"]
        return {"parameters": parameters, "seed": self.seed, "threads": self.threads}


@dataclass
class RefitMemory:
    """What a walk remembers of its refits: by member, each one made and the rows it has seen.

    A model is continued only where all rows that it or its forerunners have seen are in the
    training window at hand, so that whatever holds of the window (purged, old rows forgotten)
    holds of the model.  A rolling window loses rows, so there refits start from scratch.
    """

    embargo_bars: int
    continuing: bool
    extra_trees: int = 20
    tolerance: float = 0.002
    check_every: int = 10
    refits: dict[str, list[Refit[FittedExpert]]] = field(default_factory=dict)
    seen: dict[str, np.ndarray] = field(default_factory=dict)

    def fit(self, name: str, learner: MemberLearner, known: Examples) -> FittedExpert:
        """The member's model of these events; BadInput as `Expert.fit`."""
        trainer = IncrementalTrainer(
            learner,
            extra_trees=self.extra_trees,
            tolerance=self.tolerance,
            check_every=self.check_every,
        )
        made = self.refits.setdefault(name, [])
        reason, window = self._way(name, learner, known)
        if window is None:
            refit = trainer.scratch(known, reason)
        else:
            refit = trainer.refit(window, made[-1])
        made.append(refit)
        self.seen[name] = known.rows
        return refit.model

    def report(self) -> dict[str, Any]:
        """By member, how its refits were made; the same for the same refits."""
        return {name: summary(made) for name, made in sorted(self.refits.items())}

    def seconds_saved(self) -> float:
        """Seconds saved over all members; differs from run to run."""
        return sum(seconds_saved(made) for made in self.refits.values())

    def _way(
        self, name: str, learner: MemberLearner, known: Examples
    ) -> tuple[str, Window[Examples] | None]:
        """The window to continue in, or why there is none."""
        if not self.continuing:
            return SWITCHED_OFF, None
        if not isinstance(learner.expert, ContinuableExpert):
            return NO_CONTINUATION, None
        if name not in self.seen:
            return "first fit", None
        if not contained(self.seen[name], known.rows).all():
            return "the model before has seen events that left the window", None
        window = comparison_window(known, self.seen[name], embargo_bars=self.embargo_bars)
        if window is None:
            return "too few new events to compare the two ways on", None
        return "", window


def contained(seen: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which of the rows ``seen`` are among ``rows``, bool (n,)."""
    return np.isin(seen, rows)


def comparison_window(
    known: Examples, seen: np.ndarray, *, embargo_bars: int
) -> Window[Examples] | None:
    """The window's later half of what is new since ``seen``, and what it may be judged from.

    ``late`` holds the later half of the events after the last row of ``seen``; ``early`` the
    events whose label was known more than the embargo before the first of them.  None where
    ``late`` is too small to tell two ways apart or ``early`` lacks an event of ``seen``:
    the model before would then have seen labels that reach into ``late``.
    """
    new = np.flatnonzero(known.rows > seen.max())
    late = new[len(new) // 2 :]
    if np.count_nonzero(known.weights[late] > 0) < MINIMUM_LATE_EVENTS:
        return None
    early = np.flatnonzero(known.t1_rows + embargo_bars < known.rows[late[0]])
    if not contained(seen, known.rows[early]).all():
        return None
    return Window(known, known.part(early), known.part(late))
