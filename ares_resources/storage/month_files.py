"""Month files of a series: cutting rows by UTC month, and content-hashed Parquet.

Belongs here: one Parquet file of one month, written and read back verified.  Does not
belong here: which months are valid (the manifest says), merging, and the encoding.

Bars of less than a minute are cut by day: a month of seconds would be too much to hold.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from ares_resources.errors import CorruptArtifact
from ares_resources.storage.atomic import write_unlisted
from ares_resources.storage.frames import Rows
from ares_resources.storage.gap_ledger import gaps_between
from ares_resources.storage.lossless_parquet import write_rows
from ares_resources.storage.merging import ascending, taken
from ares_resources.storage.parquet_reading import read_rows
from ares_resources.storage.series_manifest import Manifest, Month

_SHORTEST_BY_MONTH_MS = 60_000


def by_month(rows: Rows, step_ms: int) -> dict[str, Rows]:
    """Cut rows into UTC months (``2023-03``) or, for bars of seconds, days (``2023-03-24``).

    The rows' order is kept; ``step_ms`` is the bars' length, or 0 where there is no grid.
    """
    unit = "M" if step_ms == 0 or step_ms >= _SHORTEST_BY_MONTH_MS else "D"
    stamps = rows["timestamp"]
    if len(stamps) == 0:
        return {}
    first, last = (_period(stamps[at], unit) for at in (0, -1))
    if first == last and ascending(stamps):
        return {str(first): rows}
    periods = _period(stamps, unit)
    names, place = np.unique(periods, return_inverse=True)
    return {str(name): taken(rows, place == number) for number, name in enumerate(names)}


def _period(stamps: Any, unit: str) -> Any:
    return stamps.astype("datetime64[ms]").astype(f"datetime64[{unit}]")


def write_month(folder: Path, name: str, rows: Rows, step_ms: int) -> Month:
    """Write sorted rows under a name that their content decides; return the record.

    The catalogue flushes the folder before a manifest names the file.
    """
    data = write_rows(rows)
    digest = hashlib.sha256(data).hexdigest()
    path = folder / f"{name}.{digest[:16]}.parquet"
    write_unlisted(path, data)
    stamps = rows["timestamp"]
    gaps = tuple(gaps_between(stamps, step_ms)) if step_ms else ()
    return Month(path.name, digest, len(stamps), int(stamps[0]), int(stamps[-1]), gaps)


def read_month(folder: Path, month: Month) -> Rows:
    """Read a month file, checking its hash.

    Raises
    ------
    FileNotFoundError
        If it is not there; a newer manifest may have replaced it.
    CorruptArtifact
        If its content is not what was recorded.
    """
    path = folder / month.file
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != month.sha256:
        raise CorruptArtifact(f"{path} no longer matches the hash recorded in its manifest")
    return read_rows(data)


def remove_unlisted(folder: Path, manifest: Manifest) -> None:
    """Delete what no manifest names: replaced months, and remains of a killed append."""
    listed = {month.file for month in manifest.months.values()}
    remains = (*folder.glob(".*.parquet.*.tmp"), *folder.glob(".manifest.json.*.tmp"))
    for path in sorted([*folder.glob("*.parquet"), *remains]):
        if path.name not in listed:
            path.unlink(missing_ok=True)
