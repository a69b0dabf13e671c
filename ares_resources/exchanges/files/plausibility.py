"""Whether a file's bars can be those of a real market, judged while they stream by.

Belongs here: signs that show in many bars together.  Does not belong here: the faults of a
single row (:mod:`ares_resources.storage.frames`), and comparisons with other series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares_resources.errors import BadInput
from ares_resources.storage.frames import Rows, jumps, too_many_jumps, utc
from ares_resources.storage.merging import ascending, taken

LARGEST_TURNOVER_A_MINUTE = 1e9
"""US dollars.  The busiest market of all trades some 1e8 in an average minute of a wild day."""


@dataclass(frozen=True)
class Leaps:
    """Jumps beyond belief in one block: how many among ``rows``, and the first one's place,
    counted from 0, in words for people."""

    count: int
    rows: int
    place: int = -1
    words: str = ""


def leaps_of(rows: Rows, step_ms: int) -> Leaps:
    """Look at one block.

    Neighbours are looked for within the block, sorted, so the rows of a file may come in
    either direction.
    """
    ordered = _ordered(rows)
    jumped = jumps(ordered, step_ms)
    if not jumped.any():
        return Leaps(0, len(rows["timestamp"]))
    stamp = int(ordered["timestamp"][jumped][0])
    place = int(np.argmax(rows["timestamp"] == stamp))
    words = f"close = {rows['close'][place]} at {utc(stamp)}"
    return Leaps(int(jumped.sum()), len(rows["timestamp"]), place, words)


class Plausibility:
    """Sums up a file's jumps, and refuses at the end if they are too many for its bars."""

    def __init__(self) -> None:
        self._count = 0
        self._rows = 0
        self._first: str | None = None

    def add(self, leaps: Leaps) -> None:
        """Count a block's, in the file's order."""
        if self._first is None and leaps.count:
            self._first = f"row {self._rows + leaps.place + 1}: {leaps.words}"
        self._count += leaps.count
        self._rows += leaps.rows

    def finish(self) -> None:
        """Raise BadInput, with the first jump, if this is no real market."""
        if too_many_jumps(self._count, self._rows):
            raise BadInput(
                f"{self._first} is one of {self._count} bars among {self._rows} that leap by more "
                "than 65 % up or 39 % down, as on test networks; allowed: prices of a real "
                "market, or --allow-jumps to insist"
            )


def refuse_turnover(rows: Rows, step_ms: int) -> None:
    """Refuse volumes that would be more dollars than any market trades.

    Raises
    ------
    BadInput
        Naming the volume; most likely it is in the quote currency.
    """
    middle = float(np.median(rows["volume"] * rows["close"])) / (step_ms / 60_000)
    if middle > LARGEST_TURNOVER_A_MINUTE:
        row = int(np.argmax(rows["volume"] > 0))
        raise BadInput(
            f"row {row + 1}: volume = {rows['volume'][row]} at a price of "
            f"{rows['close'][row]}: the median bar would turn over {middle:.1e} dollars a "
            "minute, more than any market; allowed: --volume-unit quote, if volume is in "
            "the quote currency, or --volume-unit base to insist"
        )


def _ordered(rows: Rows) -> Rows:
    stamps = rows["timestamp"]
    if ascending(stamps):
        return rows
    _, first = np.unique(stamps, return_index=True)
    return taken(rows, first)
