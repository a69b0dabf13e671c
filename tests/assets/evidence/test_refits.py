"""Refits in a walk: what a continued model has ever seen lies in its window, purged."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ares_assets.analyst.dataset import Examples
from ares_assets.analyst.experts.base import get_expert
from ares_assets.evidence.walk_forward import (
    ForwardPredictions,
    Scheme,
    run_walk_forward,
    walk_forward_blocks,
)
from ares_assets.release import refits
from ares_assets.release.refits import MemberLearner, RefitMemory, comparison_window

EMBARGO, REFITS = 20, 6
BOOSTED = ("catboost", "gradient_boosting")


def examples(count: int = 1400, seed: int = 1) -> Examples:
    """Events ten rows apart whose labels are known up to fifty rows later."""
    draw = np.random.default_rng(seed)
    features = pd.DataFrame(draw.normal(size=(count, 4)), columns=list("abcd"))
    labels = (draw.random(count) < 1 / (1 + np.exp(-features["a"]))).to_numpy().astype(np.int64)
    rows = np.arange(count) * 10
    ends = rows + draw.integers(1, 50, count)
    return Examples(features, labels, draw.uniform(0.5, 1.5, count), rows, ends, rows * 60_000)


def learner(kind: str) -> MemberLearner:
    small = {"trees": 50} if kind != "linear" else {}
    parameters = {**get_expert(kind).default_parameters(), **small}
    return MemberLearner(
        {"kind": kind, "parameters": parameters, "features": ["c", "a", "b"]}, seed=3, threads=1
    )


def walk(
    known: Examples, memory: RefitMemory, how: Any, scheme: Scheme = "anchored"
) -> ForwardPredictions:
    blocks = walk_forward_blocks(
        known.rows,
        known.t1_rows,
        known.rows[700:],
        refits=REFITS,
        scheme=scheme,
        embargo_bars=EMBARGO,
    )
    return run_walk_forward(
        blocks,
        lambda block: memory.fit("member", how, known.part(block.train)),
        lambda model, test: (
            how.predict(model, known.part(test))
            if isinstance(how, Witness)
            else model.probability(known.features.iloc[test])
        ),
    )


def memory(**changed: Any) -> RefitMemory:
    return RefitMemory(
        EMBARGO, **{"continuing": True, "extra_trees": 10, "tolerance": 0.05, **changed}
    )


class Witness(MemberLearner):
    """An expert that never forgets which events its models have been trained on."""

    def fit(self, data: Examples) -> Any:
        return self._noting(super().fit(data), data.rows, data.t1_rows)

    def continue_fit(self, previous: Any, data: Examples, trees: int) -> Any:
        made = super().continue_fit(previous, data, trees)
        rows = np.concatenate([previous.__dict__["rows_seen"], data.rows])
        ends = np.concatenate([previous.__dict__["ends_seen"], data.t1_rows])
        return self._noting(made, rows, ends)

    def losses(self, model: Any, data: Examples) -> tuple[np.ndarray, np.ndarray]:
        assert model.__dict__["ends_seen"].max() + EMBARGO < data.rows.min(), "compared on the past"
        return super().losses(model, data)

    def predict(self, model: Any, data: Examples) -> np.ndarray:
        """What the model has seen: first row, last label; by event that is predicted."""
        span = [model.__dict__["rows_seen"].min(), model.__dict__["ends_seen"].max()]
        return np.tile(span, (len(data), 1))

    def _noting(self, model: Any, rows: np.ndarray, ends: np.ndarray) -> Any:
        model.__dict__.update(rows_seen=rows, ends_seen=ends)
        return model


def witness(kind: str) -> Witness:
    plain = learner(kind)
    return Witness(plain.member, plain.seed, plain.threads)


def first_rows(known: Examples, found: ForwardPredictions) -> np.ndarray:
    """By predicted event: the first row of its block."""
    starts = [known.rows[found.position[found.block == b][0]] for b in range(REFITS)]
    return np.array(starts)[found.block]


@pytest.mark.parametrize("kind", BOOSTED)
def test_no_forerunner_of_a_model_has_seen_a_label_that_reaches_into_the_block(kind: str) -> None:
    known, remembered = examples(), memory()
    found = walk(known, remembered, witness(kind))
    assert remembered.report()["member"]["continued"] >= 3
    assert (found.prediction[:, 1] + EMBARGO < first_rows(known, found)).all()
    assert (found.prediction[:, 0] == 0).all()


@pytest.mark.parametrize("kind", BOOSTED)
def test_a_rolling_model_has_forgotten_what_left_its_window(kind: str) -> None:
    known, remembered = examples(), memory()
    found = walk(known, remembered, witness(kind), "rolling")
    told = remembered.report()["member"]
    assert told["continued"] == 0
    assert told["reasons"] == {
        "scratch: first fit": 1,
        "scratch: the model before has seen events that left the window": REFITS - 1,
    }
    assert (found.prediction[:, 0] >= first_rows(known, found) - known.rows[700]).all()


def test_planted_rolling_continuations_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(seen: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.ones(len(seen), bool)

    known, remembered = examples(), memory()
    monkeypatch.setattr(refits, "contained", blind)
    found = walk(known, remembered, witness("gradient_boosting"), "rolling")
    assert remembered.report()["member"]["continued"] >= 3
    assert (found.prediction[:, 0] < first_rows(known, found) - known.rows[700]).any()


@pytest.mark.parametrize("kind", BOOSTED)
def test_a_block_that_was_trained_on_is_never_continued_into_an_earlier_one(kind: str) -> None:
    known, remembered, how = examples(), memory(), learner(kind)
    leaked = known.part(np.arange(900))
    remembered.fit("member", how, leaked)
    honest = known.part(np.arange(600))
    model = remembered.fit("member", how, honest)
    assert model.to_files() == how.fit(honest).to_files()
    reasons = remembered.report()["member"]["reasons"]
    assert reasons["scratch: the model before has seen events that left the window"] == 1


@pytest.mark.parametrize("kind", BOOSTED)
def test_replacing_what_comes_later_leaves_earlier_predictions(kind: str) -> None:
    known = examples()
    base = walk(known, memory(), learner(kind))
    draw = np.random.default_rng(9)
    for block in range(REFITS):
        start = base.position[base.block == block][0]
        later = np.arange(len(known)) >= start
        labels = np.where(later, draw.integers(0, 2, len(known)), known.labels)
        # The block's own labels are not known yet when it is predicted.
        ended = Examples(
            known.features, labels, known.weights, known.rows, known.t1_rows, known.timestamps
        )
        again = walk(ended, memory(), learner(kind))
        upto = base.block <= block
        assert (again.prediction[upto] == base.prediction[upto]).all()


@pytest.mark.parametrize("kind", BOOSTED)
def test_the_comparison_is_made_on_events_that_neither_way_has_seen(kind: str) -> None:
    known = examples()
    walk(known, memory(check_every=1), witness(kind))  # its losses refuse anything else


def test_the_comparison_window_is_the_later_half_of_what_is_new() -> None:
    known = examples(300)
    window = comparison_window(known, known.rows[:100], embargo_bars=EMBARGO)
    assert window is not None
    assert window.whole is known
    assert window.late.rows.tolist() == known.rows[200:].tolist()
    kept = known.t1_rows + EMBARGO < known.rows[200]
    assert window.early.rows.tolist() == known.rows[kept].tolist()
    assert 190 < len(window.early) < 200


def test_too_little_that_is_new_allows_no_comparison() -> None:
    known = examples(300)
    assert comparison_window(known, known.rows[:250], embargo_bars=EMBARGO) is None
    weightless = Examples(
        known.features, known.labels, known.weights * 0, known.rows, known.t1_rows, known.timestamps
    )
    assert comparison_window(weightless, known.rows[:100], embargo_bars=EMBARGO) is None
    # The model before has seen labels that reach into what it would be compared on.
    assert comparison_window(known, known.rows[:100], embargo_bars=5000) is None
    remembered, how = memory(), learner("gradient_boosting")
    remembered.fit("member", how, known.part(np.arange(280)))
    remembered.fit("member", how, known)
    reasons = remembered.report()["member"]["reasons"]
    assert reasons["scratch: too few new events to compare the two ways on"] == 1


@pytest.mark.parametrize("kind", ["linear", "forest"])
def test_what_cannot_continue_is_fitted_from_scratch_and_says_so(kind: str) -> None:
    known, remembered, how = examples(), memory(), learner(kind)
    walk(known, remembered, how)
    told = remembered.report()["member"]
    assert told["reasons"] == {"scratch: this expert cannot be continued": REFITS}
    assert remembered.refits["member"][-1].model.to_files() == how.fit(last(known)).to_files()


@pytest.mark.parametrize("kind", BOOSTED)
def test_switched_off_every_refit_is_a_fit_from_scratch(kind: str) -> None:
    known, how = examples(), learner(kind)
    remembered = memory(continuing=False)
    walk(known, remembered, how)
    told = remembered.report()["member"]
    assert told["reasons"] == {
        "scratch: continuing is switched off (validation.incremental)": REFITS
    }
    assert remembered.refits["member"][-1].model.to_files() == how.fit(last(known)).to_files()


def last(known: Examples) -> Examples:
    *_, block = walk_forward_blocks(
        known.rows, known.t1_rows, known.rows[700:], refits=REFITS, embargo_bars=EMBARGO
    )
    return known.part(block.train)


def test_after_a_turn_of_the_market_the_models_start_again() -> None:
    known = examples(2800)
    turned = known.rows >= known.rows[1200]
    # The past is the shorter part, so that a fit of all has turned while few trees have not.
    labels = np.where(turned, 1 - known.labels, known.labels)
    known = Examples(
        known.features, labels, known.weights, known.rows, known.t1_rows, known.timestamps
    )
    remembered, how = memory(tolerance=0.001), learner("gradient_boosting")
    remembered.fit("member", how, known.part(np.arange(1000)))
    remembered.fit("member", how, known)
    refit = remembered.refits["member"][-1]
    assert refit.used == "scratch"
    assert refit.reason == "continuing costs more than tolerated"
    assert refit.comparison is not None
    assert refit.comparison.difference > 0.001


_PROGRAM = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from test_refits import examples, learner, memory, walk
for kind in ("catboost", "gradient_boosting"):
    remembered = memory()
    found = walk(examples(), remembered, learner(kind))
    for refit in remembered.refits["member"]:
        for content in refit.model.to_files().values():
            print(hashlib.sha256(content).hexdigest())
    print(hashlib.sha256(found.prediction.tobytes()).hexdigest(), remembered.report())
"""


def test_a_walk_is_the_same_bytes_in_every_process() -> None:
    def outputs() -> Iterator[str]:
        for hash_seed in ("1", "2"):
            yield subprocess.run(
                [sys.executable, "-c", _PROGRAM, str(Path(__file__).parent)],
                env={**os.environ, "PYTHONHASHSEED": hash_seed},
                capture_output=True,
                text=True,
                check=True,
            ).stdout

    first, second = outputs()
    assert first == second
    assert len(first.splitlines()) == 2 * (REFITS + 1)


def test_the_benchmark_walks_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks.refits import HEAD, main

    small = "--markets DRIFT --which regime --experts catboost --seeds 1 --refits 3 --train-days 12"
    small += " --tolerance 1"
    assert main([*small.split(), "--test-days", "9"]) == 0
    shown = capsys.readouterr()
    line = shown.out.splitlines()[-1]
    assert line.startswith("| DRIFT | regime | ")
    assert line.count("|") == HEAD.count("|") == 14
    assert "'continued: " in shown.err
