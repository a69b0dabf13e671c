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

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares_resources.backtesting.pareto import domination_ranks, preference_order
from ares_resources.backtesting.surrogate import Prediction, Shape, fit, fit_shape
from ares_resources.backtesting.unit_cube import UnitCube

TARGETS, KEPT_TARGETS = 1024, 256
CANDIDATES, FINER, FINEST = 384, 128, 16
MARGIN = 0.1
# Deviations count by less than themselves: few trials are too few for exploring for its own sake.
CAUTION = 0.4
REACH = 0.1
SHAPE_POINTS, FIT_POINTS = 96, 300
PARENTS = 24
DESCENTS, STEPS = 64, (0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01)


@dataclass(frozen=True, eq=False)
class Measured:
    """What finished trials have shown: unit places, losses (n, objectives), violations (n, c).

    Smaller losses are better; a violation above 0 makes a trial infeasible.  The losses of a
    trial that is not ``whole`` (n,) are estimates: they teach, but no front is made of them.
    """

    places: np.ndarray
    losses: np.ndarray
    violations: np.ndarray
    whole: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    @property
    def excess(self) -> np.ndarray:
        """Sum of the violated constraints (n,)."""
        return np.maximum(self.violations, 0.0).sum(axis=1)

    def part(self, rows: np.ndarray) -> Measured:
        """These trials."""
        return Measured(
            self.places[rows], self.losses[rows], self.violations[rows], self.whole[rows]
        )


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
        rows = representative(order, FIT_POINTS)
        losses = _eased(measured.losses)
        columns = np.hstack([losses, _eased_about_zero(measured.violations)])
        points = cube.encoded(measured.places[rows])
        self._models = [
            fit(points, column[rows], shape)
            for column, shape in zip(columns.T, shapes, strict=True)
        ]
        self._cube, self._objectives = cube, losses.shape[1]
        feasible = (measured.excess <= 0) & measured.whole
        self._targets = _targets(losses[feasible], random)
        self._ideal = losses.min(axis=0) - MARGIN
        self._random = random
        self._parents = measured.places[order[:PARENTS]]
        self._left = np.ones(len(self._targets))
        self._candidates()
        self._room = np.ones(len(self._pool))

    def propose(self) -> dict[str, Any]:
        """What promises most beside what was proposed or is running; then it counts as such."""
        promise = (self._chances @ self._left) * self._room
        # Where nothing promises anything, as with a market that never trades, spread out.
        best = int(np.argmax(promise if promise.max() > 0 else self._room))
        parameters = self._cube.parameters(self._pool[best])
        self.expect(parameters)
        return parameters

    def expect(self, parameters: Mapping[str, Any]) -> None:
        """Count a trial as running, so that what it may well gain is not looked for again."""
        place = np.array([self._cube.place(parameters)])
        known = self._predicted(place)
        self._left = self._left * (1.0 - self._chance(known)[0])
        # Candidates whose outcomes go with this one's would gain the same or nothing.
        alike = [
            model.correlation(pool, one) ** 2
            for model, pool, one in zip(self._models, self._known, known, strict=True)
        ]
        self._room = self._room * (1.0 - np.mean(alike[: self._objectives], axis=0))

    def _candidates(self) -> None:
        spread = self._spread(self._parents, CANDIDATES, (0.01, 0.3))
        wide = self._cube.snapped(np.vstack([spread, self._descended(spread[-DESCENTS:])]))
        known = self._predicted(wide)
        chances = self._chance(known)
        best = np.argsort(-chances.sum(axis=1), kind="stable")[:FINEST]
        fine = self._cube.snapped(self._spread(wide[best], FINER, (0.002, 0.1)))
        more = self._predicted(fine)
        self._pool = np.vstack([wide, fine])
        self._known = [one.followed_by(other) for one, other in zip(known, more, strict=True)]
        self._chances = np.vstack([chances, self._chance(more)])

    def _descended(self, places: np.ndarray) -> np.ndarray:
        """Places after a few steps down the predicted losses, each under weights of its own."""
        numbers, columns = self._cube.options == 0, self._cube.number_columns
        models = self._models[: self._objectives]
        weights = self._random.dirichlet(np.ones(len(models)), len(places))
        places = places.copy()
        for step in STEPS:
            points = self._cube.encoded(places)
            downhill = np.zeros((len(places), len(columns)))
            for model, weight, ideal in zip(models, weights.T, self._ideal, strict=True):
                mean, slope = model.slope(points)
                # The cube of what is left to the ideal: points of a concave front are reached too.
                pull = weight * np.maximum(mean - ideal, 0.01) ** 3
                downhill += pull[:, None] * slope[:, columns]
            longest = np.abs(downhill).max(axis=1, keepdims=True, initial=1e-300)
            moved = places[:, numbers] - step * downhill / longest
            places[:, numbers] = np.clip(moved, 0.0, 1.0)
        return places

    def _spread(self, parents: np.ndarray, count: int, widths: tuple[float, float]) -> np.ndarray:
        """Candidates around parents, some of them mixed of two, and a quarter anywhere."""
        random, dimensions = self._random, parents.shape[1]
        shape = (count, dimensions)
        first, second = random.integers(len(parents), size=(2, count))
        mixed = (random.uniform(size=(count, 1)) < 0.5) & (random.uniform(size=shape) < 0.5)
        children = np.where(mixed, parents[second], parents[first])
        width = np.exp(random.uniform(math.log(widths[0]), math.log(widths[1]), size=(count, 1)))
        touched = random.uniform(size=shape) < max(0.1, min(1.0, 3.0 / dimensions))
        touched[np.arange(count), random.integers(dimensions, size=count)] = True
        moved = np.abs(children + random.normal(size=shape) * width)
        moved = np.clip(1.0 - np.abs(1.0 - moved), 0.0, 1.0)  # reflected at both ends
        fresh = random.uniform(size=shape)
        moved = np.where(self._cube.options > 0, fresh, moved)
        children = np.where(touched, moved, children)
        children[: count // 4] = fresh[: count // 4]
        return children

    def _predicted(self, places: np.ndarray) -> list[Prediction]:
        points = self._cube.encoded(places)
        return [model.predict(points) for model in self._models]

    def _chance(self, known: Sequence[Prediction]) -> np.ndarray:
        """Probability that each point is feasible and dominates each target, (points, targets)."""
        from scipy.special import ndtr

        chance = np.ones((len(known[0].mean), len(self._targets)))
        for column, one in enumerate(known[: self._objectives]):
            away = self._targets[None, :, column] - one.mean[:, None]
            chance *= ndtr(away / (CAUTION * one.deviation[:, None]))
        for one in known[self._objectives :]:
            chance *= ndtr(-one.mean / one.deviation)[:, None]
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


def representative(order: np.ndarray, limit: int) -> np.ndarray:
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
