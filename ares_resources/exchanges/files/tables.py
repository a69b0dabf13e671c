"""Parsing CSV, Parquet, feather and JSON into an Arrow table.

Belongs here: formats.  Does not belong here: what the columns mean beyond their names, and
whether the rows are plausible.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from ares_resources.errors import BadInput
from ares_resources.exchanges.files.columns import BINANCE_DUMP, choose_columns

if TYPE_CHECKING:
    import pyarrow as pa

MAXIMUM_ROWS = 50_000_000  # 95 years of minutes; more is a decompression bomb


def parse_table(data: bytes, file_format: str) -> pa.Table:
    """The table in ``data``; only columns that bars need are read where a format allows it.

    Raises
    ------
    BadInput
        If the content is broken or holds no bars; the message does not name the file.
    """
    import pyarrow as pa

    parsers: dict[str, Callable[[bytes], pa.Table]] = {
        "csv": _parse_csv,
        "parquet": _parse_parquet,
        "feather": _parse_feather,
        "json": _parse_json,
    }
    try:
        table = parsers[file_format](data)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BadInput(f"broken {file_format}: {reason}") from error
    if table.num_rows == 0:
        raise BadInput("no rows; allowed: at least one bar")
    return table


def _parse_csv(data: bytes) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    skip, header, delimiter = _csv_head(data)
    columns = choose_columns(header)
    names = [f"{position}:{name}" for position, name in enumerate(header)]
    used = [names[position] for position in columns.used]
    numbers = {names[position]: pa.float64() for position in columns.used[1:]}

    def read(types: dict[str, pa.DataType]) -> pa.Table:
        return pa_csv.read_csv(
            pa.BufferReader(data),
            read_options=pa_csv.ReadOptions(column_names=names, skip_rows=skip, use_threads=False),
            parse_options=pa_csv.ParseOptions(delimiter=delimiter),
            convert_options=pa_csv.ConvertOptions(include_columns=used, column_types=types),
        )

    try:
        table = read(numbers)
    except pa.ArrowInvalid as error:
        if "conversion error" not in str(error):
            raise
        table = read(dict.fromkeys(used, pa.string()))
    return table.rename_columns([header[position] for position in columns.used])


def _csv_head(data: bytes) -> tuple[int, list[str], str]:
    """Lines to skip before the rows, the columns' names, and the delimiter."""
    lines = data[:65536].decode("utf-8", errors="replace").splitlines()
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


def _parse_parquet(data: bytes) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True) as file:
        _refuse_too_many(file.metadata.num_rows)
        names = file.schema_arrow.names
        wanted = [names[position] for position in choose_columns(names).used]
        return file.read(columns=wanted, use_threads=False)


def _parse_feather(data: bytes) -> pa.Table:
    import pyarrow as pa

    reader = pa.ipc.open_file(pa.BufferReader(data))
    choose_columns(reader.schema.names)
    batches, rows = [], 0
    for position in range(reader.num_record_batches):
        batches.append(reader.get_batch(position))
        rows += batches[-1].num_rows
        _refuse_too_many(rows)
    return pa.Table.from_batches(batches, schema=reader.schema)


def _refuse_too_many(rows: int) -> None:
    if rows > MAXIMUM_ROWS:
        raise BadInput(f"{rows} rows; allowed: at most {MAXIMUM_ROWS}")


def _parse_json(data: bytes) -> pa.Table:
    import pyarrow as pa

    try:
        rows = json.loads(data)
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
    return pa.table({name: _json_column(rows, i) for i, name in enumerate(names)})


def _width(row: object) -> int:
    return len(row) if isinstance(row, list) else -1


def _json_column(rows: list[list[object]], position: int) -> pa.Array:
    import pyarrow as pa

    values = [row[position] for row in rows]
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values])
