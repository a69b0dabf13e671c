"""A set of timestamps that stays small: a flag for each place of a month's grid.

Belongs here: counting distinct timestamps over many pieces.  Does not belong here: rows.
"""

from __future__ import annotations

import numpy as np


class StampSet:
    """Timestamps of one series, added month by month.

    Parameters
    ----------
    step_ms
        Length of the grid's step; 0 where there is none, and the timestamps are kept.
    """

    def __init__(self, step_ms: int) -> None:
        self._step_ms = step_ms
        self._flags: dict[str, np.ndarray] = {}
        self._stamps: dict[str, np.ndarray] = {}

    def add(self, month: str, stamps: np.ndarray) -> None:
        """Add timestamps (int64 ms, any order) that lie in ``month``, ``2023-03`` or a day."""
        if len(stamps) == 0:
            return
        if not self._step_ms:
            known = self._stamps.get(month, stamps[:0])
            self._stamps[month] = np.union1d(known, stamps)
            return
        first = np.datetime64(month)
        start = int(first.astype("datetime64[ms]").astype(np.int64))
        if month not in self._flags:
            end = int((first + 1).astype("datetime64[ms]").astype(np.int64))
            self._flags[month] = np.zeros((end - start) // self._step_ms + 1, dtype=bool)
        self._flags[month][(stamps - start) // self._step_ms] = True

    def __len__(self) -> int:
        flagged = sum(int(flags.sum()) for flags in self._flags.values())
        return flagged + sum(len(stamps) for stamps in self._stamps.values())
