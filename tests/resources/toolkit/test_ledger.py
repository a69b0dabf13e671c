"""Every trial counts once, from any number of processes, and nothing is lost or torn."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_resources.backtesting.ledger import STATES, LedgerEntry, TrialLedger
from ares_resources.errors import BadInput, CorruptArtifact, DataConflict


def test_each_trial_counts_once_whatever_became_of_it(tmp_path):
    ledger = TrialLedger(tmp_path / "trials.db")
    batch = [(state, state, [1.0], 1.0 if state == "complete" else None) for state in STATES]
    assert ledger.record("a/one", batch) == len(STATES)
    assert ledger.record("a/one", batch) == 0
    assert ledger.record("a/two", batch[:2]) == 2
    assert ledger.record("b", batch[:1]) == 1
    assert ledger.count() == len(STATES) + 3
    assert ledger.count("a/") == len(STATES) + 2
    assert ledger.count("a/one") == len(STATES)
    assert ledger.studies() == {"a/one": len(STATES), "a/two": 2, "b": 1}


def test_a_look_at_the_holdout_counts_once_and_apart_from_the_trials(tmp_path):
    ledger = TrialLedger(tmp_path / "trials.db")
    ledger.record("A/bull/parameters", [("k1", "complete", [1.0], 1.0), ("k2", "pruned", [], None)])
    assert ledger.looks("A/bull/") == 0
    assert ledger.record_look("A/bull/", "look", 1.5) is True
    assert ledger.record_look("A/bull/", "look", 1.5) is False
    assert ledger.record_look("A/bull/", "another", None) is True
    assert (ledger.looks("A/bull/"), ledger.count("A/bull/")) == (2, 2)
    assert ledger.look_keys("A/bull/") == ["another", "look"]
    assert ledger.studies() == {"A/bull/holdout": 2, "A/bull/parameters": 2}
    unseen, seen = ledger.entries("A/bull/holdout")
    assert (seen.state, seen.sharpe, unseen.sharpe) == ("complete", 1.5, None)


def test_what_an_earlier_ledger_knew_is_kept_and_is_neither_a_trial_nor_a_look(tmp_path):
    ledger = TrialLedger(tmp_path / "trials.db")
    assert ledger.record_losses("A/bull/", ["s", "t"], [3, 40, 0.5]) == 2
    assert ledger.record_losses("A/bull/", ["t"], [3, 40, 0.5]) == 0
    assert ledger.losses("A/bull/") == {"s": (3.0, 40.0, 0.5), "t": (3.0, 40.0, 0.5)}
    assert ledger.losses("A/bear/") == {}
    assert (ledger.count(), ledger.looks(), ledger.trainings("A/bull/")) == (0, 0, {})
    with pytest.raises(BadInput, match="what an earlier ledger knew"):
        ledger.record("A/bull/lost", [("k", "complete", [], None)])


def test_a_training_is_kept_with_its_reach_and_is_neither_a_trial_nor_a_look(tmp_path):
    ledger = TrialLedger(tmp_path / "trials.db")
    end = 1_704_067_200_000
    assert ledger.record_training("A/bull/", "t", end) is True
    assert ledger.record_training("A/bull/", "t", end) is False
    assert ledger.record_training("A/bull/", "later", end + 1) is True
    ledger.record_training("A/bear/", "t", 7)
    assert ledger.trainings("A/bull/") == {"later": end + 1, "t": end}
    assert (ledger.count(), ledger.looks(), ledger.sharpes().size) == (0, 0, 0)
    with pytest.raises(DataConflict):
        ledger.record_training("A/bull/", "t", end + 1)


def test_looks_are_those_of_the_prefix_and_have_no_part_in_the_variance(tmp_path):
    ledger = TrialLedger(tmp_path / "trials.db")
    trials = [("a", "complete", [], 1.0), ("b", "complete", [], 3.0)]
    ledger.record("A/bull/parameters", trials)
    ledger.record_look("A/bull/", "look", 100.0)
    ledger.record_look("A/bear/", "look", 1.5)
    assert ledger.looks("A/bull/") == 1
    assert ledger.looks("A/") == ledger.looks() == 2
    assert ledger.count() == 2
    assert ledger.sharpes("A/bull/").tolist() == [1.0, 3.0]
    assert ledger.sharpe_variance("A/bull/") == pytest.approx(2.0)


def test_a_trial_cannot_hide_among_the_looks(tmp_path):
    ledger = TrialLedger(tmp_path / "trials.db")
    for study in ("holdout", "A/bull/holdout"):
        with pytest.raises(BadInput, match="kept for looks"):
            ledger.record(study, [("k", "complete", [], None)])
    with pytest.raises(BadInput, match="kept for the reach of trainings"):
        ledger.record("A/bull/trainings", [("k", "complete", [], None)])
    assert ledger.record("A/bull/holdouts", [("k", "complete", [], None)]) == 1
    assert ledger.count() == 1


def _look_forever(path: Path, told) -> None:
    ledger = TrialLedger(path)
    for number in range(10**6):
        ledger.record_look("A/", str(number), 1.5)
        told.value = number


def test_a_look_that_was_taken_before_a_kill_counts(tmp_path):
    path = tmp_path / "trials.db"
    context = multiprocessing.get_context("fork")
    told = context.Value("l", -1, lock=False)
    worker = context.Process(target=_look_forever, args=(path, told))
    worker.start()
    while told.value < 5:
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    assert TrialLedger(path).looks("A/") >= told.value + 1


def test_a_prefix_is_not_a_pattern(tmp_path):
    ledger = TrialLedger(tmp_path / "trials.db")
    ledger.record("a%", [("k", "failed", [], None)])
    ledger.record("axe", [("k", "failed", [], None)])
    assert ledger.count("a%") == 1
    assert ledger.count("A") == 0


def test_the_best_record_of_a_trial_stands(tmp_path):
    ledger = TrialLedger(tmp_path / "trials.db")
    ledger.record("s", [("k", "killed", [], None)])
    ledger.record("s", [("k", "complete", [1.5, 0.2], 1.5)])
    ledger.record("s", [("k", "cached", [1.5, 0.2], 1.5)])
    assert ledger.entries("s") == [LedgerEntry("s", "k", "complete", (1.5, 0.2), 1.5)]
    assert ledger.sharpes("s").tolist() == [1.5]


def test_sharpe_statistics(tmp_path):
    ledger = TrialLedger(tmp_path / "trials.db")
    assert ledger.sharpe_variance() == 0.0
    values = [0.3, -1.2, 2.5, 0.9]
    ledger.record("s", [(f"k{i}", "complete", [v], v) for i, v in enumerate(values)])
    ledger.record("s", [("pruned", "pruned", [], None)])
    assert ledger.sharpes().tolist() == values
    assert ledger.sharpe_variance() == pytest.approx(np.var(values, ddof=1))


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(8)))
def test_order_does_not_depend_on_arrival(order, tmp_path_factory):
    ledger = TrialLedger(tmp_path_factory.mktemp("ledger") / "trials.db")
    for number in order:
        ledger.record("s", [(f"k{number}", "complete", [float(number)], number / 7)])
    assert [entry.key for entry in ledger.entries("s")] == [f"k{n}" for n in range(8)]
    assert ledger.sharpes().tolist() == [n / 7 for n in range(8)]


def test_a_batch_is_recorded_whole_or_not_at_all(tmp_path):
    ledger = TrialLedger(tmp_path / "trials.db")
    ledger.record("s", [("k", "complete", [1.0], 1.0)])
    with pytest.raises(DataConflict, match=r"'k' of 's' is complete with values \[1.0\]"):
        ledger.record("s", [("new", "complete", [2.0], 2.0), ("k", "complete", [3.0], 3.0)])
    assert ledger.count() == 1


@pytest.mark.parametrize(
    ("study", "entry", "message"),
    [
        ("", ("k", "complete", [1.0], 1.0), "name of its study"),
        ("s", ("", "complete", [1.0], 1.0), "empty key"),
        ("s", ("k", "done", [1.0], 1.0), "state 'done'"),
        ("s", ("k", "complete", [1.0], float("nan")), "sharpe nan"),
    ],
)
def test_bad_entries_are_named(tmp_path, study, entry, message):
    ledger = TrialLedger(tmp_path / "trials.db")
    with pytest.raises(BadInput, match=message):
        ledger.record(study, [entry])
    assert ledger.count() == 0


def test_a_damaged_ledger_says_so(tmp_path):
    path = tmp_path / "trials.db"
    TrialLedger(path)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(CorruptArtifact, match=r"trials\.db is damaged"):
        TrialLedger(path)


def _write(path: Path, worker: int) -> None:
    ledger = TrialLedger(path)
    for batch in range(10):
        own = [(f"w{worker}-{batch}-{i}", "complete", [i], i) for i in range(5)]
        shared = [(f"shared-{batch}-{i}", "complete", [i], i) for i in range(5)]
        ledger.record("s", own + shared)


def test_processes_that_create_and_write_at_once_lose_nothing(tmp_path):
    path = tmp_path / "new" / "trials.db"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_write, args=(path, number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert TrialLedger(path).count() == 4 * 50 + 50


def _write_forever(path: Path) -> None:
    ledger = TrialLedger(path)
    for batch in range(10**6):
        ledger.record("s", [(f"{batch:07d}-{i}", "complete", [i], i) for i in range(7)])


def test_a_kill_leaves_whole_batches(tmp_path):
    path = tmp_path / "trials.db"
    context = multiprocessing.get_context("fork")
    for _ in range(3):
        worker = context.Process(target=_write_forever, args=(path,))
        worker.start()
        time.sleep(0.25)
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
    ledger = TrialLedger(path)
    assert ledger.count() % 7 == 0
    assert ledger.count() > 0
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


_LOOKS = st.lists(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.sampled_from(STATES)), max_size=6
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(_LOOKS)
def test_any_sequence_of_looks_counts_as_a_set_would(tmp_path_factory, batches):
    """Against a dictionary: a trial once, in the best state that it was ever seen in."""
    ledger = TrialLedger(tmp_path_factory.mktemp("ledger") / "trials.db")
    known: dict[tuple[str, str], int] = {}
    for batch in batches:
        for study in "ab":
            looks = [(f"k{key}", state) for name, key, state in batch if name == study]
            new = len({key for key, _ in looks} - {key for name, key in known if name == study})
            assert ledger.record(study, [(key, state, [], None) for key, state in looks]) == new
            for key, state in looks:
                rank = STATES.index(state)
                known[study, key] = min(rank, known.get((study, key), rank))
    assert ledger.count() == len(known)
    assert ledger.studies() == {
        study: len([key for name, key in known if name == study])
        for study in sorted({name for name, _ in known})
    }
    for study in "ab":
        states = {entry.key: entry.state for entry in ledger.entries(study)}
        assert states == {key: STATES[rank] for (name, key), rank in known.items() if name == study}


def _look_at_all(path: Path, start: multiprocessing.Barrier, state: str) -> None:
    ledger = TrialLedger(path)
    start.wait(60)
    for number in range(30):
        ledger.record(
            "s", [(f"k{number}", state, [], None), (f"{state}-{number}", state, [], None)]
        )


def test_writers_of_every_state_at_once_count_each_trial_once(tmp_path):
    path = tmp_path / "trials.db"
    context = multiprocessing.get_context("fork")
    start = context.Barrier(len(STATES))
    workers = [context.Process(target=_look_at_all, args=(path, start, state)) for state in STATES]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * len(STATES)
    ledger = TrialLedger(path)
    assert ledger.count("s") == 30 + 30 * len(STATES)
    standing = {entry.key: entry.state for entry in ledger.entries("s")}
    assert all(standing[f"k{number}"] == STATES[0] for number in range(30))


def _kill_while_writing(path: Path, told) -> None:
    ledger = TrialLedger(path)
    for batch in range(10**6):
        ledger.record("s", [(f"{batch:07d}-{i}", "complete", [i], i) for i in range(3)])
        told.value = batch


def test_what_was_recorded_before_a_kill_stands(tmp_path):
    path = tmp_path / "trials.db"
    context = multiprocessing.get_context("fork")
    told = context.Value("l", -1, lock=False)
    worker = context.Process(target=_kill_while_writing, args=(path, told))
    worker.start()
    while told.value < 5:
        time.sleep(0.01)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    batches = {entry.key.split("-")[0] for entry in TrialLedger(path).entries("s")}
    assert {f"{batch:07d}" for batch in range(told.value + 1)} <= batches
