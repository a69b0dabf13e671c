"""Bringing files of bars or funding into the catalogue: all of them, or none.

Belongs here: reading every file once into one publication, finding out what its times mean,
and the report.  Does not belong here: formats and storage.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ares_resources.errors import BadInput
from ares_resources.exchanges.files.reader import (
    MarketFile,
    ReadOptions,
    ViewersClock,
    read_rows,
)
from ares_resources.exchanges.files.stamps import Shift, StampJudge, funding_offset
from ares_resources.exchanges.files.times import spell_utc_offset
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.storage.frames import Progress, Rows, utc
from ares_resources.storage.merging import check_on_conflict
from ares_resources.storage.staging import Staging
from ares_resources.symbols import SymbolKey

_DOLLARS = ("USD", "USDT", "USDC", "BUSD", "TUSD", "FDUSD", "DAI", "PERP")


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
    kind: str
    timeframe: str
    files: tuple[FileReport, ...]
    gaps: int
    missing_bars: int
    notes: tuple[str, ...] = ()

    @property
    def added(self) -> int:
        """Rows that were not there before."""
        return sum(file.added for file in self.files)

    def lines(self) -> list[str]:
        """The report for people, one line for each file, then the whole."""
        lines = []
        for file in self.files:
            notes = "".join(f"; {note}" for note in file.notes)
            counts = f"{file.added} added, {file.repeated} repeated, {file.conflicting} conflicting"
            lines.append(f"{file.file}: {file.first} to {file.last}: {counts}{notes}")
        if self.kind != "bars":
            return [*lines, f"{self.series}: {self.added} settlements added", *self.notes]
        gaps = f"{self.gaps} gaps ({self.missing_bars} bars) within"
        return [*lines, f"{self.series}: {self.added} bars added; {gaps}", *self.notes]


def ingest(
    catalogue: Catalogue,
    paths: Sequence[Path],
    symbol: SymbolKey,
    *,
    options: ReadOptions | None = None,
    on_conflict: str = "refuse",
    progress: Progress | None = None,
) -> IngestReport:
    """Read and check all files in constant memory, then publish their rows at once.

    Where nothing is said of them, the times of bars are compared with the catalogue: bars
    stamped at their close are moved back and noted; those of another zone are refused.

    Raises
    ------
    BadInput
        If any file is not usable, or the files differ in kind or timeframe; nothing is written.
    DataConflict
        If rows disagree and ``on_conflict`` is "refuse"; nothing is written.
    """
    check_on_conflict(on_conflict)
    wanted = [path for path in paths if path.suffix != ".CHECKSUM"]
    if not wanted:
        raise BadInput("no files to ingest; needed: at least one")
    said = dataclasses.replace(
        options or ReadOptions(),
        quote_is_dollar=_is_dollar_quoted(symbol),
        is_inverse=_is_inverse(symbol),
    )
    work = _Ingest(catalogue, symbol, on_conflict, progress, dict.fromkeys(wanted, said))
    while True:
        try:
            return work.once()
        except _Restamped as found:
            work.options[found.path] = found.options
            work.notes[found.path] = found.note


class _Restamped(Exception):
    """A file must be read again, with its times taken otherwise."""

    def __init__(self, path: Path, options: ReadOptions, note: str) -> None:
        super().__init__(note)
        self.path, self.options, self.note = path, options, note


@dataclass
class _Ingest:
    """One call of :func:`ingest`: files with what is said, or was found out, of each."""

    catalogue: Catalogue
    symbol: SymbolKey
    on_conflict: str
    progress: Progress | None
    options: dict[Path, ReadOptions]
    notes: dict[Path, str] = dataclasses.field(default_factory=dict)

    def once(self) -> IngestReport:
        """Read every file and publish; raises :class:`_Restamped` to be called again."""
        files = [
            MarketFile(path, options, progress=self.progress)
            for path, options in self.options.items()
        ]
        blocks = files[0].blocks()
        ahead = [self._first_block(files[0], blocks)]
        series = Series(self.symbol, files[0].kind, files[0].timeframe)
        contents = [""] * len(files)
        names = [file.path.name for file in files]
        with self.catalogue.staging(series, names, self.on_conflict, contents) as staging:
            for number, file in enumerate(files):
                self._take(staging, number, file, ahead if number == 0 else [], blocks)
                contents[number] = file.content
                blocks = files[number + 1].blocks() if number + 1 < len(files) else blocks
        return self._report(series, files, staging)

    def _first_block(self, file: MarketFile, blocks: Iterator[Rows]) -> Rows:
        try:
            return next(blocks)
        except ViewersClock as error:
            raise self._told_by_catalogue(file, error) from error

    def _told_by_catalogue(self, file: MarketFile, error: ViewersClock) -> Exception:
        """The zone of an export without one, if the catalogue's settlements give it away."""
        as_utc = dataclasses.replace(file.options, utc_offset_ms=0)
        rows, _ = read_rows(file.path, as_utc)
        offset = funding_offset(self.catalogue, Series(self.symbol, "funding"), rows)
        if offset is None:
            return error
        options = dataclasses.replace(file.options, utc_offset_ms=offset)
        return _Restamped(
            file.path, options, f"its zone is UTC{spell_utc_offset(offset)}, told by equal rates"
        )

    def _take(
        self,
        staging: Staging,
        number: int,
        file: MarketFile,
        ahead: list[Rows],
        blocks: Iterator[Rows],
    ) -> None:
        ahead = ahead or [self._first_block(file, blocks)]
        self._refuse_other_series(staging.series, file)
        judge: StampJudge | None = None
        if file.kind == "bars" and file.options.stamped_at is None:
            judge = StampJudge(self.catalogue, staging.series)
        for rows in itertools.chain(ahead, blocks):
            if judge is not None:
                self._act(file, judge.step_ms, judge.add(rows))
            staging.add_sound(number, rows)
        if judge is not None:
            self._act(file, judge.step_ms, judge.finish())
            if judge.compared is None:
                file.note("its times could not be compared with another series")

    def _act(self, file: MarketFile, step_ms: int, shift: Shift | None) -> None:
        """Read the file again with times moved, or refuse it."""
        if shift is None:
            return
        if shift.shift_ms == step_ms and shift.is_plain:
            options = dataclasses.replace(file.options, stamped_at="close")
            raise _Restamped(file.path, options, str(shift))
        ways = ["--stamped-at open to insist"]
        if abs(shift.shift_ms) == step_ms:
            ways.insert(0, "--stamped-at close, if bars carry the time of their end")
        elif file.naive:
            offset = spell_utc_offset(shift.shift_ms)
            ways.insert(0, f"--utc-offset {offset}, if they are of that zone")
        raise BadInput(
            f"{file.path}: its times or those of {shift.reference} seem to be off: {shift}; "
            f"allowed: {', or '.join(ways)}"
        )

    def _refuse_other_series(self, series: Series, file: MarketFile) -> None:
        if (file.kind, file.timeframe) != (series.kind, series.timeframe):
            held, other = (f"{what.timeframe} {what.kind}".strip() for what in (file, series))
            raise BadInput(
                f"{file.path} holds {held}, and {next(iter(self.options))} {other}; "
                "allowed: one kind and timeframe at a time"
            )

    def _report(self, series: Series, files: list[MarketFile], staging: Staging) -> IngestReport:
        accounts, extents = [], [extent for extent in staging.extents if extent is not None]
        for number, file in enumerate(files):
            first, last = staging.extents[number] or (0, 0)
            report = staging.reports[number]
            found = [self.notes[file.path]] if file.path in self.notes else []
            counts = (report.added, report.repeated, report.conflicting)
            notes = (*file.notes, *found)
            accounts.append(
                FileReport(str(file.path), file.rows, utc(first), utc(last), *counts, notes)
            )
        start, end = min(first for first, _ in extents), max(last for _, last in extents)
        spans = self.catalogue.gap_spans(series, start, end)
        missing = sum(b - a for a, b in spans) // (series.step_ms or 1)
        return IngestReport(
            str(series), series.kind, series.timeframe, tuple(accounts), len(spans), missing
        )


def _is_inverse(symbol: SymbolKey) -> bool:
    """Whether the contract is settled in its base currency, as ``BTC/USD:BTC``."""
    pair, colon, settled = symbol.instrument.partition(":")
    return bool(colon) and pair.partition("/")[0] == settled.partition("-")[0]


def _is_dollar_quoted(symbol: SymbolKey) -> bool:
    return symbol.instrument.replace("-", "").replace("/", "").endswith(_DOLLARS)
