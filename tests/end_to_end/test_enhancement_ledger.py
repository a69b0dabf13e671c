"""What step 6 tried is in the ledger even if the step comes to no end."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from helpers.partition_runs import again, trained

from ares_assets.analyst import enhancement_study
from ares_assets.stored import Stored

STUDY = "ETHUSDT.SIM/bear/enhancement"
TRIALS = 5


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Steps 1 to 5 of one regime."""
    return trained(tmp_path_factory.mktemp("before"), last=5)


def enhanced(before: Stored, root: Path) -> Stored:
    return again(before, root, 6, 6)


def states(root: Path) -> list[str]:
    from ares_resources.backtesting.ledger import TrialLedger
    from ares_resources.home import Home

    return sorted(entry.state for entry in TrialLedger(Home(root).ledger).entries(STUDY))


def ends_at(trial: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the study meet this when it predicts for its n-th trial, from 1."""
    predict, made = enhancement_study.predict, []

    def failing(*arguments: Any) -> Any:
        made.append(1)
        if len(made) == trial:
            raise error
        return predict(*arguments)

    monkeypatch.setattr(enhancement_study, "predict", failing)


@pytest.mark.parametrize(
    ("error", "left"),
    [
        (KeyboardInterrupt(), ["complete", "complete", "killed"]),
        (ValueError("a singular matrix"), ["complete", "complete", "failed"]),
    ],
)
def test_trials_before_the_end_count_and_are_not_counted_again(
    before: Stored,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    left: list[str],
) -> None:
    with monkeypatch.context() as patch:
        ends_at(3, error, patch)
        with pytest.raises(type(error)):
            enhanced(before, tmp_path)
    assert states(tmp_path) == left

    whole = enhanced(before, tmp_path)
    assert whole["enhanced_analysts"].metadata["trials"] == TRIALS
    assert states(tmp_path) == ["complete"] * TRIALS


def test_a_trial_that_is_killed_counts_at_once_and_no_second_time(
    before: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = tmp_path / "the third trial began"
    predict, made = enhancement_study.predict, []

    def hanging(*arguments: Any) -> Any:
        made.append(1)
        if len(made) == 3:
            began.touch()
            time.sleep(600)
        return predict(*arguments)

    context = multiprocessing.get_context("fork")
    with monkeypatch.context() as patch:
        patch.setattr(enhancement_study, "predict", hanging)
        process = context.Process(target=enhanced, args=(before, tmp_path))
        process.start()
    deadline = time.monotonic() + 300
    while not began.exists():
        assert process.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert states(tmp_path) == ["complete", "complete", "killed"]

    enhanced(before, tmp_path)
    assert states(tmp_path) == ["complete"] * TRIALS


def test_a_point_that_comes_to_another_value_is_another_trial(
    before: Stored, tmp_path: Path
) -> None:
    from ares_assets.engine import Work
    from ares_assets.step06_analyst_enhancement import SPEC, _TrialNotes

    stored = enhanced(before, tmp_path)
    notes = _TrialNotes(Work(SPEC, stored.request, stored.workspace), "other data")
    for value in (0.5, 0.5, 0.6, 0.6):
        notes.note(0, "RUNNING", {"kind": "linear"}, None)
        notes.note(0, "COMPLETE", {"kind": "linear"}, value)
    assert states(tmp_path) == ["complete"] * (TRIALS + 2)
