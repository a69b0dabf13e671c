"""Processes that share results: the bound, the order of eviction, kills, disks that refuse."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_cached import cache, direct, points, stored

from ares_resources import progress
from ares_resources.backtesting.ledger import TrialLedger

_CONTEXT = multiprocessing.get_context("fork")


def _in_another_process(function, *arguments) -> None:
    worker = _CONTEXT.Process(target=function, args=arguments)
    worker.start()
    worker.join(60)
    assert worker.exitcode == 0


def _fill(folder, start, offset, results) -> None:
    backtester = cache(folder, capacity=100)
    start.wait(60)
    sets = points(60)
    found = backtester.evaluate_many(sets[offset:] + sets[:offset])
    results.put((found[60 - offset :] + found[: 60 - offset], backtester.statistics()))


def test_processes_that_start_together_agree(tmp_path):
    start, results = _CONTEXT.Barrier(3), _CONTEXT.Queue()
    workers = [
        _CONTEXT.Process(target=_fill, args=(tmp_path, start, offset, results))
        for offset in (0, 20, 40)
    ]
    for worker in workers:
        worker.start()
    told = [results.get(timeout=60) for _ in workers]
    for worker in workers:
        worker.join(60)
    expected = [direct(point) for point in points(60)]
    assert all(found == expected for found, _ in told)
    assert len(stored(tmp_path)) == 60
    again = cache(tmp_path, capacity=100)
    assert again.evaluate_many(points(60)) == expected
    assert again.misses == 0


def _look(folder, *numbers) -> None:
    for number in numbers:
        cache(folder, capacity=3).evaluate(points(9)[number])


def test_a_use_in_another_process_counts_for_the_order(tmp_path):
    mine = cache(tmp_path, capacity=3)
    for point in points(3):
        mine.evaluate(point)
    _in_another_process(_look, tmp_path, 0)
    mine.evaluate(points(9)[3])
    assert stored(tmp_path) == {mine.generate_cache_key(points(9)[n]) for n in (0, 2, 3)}


def test_a_hit_in_memory_counts_for_the_order_of_other_processes(tmp_path):
    mine = cache(tmp_path, capacity=3)
    for point in points(3):
        mine.evaluate(point)
    time.sleep(0.05)
    hits = mine.hits
    mine.evaluate(points(3)[0])
    assert mine.hits == hits + 1
    _in_another_process(_look, tmp_path, 3)
    assert stored(tmp_path) == {mine.generate_cache_key(points(9)[n]) for n in (0, 2, 3)}


def test_a_smaller_bound_holds_from_the_start(tmp_path):
    cache(tmp_path, capacity=9).evaluate_many(points(9))
    small = cache(tmp_path, capacity=4)
    assert stored(tmp_path) == {small.generate_cache_key(point) for point in points(9)[5:]}


def _churn(folder, number) -> None:
    backtester = cache(folder, capacity=5)
    sets = points(300)[number * 100 :]
    while True:
        for first in range(0, 100, 3):
            backtester.evaluate_many(sets[first : first + 3])


def test_the_bound_holds_while_writers_are_killed(tmp_path):
    for _ in range(4):
        workers = [_CONTEXT.Process(target=_churn, args=(tmp_path, n)) for n in range(3)]
        for worker in workers:
            worker.start()
        deadline = time.monotonic() + 0.6
        while time.monotonic() < deadline:
            if (tmp_path / "results-1.slots").exists():
                assert len(stored(tmp_path)) <= 5
                assert (tmp_path / "results-1.slots").stat().st_size <= 32 + 5 * 120
        for worker in workers:
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()
    after = cache(tmp_path, capacity=5)
    assert after.evaluate_many(points(300)) == [direct(point) for point in points(300)]
    assert len(stored(tmp_path)) == 5
    assert {path.name for path in tmp_path.iterdir()} <= {"results-1.slots", "results-1.lock"}


def _die_while_computing(folder, path) -> None:
    import ares_resources.backtesting.cached as module

    backtester = cache(folder, ledger=TrialLedger(path), study="s")
    backtester.evaluate_many(points(2))
    module.Signals.sweep = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    backtester.evaluate_many(points(5))


def test_a_killed_look_counts_once_and_is_made_good_later(tmp_path):
    path = tmp_path / "trials.db"
    worker = _CONTEXT.Process(target=_die_while_computing, args=(tmp_path, path))
    worker.start()
    worker.join(60)
    assert worker.exitcode == -signal.SIGKILL
    ledger = TrialLedger(path)
    states = sorted(entry.state for entry in ledger.entries("s"))
    assert states == ["complete"] * 2 + ["killed"] * 3
    backtester = cache(tmp_path, ledger=ledger, study="s")
    backtester.evaluate_many(points(5))
    assert (backtester.hits, backtester.misses, ledger.count()) == (2, 3, 5)
    assert {entry.state for entry in ledger.entries("s")} == {"complete"}


def test_a_failed_look_counts_once_and_the_failure_is_seen(tmp_path, monkeypatch):
    ledger = TrialLedger(tmp_path / "trials.db")
    backtester = cache(tmp_path, ledger=ledger, study="s")

    def fail(*_, **__):
        raise ArithmeticError("no result")

    monkeypatch.setattr("ares_resources.backtesting.cached.Signals.sweep", fail)
    for _ in range(2):
        with pytest.raises(ArithmeticError, match="no result"):
            backtester.evaluate_many(points(3))
    assert [entry.state for entry in ledger.entries("s")] == ["failed"] * 3
    assert ledger.count() == 3


class Ear(progress.Silent):
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def noted(self, line: str) -> None:
        self.lines.append(line)


_ON_A_BAD_DISK = """
import os, resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
kind, folder = sys.argv[2], Path(sys.argv[3])
from test_cached import cache, direct, points
from test_cached_processes import Ear
from ares_resources import progress
[direct(point) for point in points(1)]
if kind == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
elif os.geteuid() == 0:
    os.setuid(65534)
ear = Ear()
with progress.listening(ear):
    backtester = cache(folder)
    for point in points(20):
        assert backtester.evaluate(point) == direct(point)
    assert backtester.evaluate_many(points(20)) == [direct(point) for point in points(20)]
print(backtester.misses, backtester.hits, len(ear.lines), *ear.lines)
"""


def _on_a_bad_disk(kind: str, folder: Path) -> list[str]:
    here = os.path.dirname(__file__)
    done = subprocess.run(
        [sys.executable, "-c", _ON_A_BAD_DISK, here, kind, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split(maxsplit=3)


def test_a_full_disk_is_said_once_and_loses_no_result(tmp_path):
    misses, hits, lines, words = _on_a_bad_disk("full", tmp_path)
    assert (misses, hits, lines) == ("20", "20", "1")
    assert "not cached" in words
    assert 0 < len(stored(tmp_path)) < 5
    later = cache(tmp_path)
    assert later.evaluate_many(points(20)) == [direct(point) for point in points(20)]
    assert later.hits >= 1


@pytest.mark.parametrize("filled", [False, True])
def test_a_disk_that_may_only_be_read_is_said_once_and_still_read(filled):
    # Not below tmp_path: a process without rights has to reach it.
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if filled:
            cache(folder).evaluate_many(points(5))
        for path in folder.iterdir():
            path.chmod(0o444)
        folder.chmod(0o555)
        misses, hits, lines, words = _on_a_bad_disk("read-only", folder)
        assert (misses, hits) == (("15", "25") if filled else ("20", "20"))
        assert lines == "1"
        assert "not cached" in words
        folder.chmod(0o755)
