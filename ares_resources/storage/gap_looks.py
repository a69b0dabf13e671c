"""When an exchange was asked for a gap, and when it is worth asking again.

Belongs here: the record of looks at spans that came back empty.  Does not belong here:
finding gaps (:mod:`ares_resources.storage.gap_ledger`) and asking
(:mod:`ares_resources.collection`).

An exchange may leave out bars for a while that it does have.  So no gap is believed for good:
it is looked at again after an hour, and then whenever it has been known for twice as long.
A hole of years is thus asked for some twenty times in all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from pathlib import Path

from ares_resources import progress
from ares_resources.storage.atomic import file_lock, write_bytes
from ares_resources.storage.gap_ledger import Span, clip, subtract

FILE_NAME = "looks.json"
FIRST_PAUSE_SECONDS = 3600.0


@dataclass(frozen=True, order=True)
class Look:
    """A span without rows, milliseconds, and the first and last look at it, epoch seconds."""

    start_ms: int
    end_ms: int
    first: float
    last: float

    @property
    def span(self) -> Span:
        return self.start_ms, self.end_ms

    def due(self, now: float) -> bool:
        """Whether it is worth asking again; a look from the future was a wrong clock."""
        return not 0 <= now - self.last < max(FIRST_PAUSE_SECONDS, self.last - self.first)


class GapLooks:
    """The looks at one series, in a file of its folder.

    Only requests depend on the file: one that is lost or unreadable means that every gap is
    asked for once more.  That it is unreadable is noted, once per object.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        self._noted = False

    def settled(self, now: float) -> list[Span]:
        """Spans that need not be asked for at ``now``, epoch seconds."""
        return [look.span for look in self._read() if not look.due(now)]

    def all(self) -> list[Span]:
        """Every span that came back empty when it was last asked for."""
        return [look.span for look in self._read()]

    def note(self, spans: Iterable[Span], now: float) -> None:
        """Remember that ``spans`` came back empty at ``now``."""
        spans = list(spans)
        if not spans:
            return
        with file_lock(self._path.with_name(".looks.lock")):
            known = self._read()
            newer = [*_outside(known, spans), *(p for s in spans for p in _looked(known, s, now))]
            self._write(newer)

    def forget(self, spans: Iterable[Span]) -> None:
        """Drop spans that have rows now."""
        spans = list(spans)
        known = self._read()
        left = _outside(known, spans)
        if left != known:
            with file_lock(self._path.with_name(".looks.lock")):
                self._write(_outside(self._read(), spans))

    def _read(self) -> list[Look]:
        try:
            rows = json.loads(self._path.read_bytes())
            return [Look(int(a), int(b), float(c), float(d)) for a, b, c, d in rows]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            self._tell(error)
            return []

    def _tell(self, error: Exception) -> None:
        if not self._noted:
            self._noted = True
            progress.current().noted(
                f"{self._path} is no record of looks ({error}); every gap is asked for once more"
            )

    def _write(self, looks: list[Look]) -> None:
        write_bytes(self._path, json.dumps([astuple(look) for look in sorted(looks)]).encode())


def _outside(looks: list[Look], spans: list[Span]) -> list[Look]:
    return [
        Look(start, end, look.first, look.last)
        for look in looks
        for start, end in subtract([look.span], spans)
    ]


def _looked(known: list[Look], span: Span, now: float) -> list[Look]:
    """The span as looked at now: parts that were known before keep their first look."""
    old = [
        Look(start, end, min(look.first, now), now)
        for look in known
        for start, end in clip([look.span], *span)
    ]
    new = subtract([span], [look.span for look in old])
    return [*old, *(Look(start, end, now, now) for start, end in new)]
