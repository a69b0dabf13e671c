"""The file that live results come in: CSV or Parquet, of bounded size.

Belongs here: opening it and refusing what is too much or unreadable.  Does not belong here:
what its columns may hold (``live_feed.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ares_jobs.live_feed import checked_feed
from ares_resources.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

MAXIMUM_ROWS = 2_000_000
"""Nearly four years of minutes; all rows of a feed are held in memory at once."""

MAXIMUM_BYTES = 256 * 1024**2
"""Of the file, and of a Parquet file's pages once they are unpacked."""


def read_feed(path: Path) -> pd.DataFrame:
    """Rows of a file, with the columns that it has, of the right types and in order.

    Raises
    ------
    BadInput
        Naming the file and what is wrong with it, or the column, the row and its value.
    """
    import pandas as pd
    import pyarrow as pa

    try:
        if not path.is_file():
            raise BadInput(f"--feed {str(path)!r} is not a file; allowed: a CSV or Parquet file")
        if path.suffix.lower() not in (".csv", ".parquet"):
            raise BadInput(f"--feed {str(path)!r}: allowed: a name ending in .csv or .parquet")
        _check_size(path, path.stat().st_size)
        frame = _csv(path) if path.suffix.lower() == ".csv" else _parquet(path)
    except (OSError, ValueError, pd.errors.ParserError, pa.ArrowException) as error:
        raise BadInput(f"{path} cannot be read: {error}; allowed: CSV or Parquet") from error
    _check_rows(path, len(frame))
    return checked_feed(frame, path)


def _csv(path: Path) -> pd.DataFrame:
    import pandas as pd

    frame = pd.read_csv(
        path,
        dtype={"degraded": str, "model": str},
        float_precision="round_trip",
        nrows=MAXIMUM_ROWS + 1,
    )
    if not isinstance(frame.index, pd.RangeIndex):
        # pandas would take the first column for names of rows, and shift all others.
        raise BadInput(f"{path}: its rows have more cells than its header; allowed: as many")
    return frame


def _parquet(path: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        told = file.metadata
        _check_rows(path, told.num_rows)
        groups = [told.row_group(number) for number in range(told.num_row_groups)]
        _check_size(path, sum(group.total_byte_size for group in groups))
        words = [name for name in ("degraded", "model") if name in file.schema.names]
    # A word that is repeated is small in the file and large where it is spelled out.
    with pq.ParquetFile(path, read_dictionary=words, page_checksum_verification=True) as file:
        return file.read(use_threads=False).to_pandas()


def _check_rows(path: Path, rows: int) -> None:
    if rows > MAXIMUM_ROWS:
        raise BadInput(
            f"{path} has more than {MAXIMUM_ROWS} rows; allowed: at most that, later ones"
        )


def _check_size(path: Path, size: int) -> None:
    if size > MAXIMUM_BYTES:
        raise BadInput(f"{path} is {size} bytes, unpacked; allowed: at most {MAXIMUM_BYTES}")
