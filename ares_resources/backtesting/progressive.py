"""Stopping unpromising parameter sets early, by successive halving over whole blocks.

Belongs here: blocks, rungs, who goes on, and what that saved.  Does not belong here: the
score of a block, which the caller's evaluator gives.  Optuna's pruners refuse several
objectives; and a score on whole purged blocks is a real backtest, not a prefix of one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from ares_resources.backtesting.engine import Signals
from ares_resources.backtesting.options import whole_number
from ares_resources.backtesting.strategy import StrategyParameters
from ares_resources.errors import BadInput

T = TypeVar("T")


@dataclass(frozen=True)
class Block:
    """Rows ``start <= row < stop`` of a market."""

    start: int
    stop: int


BatchEvaluator = Callable[[Sequence[T], Sequence[Block]], np.ndarray]
"""(candidates, blocks) -> float64 (candidates, blocks), higher is better; NaN has failed."""


def purged_blocks(rows: int, *, blocks: int, purge_rows: int) -> tuple[Block, ...]:
    """Cut ``rows`` into equal blocks in time order with ``purge_rows`` left out between them.

    Raises
    ------
    BadInput
        If a number is not usable, or a block would not keep at least one row.
    """
    whole_number("blocks", blocks, least=1)
    whole_number("purge_rows", purge_rows, least=0)
    edges = [rows * number // blocks for number in range(blocks + 1)]
    cut = [
        Block(start, stop if stop == rows else stop - purge_rows)
        for start, stop in itertools.pairwise(edges)
    ]
    if any(block.start >= block.stop for block in cut):
        raise BadInput(
            f"{rows} rows cannot be cut into {blocks} blocks with {purge_rows} rows purged between"
        )
    return tuple(cut)


def sharpe_by_block(signals: Signals, *, threads: int = 2) -> BatchEvaluator[StrategyParameters]:
    """An evaluator: the annualised Sharpe ratio of each parameter set on each block alone."""

    def evaluate(candidates: Sequence[StrategyParameters], blocks: Sequence[Block]) -> np.ndarray:
        columns = [
            signals.rows(block.start, block.stop).sweep(candidates, threads=threads).sharpe
            for block in blocks
        ]
        return np.column_stack(columns)

    return evaluate


@dataclass(frozen=True)
class ProgressiveReport(Generic[T]):
    """What halving kept, what it spent, and in an audit what it lost.

    ``scores`` are means over the blocks a candidate saw (NaN: failed); ``stopped_at`` is the
    rung after which it was stopped, -1 if never; ``kept`` are the positions of those that
    halving keeps (in an audit: would have kept) to the end, best first.  ``needed`` counts
    the block evaluations that halving needs, ``spent`` those that were made (in an audit all)
    and ``possible`` those of a full evaluation.  ``regret`` is the best score of all minus the best
    kept one; known in an audit only, else None.
    """

    candidates: tuple[T, ...]
    scores: tuple[float, ...]
    stopped_at: tuple[int, ...]
    kept: tuple[int, ...]
    needed: int
    spent: int
    possible: int
    audit: bool
    regret: float | None

    @property
    def saved_share(self) -> float:
        """Share of the block evaluations that halving does without."""
        return 1 - self.needed / self.possible if self.possible else 0.0

    @property
    def states(self) -> tuple[str, ...]:
        """Each candidate's state for the trial ledger; an audit stops nobody."""
        return tuple(
            "failed"
            if math.isnan(score)
            else "pruned"
            if rung >= 0 and not self.audit
            else "complete"
            for score, rung in zip(self.scores, self.stopped_at, strict=True)
        )


@dataclass(frozen=True)
class ProgressiveOutcome:
    """One candidate judged against those before it.

    ``score`` is its mean over the blocks it saw (NaN: failed), ``stopped`` whether it was stopped.
    ``stopped_at`` is the rung after which halving stops it (in an audit: would have stopped it),
    -1 if never; ``blocks_needed`` are those that halving evaluates, ``blocks_evaluated`` those
    that were (in an audit of a sound candidate all).
    """

    score: float
    stopped: bool
    stopped_at: int
    blocks_needed: int
    blocks_evaluated: int
    blocks_possible: int


class ProgressiveEvaluator:
    """Successive halving (Jamieson & Talwalkar 2016) over nested sets of whole blocks.

    Rung k sees ``blocks / reduction**(rungs - 1 - k)`` blocks, spread over time, and passes
    the best ``1 / reduction`` of its candidates on; each block is evaluated once a candidate.

    Parameters
    ----------
    blocks
        In time order, purged from each other (:func:`purged_blocks`).
    reduction
        Share of candidates, and growth of blocks, from rung to rung.
    minimum_blocks
        Blocks that the first rung sees.
    enabled
        False stops nobody but reports what halving would have kept or stopped: an audit.
    """

    def __init__(
        self,
        blocks: Sequence[Block],
        *,
        reduction: int = 3,
        minimum_blocks: int = 1,
        enabled: bool = True,
    ) -> None:
        reduction = whole_number("reduction", reduction, least=2)
        if whole_number("minimum_blocks", minimum_blocks, least=1) > len(blocks):
            raise BadInput(f"minimum_blocks {minimum_blocks} must be in 1..{len(blocks)} (blocks)")
        self.enabled = enabled
        self.reduction = reduction
        order = spread_over_time(len(blocks))
        self._blocks = tuple(blocks[position] for position in order)
        self.rungs = rung_sizes(len(blocks), reduction, minimum_blocks)
        self._history: list[list[float]] = [[] for _ in self.rungs]

    def evaluate_many(
        self, candidates: Sequence[T], evaluator: BatchEvaluator[T]
    ) -> ProgressiveReport[T]:
        """Halve a set of candidates; ties go to the earlier one."""
        seen = np.full((len(candidates), len(self._blocks)), np.nan)
        stopped_at = np.full(len(candidates), -1)
        alive = list(range(len(candidates)))
        needed = spent = done = 0
        for rung, size in enumerate(self.rungs):
            judged = alive if self.enabled else list(range(len(candidates)))
            needed += len(alive) * (size - done)
            spent += self._see(seen, judged, done, size, candidates, evaluator)
            ranked = _ranked(alive, seen[:, :size].mean(axis=1))
            room = len(ranked)
            if rung < len(self.rungs) - 1:
                room = min(room, math.ceil(len(alive) / self.reduction))
            stopped_at[list(set(alive) - set(ranked[:room]))] = rung
            alive, done = ranked[:room], size
        return self._report(tuple(candidates), seen, stopped_at, alive, (needed, spent))

    def evaluate(self, candidate: T, evaluator: Callable[[T, Block], float]) -> ProgressiveOutcome:
        """Judge one candidate, rung by rung, against all that this object has seen before.

        It is stopped at a rung where it is not among the best ``1 / reduction`` so far, once
        ``reduction`` candidates have been there (asynchronous halving, Li et al. 2020).  In an
        audit it is seen through, and later candidates are judged as if it had been stopped.
        """
        scores: list[float] = []
        stopped_at = -1
        for rung, size in enumerate(self.rungs):
            scores += [float(evaluator(candidate, b)) for b in self._blocks[len(scores) : size]]
            mean = math.fsum(scores) / size if all(map(math.isfinite, scores)) else math.nan
            if stopped_at < 0 and not self._stays(rung, mean):
                stopped_at = rung
            if math.isnan(mean) or (stopped_at >= 0 and self.enabled):
                break
        needed = size if stopped_at < 0 else self.rungs[stopped_at]
        stopped = math.isnan(mean) or (stopped_at >= 0 and self.enabled)
        return ProgressiveOutcome(mean, stopped, stopped_at, needed, size, len(self._blocks))

    def _stays(self, rung: int, score: float) -> bool:
        """Whether halving keeps a candidate after a rung; nothing is left to stop at the last."""
        if math.isnan(score):
            return False
        return self._goes_on(rung, score) or rung == len(self.rungs) - 1

    def _goes_on(self, rung: int, score: float) -> bool:
        history = self._history[rung]
        history.append(score)
        if len(history) <= self.reduction:
            return True
        better = sum(other > score for other in history)
        return better < math.ceil(len(history) / self.reduction)

    def _see(
        self,
        seen: np.ndarray,
        judged: Sequence[int],
        done: int,
        size: int,
        candidates: Sequence[T],
        evaluator: BatchEvaluator[T],
    ) -> int:
        blocks = self._blocks[done:size]
        if not judged or not blocks:
            return 0
        scores = np.asarray(evaluator([candidates[i] for i in judged], blocks), dtype=np.float64)
        if scores.shape != (len(judged), len(blocks)):
            expected = (len(judged), len(blocks))
            raise BadInput(f"the evaluator returned scores {scores.shape}, not {expected}")
        seen[judged, done:size] = np.where(np.isfinite(scores), scores, np.nan)
        return scores.size

    def _report(
        self,
        candidates: tuple[T, ...],
        seen: np.ndarray,
        stopped_at: np.ndarray,
        kept: list[int],
        costs: tuple[int, int],
    ) -> ProgressiveReport[T]:
        sizes = [
            len(self._blocks) if rung < 0 or not self.enabled else self.rungs[rung]
            for rung in stopped_at
        ]
        scores = tuple(float(seen[i, :size].mean()) for i, size in enumerate(sizes))
        regret = None
        if not self.enabled and kept:
            regret = max(s for s in scores if not math.isnan(s)) - max(scores[i] for i in kept)
        return ProgressiveReport(
            candidates=candidates,
            scores=scores,
            stopped_at=tuple(int(rung) for rung in stopped_at),
            kept=tuple(kept),
            needed=costs[0],
            spent=costs[1],
            possible=len(candidates) * len(self._blocks),
            audit=not self.enabled,
            regret=regret,
        )


def _ranked(alive: Sequence[int], scores: np.ndarray) -> list[int]:
    """Those that have not failed, best first; a tie goes to the earlier one."""
    sound = [position for position in alive if not math.isnan(scores[position])]
    return sorted(sound, key=lambda position: (-scores[position], position))


def rung_sizes(blocks: int, reduction: int, minimum: int) -> tuple[int, ...]:
    """Blocks that each rung sees, the last one all of them."""
    sizes = [blocks]
    while sizes[-1] // reduction >= minimum:
        sizes.append(sizes[-1] // reduction)
    return tuple(reversed(sizes))


def spread_over_time(count: int) -> list[int]:
    """Positions ordered so that any first few of them cover the whole time evenly."""
    width = max(1, (count - 1).bit_length())
    mirrored = (int(format(number, f"0{width}b")[::-1], 2) for number in range(2**width))
    return [number for number in mirrored if number < count]
