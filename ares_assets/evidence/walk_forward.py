"""Walking forward through the holdout: refit on the past, predict what follows, repeat.

Belongs here: which events a refit may learn from and which it must predict, and collecting
the predictions.  Does not belong here: fitting (the caller's ``fit``), and k-fold splits of
development.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from ares_resources.errors import BadInput

Model = TypeVar("Model")
Scheme = Literal["anchored", "rolling"]


@dataclass(frozen=True)
class ForwardBlock:
    """One refit: positions into the event arrays, ascending int64.

    Every event of ``train`` had its label known more than the embargo before the first row
    of ``test``; ``purged`` counts the events before the block that were left out because of it.
    """

    number: int
    train: np.ndarray
    test: np.ndarray
    purged: int = 0


@dataclass(frozen=True)
class ForwardPredictions:
    """Out-of-sample predictions of all blocks, in time order.

    ``position`` (m,) indexes the event arrays, ``prediction`` (m, ...) what was predicted
    there, ``block`` (m,) by which refit; ``trained_on`` (blocks,) counts training events.
    """

    position: np.ndarray
    prediction: np.ndarray
    block: np.ndarray
    trained_on: np.ndarray


def walk_forward_blocks(
    rows: np.ndarray,
    t1_rows: np.ndarray,
    holdout_rows: np.ndarray,
    *,
    refits: int,
    scheme: Scheme = "anchored",
    embargo_bars: int = 0,
) -> list[ForwardBlock]:
    """Cut the holdout into contiguous blocks and purge each one's past.

    Parameters
    ----------
    rows, t1_rows
        Events in time order, (n,): the row at whose close the decision falls, and the row at
        whose close its label is known.  Any role of time that may be learnt from by then.
    holdout_rows
        Those of ``rows`` that are to be predicted: a last, contiguous part of them.
    refits
        Blocks of nearly equal numbers of events.
    scheme
        "anchored" trains on everything before, "rolling" on a window as long (in rows) as
        the first block's past.
    embargo_bars
        Rows that must lie between a training label and the block.

    Raises
    ------
    BadInput
        Unsorted events, a holdout that is not their end, more blocks than events, or a block
        with nothing left to train on.

    López de Prado, Advances in Financial Machine Learning, ch. 7 and 12: purging goes by the
    label's end, so a label that reaches into the test never trains, whatever its length.
    """
    if scheme not in ("anchored", "rolling"):
        raise BadInput(f"scheme = {scheme!r}; allowed: 'anchored', 'rolling'")
    if embargo_bars < 0:
        raise BadInput(f"embargo_bars = {embargo_bars}; needed: 0 or more")
    decision, known = _checked_events(rows, t1_rows)
    first = _holdout_start(decision, holdout_rows, refits)
    window = decision[first] - decision[0]
    blocks = []
    for number, test in enumerate(np.array_split(np.arange(first, decision.size), refits)):
        start = decision[test[0]]
        settled = known[: test[0]] + embargo_bars < start
        inside = decision[: test[0]] >= start - window if scheme == "rolling" else True
        purged = int(np.count_nonzero(~settled & inside))
        blocks.append(ForwardBlock(number, np.flatnonzero(settled & inside), test, purged))
    empty = [block.number for block in blocks if block.train.size == 0]
    if empty:
        raise BadInput(f"walk-forward block {empty[0]} has no event before it that may train it")
    return blocks


def run_walk_forward(
    blocks: Sequence[ForwardBlock],
    fit: Callable[[ForwardBlock], Model],
    predict: Callable[[Model, np.ndarray], np.ndarray],
) -> ForwardPredictions:
    """Fit on each block's past and predict it; ``fit`` sees the blocks in time order.

    ``fit(block)`` and ``predict(model, test)`` are given positions into the event arrays; an
    incremental trainer keeps its state inside ``fit``.

    Raises
    ------
    BadInput
        No blocks, or a prediction of another length than its block.
    """
    if not blocks:
        raise BadInput("walk-forward needs at least one block")
    predictions: list[Any] = []
    for block in blocks:
        made = np.asarray(predict(fit(block), block.test))
        if made.shape[:1] != block.test.shape:
            raise BadInput(
                f"block {block.number}: {made.shape} predictions for {block.test.size} events"
            )
        predictions.append(made)
    return ForwardPredictions(
        position=np.concatenate([block.test for block in blocks]),
        prediction=np.concatenate(predictions),
        block=np.concatenate([np.full(block.test.size, block.number) for block in blocks]),
        trained_on=np.array([block.train.size for block in blocks]),
    )


def _checked_events(rows: np.ndarray, t1_rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    decision = np.asarray(rows, dtype=np.int64)
    known = np.asarray(t1_rows, dtype=np.int64)
    if decision.ndim != 1 or decision.shape != known.shape or decision.size == 0:
        raise BadInput(f"rows {decision.shape} and t1_rows {known.shape}; needed: equal, not empty")
    if np.any(np.diff(decision) <= 0):
        raise BadInput("rows do not ascend; needed: events in time order, one a row")
    if np.any(known < decision):
        first = int(np.argmax(known < decision))
        raise BadInput(f"t1_rows[{first}] = {known[first]} lies before its row {decision[first]}")
    return decision, known


def _holdout_start(decision: np.ndarray, holdout_rows: np.ndarray, refits: int) -> int:
    holdout = np.asarray(holdout_rows, dtype=np.int64)
    first = decision.size - holdout.size
    if holdout.size == 0 or first < 1 or not np.array_equal(decision[first:], holdout):
        raise BadInput(
            f"the {holdout.size} holdout rows are not the last of the {decision.size} events, "
            "with some before them"
        )
    if not 1 <= refits <= holdout.size:
        raise BadInput(f"refits = {refits}; allowed: 1 to {holdout.size}, the holdout's events")
    return first
