"""Files larger than memory, read in blocks.

Belongs here: CSV in constant memory, block by block, and Parquet written as it comes.  Does
not belong here: which columns an exchange's file has, and what a bar must satisfy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ares_resources.errors import BadInput
from ares_resources.storage.atomic import write_with

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_MISFIT = re.compile(r"column #(\d+): (?:Row #\d+: )?CSV conversion error to (\w+)")

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
        False keeps parsing to one thread; the rows are the same either way.
    """

    block_bytes: int = 8 << 20
    column_names: Sequence[str] = ()
    column_types: Mapping[str, str] = field(default_factory=dict)
    threads: bool = False

    def __post_init__(self) -> None:
        if self.block_bytes < 1024:
            raise BadInput(f"block_bytes {self.block_bytes} must be at least 1024")

    def chunks(self, path: Path) -> Iterator[pd.DataFrame]:
        """The file's rows in order, as frames of one block each.

        Raises
        ------
        BadInput
            If the file is missing or a row does not parse, naming file, row and value.
        """
        for batch in self._batches(path, {}):
            yield batch.to_pandas()

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

    def _convert_once(
        self,
        path: Path,
        target: Path,
        transform: Transform | None,
        widened: Mapping[str, str],
    ) -> StreamReport:
        counts = [0, 0, 0]

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in self._batches(path, widened):
                kept = batch if transform is None else _transformed(batch, transform)
                counts[0] += batch.num_rows
                counts[1] += kept.num_rows
                counts[2] += 1
                yield kept

        write_with(target, lambda temporary: _write_batches(temporary, batches(), path))
        return StreamReport(counts[0], counts[1], counts[2], tuple(sorted(widened)))

    def _batches(self, path: Path, widened: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa
        from pyarrow import csv

        types = {**widened, **self.column_types}
        names: list[str] = []
        try:
            with csv.open_csv(
                path,
                read_options=csv.ReadOptions(
                    use_threads=self.threads,
                    block_size=self.block_bytes,
                    column_names=list(self.column_names) or None,
                ),
                convert_options=csv.ConvertOptions(
                    column_types={name: pa.type_for_alias(kind) for name, kind in types.items()}
                ),
            ) as reader:
                names = reader.schema.names
                yield from reader
        except FileNotFoundError:
            raise BadInput(f"file {path} does not exist") from None
        except pa.ArrowInvalid as error:
            self._raise_misfit(error, names)
            raise BadInput(f"file {path}: {_one_line(error)}") from error

    def _raise_misfit(self, error: Exception, names: Sequence[str]) -> None:
        """A column inferred to be whole that is not: ask for another pass."""
        found = _MISFIT.search(str(error))
        if found is None or found[2] != "int64" or int(found[1]) >= len(names):
            return
        column = names[int(found[1])]
        if column not in self.column_types and not column.endswith("timestamp"):
            raise _NotWhole(column)


class _NotWhole(BadInput):
    """A column was taken for whole numbers by its first block and holds others."""

    def __init__(self, column: str) -> None:
        super().__init__(
            f"column {column!r} has whole numbers in its first block and others later; give its"
            " type in column_types"
        )
        self.column = column


def _transformed(batch: pa.RecordBatch, transform: Transform) -> pa.RecordBatch:
    import pyarrow as pa

    return pa.RecordBatch.from_pandas(transform(batch.to_pandas()), preserve_index=False)


def _write_batches(temporary: Path, batches: Iterator[pa.RecordBatch], source: Path) -> None:
    import pyarrow.parquet as pq

    first = next(batches, None)
    if first is None:
        raise BadInput(f"file {source} has no rows")
    with pq.ParquetWriter(
        temporary, first.schema, compression="zstd", use_dictionary=False, write_page_checksum=True
    ) as writer:
        writer.write_batch(first)
        for batch in batches:
            if not batch.schema.equals(first.schema):
                raise BadInput(
                    f"file {source}: columns change on the way, from {first.schema.names} to"
                    f" {batch.schema.names}, or their types do"
                )
            writer.write_batch(batch)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
