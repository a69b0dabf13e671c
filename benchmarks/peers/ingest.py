"""One peer's way from a Binance dump to Parquet: ``python ingest.py LIBRARY SOURCE TARGET``.

Belongs here: each library's own idiom for large CSV, with the columns that Ares keeps.  Does
not belong here: measuring.  Runs in the peers' environment, so it imports nothing of Ares.
"""

from __future__ import annotations

import sys

NAMES = [
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "count",
    "taker_buy_volume",
    "taker_buy_quote_volume",
    "ignore",
]
KEPT = [*NAMES[:6], "taker_buy_volume"]
THREADS = 2


def polars(source: str, target: str) -> None:
    """Lazy scan into a streaming sink."""
    import polars as pl

    frame = pl.scan_csv(source, has_header=False, new_columns=NAMES)
    frame.select(KEPT).sink_parquet(target)


def duckdb(source: str, target: str) -> None:
    """One COPY statement."""
    import duckdb as db

    connection = db.connect()
    connection.execute(f"set threads={THREADS}")
    connection.execute(
        f"copy (select {', '.join(KEPT)} from read_csv(?, header=false, names={NAMES})) "
        f"to '{target}' (format parquet)",
        [source],
    )


def pandas(source: str, target: str) -> None:
    """Chunks of the C parser, appended to one file."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    chunks = pd.read_csv(source, header=None, names=NAMES, usecols=KEPT, chunksize=500_000)
    for chunk in chunks:
        table = pa.Table.from_pandas(chunk, preserve_index=False)
        writer = writer or pq.ParquetWriter(target, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def pyarrow(source: str, target: str) -> None:
    """Blocks of the streaming reader, appended to one file."""
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    reader = csv.open_csv(
        source,
        read_options=csv.ReadOptions(column_names=NAMES, block_size=1 << 20),
        convert_options=csv.ConvertOptions(include_columns=KEPT),
    )
    with pq.ParquetWriter(target, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)


if __name__ == "__main__":
    {"polars": polars, "duckdb": duckdb, "pandas": pandas, "pyarrow": pyarrow}[sys.argv[1]](
        sys.argv[2], sys.argv[3]
    )
