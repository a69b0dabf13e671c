"""One file of bars or funding, read and checked in blocks.

Belongs here: what needs a file as a whole: row numbers, notes, and signs that show in many
rows.  Does not belong here: formats (``tables.py``), a block alone (``conversion.py``), and
storage.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ares_resources.errors import BadInput
from ares_resources.exchanges.files.columns import has_second_volume, is_viewers_clock
from ares_resources.exchanges.files.containers import open_payload, verify_checksum
from ares_resources.exchanges.files.conversion import BadRow, Block, ReadOptions, convert
from ares_resources.exchanges.files.plausibility import Plausibility, refuse_turnover
from ares_resources.exchanges.files.tables import csv_head, tables
from ares_resources.exchanges.files.times import spell_utc_offset
from ares_resources.storage.frames import Progress, Rows
from ares_resources.streaming import StreamingDataProcessor
from ares_resources.timeframes import timeframe_ms

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MarketFile", "ReadOptions", "ViewersClock", "read_rows"]

_PROCESSOR = StreamingDataProcessor(threads=2)


class ViewersClock(BadInput):
    """The zone of a file's times is needed and unknown."""


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
        except BadRow as error:
            raise BadInput(f"{self.path}: row {self.rows + error.row}: {error}") from error
        except BadInput as error:
            raise type(error)(_with_file(self.path, str(error))) from error

    def _blocks(self) -> Iterator[Rows]:
        with open_payload(self.path) as payload:
            if payload.format == "csv":
                self._refuse_header(csv_head(payload.head)[1])
            checksum = verify_checksum(self.path)
            self.note(*([checksum] if checksum else []))
            plausibility = Plausibility()
            for table in tables(payload, self.processor):
                block = _converted(table, self.options, self.timeframe)
                self._take_in(block)
                if block.leaps is not None:
                    plausibility.add(block.leaps)
                self.rows += len(block.rows["timestamp"])
                if self.progress is not None:
                    self.progress(f"reading {self.path.name}", payload.read_bytes(), payload.size)
                yield block.rows
            if not self.options.allow_jumps:
                plausibility.finish()
            self.content = payload.fingerprint()
        if len(self._units) > 1:
            units = ", ".join(f"{unit} in {count} rows" for unit, count in self._units.items())
            self.note(f"epochs are mixed: {units}")

    def _take_in(self, block: Block) -> None:
        for unit, count in block.units.items():
            self._units[unit] = self._units.get(unit, 0) + count
        if self.options.utc_offset_ms is not None and block.zone != "none":
            carried = "are epochs, which are UTC" if block.zone == "epoch" else "carry a zone"
            raise BadInput(f"its times {carried}; allowed: no --utc-offset for such a file")
        if self.options.utc_offset_ms is None and block.zone == "none":
            self.note("dates without a zone are taken as UTC")
        if not self.kind:
            self.kind, self.timeframe = block.kind, block.timeframe
            self._note_assumptions(block)

    def _note_assumptions(self, block: Block) -> None:
        said = self.options
        self.note(*block.notes)
        if said.utc_offset_ms is not None:
            self.note(f"times are taken as UTC{spell_utc_offset(said.utc_offset_ms)}")
        if block.kind != "bars":
            return
        if said.stamped_at == "close":
            self.note("times are closes; moved back by one bar")
        if said.volume_unit == "quote":
            self.note("volume is turned from quote to base currency at each bar's mean price")
        if block.volume_is_quote and said.volume_unit is None:
            raise BadInput(
                f"{block.notes[0]}, which is in the quote currency; allowed: --volume-unit quote, "
                "to convert it at each bar's mean price, or --volume-unit base to insist"
            )
        if said.quote_is_dollar and said.volume_unit is None:
            refuse_turnover(block.rows, timeframe_ms(block.timeframe))

    def _refuse_header(self, header: list[str]) -> None:
        said = self.options
        if said.is_inverse and said.volume_unit is None and has_second_volume(header):
            raise BadInput(
                "volume in dumps of inverse contracts counts contracts, not coins; allowed: a file "
                "whose volume is in coins, or --volume-unit base to insist"
            )
        if is_viewers_clock(header) and said.utc_offset_ms is None:
            raise ViewersClock(
                "Binance's web export writes times in the viewer's own zone and does not say "
                "which; needed: --utc-offset, such as +08:00, or the same funding in the "
                "catalogue to compare with"
            )

    @property
    def naive(self) -> bool:
        """Whether its times are dates without a zone."""
        return not self._units and "dates without a zone are taken as UTC" in self.notes

    def note(self, *notes: str) -> None:
        """Say what was assumed, once."""
        self.notes += [note for note in notes if note not in self.notes]


def _converted(table: pa.Table, options: ReadOptions, timeframe: str) -> Block:
    import pyarrow as pa

    try:
        return convert(table, options, timeframe)
    except pa.ArrowException as error:
        raise BadInput(f"a column cannot be read: {' '.join(str(error).split())[:200]}") from error


def read_rows(path: Path, options: ReadOptions | None = None) -> tuple[Rows, MarketFile]:
    """All rows of a file that fits in memory, and what was found out about it."""
    from ares_resources.storage.merging import concatenated

    file = MarketFile(path, options or ReadOptions())
    return concatenated(list(file.blocks())), file


def _with_file(path: Path, message: str) -> str:
    return message if message.startswith(str(path)) else f"{path}: {message}"
