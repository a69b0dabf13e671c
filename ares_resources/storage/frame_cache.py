"""Frames that can be computed again: kept by key, bounded, verified when read.

Belongs here: the cache of precomputed frames (features).  Does not belong here: results of
steps (``artifacts.py``), which are kept until they are pruned with their record.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ares_resources.errors import CorruptArtifact
from ares_resources.storage.atomic import file_lock, read_parquet, write_parquet

if TYPE_CHECKING:
    import pandas as pd


def cached_frame(
    folder: Path, key: str, compute: Callable[[], pd.DataFrame], *, keep: int = 6
) -> pd.DataFrame:
    """The frame of that key, computed once over all processes.

    A file that cannot be read is a miss.  The ``keep`` newest files stay.
    """
    path = folder / f"{key}.parquet"
    with file_lock(folder / f"{key}.lock"):
        if path.is_file():
            try:
                return read_parquet(path)
            except CorruptArtifact:
                path.unlink(missing_ok=True)
        frame = compute()
        write_parquet(path, frame)
    _bound(folder, keep)
    return frame


def _bound(folder: Path, keep: int) -> None:
    files = sorted(folder.glob("*.parquet"), key=lambda path: path.stat().st_mtime)
    for path in files[: max(0, len(files) - keep)]:
        path.unlink(missing_ok=True)
