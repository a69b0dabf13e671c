"""Parquet that is small, quick and exact: whole numbers as deltas, decimals as integer ticks.

Belongs here: how columns become the bytes of a file and come back bit for bit.  Does not
belong here: where files stand, their hashes, and any rounding.

Prices and volumes are decimals with few places.  Where every value of a float64 column is the
double nearest to an integer over a power of ten, it is stored as Parquet's own DECIMAL (other
tools read it as such): 64-bit integers, delta-packed.  The division is made again when reading;
that it gives the same bits is checked for every value, so nothing is lost.  What is no such
decimal is stored byte-stream-split.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from ares_resources.storage.frames import Rows

MOST_PLACES = 8
_FLOAT_KEY = b"ares.float64"
_PRECISION = 18  # the most that a 64-bit DECIMAL may have
_SAMPLE = 256
_EXACT = 2.0**53


def write_table(table: pa.Table, sink: Any) -> None:
    """Write an Arrow table to a path or stream; equal tables give equal bytes.

    float64 columns without missing values become ticks where that is exact.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns, fields, encodings = [], [], {}
    for field in table.schema:
        column, encoding = table.column(field.name), _encoding(field.type)
        ticks = _ticks_of(column)
        if ticks is not None:
            column, encoding = _decimals(*ticks), "DELTA_BINARY_PACKED"
            field = pa.field(field.name, column.type, field.nullable, {_FLOAT_KEY: b"1"})
        if encoding is not None:
            encodings[field.name] = encoding
        columns.append(column)
        fields.append(field)
    pq.write_table(
        pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=table.schema.metadata)),
        sink,
        compression="lz4",
        use_dictionary=[field.name for field in fields if field.name not in encodings],
        column_encoding=encodings or None,
        store_decimal_as_integer=True,
        write_page_checksum=True,
    )


def read_table(source: Any) -> pa.Table:
    """The table that :func:`write_table` wrote, from a path or buffer, pages checked.

    Raises
    ------
    OSError, pa.ArrowException
        If the file is torn or a page fails its checksum.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(source, page_checksum_verification=True, use_threads=False)
    for position, field in enumerate(table.schema):
        if _FLOAT_KEY in (field.metadata or {}):
            values = from_ticks(_integers(table.column(position)), field.type.scale)
            float_field = pa.field(field.name, pa.float64(), field.nullable)
            table = table.set_column(position, float_field, pa.array(values))
    return table


def write_rows(rows: Rows) -> bytes:
    """Columns of numbers as the bytes of a file."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    write_table(pa.table({name: pa.array(values) for name, values in rows.items()}), sink)
    return sink.getvalue().to_pybytes()


def read_rows(data: bytes) -> Rows:
    """The inverse of :func:`write_rows`; missing values become NaN."""
    import pyarrow as pa

    table = read_table(pa.BufferReader(data))
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names}


def to_ticks(values: np.ndarray) -> tuple[np.ndarray, int] | None:
    """Integers (int64, n) and places p with ``integers / 10**p`` bit for bit ``values``.

    ``values`` is float64 (n,).  The least p up to :data:`MOST_PLACES` is taken; None where
    there is none, as with NaN, infinities, -0.0 and what needs more than 53 bits.
    """
    sample = values[:: max(1, len(values) // _SAMPLE)]
    for places in range(MOST_PLACES + 1):
        if _exact_ticks(sample, places) is None:
            continue
        ticks = _exact_ticks(values, places)
        if ticks is not None:
            return ticks, places
    return None


def from_ticks(ticks: np.ndarray, places: int) -> np.ndarray:
    """The inverse of :func:`to_ticks`."""
    return ticks / 10.0**places


def _exact_ticks(values: np.ndarray, places: int) -> np.ndarray | None:
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.rint(values * 10.0**places)
        if not (np.abs(scaled) < _EXACT).all():
            return None
    ticks = scaled.astype(np.int64)
    same = from_ticks(ticks, places).view(np.int64) == values.view(np.int64)
    return ticks if same.all() else None


def _ticks_of(column: pa.ChunkedArray) -> tuple[np.ndarray, int] | None:
    import pyarrow as pa

    if column.type != pa.float64() or column.null_count or len(column) == 0:
        return None
    return to_ticks(column.to_numpy())


def _decimals(ticks: np.ndarray, places: int) -> pa.Array:
    """Arrow decimals of 128 bits: each integer, and its sign as the upper word."""
    import pyarrow as pa

    words = np.empty((len(ticks), 2), dtype=np.int64)
    words[:, 0], words[:, 1] = ticks, ticks >> 63
    kind = pa.decimal128(_PRECISION, places)
    return pa.Array.from_buffers(kind, len(ticks), [None, pa.py_buffer(words)])


def _integers(column: pa.ChunkedArray) -> np.ndarray:
    """The lower words of the decimals; they fit since the writer bounds them."""
    array = column.combine_chunks()
    words = np.frombuffer(array.buffers()[1], dtype=np.int64)
    return words[2 * array.offset : 2 * (array.offset + len(array)) : 2]


def _encoding(kind: pa.DataType) -> str | None:
    import pyarrow.types as types

    tests: tuple[tuple[Callable[[Any], bool], str], ...] = (
        (types.is_int64, "DELTA_BINARY_PACKED"),
        (types.is_int32, "DELTA_BINARY_PACKED"),
        (types.is_timestamp, "DELTA_BINARY_PACKED"),
        (types.is_float64, "BYTE_STREAM_SPLIT"),
        (types.is_float32, "BYTE_STREAM_SPLIT"),
    )
    return next((encoding for test, encoding in tests if test(kind)), None)
