"""Which requests to train anew are due, and what each asks of a run.

Belongs here: reading requests, when one may be handed over, and when one is settled.  Does not
belong here: Dagster's skin (``sensors.py``), keeping requests
(``ares_resources/storage/retrain_requests.py``), and what asks for a retraining
(``ares_assets/retraining.py``).

A request is due once bars have closed since the window of the training that made it, as many as
it waits for, and no run of its partition is unfinished.  It is settled by a run of its own that
succeeded, or by any later training of the partition whose model passed its checks; to hand it
over settles nothing.  Dagster's runs, tagged with the request's name, are the only memory of
attempts: a run that failed is followed by another under a key of its own, later each time, and
after the last the request waits, said loudly, for the next training.  The key of an attempt is
the same until its run exists, so a look that was cut off asks for nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import dagster as dg

from ares_assets.partitions import check_regime, partition_tags
from ares_jobs.jobs import JOBS
from ares_jobs.new_bars import NewBars, new_bars
from ares_resources.errors import AresError, BadInput, CorruptArtifact
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.artifacts import Artifact, ArtifactStore, Place
from ares_resources.storage.retrain_requests import RetrainRequest, RetrainRequests

REQUEST_TAG = "ares/retrain_request"
_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_WITHOUT_A_MODEL = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
# An exchange that is down is back within minutes or hours; what fails three times needs a person.
_SECONDS_AFTER_FAILURE = (3_600.0, 6 * 3_600.0)
ATTEMPTS = len(_SECONDS_AFTER_FAILURE) + 1


@dataclass(frozen=True)
class DueRequest:
    """A request that may be handed over now, what is new for it, and which attempt it is."""

    request: RetrainRequest
    found: NewBars
    attempt: int

    @property
    def run_key(self) -> str:
        """One for each attempt; the first is the request's name."""
        return self.request.name + (f"#{self.attempt}" if self.attempt > 1 else "")

    @property
    def tags(self) -> Mapping[str, str]:
        """What tells the request's runs from all others."""
        return {REQUEST_TAG: self.request.name}


@dataclass
class RetrainReading:
    """What one look brought: requests that are due, and lines on the others."""

    due: list[DueRequest] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def read_requests(
    home: Home,
    instance: dg.DagsterInstance,
    *,
    now: float | None = None,
    budget_seconds: float = 40.0,
) -> RetrainReading:
    """Settle what has been answered and tell which requests are due.

    Parameters
    ----------
    now
        Seconds since 1970, against which the distance from a failed run counts; None: the clock.
    budget_seconds
        After this long no further request is looked at; another comes first next minute.
    """
    requests, deadline = RetrainRequests(home), time.monotonic() + budget_seconds
    troubles = _settle_answered(requests, home, instance)
    reading = RetrainReading(troubles=[*requests.unreadable(), *troubles])
    now = time.time() if now is None else now
    taken: set[str] = set()
    for request in _rotated(requests.pending()):
        partition = f"{request.regime}|{request.symbol}"
        try:
            if time.monotonic() > deadline:
                found: DueRequest | str = "left for the next look"
            elif partition in taken:
                found = "another request of the partition goes first"
            else:
                found = _found(request, home, instance, now)
        except AresError as error:
            reading.troubles.append(f"{partition}: {' '.join(str(error).split())}")
            continue
        if isinstance(found, DueRequest):
            taken.add(partition)
            reading.due.append(found)
        else:
            reading.waiting.append(f"{partition}: {found}")
    return reading


def _settle_answered(
    requests: RetrainRequests, home: Home, instance: dg.DagsterInstance
) -> list[str]:
    """Move aside what a run of its own, or a later training, has answered; what is damaged."""
    succeeded, troubles = [dg.DagsterRunStatus.SUCCESS], []
    for request in requests.pending():
        own = dg.RunsFilter(tags={REQUEST_TAG: request.name}, statuses=succeeded)
        if instance.get_runs(own, limit=1):
            requests.settle([request.name])
            continue
        try:
            trained_to = _trained_to(request, home)
        except CorruptArtifact as damage:
            # An answer that cannot be read settles nothing, and stops no other request.
            troubles.append(f"{request.regime}|{request.symbol}: {' '.join(str(damage).split())}")
            continue
        if trained_to is not None and trained_to > request.window_end_ms:
            requests.settle_older(request.partition, trained_to)
    return troubles


def _trained_to(request: RetrainRequest, home: Home) -> int | None:
    """Where the window ended of the partition's latest training, ms, if its model was acted on.

    Step 13's report alone is not enough, nor is step 16's bundle: what fails after the first leaves
    no model, and what fails after the second leaves one that no check has passed.
    """
    store, folder = ArtifactStore(home.artifacts, home.runs), request.key.folder
    place = Place("model_release", folder, request.regime)
    release = store.pointed(place, run_id=None, mode=request.mode)
    if release is None or release.skipped or not _acted_on(request, home, release):
        return None
    walked = store.with_content(
        Place("walk_forward_report", folder, request.regime),
        release.manifest["inputs"]["walk_forward_report"],
    )
    return None if walked is None else int(walked.metadata["window_end_ms"])


def _acted_on(request: RetrainRequest, home: Home, release: Artifact) -> bool:
    """Whether all checks of a stored model passed, and its verdict was carried out."""
    from ares_assets.release_standing import UNRELEASED, bundle_hash, standing
    from ares_resources.storage.releases import ReleaseStore

    store = ReleaseStore(home.releases, request.key.folder, request.regime)
    # Whatever the verdict, the record is written once all have passed, and is never removed.
    if not store.record(bundle_hash(release)):
        return False
    return standing(store, release)[0] != UNRELEASED


def _found(
    request: RetrainRequest, home: Home, instance: dg.DagsterInstance, now: float
) -> DueRequest | str:
    """The attempt that is due with its new bars, or why the request waits.

    Raises
    ------
    BadInput
        If the request names what this Ares does not know.
    AresError
        If every attempt has failed.
    """
    tags = partition_tags(check_regime(request.regime), request.key)
    if instance.get_runs(dg.RunsFilter(tags=tags, statuses=_UNFINISHED), limit=1):
        return "still in training"
    if request.mode not in JOBS:
        raise BadInput(f"mode {request.mode!r} of a retrain request; allowed: {', '.join(JOBS)}")
    failed = _failed(request, instance)
    if len(failed) >= ATTEMPTS:
        raise AresError(
            f"{len(failed)} retrainings failed, the last {failed[-1][1]}; the request "
            f"{request.name[:8]} is tried no more and waits for the next training"
        )
    if failed:
        passed, wanted = now - failed[-1][0], _SECONDS_AFTER_FAILURE[len(failed) - 1]
        if passed < wanted:
            return f"retraining {failed[-1][1]} failed; again in {(wanted - passed) / 60:.0f} min"
    settings = load_settings(request.settings, mode=request.mode)
    after = request.window_end_ms + request.wait_ms
    found = new_bars(request.symbol, settings, home, after_ms=after, offline=request.offline)
    return found if isinstance(found, str) else DueRequest(request, found, len(failed) + 1)


def _failed(request: RetrainRequest, instance: dg.DagsterInstance) -> list[tuple[float, str]]:
    """When each of the request's runs ended without a model, seconds, with its id; ascending."""
    of_request = dg.RunsFilter(tags={REQUEST_TAG: request.name}, statuses=_WITHOUT_A_MODEL)
    return sorted(
        (record.end_time or record.update_timestamp.timestamp(), record.dagster_run.run_id)
        for record in instance.get_run_records(of_request)
    )


def _rotated(requests: list[RetrainRequest]) -> list[RetrainRequest]:
    """Another request first each minute, so that slow exchanges starve none."""
    first = int(time.time() // 60) % max(1, len(requests))
    return requests[first:] + requests[:first]
