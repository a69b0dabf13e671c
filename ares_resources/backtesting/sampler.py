"""An Optuna sampler that concentrates on promising regions.

Belongs here: proposing the next parameters from the trials so far, as Optuna asks for them.
Does not belong here: running trials (``search``), what promises most (``improvement``).  This
module subclasses an Optuna class, so importing it imports Optuna: import it inside functions.

The rule: a start spread evenly over the space; then processes are fitted to every objective
and constraint, and each trial goes where the expected gain of hypervolume is largest beside
the trials that are still running.  Length scales are learned again only when there are a third
more trials; everything else is made anew for each set of finished trials, of which at most
``REMEMBERED`` are learned from, so that the cost of a trial is bounded.  A trial depends on
the seed, its number, the finished trials and the running ones before it, not on how many were
drawn before in this process; so a resumed study proposes what an uninterrupted one does.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna  # noqa: TID253 - see above: this module is imported lazily
from optuna.trial import TrialState  # noqa: TID253

from ares_resources.backtesting.improvement import (
    Beliefs,
    Measured,
    learned_shapes,
    representative,
)
from ares_resources.backtesting.options import whole_number
from ares_resources.backtesting.pareto import preference_order
from ares_resources.backtesting.unit_cube import UnitCube, from_unit

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from ares_resources.backtesting.surrogate import Shape

PARTIAL = "partial"
"""User attribute, true for a trial told with values that only part of the work has shown."""

REMEMBERED = 600
"""Trials learned from at most; where there are more, half as many stay: the best, and a spread."""

_RELEARN = 1.33
_ENDED = (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)


class AdaptiveSampler(optuna.samplers.BaseSampler):
    """Expected hypervolume improvement for one or several objectives, with constraints or not.

    Parameters
    ----------
    seed
        Root of every random choice.
    startup_trials
        Finished trials before anything is learned from them.
    """

    def __init__(self, seed: int, *, startup_trials: int = 10) -> None:
        seed = whole_number("seed", seed, least=0)
        startup_trials = whole_number("startup_trials", startup_trials, least=4)
        self._seed, self._startup = seed, startup_trials
        self._search_space = optuna.search_space.IntersectionSearchSpace()
        self._batch: tuple[Any, Beliefs | None, set[int]] | None = None
        self._shapes: tuple[Any, list[Shape]] | None = None
        self._thinned: tuple[list[int], list[FrozenTrial]] = ([], [])
        self._blas: Any = None

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Parameters that every finished trial has, if they have a choice."""
        space = self._search_space.calculate(study)
        return {name: space[name] for name in sorted(space) if not space[name].single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """All parameters of one trial together; none while too little is known."""
        if not search_space:
            return {}
        with self._one_thread():
            return self._proposed(study, trial.number, search_space)

    def _proposed(
        self, study: Study, number: int, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        trials = study.get_trials(deepcopy=False)
        ended = [one.number for one in trials if one.state in _ENDED]
        state = (study.study_name, ended, tuple(search_space))
        if self._batch is None or self._batch[0] != state:
            beliefs = self._learn(trials, study.directions, search_space)
            self._batch = (state, beliefs, set())
        _, beliefs, expected = self._batch
        if beliefs is None:
            return {}
        for other in trials[:number]:
            if other.state == TrialState.RUNNING and other.number not in expected:
                if all(name in other.params for name in search_space):
                    beliefs.expect(other.params)
                expected.add(other.number)
        expected.add(number)
        return beliefs.propose()

    def _one_thread(self) -> AbstractContextManager[Any]:
        """Keep BLAS to one thread: more would change the last bits, and take longer here."""
        if self._blas is None:
            from threadpoolctl import ThreadpoolController

            self._blas = ThreadpoolController()
        limited: AbstractContextManager[Any] = self._blas.limit(limits=1, user_api="blas")
        return limited

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """One parameter of a Latin hypercube: each run of startups covers every range evenly."""
        # McKay, Beckman and Conover (1979): strata in an order of each parameter's own.
        name = zlib.crc32(param_name.encode())
        turn, place = divmod(trial.number, self._startup)
        order = np.random.default_rng(np.random.SeedSequence([self._seed, name, turn]))
        strata = order.permutation(self._startup) + order.uniform(size=self._startup)
        return from_unit(param_distribution, float(strata[place]) / self._startup)

    def _learn(
        self,
        trials: Sequence[FrozenTrial],
        directions: Sequence[optuna.study.StudyDirection],
        search_space: dict[str, BaseDistribution],
    ) -> Beliefs | None:
        """What the finished trials teach; None while there are too few."""
        usable = [trial for trial in trials if _is_usable(trial)]
        ended = sum(trial.state in _ENDED for trial in trials)
        if len(usable) < self._startup:
            return None
        cube = UnitCube(search_space)
        usable = self._memorable(usable, directions, cube)
        known = _measured(usable, directions, cube)
        key = (tuple(search_space), [one.number for one in usable[: _learned_from(len(usable))]])
        if self._shapes is None or self._shapes[0] != key:
            self._shapes = (key, learned_shapes(known.part(np.arange(len(key[1]))), cube))
        # Ended trials, not usable ones: after failures the same proposals must not come again.
        random = np.random.default_rng(np.random.SeedSequence([self._seed, ended]))
        return Beliefs(known, cube, self._shapes[1], random)

    def _memorable(
        self,
        usable: Sequence[FrozenTrial],
        directions: Sequence[optuna.study.StudyDirection],
        cube: UnitCube,
    ) -> list[FrozenTrial]:
        """All trials while they are few; else what is left by thinning them as they came.

        The result depends on the trials alone; what this object remembers only saves work.
        """
        seen, kept = self._thinned
        if [one.number for one in usable[: len(seen)]] != seen:
            seen, kept = [], []
        for trial in usable[len(seen) :]:
            kept.append(trial)
            if len(kept) > REMEMBERED:
                known = _measured(kept, directions, cube)
                order = preference_order(known.losses, known.excess)
                kept = [kept[row] for row in sorted(representative(order, REMEMBERED // 2))]
        self._thinned = ([one.number for one in usable], kept)
        return kept


def _learned_from(count: int) -> int:
    """Trials that the length scales are learned from: the last of a growing row up to count."""
    size = 4
    while math.ceil(size * _RELEARN) <= count:
        size = math.ceil(size * _RELEARN)
    return size


def _is_usable(trial: FrozenTrial) -> bool:
    return (
        trial.state == TrialState.COMPLETE
        and trial.values is not None
        and all(map(math.isfinite, trial.values))
    )


def _measured(
    trials: Sequence[FrozenTrial],
    directions: Sequence[optuna.study.StudyDirection],
    cube: UnitCube,
) -> Measured:
    maximise = optuna.study.StudyDirection.MAXIMIZE
    signs = np.array([-1.0 if one == maximise else 1.0 for one in directions])
    names = sorted(set().union(*(trial.constraints for trial in trials)))
    violations = [[trial.constraints.get(name, 0.0) for name in names] for trial in trials]
    return Measured(
        places=np.array([cube.place(trial.params) for trial in trials]),
        losses=np.array([trial.values for trial in trials]) * signs,
        violations=np.array(violations, dtype=np.float64).reshape(len(trials), len(names)),
        whole=np.array([not trial.user_attrs.get(PARTIAL, False) for trial in trials]),
    )
