"""Stopping trials early when several objectives count, batch by batch of a search.

Belongs here: successive halving by gained hypervolume, and what it saved.  Does not belong
here: one objective, and blocks (``progressive``), proposing trials (``sampler``).

No step uses it.  A backtest of step 12 costs less than asking for its parameters; where trials
train models it saves half of the bars, but at the price of hypervolume (``docs/search.md``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from ares_resources.backtesting.options import whole_number
from ares_resources.backtesting.pareto import domination_ranks
from ares_resources.backtesting.progressive import Block, rung_sizes, spread_over_time
from ares_resources.errors import BadInput

T = TypeVar("T")

BlockJudge = Callable[[Sequence[T], Sequence[Block]], np.ndarray]
"""(candidates, blocks) -> float64 (candidates, blocks, objectives + 1), smaller is better.

The last column is a constraint: its mean above 0 makes a candidate infeasible.  NaN has failed.
"""


@dataclass(frozen=True, eq=False)
class FrontReport:
    """What a batch came to.

    ``losses`` float64 ``(n, objectives + 1)``: means over all blocks of those that were seen
    through, and for those that were stopped an estimate of it: their mean so far, moved by
    what the blocks that they missed meant for the others.  ``states`` are the ledger's:
    "complete", "pruned" or "failed".  ``spent`` counts block evaluations, ``possible`` those
    of a full evaluation.
    """

    losses: np.ndarray
    states: tuple[str, ...]
    spent: int
    possible: int


class ProgressiveFront(Generic[T]):
    """Successive halving (Jamieson & Talwalkar 2016) by hypervolume, with a memory.

    The first batch is seen through.  After it, what the blocks so far say of all blocks is
    known from the trials that were: how much the mean moves.  At each rung those candidates go on
    that together, moved alike, would gain most hypervolume over the front.

    Parameters
    ----------
    blocks
        In time order, purged from each other (``purged_blocks``).
    volume
        Hypervolume of feasible losses ``(n, objectives)``.
    reduction
        Growth of blocks from rung to rung, at least 2.
    minimum_blocks
        Blocks that the first rung sees.
    keep
        Share of a batch that goes on from rung to rung, in (0, 1).
    enabled
        False sees everybody through.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        volume: Callable[[np.ndarray], float],
        *,
        reduction: int = 4,
        minimum_blocks: int = 2,
        keep: float = 0.2,
        enabled: bool = True,
    ) -> None:
        reduction = whole_number("reduction", reduction, least=2)
        if whole_number("minimum_blocks", minimum_blocks, least=1) > len(blocks):
            raise BadInput(f"minimum_blocks {minimum_blocks} must be in 1..{len(blocks)} (blocks)")
        if not 0 < keep < 1:
            raise BadInput(f"keep {keep} must be in (0, 1)")
        self._blocks = [blocks[position] for position in spread_over_time(len(blocks))]
        self._volume, self._keep = volume, keep
        self._whole = (len(blocks),)
        self._rungs = rung_sizes(len(blocks), reduction, minimum_blocks) if enabled else self._whole
        self._known: list[np.ndarray] = []
        self.spent = self.possible = 0

    @property
    def saved_share(self) -> float:
        """Share of all block evaluations so far that were not needed."""
        return 1 - self.spent / self.possible if self.possible else 0.0

    def evaluate_many(self, candidates: Sequence[T], judge: BlockJudge[T]) -> FrontReport:
        """Judge one batch; ties go to the earlier candidate."""
        alive, seen = list(range(len(candidates))), _Seen(len(candidates))
        # The first batch is seen through: it shows how far the first blocks tell about all.
        rungs = self._rungs if self._known else self._whole
        spent, done = 0, 0
        for rung, size in enumerate(rungs):
            if alive:
                found = judge([candidates[i] for i in alive], self._blocks[done:size])
                seen.add(alive, _checked(found, len(alive), size - done))
                spent += len(alive) * (size - done)
            alive = [i for i in alive if np.isfinite(seen.mean(i)).all()]
            if rung < len(rungs) - 1:
                room = math.ceil(len(alive) * self._keep)
                alive = self._gaining(alive, seen, size, room)
            done = size
        self._known += [seen.blocks[i] for i in alive]
        self.spent += spent
        self.possible += len(candidates) * len(self._blocks)
        return self._report(seen, set(alive), spent)

    def _gaining(self, alive: list[int], seen: _Seen, size: int, room: int) -> list[int]:
        """Those that together are expected to gain most over the known front; greedily."""
        drift = self._drift(size)
        expected = {i: seen.mean(i) + drift for i in alive}
        front = _front(np.array([known.mean(axis=0) for known in self._known]))
        left, kept = list(alive), list[int]()
        while left and len(kept) < room:
            gains = [self._gain(front, expected[i]) for i in left]
            best = left.pop(int(np.argmax(gains)))
            kept.append(best)
            front = _front(np.vstack([*front, expected[best]]))
        return sorted(kept)

    def _gain(self, front: np.ndarray, mean: np.ndarray) -> float:
        """Hypervolume that a candidate adds; below 0, by its violation, if it is infeasible."""
        if mean[-1] > 0:
            return -float(mean[-1])
        before = self._volume(front[:, :-1]) if len(front) else 0.0
        return self._volume(np.vstack([*front, mean])[:, :-1]) - before

    def _report(self, seen: _Seen, whole: set[int], spent: int) -> FrontReport:
        losses, states = [], []
        for i, blocks in enumerate(seen.blocks):
            mean = seen.mean(i)
            if not np.isfinite(mean).all():
                states.append("failed")
            elif i in whole:
                states.append("complete")
            else:
                states.append("pruned")
                mean = mean + self._drift(len(blocks))
            losses.append(mean)
        return FrontReport(
            np.array(losses), tuple(states), spent, len(seen.blocks) * len(self._blocks)
        )

    def _drift(self, size: int) -> np.ndarray:
        """How much more the mean of all blocks is than that of the first, for those known."""
        moved = [known.mean(axis=0) - known[:size].mean(axis=0) for known in self._known]
        drift: np.ndarray = np.median(moved, axis=0)
        return drift


class _Seen:
    """Losses of each candidate of a batch, ``(blocks seen, objectives + 1)``."""

    def __init__(self, candidates: int) -> None:
        self.blocks: list[np.ndarray] = [np.empty((0, 0))] * candidates

    def add(self, rows: Sequence[int], found: np.ndarray) -> None:
        for i, more in zip(rows, found, strict=True):
            before = self.blocks[i]
            self.blocks[i] = more if not before.size else np.vstack([before, more])

    def mean(self, row: int) -> np.ndarray:
        """Mean over the blocks seen so far."""
        return np.asarray(self.blocks[row].mean(axis=0))


def _front(means: np.ndarray) -> np.ndarray:
    """The feasible means that none dominates."""
    if not means.size:
        return means.reshape(0, 0)
    feasible = means[means[:, -1] <= 0]
    if not len(feasible):
        return np.empty((0, means.shape[1]))
    return feasible[domination_ranks(feasible[:, :-1]) == 0]


def _checked(found: np.ndarray, candidates: int, blocks: int) -> np.ndarray:
    values = np.asarray(found, dtype=np.float64)
    if values.ndim != 3 or values.shape[:2] != (candidates, blocks) or values.shape[2] < 2:
        expected = (candidates, blocks)
        raise BadInput(f"the judge returned losses {values.shape}, not {expected} by objectives")
    return values
