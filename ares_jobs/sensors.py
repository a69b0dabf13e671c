"""Sensors: new files and drift start trainings; dead runs are set right.

Belongs here: Dagster's skin, from what was found to run requests.  Does not belong here: how
the inbox is read (``inbox.py``), which retraining is due (``retrain.py``), and how a dead run is
known (``reaper.py``).

``ARES_INBOX_MODE`` (full or blank; full unless set) chooses the job of the inbox's runs.
"""

import json
import os
from collections.abc import Iterator, Mapping

import dagster as dg

from ares_assets.partitions import REGIMES, partition_tags, symbol_partitions
from ares_jobs.inbox import Due, InboxBusy, Reading, read_inbox
from ares_jobs.jobs import JOBS
from ares_jobs.reaper import reap
from ares_jobs.retrain import ATTEMPTS, DueRequest, RetrainReading, read_requests
from ares_resources.dagster_resources import AS_OF_TAG, CONFIG_TAG, MODE_TAG, OFFLINE_TAG
from ares_resources.errors import BadInput
from ares_resources.home import Home
from ares_resources.settings import DataSettings

MODE_VARIABLE = "ARES_INBOX_MODE"
RETRAIN_TAG = "ares/retrain"
_SECONDS_BETWEEN_LOOKS = 5
_SECONDS_BETWEEN_ROUNDS = 30
_SECONDS_BETWEEN_REQUESTS = 60


@dg.sensor(
    name="inbox_sensor",
    jobs=list(JOBS.values()),
    minimum_interval_seconds=_SECONDS_BETWEEN_LOOKS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Ingests files dropped into inbox/<EXCHANGE>/<SYMBOL>/ of the home, registers the symbol "
        "and asks for one offline training per regime when they brought new bars. "
        "Each is a look at the holdout, however few the bars (docs/proof.md). "
        f"{MODE_VARIABLE}=blank makes these trainings light."
    ),
)
def inbox_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """One look at the inbox; the cursor holds the tickets whose runs were asked for last."""
    home, mode = Home.find(), inbox_mode(os.environ)
    handed_over = json.loads(context.cursor) if context.cursor else []
    try:
        reading = read_inbox(home, handed_over=handed_over)
    except InboxBusy as busy:
        return dg.SkipReason(str(busy))
    _tell(context, reading)
    if not reading.due:
        return dg.SkipReason(_summary(reading, home))
    symbols = sorted({str(due.symbol) for due in reading.due})
    return dg.SensorResult(
        run_requests=[request for due in reading.due for request in _requests(due, mode)],
        dynamic_partitions_requests=[symbol_partitions.build_add_request(symbols)],
        cursor=json.dumps(sorted({due.ticket for due in reading.due})),
    )


@dg.sensor(
    name="retrain_sensor",
    jobs=list(JOBS.values()),
    minimum_interval_seconds=_SECONDS_BETWEEN_REQUESTS,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description=(
        "Trains a partition anew whose walk-forward found drift, as soon as new bars have closed "
        f"(retrain.wait_days), until a run succeeds, {ATTEMPTS} times at most. Asks exchanges. "
        "Stopped until you start it."
    ),
)
def retrain_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """One look at the requests; what was asked for before is known by Dagster's own runs."""
    reading = read_requests(Home.find(), context.instance)
    for line in reading.troubles:
        context.log.warning(line)
    if not reading.due:
        return dg.SkipReason(_told(reading))
    symbols = sorted({due.request.symbol for due in reading.due})
    return dg.SensorResult(
        run_requests=[_retraining(due) for due in reading.due],
        dynamic_partitions_requests=[symbol_partitions.build_add_request(symbols)],
    )


@dg.sensor(
    name="reaper_sensor",
    minimum_interval_seconds=_SECONDS_BETWEEN_ROUNDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs failed whose process died, and frees the pool slots that they held.",
)
def reaper_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """One round over the unfinished runs of this machine."""
    reaped = reap(context.instance, Home.find())
    if not reaped:
        return dg.SkipReason("every unfinished run has a living process")
    line = f"process died, marked failed: {', '.join(reaped)}"
    context.log.warning(line)
    return dg.SkipReason(line)


def inbox_mode(environment: Mapping[str, str]) -> str:
    """The mode of trainings that the inbox starts.

    Raises
    ------
    BadInput
        If ``ARES_INBOX_MODE`` is neither full nor blank.
    """
    mode = environment.get(MODE_VARIABLE, "full")
    if mode not in JOBS:
        raise BadInput(f"{MODE_VARIABLE}={mode!r} is not known; allowed: {', '.join(JOBS)}")
    return mode


def _requests(due: Due, mode: str) -> Iterator[dg.RunRequest]:
    """One run for each regime, all on the same bars.

    The ticket makes the key unique: bars that go and come back are trained on again, while a
    request that is repeated because its first hand-over was cut off is not.
    """
    from ares_resources.storage.frames import utc

    tags = {MODE_TAG: mode, OFFLINE_TAG: "true", AS_OF_TAG: utc(due.as_of_ms)}
    if due.timeframe != DataSettings().timeframe:
        tags[CONFIG_TAG] = json.dumps({"data": {"timeframe": due.timeframe}})
    for regime in REGIMES:
        yield dg.RunRequest(
            run_key=f"{regime}|{due.symbol}|{due.timeframe}|{due.fingerprint}|{due.ticket}",
            job_name=JOBS[mode].name,
            tags={**tags, **partition_tags(regime, due.symbol)},
        )


def _retraining(due: DueRequest) -> dg.RunRequest:
    """The run of a request, under the settings of the training that made it."""
    from ares_resources.storage.frames import utc

    request, found = due.request, due.found
    tags = {
        **due.tags,
        MODE_TAG: request.mode,
        OFFLINE_TAG: "true" if found.offline else "false",
        RETRAIN_TAG: request.reason,
        **partition_tags(request.regime, request.key),
    }
    if found.as_of_ms is not None:
        tags[AS_OF_TAG] = utc(found.as_of_ms)
    if request.settings:
        tags[CONFIG_TAG] = json.dumps(request.settings, sort_keys=True)
    return dg.RunRequest(run_key=due.run_key, job_name=JOBS[request.mode].name, tags=tags)


def _told(reading: RetrainReading) -> str:
    lines = [*reading.waiting, *(f"trouble: {line}" for line in reading.troubles)]
    return "; ".join(lines) or "nothing asks for a retraining"


def _tell(context: dg.SensorEvaluationContext, reading: Reading) -> None:
    for line in reading.ingested:
        context.log.info(line)
    for line in (*reading.rejected, *reading.troubles):
        context.log.warning(line)


def _summary(reading: Reading, home: Home) -> str:
    lines = [*reading.ingested, *(f"rejected {line}" for line in reading.rejected)]
    lines += [f"left for later: {line}" for line in reading.troubles]
    if reading.waiting:
        lines.append(f"{reading.waiting} files are still being written or wait for their turn")
    return "; ".join(lines) or f"nothing new in {home.inbox}"
