"""Which requests to train anew are due, and what each asks of a run.

Belongs here: reading requests, and when one may be handed over.  Does not belong here: Dagster's
skin (``sensors.py``), keeping requests (``ares_resources/storage/retrain_requests.py``), and what
asks for a retraining (step 13).

A request is due once bars have closed since the window of the training that made it, as many as it
waits for, and no run of its partition is unfinished.  It is settled in the look after the one that
handed it over, when that one's cursor shows that Dagster took its runs; the run's key is the hash
of the request, so a look that was cut off between the two asks for nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

import dagster as dg

from ares_assets.partitions import check_regime, partition_tags
from ares_jobs.jobs import JOBS
from ares_jobs.schedules import NewBars, new_bars
from ares_resources.errors import AresError, BadInput
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.retrain_requests import RetrainRequest, RetrainRequests

_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass
class RetrainReading:
    """What one look brought: requests with their new bars, and lines on the others."""

    due: list[tuple[RetrainRequest, NewBars]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def read_requests(
    home: Home,
    instance: dg.DagsterInstance,
    *,
    handed_over: Iterable[str],
    budget_seconds: float = 40.0,
) -> RetrainReading:
    """Settle what was handed over before and tell which requests are due now.

    Parameters
    ----------
    handed_over
        Names of requests whose runs have certainly been asked for.
    budget_seconds
        After this long no further request is looked at; another comes first next minute.
    """
    requests, deadline = RetrainRequests(home), time.monotonic() + budget_seconds
    requests.settle(handed_over)
    reading = RetrainReading(troubles=requests.unreadable())
    taken: set[str] = set()
    for request in _rotated(requests.pending()):
        partition = f"{request.regime}|{request.symbol}"
        try:
            found = _found(request, home, instance, taken, deadline)
        except AresError as error:
            reading.troubles.append(f"{partition}: {' '.join(str(error).split())}")
            continue
        if isinstance(found, NewBars):
            taken.add(partition)
            reading.due.append((request, found))
        else:
            reading.waiting.append(f"{partition}: {found}")
    return reading


def _found(
    request: RetrainRequest,
    home: Home,
    instance: dg.DagsterInstance,
    taken: set[str],
    deadline: float,
) -> NewBars | str:
    """The new bars to train on, or why the request waits.

    Raises
    ------
    BadInput
        If the request names what this Ares does not know.
    """
    if time.monotonic() > deadline:
        return "left for the next look"
    tags = partition_tags(check_regime(request.regime), request.key)
    if tags["dagster/partition"] in taken:
        return "another request of the partition goes first"
    if instance.get_runs(dg.RunsFilter(tags=tags, statuses=_UNFINISHED), limit=1):
        return "still in training"
    if request.mode not in JOBS:
        raise BadInput(f"mode {request.mode!r} of a retrain request; allowed: {', '.join(JOBS)}")
    settings = load_settings(request.settings, mode=request.mode)
    after = request.window_end_ms + request.wait_ms
    return new_bars(request.symbol, settings, home, after_ms=after, offline=request.offline)


def _rotated(requests: list[RetrainRequest]) -> list[RetrainRequest]:
    """Another request first each minute, so that slow exchanges starve none."""
    first = int(time.time() // 60) % max(1, len(requests))
    return requests[first:] + requests[:first]
