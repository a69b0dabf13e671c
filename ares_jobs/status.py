"""What stands where in a home.

Belongs here: reading catalogue, artifacts and releases into one summary.
Does not belong here: printing it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ares_resources.errors import CorruptArtifact
from ares_resources.home import Home

if TYPE_CHECKING:
    from ares_resources.storage.series_manifest import Source


@dataclass(frozen=True)
class GapStatus:
    """A span without bars between bars; ``after`` it the series goes on."""

    start: str
    after: str
    missing_bars: int


@dataclass(frozen=True)
class SourceStatus:
    """Which file or exchange gave which bars, and when (UTC).

    ``content`` is the XXH3-128 of a file's bytes; ``spans`` are those bars that stand as this
    source gave them, from the first to the last of each unbroken run.
    """

    source: str
    content: str
    began: str
    ended: str
    added: int
    repeated: int
    conflicting: int
    spans: list[tuple[str, str]]


@dataclass(frozen=True)
class SeriesStatus:
    """One series of the catalogue, with its two ledgers."""

    series: str
    bars: int
    first: str
    last: str
    gaps: int
    stale: str | None
    gap_ledger: list[GapStatus] = field(default_factory=list)
    source_ledger: list[SourceStatus] = field(default_factory=list)


@dataclass(frozen=True)
class PartitionStatus:
    """How far the latest run of a mode came, on bars until when, and how it ended."""

    partition: str
    mode: str
    steps: int
    until: str
    status: str
    reason: str


@dataclass(frozen=True)
class HomeStatus:
    """The whole."""

    home: str
    series: list[SeriesStatus] = field(default_factory=list)
    partitions: list[PartitionStatus] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def home_status(home: Home) -> HomeStatus:
    """Read a home; an empty or missing one gives an empty status, and nothing is written."""
    if not home.catalogue.is_dir():
        return HomeStatus(str(home.root))
    return HomeStatus(str(home.root), _series(home), _partitions(home), _reaped(home))


def _series(home: Home) -> list[SeriesStatus]:
    from ares_resources.storage.catalogue import Catalogue

    catalogue = Catalogue(home.catalogue)
    rows = []
    for symbol in catalogue.symbols():
        for series in catalogue.series(symbol):
            try:
                coverage = catalogue.coverage(series)
            except CorruptArtifact as error:
                rows.append(SeriesStatus(str(series), 0, "", "", 0, f"damaged: {error}"))
                continue
            if coverage is None:
                continue
            end = coverage.last_ms + 1
            gaps = catalogue.gap_spans(series, coverage.first_ms, end)
            rows.append(
                SeriesStatus(
                    series=str(series),
                    bars=coverage.rows,
                    first=_moment(coverage.first_ms),
                    last=_moment(coverage.last_ms),
                    gaps=len(gaps),
                    stale=catalogue.stale(series),
                    gap_ledger=[
                        GapStatus(_moment(start), _moment(after), (after - start) // series.step_ms)
                        for start, after in gaps
                    ],
                    source_ledger=[
                        _source(entry, series.step_ms or 1) for entry in catalogue.ledger(series)
                    ],
                )
            )
    return rows


def _source(entry: Source, step_ms: int) -> SourceStatus:
    return SourceStatus(
        source=entry.source,
        content=entry.content,
        began=entry.began,
        ended=entry.ended,
        added=entry.added,
        repeated=entry.repeated,
        conflicting=entry.conflicting,
        spans=[(_moment(start), _moment(end - step_ms)) for start, end in entry.spans],
    )


def _partitions(home: Home) -> list[PartitionStatus]:
    from ares_assets.partitions import REGIMES
    from ares_assets.steps import STEPS
    from ares_resources.storage.artifacts import Artifact, ArtifactStore, Place
    from ares_resources.symbols import SymbolKey

    store = ArtifactStore(home.artifacts, home.runs)
    folders = sorted(p.name for p in (home.artifacts / STEPS[0].name).glob("*") if p.is_dir())
    rows = []
    for folder in folders:
        for mode in ("full", "blank"):
            for regime in REGIMES:
                found: list[Artifact] = []
                for spec in STEPS:
                    place = Place(spec.name, folder, None if spec.shared else regime)
                    artifact = store.pointed(place, run_id=None, mode=mode)
                    if artifact is None:
                        break
                    found.append(artifact)
                    if artifact.skipped is not None:
                        break
                if any(artifact.place.regime is not None for artifact in found):
                    rows.append(_partition(str(SymbolKey.from_folder(folder)), regime, mode, found))
    return rows


def _partition(symbol: str, regime: str, mode: str, found: list) -> PartitionStatus:  # type: ignore[type-arg]
    last = found[-1]
    if last.skipped is not None:
        status, reason = "skipped", last.skipped
    elif last.place.asset == "model_release":
        status, reason = last.metadata["status"], last.metadata["reason"]
    else:
        status, reason = "unfinished", f"ended after {last.place.asset}"
    until = _moment(found[0].metadata["window_end_ms"])
    return PartitionStatus(f"{regime}|{symbol}", mode, len(found), until, status, reason)


def _reaped(home: Home) -> list[str]:
    """Runs whose process died are marked failed on the way."""
    if not (home.dagster / "history").is_dir():
        return []
    from ares_jobs.reaper import reap
    from ares_jobs.setup import dagster_instance

    with dagster_instance(home) as instance:
        return [f"run {run_id} had died; marked failed" for run_id in reap(instance, home)]


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
