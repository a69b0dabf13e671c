"""Successive halving: whole purged blocks, each seen once, and an honest account of it."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toolkit_markets import random_market

from ares_resources.backtesting import Signals, StrategyParameters, backtest
from ares_resources.backtesting.progressive import (
    Block,
    ProgressiveEvaluator,
    purged_blocks,
    sharpe_by_block,
)
from ares_resources.errors import BadInput

BLOCKS = purged_blocks(900, blocks=9, purge_rows=5)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 500), st.integers(1, 20), st.integers(0, 10))
def test_blocks_cover_the_rows_but_for_the_purge(rows, blocks, purge):
    if rows // blocks <= purge and blocks > 1:
        with pytest.raises(BadInput, match=f"{rows} rows cannot be cut"):
            purged_blocks(rows, blocks=blocks, purge_rows=purge)
        return
    cut = purged_blocks(rows, blocks=blocks, purge_rows=purge)
    assert (cut[0].start, cut[-1].stop, len(cut)) == (0, rows, blocks)
    for one, after in itertools.pairwise(cut):
        assert after.start - one.stop == purge
    assert max(b.stop - b.start for b in cut) - min(b.stop - b.start for b in cut) <= purge + 1


class Recorder:
    """An evaluator whose candidates are their own scores, plus a little for the block."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, Block]] = []

    def __call__(self, candidates, blocks):
        self.calls += [(one, block) for one in candidates for block in blocks]
        return np.array([[one + block.start / 1e6 for block in blocks] for one in candidates])


def test_the_best_go_on_and_the_rest_are_stopped():
    evaluator, scores = Recorder(), [float(n) for n in np.random.default_rng(0).permutation(27)]
    report = ProgressiveEvaluator(BLOCKS, reduction=3).evaluate_many(scores, evaluator)
    assert [scores[i] for i in report.kept] == [26.0, 25.0, 24.0]
    assert (report.needed, report.spent, report.possible) == (27 + 9 * 2 + 3 * 6,) * 2 + (243,)
    assert report.saved_share == pytest.approx(1 - 63 / 243)
    assert len(evaluator.calls) == len(set(evaluator.calls)) == 63
    rungs = {scores[i]: rung for i, rung in enumerate(report.stopped_at)}
    assert [rungs[float(n)] for n in (0, 17, 18, 23, 24, 26)] == [0, 0, 1, 1, -1, -1]
    assert report.states.count("complete") == 3
    assert report.regret is None


def test_rungs_are_nested_and_spread_over_time():
    evaluator = Recorder()
    ProgressiveEvaluator(BLOCKS, reduction=3).evaluate_many([1.0], evaluator)
    order = [BLOCKS.index(block) for _, block in evaluator.calls]
    assert sorted(order) == list(range(9))
    assert sorted(order[:3]) == [0, 4, 8]


def test_an_audit_stops_nobody_and_tells_what_would_have_been_lost():
    late = {"steady": [1.0] * 9, "late": [0.0] * 9, "poor": [-1.0] * 9}
    late["late"][1:] = [5.0] * 8

    def evaluator(candidates, blocks):
        return np.array(
            [[late[one][BLOCKS.index(block)] for block in blocks] for one in candidates]
        )

    names = list(late)
    audit = ProgressiveEvaluator(BLOCKS, reduction=3, enabled=False).evaluate_many(names, evaluator)
    assert [names[i] for i in audit.kept] == ["steady"]
    assert audit.states == ("complete",) * 3
    assert audit.spent == audit.possible == 27
    assert audit.needed < 27
    assert audit.regret == pytest.approx(40 / 9 - 1)
    real = ProgressiveEvaluator(BLOCKS, reduction=3).evaluate_many(names, evaluator)
    assert real.kept == audit.kept
    assert real.states == ("complete", "pruned", "pruned")
    assert real.spent == real.needed == audit.needed


def test_failed_candidates_are_dropped_and_ties_go_to_the_earlier():
    def evaluator(candidates, blocks):
        return np.array([[math.nan if one < 0 else 1.0 for _ in blocks] for one in candidates])

    report = ProgressiveEvaluator(BLOCKS).evaluate_many([-1, 0, 1, 2], evaluator)
    assert report.kept == (1,)
    assert report.states == ("failed", "complete", "pruned", "pruned")
    nobody = ProgressiveEvaluator(BLOCKS).evaluate_many([-1], evaluator)
    assert (nobody.kept, nobody.states) == ((), ("failed",))
    empty = ProgressiveEvaluator(BLOCKS).evaluate_many([], evaluator)
    assert (empty.kept, empty.saved_share) == ((), 0.0)


def test_one_by_one_stops_what_is_not_among_the_best_so_far():
    judge = ProgressiveEvaluator(BLOCKS, reduction=3)
    outcomes = [judge.evaluate(score, lambda c, block: c) for score in (3.0, 2.0, 1.0, 0.0, 4.0)]
    assert [one.stopped for one in outcomes] == [False, False, False, True, False]
    assert outcomes[3].blocks_evaluated == 1
    assert outcomes[4].score == 4.0
    assert outcomes[4].blocks_evaluated == outcomes[4].blocks_possible == 9
    assert judge.evaluate(5.0, lambda c, block: math.nan).stopped
    patient = ProgressiveEvaluator(BLOCKS, enabled=False)
    assert not any(patient.evaluate(s, lambda c, b: c).stopped for s in (3.0, 2.0, 1.0, 0.0))


def test_an_audit_one_by_one_tells_what_would_have_been_stopped():
    scores = [*np.random.default_rng(5).normal(size=60).tolist(), math.nan]
    noise = np.random.default_rng(6).normal(size=(61, 9))

    def judged(enabled):
        one = ProgressiveEvaluator(BLOCKS, reduction=3, enabled=enabled)
        return [
            one.evaluate(number, lambda n, block: scores[n] + noise[n, BLOCKS.index(block)])
            for number in range(61)
        ]

    real, audit = judged(enabled=True), judged(enabled=False)
    assert {one.stopped_at for one in real} == {-1, 0, 1}
    assert [one.stopped_at for one in audit] == [one.stopped_at for one in real]
    assert [one.blocks_needed for one in audit] == [one.blocks_evaluated for one in real]
    assert [one.blocks_needed for one in real] == [one.blocks_evaluated for one in real]
    assert [one.stopped for one in real] == [one.stopped_at >= 0 for one in real]
    assert [one.stopped for one in audit] == [False] * 60 + [True], "only what failed"
    assert {one.blocks_evaluated for one in audit[:60]} == {9}


def test_block_scores_are_backtests_of_the_blocks():
    market, probability, size = random_market(2, 900)
    base = StrategyParameters(0.7, 0.3, 2.0, 3.0, 10, 4e-4, 1e-4)
    sets = [base, replace(base, stop_width=1.0)]
    scores = sharpe_by_block(Signals(market, probability, size), threads=2)(sets, BLOCKS)
    for row, parameters in enumerate(sets):
        for column, block in enumerate(BLOCKS):
            rows = slice(block.start, block.stop)
            part = market.rows(block.start, block.stop)
            alone = backtest(part, probability[rows], size[rows], parameters)
            assert scores[row, column] == alone.sharpe


def test_what_lies_between_and_after_the_blocks_is_never_seen():
    market, probability, size = random_market(2, 900)
    base = StrategyParameters(0.7, 0.3, 2.0, 3.0, 10, 4e-4, 1e-4)
    noise = probability.copy()
    inside = np.zeros(900, bool)
    for block in BLOCKS[:4]:
        inside[block.start : block.stop] = True
    noise[~inside] = 0.99
    one = sharpe_by_block(Signals(market, probability, size))([base], BLOCKS[:4])
    other = sharpe_by_block(Signals(market, noise, size))([base], BLOCKS[:4])
    assert one.tolist() == other.tolist()


def test_bad_options_are_named():
    for reduction in (math.nan, 2.5, True, "3", None):
        with pytest.raises(BadInput, match=f"reduction {reduction!r} must be a whole number"):
            ProgressiveEvaluator(BLOCKS, reduction=reduction)
    with pytest.raises(BadInput, match="reduction 1"):
        ProgressiveEvaluator(BLOCKS, reduction=1)
    with pytest.raises(BadInput, match="minimum_blocks 10"):
        ProgressiveEvaluator(BLOCKS, minimum_blocks=10)
    with pytest.raises(BadInput, match=r"scores \(1, 1\)"):
        ProgressiveEvaluator(BLOCKS).evaluate_many([1, 2], lambda c, b: np.ones((1, 1)))
