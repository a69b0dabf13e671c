"""Files larger than memory, read in blocks.

Belongs here: the seeds' face of reading in constant memory, and Parquet written as it comes.
Does not belong here: cutting and parsing blocks (:mod:`ares_resources.csv_blocks`), which columns
an exchange's file has, and what a bar must satisfy.
"""

from __future__ import annotations

import dataclasses
import gzip
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from ares_resources.csv_blocks import ArrowTypes, CsvReading, csv_tables
from ares_resources.errors import BadInput
from ares_resources.storage.atomic import write_with

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_MISFIT = re.compile(r"column #(\d+): .*?CSV conversion error to (\w+)")

Transform = Callable[["pd.DataFrame"], "pd.DataFrame"]


@dataclass(frozen=True)
class StreamReport:
    """What one pass over a file read and wrote; ``widened`` columns met a value that the type
    inferred from the first block could not hold."""

    rows_read: int
    rows_written: int
    chunks: int
    widened: tuple[str, ...] = ()


@dataclass(frozen=True)
class StreamingDataProcessor:
    """Reads CSV (also .gz) in blocks of ``block_bytes`` and never holds more than a few.

    Parameters
    ----------
    block_bytes
        Bytes of text parsed at once.
    column_names
        Names for a file without header; empty means that its first line is the header.
    column_types
        Arrow type names by column, such as ``{"timestamp": "int64"}``; what is not named
        gets the type of the first block.
    threads
        Blocks parsed at once, each on a thread of its own; the rows and their order are the
        same for any number.
    include_columns
        The columns wanted, in this order; empty means all.
    delimiter
        What separates cells.
    """

    block_bytes: int = 1 << 21
    column_names: Sequence[str] = ()
    column_types: ArrowTypes = field(default_factory=dict)
    threads: int = 1
    include_columns: Sequence[str] = ()
    delimiter: str = ","

    def __post_init__(self) -> None:
        if self.block_bytes < 1024:
            raise BadInput(f"block_bytes {self.block_bytes} must be at least 1024")
        if self.threads < 1:
            raise BadInput(f"threads {self.threads} must be at least 1")

    def reading(
        self,
        *,
        column_names: Sequence[str],
        column_types: ArrowTypes,
        include_columns: Sequence[str],
        delimiter: str,
    ) -> StreamingDataProcessor:
        """The same block size and threads for another table."""
        return dataclasses.replace(
            self,
            column_names=column_names,
            column_types=column_types,
            include_columns=include_columns,
            delimiter=delimiter,
        )

    def chunks(self, path: Path) -> Iterator[pd.DataFrame]:
        """The file's rows in order, as frames of one block each.

        Raises
        ------
        BadInput
            If the file is missing or a row does not parse, naming file, row and value.
        """
        for table in self._tables_of(path, {}):
            yield table.to_pandas()

    def process(self, path: Path, apply: Callable[[pd.DataFrame], None]) -> StreamReport:
        """Call ``apply`` with every chunk, for sums and checks that need no output."""
        rows = count = 0
        for frame in self.chunks(path):
            apply(frame)
            rows, count = rows + len(frame), count + 1
        return StreamReport(rows, 0, count)

    def convert(self, path: Path, target: Path, transform: Transform | None = None) -> StreamReport:
        """Write the file as Parquet, chunk by chunk, in place atomically.

        ``transform`` gets every chunk and returns the rows to keep, with equal columns
        each time.  A column that looked whole in the first block and turns out not to be is
        read again as float64.

        Raises
        ------
        BadInput
            If a row does not parse, or a transform changes the columns on the way.
        """
        widened: dict[str, str] = {}
        while True:
            try:
                return self._convert_once(path, target, transform, widened)
            except _NotWhole as misfit:
                widened[misfit.column] = "float64"

    def tables(
        self, stream: BinaryIO, *, otherwise: ArrowTypes | None = None
    ) -> Iterator[pa.Table]:
        """Rows of a binary stream in order, one table for each block.

        ``otherwise`` are the types with which a block is read that does not fit its own, so
        that the caller can name the cell; without them the misfit is raised.

        Raises
        ------
        BadInput
            If a line is longer than 16 MiB.
        pa.ArrowInvalid
            If a row does not parse.
        """
        reading = CsvReading(
            column_names=tuple(self.column_names),
            column_types=self.column_types,
            include_columns=tuple(self.include_columns),
            delimiter=self.delimiter,
            otherwise=otherwise,
        )
        yield from csv_tables(stream, reading, block_bytes=self.block_bytes, threads=self.threads)

    def _convert_once(
        self,
        path: Path,
        target: Path,
        transform: Transform | None,
        widened: Mapping[str, str],
    ) -> StreamReport:
        counts = [0, 0, 0]

        def tables() -> Iterator[pa.Table]:
            for table in self._tables_of(path, widened):
                kept = table if transform is None else _transformed(table, transform)
                counts[0] += table.num_rows
                counts[1] += kept.num_rows
                counts[2] += 1
                yield kept

        write_with(target, lambda temporary: _write_tables(temporary, tables(), path))
        return StreamReport(counts[0], counts[1], counts[2], tuple(sorted(widened)))

    def _tables_of(self, path: Path, widened: Mapping[str, str]) -> Iterator[pa.Table]:
        import pyarrow as pa

        types: dict[str, str | pa.DataType] = {**widened, **self.column_types}
        reading = dataclasses.replace(self, column_types=types)
        try:
            with _opened(path) as stream:
                yield from reading.tables(stream)
        except FileNotFoundError:
            raise BadInput(f"file {path} does not exist") from None
        except (pa.ArrowInvalid, gzip.BadGzipFile, EOFError) as error:
            self._raise_misfit(error)
            raise BadInput(f"file {path}: {_one_line(error)}") from error

    def _raise_misfit(self, error: Exception) -> None:
        """A column inferred to be whole that is not: ask for another pass."""
        found = _MISFIT.search(str(error))
        if found is None or found[2] != "int64":
            return
        names = getattr(error, "names", [])
        column = names[int(found[1])] if int(found[1]) < len(names) else None
        if column is None or column in self.column_types or column.endswith("timestamp"):
            return
        raise _NotWhole(column)


class _NotWhole(BadInput):
    """A column was taken for whole numbers by its first block and holds others."""

    def __init__(self, column: str) -> None:
        super().__init__(
            f"column {column!r} has whole numbers in its first block and others later; give its"
            " type in column_types"
        )
        self.column = column


def _opened(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def _transformed(table: pa.Table, transform: Transform) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pandas(transform(table.to_pandas()), preserve_index=False)


def _write_tables(temporary: Path, tables: Iterator[pa.Table], source: Path) -> None:
    import pyarrow.parquet as pq

    first = next(tables, None)
    if first is None or not first.num_columns:
        raise BadInput(f"file {source} has no rows")
    with pq.ParquetWriter(
        temporary, first.schema, compression="zstd", use_dictionary=False, write_page_checksum=True
    ) as writer:
        writer.write_table(first)
        for table in tables:
            if not table.schema.equals(first.schema):
                raise BadInput(
                    f"file {source}: columns change on the way, from {first.schema.names} to"
                    f" {table.schema.names}, or their types do"
                )
            writer.write_table(table)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
