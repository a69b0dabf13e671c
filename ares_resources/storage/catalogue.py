"""The catalogue: where bars, funding and open interest rest, by series and month.

Belongs here: appending, reading and describing series.  Does not belong here: fetching
(:mod:`ares_resources.collection`) and file formats (:mod:`ares_resources.exchanges.files`).

Layout: ``<root>/<symbol>/<kind>[-<timeframe>]/manifest.json`` beside month files with
content-hashed names.  The manifest is published last and decides what is there, so a kill
at any moment leaves the old series or the new one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ares_resources.errors import CorruptArtifact
from ares_resources.storage import gap_ledger
from ares_resources.storage.atomic import file_lock, flush_folder
from ares_resources.storage.fingerprints import rows_fingerprint
from ares_resources.storage.frames import Rows, empty_rows, frame_of
from ares_resources.storage.gap_ledger import Span
from ares_resources.storage.merging import check_on_conflict, concatenated
from ares_resources.storage.month_files import read_month, remove_unlisted
from ares_resources.storage.series import AppendReport, Coverage, Series
from ares_resources.storage.series_manifest import (
    Manifest,
    Source,
    load_manifest,
    publish_manifest,
)
from ares_resources.storage.source_ledger import entries, with_entries
from ares_resources.storage.staging import Staging
from ares_resources.symbols import SymbolKey

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AppendReport", "Catalogue", "Coverage", "Series"]

_READ_ATTEMPTS = 5


class Catalogue:
    """Month-partitioned Parquet under one root; safe for several processes."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    def append(
        self, series: Series, frame: pd.DataFrame, *, source: str, on_conflict: str = "refuse"
    ) -> AppendReport:
        """Add rows from one source; see :meth:`append_parts`."""
        return self.append_parts(series, [(source, frame)], on_conflict=on_conflict)[0]

    def append_parts(
        self,
        series: Series,
        parts: Sequence[tuple[str, pd.DataFrame]],
        *,
        on_conflict: str = "refuse",
    ) -> list[AppendReport]:
        """Add the rows of several sources in one publication: all of them or none.

        Parameters
        ----------
        parts
            ``(source, frame)``; rows in any order, repetitions counted.
        on_conflict
            "refuse"; or "keep_first" (what is there, then the earlier row) or "keep_last".

        Raises
        ------
        DataConflict
            If rows of one timestamp disagree and ``on_conflict`` is "refuse".
        BadInput
            If a row cannot be true.
        """
        with self.staging(series, [source for source, _ in parts], on_conflict) as staging:
            for number, (_, frame) in enumerate(parts):
                staging.add(number, frame)
        return staging.reports

    @contextlib.contextmanager
    def staging(
        self,
        series: Series,
        sources: Sequence[str],
        on_conflict: str = "refuse",
        contents: Sequence[str] | None = None,
    ) -> Iterator[Staging]:
        """Rows added within the block are published at its end, all of them or, on an error, none.

        For sources larger than memory; ``contents`` are fingerprints of the files' bytes, and
        may be filled in while the block runs.

        Raises
        ------
        DataConflict, BadInput
            As :meth:`append_parts`.
        """
        check_on_conflict(on_conflict)
        folder, names = self._folder(series), list(sources)
        with contextlib.ExitStack() as held:

            def opened() -> Manifest:
                held.enter_context(file_lock(folder / ".lock"))
                return load_manifest(folder)

            staging = Staging(series, folder, names, on_conflict, opened)
            try:
                yield staging
                manifest = staging.finish()
                if any(extent is not None for extent in staging.extents):
                    self._publish(folder, manifest, staging, contents or [""] * len(names))
            finally:
                staging.close()
                if staging.opened:
                    remove_unlisted(folder, load_manifest(folder))

    def read(self, series: Series, start_ms: int, end_ms: int) -> pd.DataFrame:
        """Rows with ``start_ms <= timestamp < end_ms``, sorted, RangeIndex; maybe none.

        Raises
        ------
        CorruptArtifact
            If a file is not what its manifest recorded.
        """
        return frame_of(self.rows(series, start_ms, end_ms))

    def rows(self, series: Series, start_ms: int, end_ms: int) -> Rows:
        """:meth:`read` as plain arrays."""
        folder = self._folder(series)
        manifest = load_manifest(folder)
        for _ in range(_READ_ATTEMPTS):
            try:
                return _read(series, folder, manifest, start_ms, end_ms)
            except FileNotFoundError as error:
                newer = load_manifest(folder)
                if newer == manifest:
                    raise CorruptArtifact(f"{error.filename} is missing") from error
                manifest = newer
        raise CorruptArtifact(f"{series} changed {_READ_ATTEMPTS} times while it was read")

    def coverage(self, series: Series) -> Coverage | None:
        """First and last timestamp and the number of rows; None where there are none."""
        months = list(load_manifest(self._folder(series)).months.values())
        if not months:
            return None
        return Coverage(months[0].first_ms, months[-1].last_ms, sum(m.rows for m in months))

    def gaps(self, series: Series, start_ms: int, end_ms: int) -> pd.DataFrame:
        """The gap ledger: ``start_ms, end_ms, missing_bars`` inside the window.

        Only spans between the first and the last bar count; series without a grid (funding,
        open interest) have no gaps.
        """
        spans = self.gap_spans(series, start_ms, end_ms)
        return gap_ledger.ledger_frame(spans, series.step_ms or 1)

    def gap_spans(self, series: Series, start_ms: int, end_ms: int) -> list[Span]:
        """The gap ledger as spans."""
        return gap_ledger.clip(_gaps(series, self._manifest(series)), start_ms, end_ms)

    def missing(self, series: Series, start_ms: int, end_ms: int) -> list[Span]:
        """Spans of the window that an exchange is still to be asked for.

        For bars: where there is no bar and no exchange said so.  Else: what was never
        asked for, since only the exchange knows when it settles.
        """
        manifest = self._manifest(series)
        held = gap_ledger.subtract(_extent(series, manifest), _gaps(series, manifest))
        return gap_ledger.subtract([(start_ms, end_ms)], [*held, *manifest.answered])

    def mark_answered(self, series: Series, start_ms: int, end_ms: int) -> None:
        """Remember that the exchange was asked for this span and gave all that it has."""
        self._amend(
            series,
            lambda old: {"answered": tuple(gap_ledger.union([*old.answered, (start_ms, end_ms)]))},
        )

    def sources(self, series: Series) -> pd.DataFrame:
        """The source ledger as a frame: the fields of :class:`Source`."""
        import pandas as pd

        columns = [field.name for field in dataclasses.fields(Source)]
        rows = [dataclasses.astuple(source) for source in self.ledger(series)]
        return pd.DataFrame(rows, columns=columns)

    def ledger(self, series: Series) -> tuple[Source, ...]:
        """The source ledger: which file or exchange gave which bars, and when."""
        return self._manifest(series).sources

    def fingerprint(self, series: Series, start_ms: int, end_ms: int) -> str:
        """XXH3-128 of the window's rows; the way in which they came does not count."""
        return rows_fingerprint(self.rows(series, start_ms, end_ms))

    def symbols(self) -> list[SymbolKey]:
        """Every symbol with at least one published series, sorted."""
        found = {path.parent.parent.name for path in self.root.glob("*/*/manifest.json")}
        return sorted(SymbolKey.from_folder(name) for name in found)

    def series(self, symbol: SymbolKey) -> list[Series]:
        """Every published series of a symbol, sorted."""
        folders = (path.parent.name for path in (self.root / symbol.folder).glob("*/manifest.json"))
        return sorted(Series(symbol, *name.split("-", 1)) for name in folders)

    def mark_stale(self, series: Series, reason: str) -> None:
        """Record that the series could not be brought up to date, and why."""
        self._amend(series, lambda old: {"stale": reason})

    def clear_stale(self, series: Series) -> None:
        """Record that the series is up to date again."""
        if self.stale(series) is not None:
            self._amend(series, lambda old: {"stale": None})

    def stale(self, series: Series) -> str | None:
        """Why the series is out of date; None if it is not known to be."""
        return self._manifest(series).stale

    def _folder(self, series: Series) -> Path:
        return self.root / series.symbol.folder / series.folder

    def _manifest(self, series: Series) -> Manifest:
        return load_manifest(self._folder(series))

    def _amend(self, series: Series, change: Callable[[Manifest], dict[str, Any]]) -> None:
        folder = self._folder(series)
        with file_lock(folder / ".lock"):
            manifest = load_manifest(folder)
            publish_manifest(folder, dataclasses.replace(manifest, **change(manifest)))

    def _publish(
        self, folder: Path, manifest: Manifest, staging: Staging, contents: Sequence[str]
    ) -> None:
        if staging.months:
            flush_folder(folder)
        new = entries(staging.sources, contents, staging.reports, staging.extents, staging.spans)
        publish_manifest(
            folder,
            dataclasses.replace(
                manifest,
                months=dict(sorted({**manifest.months, **staging.months}.items())),
                sources=with_entries(manifest.sources, new),
            ),
        )


def _read(series: Series, folder: Path, manifest: Manifest, start_ms: int, end_ms: int) -> Rows:
    wanted = [
        month
        for month in manifest.months.values()
        if month.first_ms < end_ms and month.last_ms >= start_ms
    ]
    if not wanted:
        return empty_rows(series.kind)
    rows = concatenated([read_month(folder, month) for month in wanted])
    first, after = np.searchsorted(rows["timestamp"], [start_ms, end_ms])
    return {name: values[first:after] for name, values in rows.items()}


def _extent(series: Series, manifest: Manifest) -> list[Span]:
    months = list(manifest.months.values())
    if not months or not series.step_ms:
        return []
    return [(months[0].first_ms, months[-1].last_ms + series.step_ms)]


def _gaps(series: Series, manifest: Manifest) -> list[Span]:
    if not series.step_ms:
        return []
    months = list(manifest.months.values())
    between = [
        (one.last_ms + series.step_ms, other.first_ms) for one, other in itertools.pairwise(months)
    ]
    return gap_ledger.union([*between, *(gap for month in months for gap in month.gaps)])
