"""What stands where in a home.

Belongs here: reading artifacts and runs into one summary.  Does not belong here: the catalogue's
series (``status_series.py``), what serves and is to be trained anew (``status_releases.py``), and
printing (``cli_status.py``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ares_jobs.status_releases import ReleaseStatus, RetrainStatus, releases, retrain_requests
from ares_jobs.status_series import SeriesStatus, moment, series_of
from ares_resources.errors import BadInput, CorruptArtifact
from ares_resources.home import Home

if TYPE_CHECKING:
    from ares_jobs.run_endings import Attempt
    from ares_resources.storage.artifacts import Artifact, ArtifactStore
    from ares_resources.storage.releases import ReleaseStore
    from ares_resources.symbols import SymbolKey

_Attempts: TypeAlias = "Mapping[tuple[str, str], Attempt]"


@dataclass(frozen=True)
class AttemptStatus:
    """The latest run: ``done``, ``failed``, ``stopped``, ``running`` or ``waiting``, and why.

    ``steps`` is how many of the sixteen gave a result; ``ended`` (UTC) is empty while it runs.
    """

    run_id: str
    status: str
    reason: str
    steps: int
    ended: str


@dataclass(frozen=True)
class PartitionStatus:
    """What stands of a partition in a mode: how far it came, on bars until when, and the verdict.

    ``last_attempt`` is the run after which nothing newer was found or made; None where results
    that stood already were asked for since.  Where nothing but a failed one is there, ``status``
    and ``reason`` are its own.  ``status`` is "damaged" where the release cannot be read.
    """

    partition: str
    mode: str
    steps: int
    until: str
    status: str
    reason: str
    last_attempt: AttemptStatus | None = None


@dataclass(frozen=True)
class HomeStatus:
    """The whole."""

    home: str
    series: list[SeriesStatus] = field(default_factory=list)
    partitions: list[PartitionStatus] = field(default_factory=list)
    releases: list[ReleaseStatus] = field(default_factory=list)
    retrain_requests: list[RetrainStatus] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def home_status(home: Home) -> HomeStatus:
    """Read a home; an empty or missing one gives an empty status, and nothing is written."""
    if not home.catalogue.is_dir():
        return HomeStatus(str(home.root))
    notes, attempts = _runs(home)
    asked, unreadable = retrain_requests(home)
    return HomeStatus(
        home=str(home.root),
        series=series_of(home),
        partitions=_partitions(home, attempts),
        releases=releases(home),
        retrain_requests=asked,
        notes=[*notes, *unreadable],
    )


def _partitions(home: Home, attempts: _Attempts) -> list[PartitionStatus]:
    from ares_assets.partitions import REGIMES
    from ares_resources.storage.artifacts import ArtifactStore
    from ares_resources.storage.releases import ReleaseStore

    store = ArtifactStore(home.artifacts, home.runs)
    rows = []
    for symbol in sorted(_symbols(home, {name.partition("|")[2] for name, _ in attempts}), key=str):
        for mode in ("full", "blank"):
            for regime in REGIMES:
                attempt = attempts.get((f"{regime}|{symbol}", mode))
                found = _found(store, symbol, regime, mode)
                if attempt or _says_something(found):
                    partition = f"{regime}|{symbol}"
                    released = ReleaseStore(home.releases, symbol.folder, regime)
                    rows.append(_partition(store, released, partition, mode, found, attempt))
    return rows


def _says_something(found: list[Artifact]) -> bool:
    """Whether a result of the regime itself stands, or one that skips every regime."""
    return any(one.place.regime is not None or one.skipped is not None for one in found)


def _symbols(home: Home, registered: Iterable[str] = ()) -> set[SymbolKey]:
    """Those that something stands of, or that are registered since a training was asked for."""
    from ares_assets.steps import STEPS
    from ares_resources.symbols import SymbolKey

    folders = (p.name for p in (home.artifacts / STEPS[0].name).glob("*") if p.is_dir())
    standing = {SymbolKey.from_folder(name) for name in folders}
    for name in registered:
        # Anyone may register a name in the UI; no run of one that is none gets to its first step.
        with contextlib.suppress(BadInput):
            standing.add(SymbolKey.parse(name))
    return standing


def _found(store: ArtifactStore, symbol: SymbolKey, regime: str, mode: str) -> list[Artifact]:
    """The latest artifact of each step, as far as they go."""
    from ares_assets.steps import STEPS
    from ares_resources.storage.artifacts import Place

    found: list[Artifact] = []
    for spec in STEPS:
        place = Place(spec.name, symbol.folder, None if spec.shared else regime)
        artifact = store.pointed(place, run_id=None, mode=mode)
        if artifact is None:
            break
        found.append(artifact)
        if artifact.skipped is not None:
            break
    return found


def _partition(
    store: ArtifactStore,
    released: ReleaseStore,
    partition: str,
    mode: str,
    found: list[Artifact],
    attempt: Attempt | None,
) -> PartitionStatus:
    from ares_assets.release_standing import standing

    last = found[-1] if found else None
    # What regimes share is found anew by the run of each, and tells nothing of this one's.
    own = last is not None and last.place.regime is not None
    since = store.pointed_at(last.place, mode=mode) if last is not None and own else None
    if attempt and attempt.ended is not None and since is not None and attempt.ended < since:
        attempt = None
    tried = None if attempt is None else _attempt(attempt)
    until = "" if last is None else _until(store, found)
    if last is not None and last.skipped is not None:
        status, reason = "skipped", last.skipped
    elif last is not None and last.place.asset == "model_release":
        try:
            status, reason = standing(released, last)
        except CorruptArtifact as error:
            status, reason = "damaged", str(error)
    elif tried is not None and tried.status != "done":
        status, reason = tried.status, tried.reason
    else:
        status = "unfinished"
        reason = "nothing is left of it" if last is None else f"ended after {last.place.asset}"
    return PartitionStatus(partition, mode, len(found), until, status, reason, tried)


def _attempt(attempt: Attempt) -> AttemptStatus:
    ended = "" if attempt.ended is None else moment(int(attempt.ended * 1000))
    return AttemptStatus(attempt.run_id, attempt.status, attempt.reason, attempt.steps, ended)


def _until(store: ArtifactStore, found: list[Artifact]) -> str:
    """Where the bars end that the last result was made from: a later run may have newer ones."""
    bars, wanted = found[0], found[-1].manifest["inputs"].get("market_data")
    if wanted is not None and wanted != bars.sha256:
        bars = store.with_content(bars.place, wanted) or bars
    return "" if bars.skipped is not None else moment(bars.metadata["window_end_ms"])


def _runs(home: Home) -> tuple[list[str], _Attempts]:
    """Runs whose process died, marked failed on the way; and the latest run of each partition."""
    if not (home.dagster / "history").is_dir():
        return [], {}
    from ares_assets.partitions import REGIMES, SYMBOLS
    from ares_jobs.reaper import reap
    from ares_jobs.run_endings import latest_attempts
    from ares_jobs.setup import dagster_instance

    with dagster_instance(home) as instance:
        notes = [f"run {run_id} had died; marked failed" for run_id in reap(instance, home)]
        symbols = _symbols(home, instance.get_dynamic_partitions(SYMBOLS))
        partitions = [f"{regime}|{symbol}" for symbol in symbols for regime in REGIMES]
        return notes, latest_attempts(instance, partitions, home)
