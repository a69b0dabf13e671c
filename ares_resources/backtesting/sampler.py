"""An Optuna sampler that concentrates on promising regions.

Belongs here: proposing the next parameters from the trials so far.  Does not belong here:
running trials (``search``).  This module subclasses an Optuna class, so importing it imports
Optuna: import it inside functions.

The rule, after a uniform start: finished trials are ranked (feasible, then by Pareto front,
then by the room around them) and the best are the elite.  Each trial breeds several children,
a member of the elite moved along the difference of two others plus noise as wide as the elite
is, and keeps the child whose nearest neighbours among all finished trials rank best.  A small
share of trials stays uniform.  Trial k depends on the seed, k and the finished trials only,
not on how many were drawn before in this process; so a resumed study proposes what an
uninterrupted one does.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna  # noqa: TID253 - see above: this module is imported lazily
from optuna.distributions import (  # noqa: TID253
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from ares_resources.backtesting.pareto import preference_order
from ares_resources.errors import BadInput

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

_NARROWEST = 0.005
_NOISE = 0.5
_LEAP, _LEAP_SHARE = 0.2, 0.1
_FRESH_SHARE = 0.15
_NEIGHBOURS = 5


class AdaptiveSampler(optuna.samplers.BaseSampler):
    """Elite-guided sampling for one or several objectives, with or without constraints.

    Parameters
    ----------
    seed
        Root of every random choice.
    startup_trials
        Finished trials before the elite is used.
    elite_share
        Share of finished trials that are the elite (at least four).
    explore_share
        Share of later trials that stay uniform.
    children
        Children drawn for each trial.
    """

    def __init__(
        self,
        seed: int,
        *,
        startup_trials: int = 12,
        elite_share: float = 0.1,
        explore_share: float = 0.05,
        children: int = 12,
    ) -> None:
        if seed < 0 or startup_trials < 4 or children < 1:
            raise BadInput(
                f"seed {seed}, startup_trials {startup_trials}, children {children}"
                " must be at least 0, 4 and 1"
            )
        if not (0 < elite_share < 1 and 0 <= explore_share <= 1):
            raise BadInput(
                f"elite_share {elite_share} must be in (0, 1), explore_share {explore_share}"
                " in [0, 1]"
            )
        self._seed = seed
        self._startup, self._elite_share = startup_trials, elite_share
        self._explore, self._children = explore_share, children
        self._search_space = optuna.search_space.IntersectionSearchSpace()
        self._known: tuple[Any, np.ndarray] | None = None

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Parameters that every finished trial has, if they have a choice."""
        space = self._search_space.calculate(study)
        return {name: space[name] for name in sorted(space) if not space[name].single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """All parameters of one trial together; none while the elite is not known yet."""
        if not search_space:
            return {}
        known = self._best_first(study, search_space)
        random = np.random.default_rng(np.random.SeedSequence([self._seed, trial.number]))
        if known is None or random.uniform() < self._explore:
            return {}
        axes = _Axes(search_space)
        elite = known[: max(4, math.ceil(self._elite_share * len(known)))]
        children = _breed(elite, axes, self._children, random)
        best = int(np.argmin(_expected_place(children, known, axes)))
        return {
            name: _from_unit(search_space[name], children[best, column])
            for column, name in enumerate(search_space)
        }

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """One parameter, uniformly over its range (or its logarithm)."""
        name = zlib.crc32(param_name.encode())
        random = np.random.default_rng(np.random.SeedSequence([self._seed, trial.number, name]))
        return _from_unit(param_distribution, random.uniform())

    def _best_first(
        self, study: Study, search_space: Mapping[str, BaseDistribution]
    ) -> np.ndarray | None:
        """Finished trials in unit coordinates, best first; None while there are too few."""
        finished = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        finished = [trial for trial in finished if _is_usable(trial)]
        if len(finished) < self._startup:
            return None
        numbers = tuple(trial.number for trial in finished)
        state = (study.study_name, numbers, tuple(search_space))
        if self._known is None or self._known[0] != state:
            units = [
                [_to_unit(one, trial.params[name]) for name, one in search_space.items()]
                for trial in finished
            ]
            self._known = (state, np.array(units)[_ranking(study, finished)])
        return self._known[1]


def _is_usable(trial: FrozenTrial) -> bool:
    return trial.values is not None and all(map(math.isfinite, trial.values))


def _ranking(study: Study, trials: Sequence[FrozenTrial]) -> np.ndarray:
    """Positions of the trials, best first."""
    maximise = optuna.study.StudyDirection.MAXIMIZE
    signs = np.array([-1.0 if one == maximise else 1.0 for one in study.directions])
    losses = np.array([trial.values for trial in trials]) * signs
    violations = np.array(
        [sum(max(0.0, value) for value in trial.constraints.values()) for trial in trials]
    )
    return preference_order(losses, violations)


class _Axes:
    """What the search must know of each parameter: its options (0: a number), least width."""

    def __init__(self, search_space: Mapping[str, BaseDistribution]) -> None:
        self.options = np.array([_options(one) for one in search_space.values()])
        cells = np.array([_grid(one) for one in search_space.values()])
        # Noise narrower than a cell of a grid could never leave the cell.
        self.narrowest = np.where(cells > 0, 0.5 / np.maximum(cells, 1), _NARROWEST)

    def distances(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Euclidean ``(n, m)``; two different options are half a range apart."""
        gap = one[:, None, :] - other[None, :, :]
        options = np.maximum(self.options, 1)
        same = np.floor(one[:, None, :] * options) == np.floor(other[None, :, :] * options)
        gap = np.where(self.options > 0, np.where(same, 0.0, 0.5), gap)
        return np.sqrt((gap * gap).sum(axis=2))


def _breed(elite: np.ndarray, axes: _Axes, count: int, random: np.random.Generator) -> np.ndarray:
    """Children ``(count, parameters)`` in unit coordinates."""
    first, second, third = random.integers(len(elite), size=(3, count))
    shape = (count, elite.shape[1])
    spread = np.maximum(elite.std(axis=0) * _NOISE, axes.narrowest)
    width = np.where(random.uniform(size=shape) < _LEAP_SHARE, _LEAP, spread)
    step = random.uniform(0.0, 0.8, (count, 1)) * (elite[second] - elite[third])
    moved = np.abs(elite[first] + step + random.normal(size=shape) * width)
    moved = np.clip(1 - np.abs(1 - moved), 0.0, 1.0)  # reflected at both ends
    # A choice has no distance: it is inherited from a member, now and then drawn afresh.
    fresh = random.uniform(size=shape) < _FRESH_SHARE
    inherited = np.where(fresh, random.uniform(size=shape), elite[second])
    return np.where(axes.options > 0, inherited, moved)


def _expected_place(children: np.ndarray, known: np.ndarray, axes: _Axes) -> np.ndarray:
    """Expected place in the ranking: that of the nearest trials, weighted by nearness."""
    distances = axes.distances(children, known)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :_NEIGHBOURS]
    weights = 1 / (np.take_along_axis(distances, nearest, axis=1) + _NARROWEST)
    return (nearest * weights).sum(axis=1) / weights.sum(axis=1)


def _options(distribution: BaseDistribution) -> int:
    """Number of choices; 0 for numbers."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    return 0


def _grid(distribution: BaseDistribution) -> int:
    """Number of values on a linear grid; 0 for a continuum or a logarithmic scale."""
    if isinstance(distribution, CategoricalDistribution):
        return len(distribution.choices)
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        raise BadInput(f"distribution {distribution!r} is not one that AdaptiveSampler knows")
    if distribution.log or distribution.step is None:
        return 0
    return round((distribution.high - distribution.low) / distribution.step) + 1


def _to_unit(distribution: BaseDistribution, value: Any) -> float:
    """A parameter's place in [0, 1]; grid values lie at the middle of their cells."""
    inner = distribution.to_internal_repr(value)
    cells = _grid(distribution)
    if cells:
        low, step = getattr(distribution, "low", 0), getattr(distribution, "step", 1)
        return (round((inner - low) / step) + 0.5) / cells
    low, high = _bounds(distribution)
    place = math.log(inner) if distribution.log else inner  # type: ignore[attr-defined]
    return (place - low) / (high - low) if high > low else 0.5


def _from_unit(distribution: BaseDistribution, unit: float) -> Any:
    cells = _grid(distribution)
    if cells:
        low, step = getattr(distribution, "low", 0), getattr(distribution, "step", 1)
        return distribution.to_external_repr(low + step * min(cells - 1, int(unit * cells)))
    low, high = _bounds(distribution)
    place = low + float(unit) * (high - low)
    value = math.exp(place) if distribution.log else place  # type: ignore[attr-defined]
    if isinstance(distribution, IntDistribution):
        value = round(value)
    return min(max(value, distribution.low), distribution.high)  # type: ignore[attr-defined]


def _bounds(distribution: BaseDistribution) -> tuple[float, float]:
    """Ends of the axis on which a number is spread; whole numbers get cells of width one."""
    if not isinstance(distribution, FloatDistribution | IntDistribution):
        raise BadInput(f"distribution {distribution!r} has no bounds")
    low, high = float(distribution.low), float(distribution.high)
    if isinstance(distribution, IntDistribution):
        low, high = low - 0.5, high + 0.5
    return (math.log(low), math.log(high)) if distribution.log else (low, high)
