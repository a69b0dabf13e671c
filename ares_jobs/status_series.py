"""The series of a catalogue with their ledgers, for ``ares status``.

Belongs here: bars, gaps and sources of each series.  Does not belong here: what was made of them
(``status.py``), printing (``cli_status.py``).
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


def series_of(home: Home) -> list[SeriesStatus]:
    """Each series of the catalogue; a damaged one says so."""
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
                    first=moment(coverage.first_ms),
                    last=moment(coverage.last_ms),
                    gaps=len(gaps),
                    stale=catalogue.stale(series),
                    gap_ledger=[
                        GapStatus(moment(start), moment(after), (after - start) // series.step_ms)
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
        spans=[(moment(start), moment(end - step_ms)) for start, end in entry.spans],
    )


def moment(ms: int) -> str:
    """Milliseconds since 1970 as people write them, UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
