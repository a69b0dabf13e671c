"""CSV cut into blocks of whole lines, and each parsed by pyarrow, several at once.

Belongs here: cutting, parsing, the order of the results.  Does not belong here: files, and what
the rows mean (:mod:`ares_resources.streaming` and its callers).
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, TypeAlias, Union, cast

from ares_resources.errors import BadInput

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

LONGEST_LINE = 16 << 20
BLOCKS_AHEAD = 8
_USUAL_LINE = 4096

ArrowTypes: TypeAlias = Mapping[str, Union[str, "pa.DataType"]]


@dataclass(frozen=True)
class CsvReading:
    """How a table is to be read; the fields are those of ``StreamingDataProcessor``.

    ``otherwise`` are the types with which a block is read that does not fit its own, so that the
    caller can name the cell; without them the misfit is raised.
    """

    column_names: tuple[str, ...]
    column_types: ArrowTypes
    include_columns: tuple[str, ...]
    delimiter: str
    otherwise: ArrowTypes | None


def csv_tables(
    stream: BinaryIO, reading: CsvReading, *, block_bytes: int, threads: int
) -> Iterator[pa.Table]:
    """Rows of a binary stream in order, one table for each block.

    Raises
    ------
    BadInput
        If a line is longer than :data:`LONGEST_LINE` bytes.
    pa.ArrowInvalid
        If a row does not parse.
    """
    spare: list[np.ndarray] = []
    blocks, names = _blocks(stream, block_bytes, spare), list(reading.column_names)
    first = next(blocks, memoryview(b""))
    if not names and len(first):
        names, first = _header(first, reading.delimiter)
    while len(first) and not bytes(first).strip():
        first = next(blocks, memoryview(b""))
    if not len(first):
        return
    parser = _BlockParser(names, reading)
    table = parser.parse(first)
    parser.learn(table)
    yield table
    yield from _in_order(parser.parse, blocks, threads, spare)


class _BlockParser:
    """Parses blocks of whole lines; the types of the first are those of the others."""

    def __init__(self, names: list[str], reading: CsvReading) -> None:
        import pyarrow as pa

        self.names, self._reading, self._otherwise = names, reading, reading.otherwise
        self._quick = reading.otherwise is not None
        self._quick_types: ArrowTypes = {}
        self._types: dict[str, pa.DataType] = {
            name: pa.type_for_alias(kind) if isinstance(kind, str) else kind
            for name, kind in reading.column_types.items()
        }

    def learn(self, table: pa.Table) -> None:
        """Take over the types that the first block's columns turned out to have.

        The quick way takes no quotes for such, so it is only for columns in which a quoted cell
        could not pass for a value: texts rule it out.
        """
        import pyarrow as pa

        found = {f.name: f.type for f in table.schema if not pa.types.is_null(f.type)}
        known = {**found, **self._types}
        if self._otherwise is None:
            self._types = known
        self._quick_types = known
        self._quick &= not any(pa.types.is_string(kind) for kind in known.values())

    def parse(self, block: memoryview) -> pa.Table:
        """The rows of one block; a first, quick try takes no cell for quoted or missing."""
        import pyarrow as pa

        if self._quick and self._quick_types:
            with contextlib.suppress(pa.ArrowInvalid):
                return self._read(block, self._quick_types, quick=True)
        try:
            return self._read(block, self._types)
        except pa.ArrowInvalid as error:
            if self._otherwise is not None and "conversion error" in str(error):
                return self._read(block, self._otherwise)
            error.names = self.names  # type: ignore[attr-defined]
            raise

    def _read(self, block: memoryview, types: ArrowTypes, *, quick: bool = False) -> pa.Table:
        import pyarrow as pa
        from pyarrow import csv

        convert = csv.ConvertOptions(
            column_types=dict(types), include_columns=list(self._reading.include_columns) or None
        )
        parse = csv.ParseOptions(delimiter=self._reading.delimiter)
        if quick:
            convert.null_values, parse.quote_char = [], False
        return csv.read_csv(
            pa.BufferReader(pa.py_buffer(block)),
            read_options=csv.ReadOptions(
                column_names=self.names, use_threads=False, block_size=len(block) + 1
            ),
            parse_options=parse,
            convert_options=convert,
        )


def _blocks(stream: BinaryIO, size: int, spare: list[np.ndarray]) -> Iterator[memoryview]:
    """The stream cut after line ends into blocks of about ``size`` bytes.

    Each is a view of a buffer of its own, which the stream filled: nothing is copied but the
    piece of a line at its end.  Buffers come from ``spare``, where whoever has parsed a block
    puts its buffer back: fresh ones would have to be cleared by the system, which shows.
    """
    import numpy as np

    rest = b""
    while True:
        array = spare.pop() if spare and len(rest) < _USUAL_LINE else None
        if array is None:
            array = np.empty(max(len(rest), _USUAL_LINE) + size, dtype=np.uint8)
        buffer = array.data
        buffer[: len(rest)] = rest
        got = stream.readinto(buffer[len(rest) : len(rest) + size])  # type: ignore[attr-defined]
        filled = len(rest) + got
        if not got:
            if rest.strip():
                yield buffer[:filled]
            return
        cut = _after_last_line_end(buffer[:filled])
        rest = bytes(buffer[cut:filled])
        if cut:
            yield buffer[:cut]
        elif filled > LONGEST_LINE:
            raise BadInput(f"a line of more than {LONGEST_LINE} bytes; allowed: rows of a table")


def _after_last_line_end(text: memoryview) -> int:
    """Where the last whole line ends; 0 if there is none.  Most lines are short."""
    for reach in (_USUAL_LINE, len(text)):
        start = max(0, len(text) - reach)
        found = bytes(text[start:]).rfind(b"\n")
        if found >= 0:
            return start + found + 1
    return 0


def _header(block: memoryview, delimiter: str) -> tuple[list[str], memoryview]:
    import csv

    text = bytes(block)
    end = text.find(b"\n") + 1 or len(text)
    line = text[:end].removeprefix(b"\xef\xbb\xbf").decode().rstrip("\r\n")
    return next(csv.reader([line], delimiter=delimiter)), block[end:]


def _in_order(
    parse: Callable[[memoryview], pa.Table],
    blocks: Iterator[memoryview],
    threads: int,
    spare: list[np.ndarray],
) -> Iterator[pa.Table]:
    """Parse ahead on ``threads`` threads, a few blocks at the most; tables own their memory."""

    def done(block: memoryview) -> pa.Table:
        table = parse(block)
        spare.append(cast("np.ndarray", block.obj))
        return table

    if threads == 1:
        yield from map(done, blocks)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="csv") as pool:
        ahead: deque[Future[pa.Table]] = deque()
        try:
            for block in blocks:
                ahead.append(pool.submit(done, block))
                if len(ahead) > BLOCKS_AHEAD:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
