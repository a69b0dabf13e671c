"""Sets right what killed processes leave behind: runs that Dagster takes for running.

Belongs here: finding runs of this machine whose process is dead, and marking them failed in
Dagster and killed in MLflow.  Does not belong here: leases (``ares_resources/leases.py``), the
sensor (``sensors.py``), and running anything again.

Dagster notices a dead process only below a living code server; a killed ``ares train`` or
``dagster job execute`` stays STARTED for ever, and its pool slots stay taken.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ares_resources.errors import AresError
from ares_resources.home import Home
from ares_resources.leases import Lease, hold_lease, is_alive, leases, on_this_host

if TYPE_CHECKING:
    import dagster as dg

__all__ = ["hold_lease", "reap"]

_QUIET_SECONDS = 30.0
_LOCK_SECONDS = 60.0


def reap(instance: dg.DagsterInstance, home: Home) -> list[str]:
    """Mark every run failed whose process died on this machine; returns their ids.

    A run is dead if it holds leases of this machine and none of their holders lives, or, when
    its process died before it took a lease, if none of the processes that Dagster noted for it
    exists any more.  In doubt a run lives.
    """
    from ares_resources.storage.atomic import file_lock

    if not home.runs.is_dir():
        return []
    with file_lock(home.locks / "reaper.lock", timeout_seconds=_LOCK_SECONDS):
        held = _by_run(leases(home))
        dead = [run for run in _unfinished(instance) if _is_dead(instance, run, held)]
        reaped = [run.run_id for run in dead if _mark_failed(instance, run, home)]
        _sweep(instance, held)
    return reaped


def _unfinished(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    import dagster as dg

    statuses = [
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
        dg.DagsterRunStatus.CANCELING,
    ]
    return list(instance.get_runs(filters=dg.RunsFilter(statuses=statuses)))


def _by_run(held: list[Lease]) -> dict[str, list[Lease]]:
    grouped: dict[str, list[Lease]] = {}
    for lease in held:
        grouped.setdefault(lease.run_id, []).append(lease)
    return grouped


def _is_dead(
    instance: dg.DagsterInstance, run: dg.DagsterRun, held: Mapping[str, list[Lease]]
) -> bool:
    own = held.get(run.run_id, [])
    if any(not on_this_host(lease.holder) or is_alive(lease.holder) for lease in own):
        return False
    noted = _noted_processes(instance, run)
    if own:
        return not any(_exists(pid, since) for pid, since in noted)
    # Without a lease the machine is not known: a local database has to vouch for it.
    if not noted or not _is_local(instance) or not _is_quiet(instance, run):
        return False
    return not any(_exists(pid, None) for pid, _ in noted)


def _noted_processes(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[tuple[int, float]]:
    """Process ids in the run's engine events, each with the time of its event, seconds."""
    import dagster as dg

    noted = []
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        metadata = event.engine_event_data.metadata if event is not None else {}
        pid = str(metadata["pid"].value) if "pid" in metadata else ""
        if pid.isdigit():
            noted.append((int(pid), entry.timestamp))
    return noted


def _exists(pid: int, noted_at: float | None) -> bool:
    """Whether there is such a process; one that began after it was noted is another one."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return noted_at is None or process.create_time() <= noted_at + _QUIET_SECONDS
    except psutil.NoSuchProcess:
        return False


def _is_local(instance: dg.DagsterInstance) -> bool:
    from dagster._core.storage.runs import InMemoryRunStorage, SqliteRunStorage

    return isinstance(instance.run_storage, SqliteRunStorage | InMemoryRunStorage)


def _is_quiet(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    record = instance.get_run_record_by_id(run.run_id)
    return record is not None and (
        time.time() - record.update_timestamp.timestamp() > _QUIET_SECONDS
    )


def _mark_failed(instance: dg.DagsterInstance, run: dg.DagsterRun, home: Home) -> bool:
    """Fail the run and free what it held; False if it has ended by itself meanwhile."""
    current = instance.get_run_by_id(run.run_id)
    if current is None or current.is_finished:
        return False
    instance.report_run_failed(current, "The process of this run died; marked failed by Ares.")
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    problem = _end_tracking(current, home)
    if problem is not None:
        instance.report_engine_event(f"MLflow still shows this run as running: {problem}", current)
    return True


def _end_tracking(run: dg.DagsterRun, home: Home) -> str | None:
    """Let the MLflow run of a dead run end as KILLED; returns why that could not be done."""
    from ares_resources.dagster_resources import CONFIG_TAG
    from ares_resources.settings import load_settings
    from ares_resources.tracking import tracking_uri

    try:
        settings = load_settings(json.loads(run.tags.get(CONFIG_TAG, "{}")))
    except (AresError, json.JSONDecodeError):
        return None  # such a run fails before it is tracked
    if not settings.tracking.enabled or not (
        settings.tracking.uri or any(home.mlflow.glob("*.db"))
    ):
        return None
    from mlflow.exceptions import MlflowException

    try:
        _kill_tracked(tracking_uri(settings, home), settings.tracking.experiment, run.run_id)
    except MlflowException as error:
        return str(error)
    return None


def _kill_tracked(uri: str, experiment_name: str, dagster_run_id: str) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(experiment_name)
    if experiment is None:
        return
    wanted = f"tags.dagster_run_id = '{dagster_run_id}' and attributes.status = 'RUNNING'"
    for tracked in client.search_runs([experiment.experiment_id], wanted):
        client.set_terminated(tracked.info.run_id, status="KILLED")


def _sweep(instance: dg.DagsterInstance, held: Mapping[str, list[Lease]]) -> None:
    """Remove leases of dead holders whose run has ended, or is not known here."""
    for run_id, own in sorted(held.items()):
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            continue
        for lease in own:
            if on_this_host(lease.holder) and not is_alive(lease.holder):
                lease.path.unlink(missing_ok=True)
