"""One file of bars or funding, read and checked in blocks.

Belongs here: bringing a foreign table to the catalogue's columns, and refusing what cannot be
true.  Does not belong here: formats (``tables.py``), names (``columns.py``), and storage.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ares_resources.arrow_arrays import to_numpy
from ares_resources.errors import BadInput
from ares_resources.exchanges.files.columns import Columns, choose_columns, is_viewers_clock
from ares_resources.exchanges.files.containers import Payload, open_payload, verify_checksum
from ares_resources.exchanges.files.plausibility import Plausibility
from ares_resources.exchanges.files.tables import csv_head, tables
from ares_resources.exchanges.files.times import BadTime, Times, spell_utc_offset, to_milliseconds
from ares_resources.storage.frames import (
    Fault,
    Progress,
    Rows,
    conform_rows,
    first_fault,
    taker_share,
)
from ares_resources.streaming import StreamingDataProcessor
from ares_resources.timeframes import TIMEFRAMES, timeframe_ms

if TYPE_CHECKING:
    import pyarrow as pa

_PRICES = ("open", "high", "low", "close")
_PROCESSOR = StreamingDataProcessor(threads=2)


@dataclass(frozen=True)
class ReadOptions:
    """What a person says about a file; None where the file is to tell.

    ``timeframe``: what bars must be.  ``stamped_at``: "open", or "close" for exporters that
    stamp a bar by its end.  ``utc_offset_ms``: zone of the file's times.  ``volume_unit``:
    "base", or "quote" for volumes in the quote currency.  ``now_ms``: the present.
    """

    timeframe: str | None = None
    stamped_at: str | None = None
    utc_offset_ms: int | None = None
    volume_unit: str | None = None
    now_ms: int | None = None
    quote_is_dollar: bool = False

    def __post_init__(self) -> None:
        _check_choice("stamped_at", self.stamped_at, ("open", "close"))
        _check_choice("volume_unit", self.volume_unit, ("base", "quote"))
        if self.timeframe is not None:
            timeframe_ms(self.timeframe)


@dataclass
class MarketFile:
    """A file that is being read.

    ``kind`` is "bars" or "funding" and ``timeframe`` (empty for funding) known after the first
    block; ``notes`` (what was assumed), ``rows`` and ``content`` (XXH3-128 of the file's bytes)
    after the last.
    """

    path: Path
    options: ReadOptions = field(default_factory=ReadOptions)
    processor: StreamingDataProcessor = _PROCESSOR
    progress: Progress | None = None
    kind: str = ""
    timeframe: str = ""
    notes: list[str] = field(default_factory=list)
    rows: int = 0
    content: str = ""
    naive: bool = False
    _units: dict[str, int] = field(default_factory=dict)

    def blocks(self) -> Iterator[Rows]:
        """Checked, conforming rows in the file's own order, repetitions kept.

        Raises
        ------
        BadInput
            One line: file, column, first row, value and what is allowed.
        """
        try:
            yield from self._blocks()
        except BadInput as error:
            raise type(error)(_with_file(self.path, str(error))) from error

    def _blocks(self) -> Iterator[Rows]:
        with open_payload(self.path) as payload:
            note = verify_checksum(self.path)
            self._note(*([note] if note else []))
            self._refuse_viewers_clock(payload)
            plausibility: Plausibility | None = None
            for table in tables(payload, self.processor):
                rows = self._conforming(table)
                plausibility = plausibility or self._plausibility(rows)
                self._check(rows, plausibility)
                self.rows += len(rows["timestamp"])
                if self.progress is not None:
                    self.progress(f"reading {self.path.name}", payload.read_bytes(), payload.size)
                yield rows
            self.content = payload.fingerprint()
        if plausibility is not None:
            plausibility.finish()
        if len(self._units) > 1:
            units = ", ".join(f"{unit} in {count} rows" for unit, count in self._units.items())
            self._note(f"epochs are mixed: {units}")

    def _conforming(self, table: pa.Table) -> Rows:
        columns = choose_columns(table.column_names)
        first = not self.kind
        self.kind = self.kind or columns.kind
        stamps = self._stamps(table.column(columns.time))
        if columns.kind == "funding":
            rate = _rates(table.column(columns.values[0]), self.rows)
            return {"timestamp": stamps, "funding_rate": rate}
        numbers = [_numbers(table, position, self.rows) for position in columns.values]
        values: Rows = {"timestamp": stamps, **dict(zip(_PRICES, numbers[:4], strict=True))}
        values["volume"] = numbers[4]
        values["taker_buy_share"] = _taker_share(table, columns, numbers[4], self.rows)
        if self.options.volume_unit == "quote":
            values["volume"] = numbers[4] / (sum(numbers[:4]) / 4)
        if first:
            self.timeframe = _timeframe(stamps, self.options.timeframe)
            self._note_bars(columns)
        if self.options.stamped_at == "close":
            values["timestamp"] = stamps - timeframe_ms(self.timeframe)
        return conform_rows(values, "bars")

    def _note_bars(self, columns: Columns) -> None:
        self._note(*columns.notes)
        if self.options.stamped_at == "close":
            self._note("times are closes; moved back by one bar")
        if self.options.volume_unit == "quote":
            self._note("volume is turned from quote to base currency at each bar's mean price")

    def _stamps(self, column: pa.ChunkedArray) -> np.ndarray:
        try:
            times: Times = to_milliseconds(column)
        except BadTime as error:
            raise BadInput(f"row {self.rows + error.row}: {error}") from error
        for unit, count in times.units.items():
            self._units[unit] = self._units.get(unit, 0) + count
        self.naive |= times.zone == "none"
        if self.options.utc_offset_ms is not None:
            if times.zone == "said":
                raise BadInput("its times carry a zone; allowed: no --utc-offset for such a file")
            self._note(f"times are taken as UTC{spell_utc_offset(self.options.utc_offset_ms)}")
            return times.milliseconds - self.options.utc_offset_ms
        if times.zone == "none":
            self._note("dates without a zone are taken as UTC")
        return times.milliseconds

    def _plausibility(self, rows: Rows) -> Plausibility | None:
        if self.kind != "bars":
            return None
        step = timeframe_ms(self.timeframe)
        if self.options.quote_is_dollar and self.options.volume_unit is None:
            Plausibility.refuse_turnover(rows, step)
        return Plausibility(step)

    def _check(self, rows: Rows, plausibility: Plausibility | None) -> None:
        step = timeframe_ms(self.timeframe) if self.kind == "bars" else 0
        fault = first_fault(rows, self.kind, step_ms=step, now_ms=self.options.now_ms)
        if fault is not None:
            raise BadInput(str(dataclasses.replace(fault, row=fault.row + self.rows)))
        if plausibility is not None:
            plausibility.add(rows, self.rows)

    def _refuse_viewers_clock(self, payload: Payload) -> None:
        if payload.format != "csv" or self.options.utc_offset_ms is not None:
            return
        if is_viewers_clock(csv_head(payload.head)[1]):
            raise ViewersClock(
                "Binance's web export writes times in the viewer's own zone and does not say "
                "which; needed: --utc-offset, such as +08:00, or the same funding in the "
                "catalogue to compare with"
            )

    def _note(self, *notes: str) -> None:
        self.notes += [note for note in notes if note not in self.notes]


class ViewersClock(BadInput):
    """The zone of a file's times is needed and unknown."""


def read_rows(path: Path, options: ReadOptions | None = None) -> tuple[Rows, MarketFile]:
    """All rows of a file that fits in memory, and what was found out about it."""
    from ares_resources.storage.merging import concatenated

    file = MarketFile(path, options or ReadOptions())
    return concatenated(list(file.blocks())), file


def _check_choice(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise BadInput(f"{name} {value!r} is not known; allowed: {', '.join(allowed)}")


def _taker_share(
    table: pa.Table, columns: Columns, volume: np.ndarray, rows_before: int
) -> np.ndarray:
    if columns.taker_share is not None:
        return _numbers(table, columns.taker_share, rows_before)
    if columns.taker_volume is None:
        return np.full(len(volume), np.nan)
    return taker_share(_numbers(table, columns.taker_volume, rows_before), volume)


def _numbers(table: pa.Table, position: int, rows_before: int) -> np.ndarray:
    import pyarrow as pa

    column = table.column(position)
    try:
        return to_numpy(column.cast(pa.float64()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass  # some cell is no number: find out which
    cells = column.to_pylist()
    row = next((n for n, cell in enumerate(cells) if not _is_number(cell)), None)
    if row is None:
        return np.array([float(cell) for cell in cells])
    name = table.column_names[position]
    raise BadInput(str(Fault(name, rows_before + row + 1, repr(cells[row]), "numbers")))


def _is_number(cell: object) -> bool:
    try:
        float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _rates(column: pa.ChunkedArray, rows_before: int) -> np.ndarray:
    """Rates as fractions; texts may be percent, which are shifted as decimals, exactly."""
    import pyarrow as pa

    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return to_numpy(column.cast(pa.float64()))
    rates = np.empty(len(column))
    for row, cell in enumerate(column.to_pylist()):
        text = str(cell).strip()
        try:
            number = Decimal(text.removesuffix("%").strip())
        except InvalidOperation as error:
            fault = Fault("funding_rate", rows_before + row + 1, repr(cell), "numbers, or percent")
            raise BadInput(str(fault)) from error
        rates[row] = float(number.scaleb(-2) if text.endswith("%") else number)
    return rates


def _timeframe(stamps: np.ndarray, wanted: str | None) -> str:
    steps = np.diff(np.sort(stamps))
    steps = steps[steps > 0]
    if len(steps) == 0:
        if wanted is None:
            raise BadInput("one bar only, so its timeframe cannot be told; needed: --timeframe")
        return wanted
    values, counts = np.unique(steps, return_counts=True)
    modal = int(values[np.argmax(counts)])
    found = next((name for name, length in TIMEFRAMES.items() if length == modal), None)
    if found is None:
        allowed = ", ".join(TIMEFRAMES)
        raise BadInput(f"bars are mostly {modal} ms apart, no timeframe; allowed: {allowed}")
    if wanted not in (None, found):
        raise BadInput(f"timeframe {wanted} was asked for; the file holds {found} bars")
    return found


def _with_file(path: Path, message: str) -> str:
    return message if message.startswith(str(path)) else f"{path}: {message}"
