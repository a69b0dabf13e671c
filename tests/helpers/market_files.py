"""Reading a whole file of bars at once, as tests like it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ares_resources.exchanges.files.reader import ReadOptions, read_rows
from ares_resources.storage.frames import frame_of


@dataclass(frozen=True)
class BarsFile:
    """Rows in the file's own order, and what was found out about them."""

    frame: pd.DataFrame
    timeframe: str
    notes: tuple[str, ...]


def read_bars_file(path: Path, **said: Any) -> BarsFile:
    """``said`` are the fields of :class:`ReadOptions`."""
    rows, file = read_rows(path, ReadOptions(**said))
    return BarsFile(frame_of(rows), file.timeframe, tuple(file.notes))
