"""Rows on their way into a series: laid over its months one after another, in little memory.

Belongs here: merging incoming rows into months, and the account of it.  Does not belong here:
what becomes of the outcome (:mod:`ares_resources.storage.catalogue` publishes or discards).

Nothing that is written here counts until a manifest names it, so a source of any length can be
taken in while it is still being checked, and be thrown away at its last row.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ares_resources.errors import BadInput, CorruptArtifact, DataConflict
from ares_resources.storage.frames import (
    AnyRows,
    Rows,
    conform_rows,
    empty_rows,
    first_fault,
    utc,
)
from ares_resources.storage.gap_ledger import Span, spans_of, subtract, union
from ares_resources.storage.merging import Conflict, Merged, length, merge
from ares_resources.storage.month_files import by_month, read_month, write_month
from ares_resources.storage.series import AppendReport, Series
from ares_resources.storage.series_manifest import Manifest, Month
from ares_resources.storage.stamp_set import StampSet

HELD_ROWS = 150_000
"""Incoming rows kept in memory before they are merged into their months."""
MOST_LOOSE_SPANS = 10_000
WRITTEN_AT_ONCE = 2
"""Merged months that may wait for their file."""


class Staging:
    """Collects rows of several sources for one series.

    Parameters
    ----------
    sources
        Names of the sources; rows are added under their number.
    open_series
        Called once, before the first look at what the series holds: takes the lock and gives
        the manifest.
    """

    def __init__(
        self,
        series: Series,
        folder: Path,
        sources: list[str],
        on_conflict: str,
        open_series: Callable[[], Manifest],
    ) -> None:
        self.series, self.sources = series, sources
        self.months: dict[str, Month] = {}
        self._folder, self._on_conflict, self._open = folder, on_conflict, open_series
        self._manifest: Manifest | None = None
        self._pending: dict[str, list[tuple[int, Rows]]] = {}
        self._held = 0
        self._counts = np.zeros((3, len(sources)), dtype=np.int64)
        self._spans: list[list[Span]] = [[] for _ in sources]
        self._extents: list[Span | None] = [None for _ in sources]
        self._conflict: Conflict | None = None
        self._parties: tuple[str, ...] = ()
        self._disputed, self._duplicates = StampSet(series.step_ms), StampSet(series.step_ms)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="months")
        self._writing: dict[str, Future[Month]] = {}

    def close(self) -> None:
        """Wait for what is being written; nothing is written afterwards."""
        self._writer.shutdown(wait=True, cancel_futures=True)

    def add(self, source: int, rows: AnyRows) -> None:
        """Take in rows of a source, in any order.

        Raises
        ------
        BadInput
            Naming source and row of what cannot be true.
        """
        conforming = conform_rows(rows, self.series.kind)
        fault = first_fault(conforming, self.series.kind, step_ms=self.series.step_ms)
        if fault is not None:
            raise BadInput(f"{self.sources[source]}: {self.series}: {fault}")
        self.add_sound(source, conforming)

    def add_sound(self, source: int, rows: Rows) -> None:
        """Take in conforming rows that were found sound."""
        if length(rows) == 0:
            return
        self._extents[source] = _widened(self._extents[source], rows["timestamp"])
        parts = by_month(rows, self.series.step_ms)
        for name, part in parts.items():
            self._pending.setdefault(name, []).append((source, part))
        self._held += length(rows)
        if self._held > HELD_ROWS:
            last = list(parts)[-1]  # sorted input goes on where it stopped
            self._merge([name for name in sorted(self._pending) if name != last])
            if self._held > HELD_ROWS:
                self._merge([last])

    def finish(self) -> Manifest:
        """Merge what is left; returns the manifest that the months are to be laid over.

        Raises
        ------
        DataConflict
            With the count over all months and the first disagreement, if refused.
        """
        self._merge(sorted(self._pending))
        self._settle(list(self._writing))
        if self._on_conflict == "refuse":
            self._refuse_conflicts()
        return self._opened()

    @property
    def opened(self) -> bool:
        """Whether the series was looked at, and so something may have been written."""
        return self._manifest is not None

    @property
    def reports(self) -> list[AppendReport]:
        """What became of each source's rows."""
        return [AppendReport(*(int(count) for count in column)) for column in self._counts.T]

    @property
    def spans(self) -> list[list[Span]]:
        """Spans of the rows that each source gave and that stand."""
        return [union(spans) for spans in self._spans]

    @property
    def extents(self) -> list[Span | None]:
        """First and last timestamp of each source's rows; None where it had none."""
        return self._extents

    def _opened(self) -> Manifest:
        if self._manifest is None:
            self._manifest = self._open()
        return self._manifest

    def _merge(self, names: list[str]) -> None:
        for name in names:
            pending = self._pending.pop(name)
            self._settle([name])
            self._held -= sum(length(rows) for _, rows in pending)
            known = self.months.get(name) or self._opened().months.get(name)
            old = empty_rows(self.series.kind) if known is None else self._read(known)
            merged = merge(old, [rows for _, rows in pending], self.series.kind, self._on_conflict)
            self._account(name, [source for source, _ in pending], merged)
            if merged.changed:
                self._write(name, merged.rows)

    def _read(self, month: Month) -> Rows:
        try:
            return read_month(self._folder, month)
        except FileNotFoundError as error:
            raise CorruptArtifact(f"{self._folder / month.file} is missing") from error

    def _write(self, name: str, rows: Rows) -> None:
        """Write a month on another thread, while further rows are read."""
        before, kept = self.months.get(name), self._opened().months.get(name)

        def write() -> Month:
            month = write_month(self._folder, name, rows, self.series.step_ms)
            if before is not None and before.file not in (month.file, kept and kept.file):
                (self._folder / before.file).unlink()
            return month

        if len(self._writing) >= WRITTEN_AT_ONCE:
            self._settle([next(iter(self._writing))])
        self._writing[name] = self._writer.submit(write)

    def _settle(self, names: list[str]) -> None:
        """Wait until these months are written; raises what went wrong with one."""
        for name in names:
            writing = self._writing.pop(name, None)
            if writing is not None:
                self.months[name] = writing.result()

    def _account(self, month: str, sources: list[int], merged: Merged) -> None:
        outcome = np.stack([merged.added, merged.repeated, merged.conflicting])
        np.add.at(self._counts.T, sources, outcome.T)
        self._duplicates.add(month, merged.duplicates)
        self._disputed.add(month, merged.disputed)
        for source, stamps in zip(sources, merged.won, strict=True):
            new = self._runs(stamps, merged.rows["timestamp"])
            if new and len(merged.disputed):  # perhaps another source's until now
                self._spans = [subtract(spans, new) for spans in self._spans]
            self._spans[source] += new
            if len(self._spans[source]) > MOST_LOOSE_SPANS:
                self._spans[source] = union(self._spans[source])
        if merged.conflict is not None:
            known = self._conflict
            if known is None or merged.conflict.first_ms < known.first_ms:
                self._conflict = merged.conflict
                self._parties = tuple(
                    self._name(sources, party, merged.conflict.first_ms)
                    for party in (merged.conflict.giver, merged.conflict.challenger)
                )

    def _runs(self, stamps: np.ndarray, standing: np.ndarray) -> list[Span]:
        """Unbroken runs on the grid or, where there is none, among the records that stand."""
        if self.series.step_ms or not len(stamps):
            return spans_of(stamps, self.series.step_ms)
        runs = spans_of(np.searchsorted(standing, stamps), 1)
        return [(int(standing[first]), int(standing[after - 1]) + 1) for first, after in runs]

    def _refuse_conflicts(self) -> None:
        if self._conflict is None:
            return
        origin = self.sources[0] if len(self.sources) == 1 else f"{len(self.sources)} sources"
        first, (giver, challenger) = self._conflict, self._parties
        raise DataConflict(
            f"{self.series} from {origin}: {len(self._disputed)} conflicting duplicate timestamps "
            f"(of {len(self._duplicates)} duplicates); the first is {utc(first.first_ms)}: "
            f"{giver} says {first.kept}, {challenger} says {first.against}; nothing was written; "
            "allowed: rows that agree, or on_conflict keep_first or keep_last"
        )

    def _name(self, sources: list[int], party: int, stamp: int) -> str:
        """Who a part is; for a row that stood before, whoever the ledger says gave it."""
        if party >= 0:
            return self.sources[sources[party]]
        taken_in = [
            name
            for name, spans in zip(self.sources, self._spans, strict=True)
            if any(start <= stamp < end for start, end in spans)
        ]
        held = [
            entry.source
            for entry in self._opened().sources
            if any(start <= stamp < end for start, end in entry.spans)
        ]
        return (taken_in or held or ["the catalogue"])[0]


def _widened(extent: Span | None, stamps: np.ndarray) -> Span:
    low, high = int(stamps.min()), int(stamps.max())
    return (low, high) if extent is None else (min(low, extent[0]), max(high, extent[1]))
