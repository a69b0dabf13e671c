"""Halving by gained hypervolume: what goes on, what is spent, what is told."""

from __future__ import annotations

import numpy as np
import pytest

from ares_resources.backtesting.pareto import hypervolume
from ares_resources.backtesting.progressive import purged_blocks
from ares_resources.backtesting.progressive_front import ProgressiveFront
from ares_resources.errors import BadInput

BLOCKS = purged_blocks(800, blocks=8, purge_rows=5)


def volume(losses: np.ndarray) -> float:
    return hypervolume(np.maximum(10 - losses, 0)) if len(losses) else 0.0


class Judge:
    """Candidates are their own losses; block b adds b / 10 to the first objective."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def __call__(self, candidates, blocks):
        self.calls += [(one, block) for one in candidates for block in blocks]
        shift = np.array([BLOCKS.index(block) / 10 for block in blocks])
        found = np.array([[[x + s, y, v] for s in shift] for x, y, v in candidates])
        return found


FIRST = [(5.0, 5.0, -1.0), (6.0, 4.0, -1.0), (9.0, 9.0, -1.0)]
NEXT = [(8.0, 8.0, -1.0), (1.0, 1.0, -1.0), (0.0, 0.0, 1.0), (4.0, 6.0, -1.0), (np.nan, 1.0, -1.0)]


def test_the_first_batch_is_seen_through_and_later_ones_are_halved_by_gain():
    front, judge = ProgressiveFront(BLOCKS, volume, keep=0.25), Judge()
    first = front.evaluate_many(FIRST, judge)
    assert first.states == ("complete",) * 3
    assert first.spent == first.possible == 24
    report = front.evaluate_many(NEXT, judge)
    assert report.states == ("pruned", "complete", "pruned", "pruned", "failed")
    assert report.spent == 5 * 2 + 6
    assert front.saved_share == pytest.approx(1 - (24 + 16) / 64)
    assert len(judge.calls) == len(set(judge.calls)) == 40


def test_estimates_are_moved_by_what_the_missed_blocks_meant_for_others():
    front = ProgressiveFront(BLOCKS, volume, keep=0.25)
    front.evaluate_many(FIRST, Judge())
    report = front.evaluate_many(NEXT, Judge())
    for row in (0, 2, 3):
        x, y, v = NEXT[row]
        assert report.losses[row] == pytest.approx([x + 0.35, y, v])


def test_switched_off_sees_everybody_through():
    front = ProgressiveFront(BLOCKS, volume, enabled=False)
    front.evaluate_many(FIRST, Judge())
    report = front.evaluate_many(NEXT, Judge())
    assert report.states == ("complete",) * 4 + ("failed",)
    assert front.saved_share == 0.0


def test_bad_options_and_losses_are_named():
    with pytest.raises(BadInput, match="reduction 1"):
        ProgressiveFront(BLOCKS, volume, reduction=1)
    with pytest.raises(BadInput, match="minimum_blocks 9"):
        ProgressiveFront(BLOCKS, volume, minimum_blocks=9)
    with pytest.raises(BadInput, match="keep 1"):
        ProgressiveFront(BLOCKS, volume, keep=1)
    with pytest.raises(BadInput, match=r"losses \(1, 1\)"):
        ProgressiveFront(BLOCKS, volume).evaluate_many(FIRST, lambda c, b: np.ones((1, 1)))
