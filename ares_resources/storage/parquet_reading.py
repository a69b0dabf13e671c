"""Reading what ``lossless_parquet`` wrote, straight into the arrays that the caller keeps.

Belongs here: pages to NumPy columns, Arrow tables and frames, bit for bit.  Does not belong here:
writing, hashes, and what is done about a damaged file.

Columns of numbers without missing values are decoded a few thousand rows at a time, so that what
is decoded is still in the processor's cache when it becomes prices; two threads share the columns
of a large file.  All other columns go Arrow's way.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from ares_resources.arrow_arrays import to_arrow, to_numpy
from ares_resources.storage.lossless_parquet import NULLABLE_KEY, PLACES_KEY

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from ares_resources.storage.frames import Rows

_BATCH_ROWS = 65_536
_VALUES_FOR_THREADS = 1 << 20
_MOST_THREADS = 2


@dataclass(frozen=True)
class _Columns:
    """A file's columns by position: bare arrays, which are rows of one array for each type, or
    what Arrow made of the others."""

    schema: pa.Schema
    rows: int
    blocks: dict[str, np.ndarray]
    bare: dict[int, tuple[str, int]]
    others: dict[int, pa.ChunkedArray]

    def array(self, position: int) -> np.ndarray:
        kind, row = self.bare[position]
        return self.blocks[kind][row]

    def arrow(self, position: int) -> Any:
        return to_arrow(self.array(position)) if position in self.bare else self.others[position]


def read_table(source: Any) -> pa.Table:
    """The table that ``write_table`` wrote, from a path or an Arrow reader, pages checked.

    Raises
    ------
    OSError, pa.ArrowException
        If the file is torn or a page fails its checksum.
    """
    import pyarrow as pa

    columns = _read(source)
    arrays = [columns.arrow(position) for position in range(len(columns.schema))]
    return pa.Table.from_arrays(arrays, schema=columns.schema)


def read_rows(data: bytes) -> Rows:
    """The inverse of ``write_rows``; missing values become NaN."""
    import pyarrow as pa

    columns = _read(pa.BufferReader(data))
    return {
        name: columns.array(position)
        if position in columns.bare
        else to_numpy(columns.others[position])
        for position, name in enumerate(columns.schema.names)
    }


def read_frame(source: Any) -> pd.DataFrame:
    """The frame whose table ``write_table`` wrote, in arrays of its own; errors as above.

    Neighbouring columns of a type share one array, as pandas would have it.
    """
    import pandas as pd
    import pyarrow as pa

    columns = _read(source)
    named = columns.schema.empty_table().to_pandas()
    if not columns.bare or not isinstance(named.index, pd.RangeIndex):
        arrays = [columns.arrow(position) for position in range(len(columns.schema))]
        return pa.Table.from_arrays(arrays, schema=columns.schema).to_pandas()
    runs = groupby(range(len(columns.schema)), lambda at: columns.bare.get(at, ("", 0))[0])
    parts = [_part(columns, kind, list(positions)) for kind, positions in runs]
    whole = parts[0]
    if len(parts) > 1:
        # pandas 2 copies unless told; the stubs are of pandas 3, which never does.
        whole = pd.concat(parts, axis=1, copy=False)  # type: ignore[call-overload]
    whole.columns = named.columns
    return whole


def _part(columns: _Columns, kind: str, positions: Sequence[int]) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    if kind:
        first = columns.bare[positions[0]][1]
        return pd.DataFrame(columns.blocks[kind][first : first + len(positions)].T, copy=False)
    fields = pa.schema([columns.schema.field(at) for at in positions], columns.schema.metadata)
    arrays = [columns.others[at] for at in positions]
    return pa.Table.from_arrays(arrays, schema=fields).to_pandas()


def _read(source: Any) -> _Columns:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(source, page_checksum_verification=True)
    stored, rows = file.schema_arrow, file.metadata.num_rows
    schema = pa.schema([_original(field) for field in stored], stored.metadata)
    # Arrow takes a name with a dot for a path, and two equal ones for one.
    plain = len(set(schema.names)) == len(schema) and not any("." in name for name in schema.names)
    bare: dict[int, tuple[str, int]] = {}
    width = {"int64": 0, "double": 0}
    for position, field in enumerate(schema):
        kind = str(field.type)
        if plain and not stored.field(position).nullable and kind in width:
            bare[position] = (kind, width[kind])
            width[kind] += 1
    kinds = {"int64": np.int64, "double": np.float64}
    blocks = {kind: np.empty((many, rows), kinds[kind]) for kind, many in width.items() if many}
    found = _Columns(schema, rows, blocks, bare, {})
    _fill_all(source, stored, found)
    if len(bare) < len(schema):
        names = [name for at, name in enumerate(schema.names) if at not in bare]
        table = file.read(columns=names if bare else None, use_threads=False)
        rest = [at for at in range(len(schema)) if at not in bare]
        for at, column in zip(rest, table.columns, strict=True):
            found.others[at] = _divided(column, stored.field(at))
    return found


def _original(field: pa.Field) -> pa.Field:
    """The field that was written, given how it rests."""
    import pyarrow as pa

    metadata = dict(field.metadata or {})
    nullable = field.nullable or metadata.pop(NULLABLE_KEY, None) is not None
    if PLACES_KEY in metadata:
        return pa.field(field.name, pa.float64(), nullable)
    return pa.field(field.name, field.type, nullable, metadata or None)


def _places(field: pa.Field) -> int | None:
    told = (field.metadata or {}).get(PLACES_KEY)
    return None if told is None else int(told)


def _divided(column: pa.ChunkedArray, field: pa.Field) -> Any:
    """Ticks of a file from before columns were stored bare, as what they stand for."""
    places = _places(field)
    return column if places is None else to_arrow(to_numpy(column) / 10.0**places)


def _fill_all(source: Any, stored: pa.Schema, columns: _Columns) -> None:
    import pyarrow as pa

    many = columns.rows * len(columns.bare) >= _VALUES_FOR_THREADS
    threads = min(_MOST_THREADS, pa.cpu_count()) if many else 1
    shares = [list(columns.bare)[part::threads] for part in range(threads)]
    if threads == 1:
        _fill(source, stored, columns, shares[0])
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda share: _fill(source, stored, columns, share), shares))


def _fill(source: Any, stored: pa.Schema, columns: _Columns, positions: Sequence[int]) -> None:
    """Decode these columns into their arrays."""
    import pyarrow.parquet as pq

    if not positions or not columns.rows:
        return
    file = pq.ParquetFile(source, page_checksum_verification=True)
    names = [stored.names[position] for position in positions]
    done = 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=names, use_threads=False):
        for position, name in zip(positions, names, strict=True):
            into = columns.array(position)[done : done + len(batch)]
            values, places = to_numpy(batch.column(name)), _places(stored.field(position))
            if places is None:
                into[:] = values
            else:
                np.divide(values, 10.0**places, out=into)
        done += len(batch)
    if done != columns.rows:
        raise OSError(f"{done} rows where {columns.rows} were announced")
