"""A progressive evaluator whose candidates stand in the trial ledger.

Belongs here: the key of a candidate that is judged by blocks, and what halving made of it.
Does not belong here: halving (``progressive``), the ledger (``trial_records``, ``ledger``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ares_resources.backtesting.progressive import (
    BatchEvaluator,
    Block,
    ProgressiveEvaluator,
    ProgressiveOutcome,
    ProgressiveReport,
)
from ares_resources.backtesting.trial_records import TrialRecords
from ares_resources.hashing import cache_key

T = TypeVar("T")


class RecordedEvaluator(ProgressiveEvaluator):
    """Successive halving; each candidate counts once, as complete, pruned, failed or killed.

    A candidate is known by its value, the blocks and the data.  A score by blocks is no whole
    backtest: it has a key of its own, and no Sharpe ratio in the ledger.  A pruned candidate is
    recorded without its score, which depends on the others.

    Parameters
    ----------
    records
        Where candidates are entered.
    data
        Fingerprint of what the blocks are rows of.
    blocks, options
        See :class:`ProgressiveEvaluator`.
    """

    def __init__(
        self, blocks: Sequence[Block], *, records: TrialRecords, data: str = "", **options: Any
    ) -> None:
        super().__init__(blocks, **options)
        self._records = records
        self._identity = ("progressive", data, [(block.start, block.stop) for block in blocks])

    def evaluate_many(
        self, candidates: Sequence[T], evaluator: BatchEvaluator[T]
    ) -> ProgressiveReport[T]:
        """As :meth:`ProgressiveEvaluator.evaluate_many`; BadInput for a value without a key."""
        keys = [self._key(candidate) for candidate in candidates]
        with self._records.running(keys):
            report = super().evaluate_many(candidates, evaluator)
        told = zip(keys, report.states, report.scores, strict=True)
        self._records.ended(
            [(key, state, _values(state, score), None) for key, state, score in told]
        )
        return report

    def evaluate(self, candidate: T, evaluator: Callable[[T, Block], float]) -> ProgressiveOutcome:
        """As :meth:`ProgressiveEvaluator.evaluate`; BadInput for a value without a key."""
        key = self._key(candidate)
        with self._records.running([key]):
            outcome = super().evaluate(candidate, evaluator)
        ended = "pruned" if outcome.stopped else "complete"
        state = "failed" if math.isnan(outcome.score) else ended
        self._records.ended([(key, state, _values(state, outcome.score), None)])
        return outcome

    def _key(self, candidate: Any) -> str:
        return cache_key((self._identity, candidate))


def _values(state: str, score: float) -> tuple[float, ...]:
    return (score,) if state == "complete" else ()
