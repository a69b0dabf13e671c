"""A ledger held open: the same records, the log stays, nothing crosses a fork."""

from __future__ import annotations

import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from ares_resources.backtesting import ledger_held
from ares_resources.backtesting.ledger import TrialLedger
from ares_resources.backtesting.ledger_held import held_open
from ares_resources.errors import CorruptArtifact

TOLD = [("a", "complete", [1.0], 1.0)]


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def test_the_log_stays_while_it_is_held_and_goes_after(tmp_path):
    path = tmp_path / "t.db"
    ledger = TrialLedger(path)
    ledger.record("s", TOLD)
    assert not log_of(path).exists()
    with held_open(path):
        ledger.record("s", [("b", "killed", (), None)])
        assert log_of(path).exists()
        assert TrialLedger(path).count() == 2
    assert not log_of(path).exists()
    assert ledger.count() == 2


def test_a_damaged_ledger_says_so_itself(tmp_path):
    path = tmp_path / "t.db"
    ledger = TrialLedger(path)
    path.write_bytes(b"no database at all" * 400)
    with held_open(path), pytest.raises(CorruptArtifact, match="trial ledger"):
        ledger.record("s", TOLD)


def _records_and_hangs(path: Path, done) -> None:
    ledger = TrialLedger(path)
    with held_open(path):
        for number in range(30):
            ledger.record("s", [(str(number), "complete", [1.0], 1.0)])
        done.set()
        signal.pause()


def test_what_was_recorded_before_a_kill_stands(tmp_path):
    context = multiprocessing.get_context("fork")
    done = context.Event()
    process = context.Process(target=_records_and_hangs, args=(tmp_path / "t.db", done))
    process.start()
    assert done.wait(120)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert TrialLedger(tmp_path / "t.db").count() == 30


def _records(path: Path) -> None:
    for number in range(20):
        TrialLedger(path).record("child", [(str(number), "complete", [1.0], 1.0)])


def test_no_connection_crosses_a_fork(tmp_path):
    path = tmp_path / "t.db"
    ledger = TrialLedger(path)
    with held_open(path):
        ledger.record("s", TOLD)
        process = multiprocessing.get_context("fork").Process(target=_records, args=(path,))
        process.start()
        # Let go before the fork: the last close has folded the log in.
        (idle,) = ledger_held._held
        assert idle.closed
        for number in range(20):
            ledger.record("parent", [(str(number), "complete", [1.0], 1.0)])
        process.join()
    assert process.exitcode == 0
    assert ledger.studies() == {"child": 20, "parent": 20, "s": 1}
