"""Step 12 on a trained partition: sizes are searched, the journal goes once the result stands."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from helpers.partition_runs import again, trained

from ares_assets import step12_final_parameters_optimization as step12
from ares_assets.engine import Work, execute
from ares_assets.release.partition_model import PartitionModel
from ares_assets.stored import Stored
from ares_resources import progress
from ares_resources.backtesting.ledger import TrialLedger
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.atomic import file_lock

TRIALS = 24
STUDY = "ETHUSDT.SIM/bear/parameters"
CHANGES = {
    "enhanced_training_manager": {"blank": {"max_trials": TRIALS}},
    "search": {"batch": 6, "minimum_trades": 1, "size_multiple": [0.5, 1.5]},
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Steps 1 to 12 of one regime."""
    return trained(tmp_path_factory.mktemp("before"), last=12, **CHANGES)


def journals(root: Path) -> list[str]:
    return sorted(
        path.name for path in (Home(root).cache / "searches").rglob("*") if path.is_file()
    )


def work_of(stored: Stored) -> Work:
    return Work(step12.SPEC, stored.request, stored.workspace)


def test_every_trial_has_a_size_within_its_range_and_the_chosen_one_is_the_models(
    before: Stored,
) -> None:
    artifact = before["final_parameters"]
    files, told = artifact.load(), artifact.metadata
    sizes = files["trials.parquet"]["size_multiple"]
    assert len(sizes) == TRIALS
    assert sizes.between(0.5, told["largest_size_multiple"]).all()
    assert sizes.nunique() > TRIALS // 2
    model = PartitionModel.from_files(files)
    assert model.parameters["size_multiple"] == told["chosen_size_multiple"]
    assert all("size_multiple" in point for point in told["pareto_front"])


@pytest.mark.parametrize(("threads", "workers", "used"), [(1, 8, 1), (2, 1, 1), (2, 8, 2)])
def test_threads_of_the_settings_are_honoured(
    before: Stored, monkeypatch: pytest.MonkeyPatch, threads: int, workers: int, used: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    settings = load_settings(
        {
            **CHANGES,
            "threads": threads,
            "computational_optimization": {"parallelization": {"max_workers": workers}},
        },
        mode="blank",
    )
    work = Work(step12.SPEC, replace(before.request, settings=settings), before.workspace)
    assert step12._backtester(work, bars_of(before))._threads == used


def bars_of(before: Stored) -> step12.Development:
    inputs = {name: before[name] for name in step12.SPEC.inputs}
    searched = inputs.pop("analyst_dataset")
    work = work_of(before)
    draft = step12.draft_model(work, **inputs)
    return step12.development_signals(
        work, inputs["market_data"], searched, draft, inputs["tactician_ensemble"]
    )


def test_no_multiple_takes_a_decided_size_beyond_the_largest_position(before: Stored) -> None:
    work, bars = work_of(before), bars_of(before)
    for largest, high in ((0.4, 1.5), (0.8, 1.25), (1.0, 1.0)):
        size = bars.signals.size.copy()
        size[:] = 0.1
        size[5] = largest
        signals = step12_signals(bars.signals, size)
        space = step12._space(work, replace(bars, signals=signals))
        assert space["size_multiple"].high == pytest.approx(high)
        assert space["size_multiple"].high * largest <= 1.0 + 1e-12


def step12_signals(signals, size):  # type: ignore[no-untyped-def]
    from ares_resources.backtesting.engine import Signals

    return Signals(signals.market, signals.probability, size, signals.management)


def test_the_journal_goes_once_the_result_stands(before: Stored, tmp_path: Path) -> None:
    stored = again(before, tmp_path, 12, 12)
    work, artifact = work_of(stored), stored["final_parameters"]
    assert len(journals(tmp_path)) == 2
    found, reused = execute(work, {name: stored[name] for name in step12.SPEC.inputs})
    assert reused
    for _ in range(2):
        assert step12.SPEC.after is not None
        assert step12.SPEC.after(work, found) == {}
        assert journals(tmp_path) == []
    assert artifact.sha256 == before["final_parameters"].sha256


def test_stale_journals_go_with_it_but_none_that_is_in_use(before: Stored, tmp_path: Path) -> None:
    stored = again(before, tmp_path, 12, 12)
    work, artifact = work_of(stored), stored["final_parameters"]
    own = artifact.cost["search_journal"]
    assert own.startswith("bear-blank-")
    assert artifact.cost["dropped_journal_trials"] == 0
    folder = step12._journals(work)
    kept = ["bear-full-0-1-2.jsonl", "bull-blank-0-1-2.jsonl", "bear-blank-0-1-held.jsonl"]
    for name in (*kept, "bear-blank-0-1-old.jsonl", "bear-blank-0-1-old.jsonl.lock"):
        (folder / name).touch()
    assert step12.SPEC.after is not None
    with file_lock(folder / f"{kept[2]}.lock"):
        step12.SPEC.after(work, artifact)
        assert journals(tmp_path) == sorted([*kept, f"{kept[2]}.lock"])
    # Found again, the result ended no search: another one's journal may be needed yet.
    step12.SPEC.after(work, artifact)
    assert kept[2] in journals(tmp_path)


class _Slow(progress.Silent):
    def advanced(self, what: str, done: int, total: int) -> None:
        time.sleep(1.0 if what == "trial" else 0.0)


def _slowly(before: Stored, root: Path) -> None:
    with progress.listening(_Slow()):
        again(before, root, 12, 12)


def _lines(root: Path) -> int:
    folder = Home(root).cache / "searches"
    return sum(path.read_bytes().count(b"\n") for path in folder.rglob("*.jsonl"))


def test_a_step_killed_in_its_search_goes_on_and_ends_the_same(
    before: Stored, tmp_path: Path
) -> None:
    process = multiprocessing.get_context("fork").Process(target=_slowly, args=(before, tmp_path))
    process.start()
    deadline = time.monotonic() + 300
    while _lines(tmp_path) < 3:
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    begun = TrialLedger(Home(tmp_path).ledger).count(STUDY)
    assert 12 <= begun < TRIALS

    whole = again(before, tmp_path, 12, 12)["final_parameters"]
    assert whole.cost["resumed_trials"] >= 12
    expected = before["final_parameters"]
    trials = whole.load()["trials.parquet"]
    pd.testing.assert_frame_equal(trials, expected.load()["trials.parquet"], check_exact=True)
    assert whole.sha256 == expected.sha256
    assert whole.metadata == expected.metadata
    entries = TrialLedger(Home(tmp_path).ledger).entries(STUDY)
    assert len(entries) == TRIALS
    assert {entry.state for entry in entries} <= {"complete", "cached"}
