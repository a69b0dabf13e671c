"""Bringing files of bars into the catalogue: all of them, or none.

Belongs here: checking every file first, one publication, and the report.  Does not belong
here: formats and storage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ares_resources.errors import BadInput
from ares_resources.exchanges.files.reader import BarsFile, read_bars_file
from ares_resources.storage.catalogue import AppendReport, Catalogue, Series
from ares_resources.storage.frames import Progress, utc
from ares_resources.storage.merging import check_on_conflict
from ares_resources.symbols import SymbolKey


@dataclass(frozen=True)
class FileReport:
    """What became of one file's rows."""

    file: str
    rows: int
    first: str
    last: str
    added: int
    repeated: int
    conflicting: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class IngestReport:
    """What came in, and what is missing within its span."""

    series: str
    timeframe: str
    files: tuple[FileReport, ...]
    gaps: int
    missing_bars: int

    @property
    def added(self) -> int:
        """Bars that were not there before."""
        return sum(file.added for file in self.files)

    def lines(self) -> list[str]:
        """The report for people, one line for each file, then the whole."""
        lines = []
        for file in self.files:
            notes = "".join(f"; {note}" for note in file.notes)
            counts = f"{file.added} added, {file.repeated} repeated, {file.conflicting} conflicting"
            lines.append(f"{file.file}: {file.first} to {file.last}: {counts}{notes}")
        gaps = f"{self.gaps} gaps ({self.missing_bars} bars) within"
        return [*lines, f"{self.series}: {self.added} bars added; {gaps}"]


def ingest(
    catalogue: Catalogue,
    paths: Sequence[Path],
    symbol: SymbolKey,
    *,
    timeframe: str | None = None,
    on_conflict: str = "refuse",
    stamped_at: str = "open",
    progress: Progress | None = None,
) -> IngestReport:
    """Read and check all files, then publish their bars at once.

    Raises
    ------
    BadInput
        If any file is not usable, or the files differ in timeframe; nothing is written.
    DataConflict
        If bars disagree and ``on_conflict`` is "refuse"; nothing is written.
    """
    check_on_conflict(on_conflict)
    if not paths:
        raise BadInput("no files to ingest; needed: at least one")
    files: list[BarsFile] = []
    for done, path in enumerate(paths):
        if progress is not None:
            progress(f"checking {path.name}", done, len(paths))
        files.append(read_bars_file(path, timeframe=timeframe, stamped_at=stamped_at))
    series = Series(symbol, "bars", _one_timeframe(paths, files))
    parts = [(path.name, file.frame) for path, file in zip(paths, files, strict=True)]
    reports = catalogue.append_parts(series, parts, on_conflict=on_conflict)
    if progress is not None:
        progress(f"stored {series}", len(paths), len(paths))
    accounts = tuple(
        FileReport(str(path), len(file.frame), *_extent(file), *_counts(report), notes=file.notes)
        for path, file, report in zip(paths, files, reports, strict=True)
    )
    return _report(catalogue, series, files, accounts)


def _one_timeframe(paths: Sequence[Path], files: Sequence[BarsFile]) -> str:
    for path, file in zip(paths, files, strict=True):
        if file.timeframe != files[0].timeframe:
            raise BadInput(
                f"{paths[0]} holds {files[0].timeframe} bars and {path} {file.timeframe}; "
                "allowed: one timeframe at a time"
            )
    return files[0].timeframe


def _extent(file: BarsFile) -> tuple[str, str]:
    stamps = file.frame["timestamp"]
    return utc(int(stamps.min())), utc(int(stamps.max()))


def _counts(report: AppendReport) -> tuple[int, int, int]:
    return report.added, report.repeated, report.conflicting


def _report(
    catalogue: Catalogue,
    series: Series,
    files: Sequence[BarsFile],
    accounts: tuple[FileReport, ...],
) -> IngestReport:
    first = min(int(file.frame["timestamp"].min()) for file in files)
    last = max(int(file.frame["timestamp"].max()) for file in files)
    gaps = catalogue.gaps(series, first, last)
    missing = int(gaps["missing_bars"].sum())
    return IngestReport(str(series), series.timeframe, accounts, len(gaps), missing)
