"""Month files of a series: cutting a frame by UTC month, and content-hashed Parquet.

Belongs here: one Parquet file of one month, written and read back verified.  Does not
belong here: which months are valid (the manifest says) and merging.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

from ares_resources.errors import CorruptArtifact
from ares_resources.storage.atomic import write_bytes
from ares_resources.storage.gap_ledger import gaps_between
from ares_resources.storage.series_manifest import Manifest, Month


def by_month(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Cut a frame into its UTC months, ``2023-03`` to rows, keeping the rows' order."""
    months = frame["timestamp"].to_numpy().astype("datetime64[ms]").astype("datetime64[M]")
    if len(months) == 0:
        return {}
    if (months == months[0]).all():
        return {str(months[0]): frame}
    return {str(month): frame[months == month] for month in pd.unique(months)}


def write_month(folder: Path, name: str, frame: pd.DataFrame, step_ms: int) -> Month:
    """Write a sorted frame under a name that its content decides; return its record.

    ``step_ms`` is the bars' length, or 0 for a series that has no grid and so no gaps.
    """
    data = _parquet_bytes(frame)
    digest = hashlib.sha256(data).hexdigest()
    path = folder / f"{name}.{digest[:16]}.parquet"
    write_bytes(path, data)
    stamps = frame["timestamp"].to_numpy()
    gaps = tuple(gaps_between(stamps, step_ms)) if step_ms else ()
    return Month(path.name, digest, len(frame), int(stamps[0]), int(stamps[-1]), gaps)


def read_month(folder: Path, month: Month) -> pd.DataFrame:
    """Read a month file, checking its hash.

    Raises
    ------
    FileNotFoundError
        If it is not there; a newer manifest may have replaced it.
    CorruptArtifact
        If its content is not what was recorded.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / month.file
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != month.sha256:
        raise CorruptArtifact(f"{path} no longer matches the hash recorded in its manifest")
    table = pq.read_table(pa.BufferReader(data), use_threads=False)
    return table.to_pandas()


def remove_unlisted(folder: Path, manifest: Manifest) -> None:
    """Delete what no manifest names: replaced months, and remains of a killed append."""
    listed = {month.file for month in manifest.months.values()}
    for path in sorted([*folder.glob("*.parquet"), *folder.glob(".*.tmp")]):
        if path.name not in listed:
            path.unlink(missing_ok=True)


def _parquet_bytes(frame: pd.DataFrame) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(
        pa.Table.from_pandas(frame, preserve_index=False),
        sink,
        compression="zstd",
        use_dictionary=False,
        write_page_checksum=True,
    )
    return sink.getvalue().to_pybytes()
