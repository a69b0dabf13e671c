"""How a Dagster run ended, in one line.

Belongs here: reading a run's events, and the latest run of each partition.  Does not belong
here: running anything (``runner.py``), and what stands in the home (``status.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ares_resources.errors import speaks_of_full_disk
from ares_resources.home import Home

if TYPE_CHECKING:
    import dagster as dg

# Runs of a partition that are looked through for the latest of each mode.
_RUNS_SEEN = 200


@dataclass(frozen=True)
class Attempt:
    """The latest run of a partition in a mode.

    ``status`` is ``done``, ``failed``, ``stopped`` (by a person), ``running`` or ``waiting``;
    ``reason`` says in one line why it did not come to its end, and is empty otherwise.
    ``steps`` counts those that gave a result; ``ended`` is in seconds since the epoch, None
    while it runs.
    """

    run_id: str
    status: str
    reason: str
    steps: int
    ended: float | None


def problem_of(events: Iterable[dg.DagsterEvent], full_disk: str) -> str:
    """What failed: a check that stopped the run, the error of a step, or of the run.

    ``full_disk`` is what to say in place of an error that came of a full disk.
    """
    events = list(events)
    for event in events:
        if event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if not check.passed and check.blocking:
                asset = check.asset_key.to_user_string()
                return f"{asset}: check {check.check_name} failed: {check.description}"
    for event in events:
        if event.is_step_failure and event.step_failure_data.error is not None:
            error = event.step_failure_data.error
            while error.cause is not None:
                error = error.cause
            told = full_disk if speaks_of_full_disk(error.message) else _plain(error.message)
            step = f"{event.step_key}: "
            return told if told.startswith(step) else step + told
    failed = [event for event in events if event.is_failure]
    told = _run_failure(failed[-1]) if failed else ""
    return told or "the run failed before its first step"


def was_interrupted(events: Iterable[dg.DagsterEvent]) -> bool:
    """Dagster turns an interrupt into a failure of the step that was at work."""
    errors = [event.step_failure_data.error for event in events if event.is_step_failure]
    return any(e is not None and e.cls_name == "DagsterExecutionInterruptedError" for e in errors)


def latest_attempts(
    instance: dg.DagsterInstance, partitions: Iterable[str], home: Home
) -> dict[tuple[str, str], Attempt]:
    """The latest run of each partition and mode that was ever asked for."""
    import dagster as dg

    from ares_resources.dagster_resources import MODE_TAG

    found: dict[tuple[str, str], Attempt] = {}
    for partition in partitions:
        wanted = dg.RunsFilter(tags={"dagster/partition": partition})
        for record in instance.get_run_records(wanted, limit=_RUNS_SEEN):
            key = partition, record.dagster_run.tags.get(MODE_TAG, "full")
            if key not in found:
                found[key] = _attempt(instance, record, home)
    return found


def _attempt(instance: dg.DagsterInstance, record: dg.RunRecord, home: Home) -> Attempt:
    import dagster as dg

    run = record.dagster_run
    kinds = dg.DagsterEventType
    told = {kinds.ASSET_CHECK_EVALUATION, kinds.ASSET_MATERIALIZATION, kinds.STEP_FAILURE}
    logged = instance.all_logs(run.run_id, of_type={*told, kinds.RUN_FAILURE})
    events = [entry.dagster_event for entry in logged if entry.dagster_event is not None]
    status, reason = _ending(run.status, events, home)
    made = {event.asset_key for event in events if event.is_step_materialization}
    return Attempt(run.run_id, status, reason, len(made), record.end_time)


def _ending(
    status: dg.DagsterRunStatus, events: Sequence[dg.DagsterEvent], home: Home
) -> tuple[str, str]:
    import dagster as dg

    if status == dg.DagsterRunStatus.SUCCESS:
        return "done", ""
    if status == dg.DagsterRunStatus.CANCELED or was_interrupted(events):
        return "stopped", "interrupted; what was finished is kept"
    if status == dg.DagsterRunStatus.FAILURE:
        return "failed", problem_of(events, f"the disk of the home {home.root} was full")
    begun = status in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
    return ("running", "under way") if begun else ("waiting", "not begun yet")


def _run_failure(event: dg.DagsterEvent) -> str:
    error = getattr(event.event_specific_data, "error", None)
    while error is not None and error.cause is not None:
        error = error.cause
    return _plain(error.message if error is not None else event.message or "")


def _plain(message: str) -> str:
    """An error's own words: Ares' errors speak for themselves, others keep their class."""
    words = " ".join(message.split())
    kind, separator, rest = words.partition(": ")
    if separator and kind.startswith("ares_resources.errors."):
        return rest
    return words
