"""The dead are buried, the living and the unknown are left alone."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.test_utils import create_run_for_test

from ares_jobs import reaper
from ares_jobs.reaper import hold_lease, reap
from ares_resources import leases
from ares_resources.errors import BadInput
from ares_resources.home import Home
from ares_resources.leases import Holder, is_alive, this_process

STARTED = dg.DagsterRunStatus.STARTED


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.runs.mkdir()
    return made


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def run_of(instance: dg.DagsterInstance, status: dg.DagsterRunStatus = STARTED) -> dg.DagsterRun:
    return create_run_for_test(instance, job_name="blank_training", status=status)


def put_lease(home: Home, run_id: str, holder: Holder) -> Path:
    path = home.runs / f"{run_id}.{holder.pid}.lease"
    path.write_text(json.dumps({"run_id": run_id, **dataclasses.asdict(holder)}))
    return path


def dead_holder() -> Holder:
    """A process that was, and is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return dataclasses.replace(this_process(), pid=process.pid)


def note_pid(instance: dg.DagsterInstance, run: dg.DagsterRun, pid: int) -> None:
    data = EngineEventData(metadata={"pid": dg.MetadataValue.text(str(pid))})
    instance.report_engine_event("Executing steps in process", run, data)


def status_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_a_lease_stands_while_it_is_held_and_names_this_process(home: Home) -> None:
    with hold_lease(home, "abc-1"):
        (lease,) = leases.leases(home)
        assert (lease.run_id, lease.holder) == ("abc-1", this_process())
        assert is_alive(lease.holder)
        with hold_lease(home, "abc-1"):
            pass
        assert lease.path.is_file()
    assert leases.leases(home) == []


def test_a_lease_goes_when_its_block_fails(home: Home) -> None:
    with pytest.raises(ZeroDivisionError), hold_lease(home, "abc-1"):
        raise ZeroDivisionError
    assert leases.leases(home) == []


@pytest.mark.parametrize("run_id", ["", "../up", "a/b", "a.b"])
def test_a_run_id_that_is_no_file_name_is_refused(home: Home, run_id: str) -> None:
    with pytest.raises(BadInput, match="run id"), hold_lease(home, run_id):
        pass


@pytest.mark.parametrize(
    "change", [{"started": this_process().started - 60}, {"boot": "an earlier one"}]
)
def test_a_process_id_used_again_is_another_process(change: dict[str, object]) -> None:
    assert is_alive(this_process())
    assert not is_alive(dataclasses.replace(this_process(), **change))


def test_a_killed_process_leaves_a_lease_and_its_run_is_marked_failed(
    home: Home, instance: dg.DagsterInstance
) -> None:
    run = run_of(instance)
    code = (
        "import sys, time; from pathlib import Path; from ares_resources.home import Home;"
        "from ares_resources.leases import hold_lease\n"
        f"with hold_lease(Home(Path({str(home.root)!r})), {run.run_id!r}):\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    assert reap(instance, home) == []
    process.send_signal(signal.SIGKILL)
    # Not waited for yet: a zombie computes nothing, so it counts as dead.
    deadline = time.monotonic() + 10
    while not (reaped := reap(instance, home)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert reaped == [run.run_id]
    process.wait()
    assert status_of(instance, run) is dg.DagsterRunStatus.FAILURE
    assert leases.leases(home) == []
    assert reap(instance, home) == []


@pytest.mark.parametrize("status", [STARTED, dg.DagsterRunStatus.CANCELING])
def test_pool_slots_of_the_dead_are_freed(
    home: Home, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    run = run_of(instance, status)
    put_lease(home, run.run_id, dead_holder())
    storage = instance.event_log_storage
    storage.set_concurrency_slots("cpu", 1)
    assert storage.claim_concurrency_slot("cpu", run.run_id, "step").is_claimed
    assert reap(instance, home) == [run.run_id]
    assert storage.get_concurrency_info("cpu").claimed_slots == []


def test_a_run_with_a_living_holder_lives_whatever_else_died(
    home: Home, instance: dg.DagsterInstance
) -> None:
    run = run_of(instance)
    put_lease(home, run.run_id, dead_holder())
    with hold_lease(home, run.run_id):
        assert reap(instance, home) == []
    assert status_of(instance, run) is STARTED


def test_a_dead_step_process_does_not_bury_the_run_of_a_living_parent(
    home: Home, instance: dg.DagsterInstance
) -> None:
    run = run_of(instance)
    put_lease(home, run.run_id, dead_holder())
    note_pid(instance, run, os.getpid())
    assert reap(instance, home) == []


def test_a_run_of_another_machine_is_none_of_our_business(
    home: Home, instance: dg.DagsterInstance
) -> None:
    run = run_of(instance)
    path = put_lease(home, run.run_id, dataclasses.replace(dead_holder(), host="elsewhere"))
    assert reap(instance, home) == []
    assert path.is_file()
    assert status_of(instance, run) is STARTED


@pytest.mark.parametrize(
    "status",
    [
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.SUCCESS,
        dg.DagsterRunStatus.CANCELED,
    ],
)
def test_only_runs_that_claim_to_run_are_judged(
    home: Home, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    run = run_of(instance, status)
    put_lease(home, run.run_id, dead_holder())
    assert reap(instance, home) == []
    assert status_of(instance, run) is status


def test_without_lease_or_noted_process_a_run_lives(
    home: Home, instance: dg.DagsterInstance
) -> None:
    run_of(instance)
    assert reap(instance, home) == []


def test_a_run_that_died_before_its_lease_is_known_by_its_noted_process(
    home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, living = run_of(instance), run_of(instance)
    note_pid(instance, dead, dead_holder().pid)
    note_pid(instance, living, os.getpid())
    assert reap(instance, home) == []  # its last word is too fresh
    monkeypatch.setattr(reaper, "_QUIET_SECONDS", -1.0)
    assert reap(instance, home) == [dead.run_id]
    assert status_of(instance, living) is STARTED


def test_leases_of_runs_that_ended_are_swept_and_held_ones_kept(
    home: Home, instance: dg.DagsterInstance
) -> None:
    ended = run_of(instance, dg.DagsterRunStatus.SUCCESS)
    swept = put_lease(home, ended.run_id, dead_holder())
    unknown = put_lease(home, "no-such-run", dead_holder())
    with hold_lease(home, ended.run_id):
        reap(instance, home)
        assert len(leases.leases(home)) == 1
    assert not swept.exists()
    assert not unknown.exists()


def test_the_tracked_run_of_the_dead_ends_as_killed_and_no_other(
    home: Home, instance: dg.DagsterInstance
) -> None:
    from mlflow import MlflowClient

    from ares_resources.settings import load_settings
    from ares_resources.tracking import prepare_database, tracking_uri

    settings = load_settings()
    prepare_database(home, settings.tracking.experiment)
    client = MlflowClient(tracking_uri(settings, home))
    experiment = client.get_experiment_by_name(settings.tracking.experiment)
    run, other = run_of(instance), run_of(instance)
    put_lease(home, run.run_id, dead_holder())
    tracked, untouched = (
        client.create_run(experiment.experiment_id, tags={"dagster_run_id": each.run_id})
        for each in (run, other)
    )
    assert reap(instance, home) == [run.run_id]
    assert client.get_run(tracked.info.run_id).info.status == "KILLED"
    assert client.get_run(untouched.info.run_id).info.status == "RUNNING"


def test_an_empty_home_has_nothing_to_bury(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    assert reap(instance, Home(tmp_path / "none")) == []
    assert not (tmp_path / "none").exists()
