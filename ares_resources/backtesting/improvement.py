"""Which of many candidates promise the most hypervolume.

Belongs here: what is believed of each objective, candidates, and the volume that a batch of
them may be expected to add.  Does not belong here: Optuna (``sampler``), fitting one function
(``surrogate``).

The expected improvement of the hypervolume by a candidate is the integral, over what no known
point dominates, of the probability that the candidate does; under independent objectives that
probability is a product of normal ones (Emmerich et al. 2006).  Here the integral is a mean
over random targets, each of which is taken less and less into account as candidates that may
dominate it are chosen, so that a batch spreads along the front.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares_resources.backtesting.pareto import domination_ranks, preference_order
from ares_resources.backtesting.surrogate import Shape, Surrogate, fit, fit_shape
from ares_resources.backtesting.unit_cube import UnitCube

TARGETS, KEPT_TARGETS = 2048, 384
CANDIDATES, FINER = 512, 256
MARGIN = 0.1
REACH = 0.2
SHAPE_POINTS, FIT_POINTS = 96, 300
PARENTS = 24
_LEAST_DEVIATION = 1e-9


@dataclass(frozen=True, eq=False)
class Measured:
    """What finished trials have shown: unit places, losses (n, objectives), violations (n, c).

    Smaller losses are better; a violation above 0 makes a trial infeasible.
    """

    places: np.ndarray
    losses: np.ndarray
    violations: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    @property
    def excess(self) -> np.ndarray:
        """Sum of the violated constraints (n,)."""
        return np.maximum(self.violations, 0.0).sum(axis=1)

    def part(self, rows: np.ndarray) -> Measured:
        """These trials."""
        return Measured(self.places[rows], self.losses[rows], self.violations[rows])


def learned_shapes(measured: Measured, cube: UnitCube) -> list[Shape]:
    """Length scales and nugget of every objective, then of every constraint."""
    rows = np.unique(np.linspace(0, len(measured) - 1, SHAPE_POINTS).astype(np.int64))
    chosen = measured.part(rows)
    points = cube.encoded(chosen.places)
    columns = np.hstack([_eased(chosen.losses), _eased(chosen.violations)])
    return [fit_shape(points, column) for column in columns.T]


class Beliefs:
    """Processes of all objectives and constraints, the targets, and the pool of candidates."""

    def __init__(
        self,
        measured: Measured,
        cube: UnitCube,
        shapes: Sequence[Shape],
        random: np.random.Generator,
    ) -> None:
        order = preference_order(measured.losses, measured.excess)
        rows = _representative(order, FIT_POINTS)
        losses = _eased(measured.losses)
        columns = np.hstack([losses, _eased_about_zero(measured.violations)])
        points = cube.encoded(measured.places[rows])
        self._models = [
            fit(points, column[rows], shape)
            for column, shape in zip(columns.T, shapes, strict=True)
        ]
        self._cube, self._objectives = cube, losses.shape[1]
        feasible = measured.excess <= 0
        self._targets = _targets(losses[feasible], random)
        self._random = random
        self._parents = measured.places[order[:PARENTS]]
        self._left = np.ones(len(self._targets))
        self._pool, self._chances = self._candidates()

    def propose(self) -> dict[str, Any]:
        """What promises most beside what was proposed or is running; then it counts as such."""
        best = int(np.argmax(self._chances @ self._left))
        parameters = self._cube.parameters(self._pool[best])
        self.expect(parameters)
        return parameters

    def expect(self, parameters: Mapping[str, Any]) -> None:
        """Count a trial as running, so that what it may well gain is not looked for again."""
        place = np.array([self._cube.place(parameters)])
        self._left = self._left * (1.0 - self._chance(place)[0])

    def _candidates(self) -> tuple[np.ndarray, np.ndarray]:
        wide = self._cube.snapped(self._spread(self._parents, CANDIDATES, (0.01, 0.3)))
        chances = self._chance(wide)
        best = np.argsort(-chances.sum(axis=1), kind="stable")[:12]
        fine = self._cube.snapped(self._spread(wide[best], FINER, (0.002, 0.1)))
        return np.vstack([wide, fine]), np.vstack([chances, self._chance(fine)])

    def _spread(
        self, parents: np.ndarray, count: int, widths: tuple[float, float]
    ) -> np.ndarray:
        """Candidates around parents, some of them mixed of two, and a quarter anywhere."""
        random, dimensions = self._random, parents.shape[1]
        shape = (count, dimensions)
        first, second = random.integers(len(parents), size=(2, count))
        mixed = (random.uniform(size=(count, 1)) < 0.5) & (random.uniform(size=shape) < 0.5)
        children = np.where(mixed, parents[second], parents[first])
        width = np.exp(random.uniform(*np.log(widths), size=(count, 1)))
        touched = random.uniform(size=shape) < max(0.1, min(1.0, 3.0 / dimensions))
        touched[np.arange(count), random.integers(dimensions, size=count)] = True
        moved = np.abs(children + random.normal(size=shape) * width)
        moved = np.clip(1.0 - np.abs(1.0 - moved), 0.0, 1.0)  # reflected at both ends
        fresh = random.uniform(size=shape)
        moved = np.where(self._cube.options > 0, fresh, moved)
        children = np.where(touched, moved, children)
        children[: count // 4] = fresh[: count // 4]
        return children

    def _chance(self, places: np.ndarray) -> np.ndarray:
        """Probability that each place dominates each target, ``(places, targets)``."""
        from scipy.special import ndtr

        points = self._cube.encoded(places)
        known = [model.predict(points) for model in self._models]
        chance = np.ones((len(places), len(self._targets)))
        for column, (mean, deviation) in enumerate(known[: self._objectives]):
            away = self._targets[None, :, column] - mean[:, None]
            chance *= ndtr(away / np.maximum(deviation, _LEAST_DEVIATION)[:, None])
        for mean, deviation in known[self._objectives :]:
            chance *= ndtr(-mean / np.maximum(deviation, _LEAST_DEVIATION))[:, None]
        return chance


def _eased(losses: np.ndarray) -> np.ndarray:
    """Columns centred and scaled by quartiles, far values drawn in; the order stays."""
    if not len(losses):
        return losses
    low, middle, high = np.quantile(losses, [0.25, 0.5, 0.75], axis=0)
    scale = high - low
    scale = np.where(scale > 0, scale, losses.std(axis=0))
    eased: np.ndarray = np.arcsinh((losses - middle) / np.where(scale > 0, scale, 1.0))
    return eased


def _eased_about_zero(violations: np.ndarray) -> np.ndarray:
    """Constraints scaled and drawn in; what is allowed stays at or below 0."""
    if not len(violations):
        return violations
    scale = np.median(np.abs(violations), axis=0)
    eased: np.ndarray = np.arcsinh(violations / np.where(scale > 0, scale, 1.0))
    return eased


def _representative(order: np.ndarray, limit: int) -> np.ndarray:
    """At most so many rows: the better half of them, and the rest spread over the others."""
    if len(order) <= limit:
        return order
    best, others = order[: limit // 2], order[limit // 2 :]
    places = np.linspace(0, len(others) - 1, limit - len(best)).astype(np.int64)
    return np.concatenate([best, others[places]])


def _targets(losses: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Random points ``(targets, objectives)`` that no feasible trial dominates.

    Without feasible trials there is one target that everything dominates, so that only
    feasibility counts.
    """
    if not len(losses):
        return np.full((1, losses.shape[1]), np.inf)
    front = losses[domination_ranks(losses) == 0]
    low, high = front.min(axis=0), losses.max(axis=0)
    nadir = front.max(axis=0)
    high = nadir + REACH * (high - nadir)
    span = np.maximum(high - low, 1e-3)
    drawn = (low - MARGIN * span) + random.uniform(size=(TARGETS, len(low))) * (
        (1 + 2 * MARGIN) * span
    )
    dominated = (front[None, :, :] <= drawn[:, None, :]).all(axis=2).any(axis=1)
    return drawn[~dominated][:KEPT_TARGETS]
