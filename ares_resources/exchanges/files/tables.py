"""CSV, Parquet, feather and JSON as Arrow tables, block by block.

Belongs here: formats.  Does not belong here: what the columns mean beyond their names, and
whether the rows are plausible.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ares_resources.errors import BadInput
from ares_resources.exchanges.files.columns import BINANCE_DUMP, choose_columns
from ares_resources.exchanges.files.containers import Payload
from ares_resources.streaming import StreamingDataProcessor

if TYPE_CHECKING:
    import pyarrow as pa

MAXIMUM_ROWS = 1_000_000_000
"""32 years of seconds; more is a decompression bomb, of which one may be smaller than 2 MB."""
_BATCH_ROWS = 65_536


def tables(payload: Payload, processor: StreamingDataProcessor) -> Iterator[pa.Table]:
    """The rows in order, a table for each block, with only the columns that are needed.

    Raises
    ------
    BadInput
        If the content is broken, too long or without rows; the message does not name the file.
    """
    import pyarrow as pa

    readers: dict[str, Callable[[], Iterator[pa.Table]]] = {
        "csv": lambda: _csv_tables(payload, processor),
        "parquet": lambda: _parquet_tables(payload),
        "feather": lambda: _feather_tables(payload),
        "json": lambda: _json_tables(payload),
    }
    rows = 0
    try:
        for table in readers[payload.format]():
            rows += table.num_rows
            _refuse_too_many(rows)
            if table.num_rows:
                yield table
    except (pa.ArrowException, UnicodeDecodeError) as error:
        reason = " ".join(_in_the_file(str(error), rows).split())[:300]
        raise BadInput(f"broken {payload.format}: {reason}") from error
    if rows == 0:
        raise BadInput("no rows; allowed: at least one bar")


def _in_the_file(message: str, rows_before: int) -> str:
    """pyarrow counts rows from the start of its block."""
    return re.sub(
        r"Row #(\d+)", lambda found: f"row {int(found[1]) + rows_before}", message, count=1
    )


def _csv_tables(payload: Payload, processor: StreamingDataProcessor) -> Iterator[pa.Table]:
    import pyarrow as pa

    skip, header, delimiter = csv_head(payload.head)
    columns = choose_columns(header)
    names = [f"{position}:{name}" for position, name in enumerate(header)]
    used = [names[position] for position in columns.used]
    numbers = {} if columns.kind == "funding" else dict.fromkeys(used[1:], "float64")
    reading = processor.reading(
        column_names=names, column_types=numbers, include_columns=used, delimiter=delimiter
    )
    for _ in range(skip):
        payload.stream.readline()
    for table in reading.tables(payload.stream, otherwise=dict.fromkeys(used, pa.string())):
        yield table.rename_columns([header[position] for position in columns.used])


def csv_head(head: bytes) -> tuple[int, list[str], str]:
    """Lines to skip before the rows, the columns' names, and the delimiter."""
    lines = head.decode("utf-8", errors="replace").splitlines()
    first = next((n for n, line in enumerate(lines) if not _is_comment(line)), None)
    if first is None:
        raise BadInput("only comment lines; needed: bars")
    delimiter = max(",;\t|", key=lines[first].count)
    cells = next(csv.reader(io.StringIO(lines[first]), delimiter=delimiter))
    if not _is_number(cells[0]):
        return first + 1, [cell.strip() for cell in cells], delimiter
    if len(cells) != len(BINANCE_DUMP):
        raise BadInput(
            f"{len(cells)} columns without a header; allowed without a header: "
            f"{len(BINANCE_DUMP)} (Binance dump)"
        )
    return first, list(BINANCE_DUMP), delimiter


def _is_comment(line: str) -> bool:
    text = line.strip().strip('"').lower()
    return not text or text.startswith(("#", "http://", "https://", "www."))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _parquet_tables(payload: Payload) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(_seekable(payload), page_checksum_verification=True) as file:
        _refuse_too_many(file.metadata.num_rows)
        names = file.schema_arrow.names
        wanted = _once(names, choose_columns(names).used)
        for batch in file.iter_batches(_BATCH_ROWS, columns=wanted, use_threads=False):
            yield pa.Table.from_batches([batch]).select(wanted)


def _feather_tables(payload: Payload) -> Iterator[pa.Table]:
    import pyarrow as pa

    reader = pa.ipc.open_file(_seekable(payload))
    names = reader.schema.names
    wanted = _once(names, choose_columns(names).used)
    for position in range(reader.num_record_batches):
        yield pa.Table.from_batches([reader.get_batch(position)]).select(wanted)


def _once(names: list[str], used: list[int]) -> list[str]:
    """The names of columns; raises BadInput if one of them occurs twice."""
    twice = [names[position] for position in used if names.count(names[position]) > 1]
    if twice:
        raise BadInput(f"column {twice[0]!r} occurs {names.count(twice[0])} times; allowed: once")
    return [names[position] for position in used]


def _seekable(payload: Payload) -> pa.NativeFile:
    """The file itself where it is not packed, so that it need not be held in memory."""
    import pyarrow as pa

    with payload.path.open("rb") as file:
        packed = file.read(len(payload.head[:16])) != payload.head[:16]
    return pa.BufferReader(payload.whole()) if packed else pa.OSFile(str(payload.path))


def _refuse_too_many(rows: int) -> None:
    if rows > MAXIMUM_ROWS:
        raise BadInput(f"{rows} rows; allowed: at most {MAXIMUM_ROWS}")


def _json_tables(payload: Payload) -> Iterator[pa.Table]:
    import pyarrow as pa

    try:
        rows = json.loads(payload.whole())
    except (ValueError, RecursionError) as error:
        raise BadInput(f"broken JSON: {error}") from error
    if not isinstance(rows, list):
        raise BadInput("JSON object; allowed: an array of arrays (freqtrade)")
    width = len(rows[0]) if rows and isinstance(rows[0], list) else 0
    bad = next((n for n, row in enumerate(rows) if _width(row) != width), None)
    if width not in (6, len(BINANCE_DUMP)) or bad is not None:
        at = f"row {(bad or 0) + 1} holds {str(rows[bad or 0])[:80]!r}; " if rows else ""
        raise BadInput(f"{at}allowed: arrays of 6 values (freqtrade) or 12 (Binance REST)")
    names = BINANCE_DUMP[:width]
    yield pa.table({name: _json_column(rows, i) for i, name in enumerate(names)}).select(
        choose_columns(names).used
    )


def _width(row: object) -> int:
    return len(row) if isinstance(row, list) else -1


def _json_column(rows: list[list[object]], position: int) -> pa.Array:
    import pyarrow as pa

    values = [row[position] for row in rows]
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values])
