"""Bringing funding and open interest up to date, which lie on no grid.

Belongs here: what was never asked for, and holes that the rhythm of the records betrays.
Does not belong here: bars (:mod:`ares_resources.collecting_bars`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from ares_resources.collecting_bars import Outcome, looks_of, rows_held
from ares_resources.errors import ExchangeUnavailable
from ares_resources.exchanges.base import Exchange
from ares_resources.exchanges.offline import OfflineExchange
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.storage.gap_ledger import Span, clip, subtract, union
from ares_resources.storage.gap_looks import GapLooks
from ares_resources.timeframes import DAY_MS, HOUR_MS

_NEIGHBOURS = 4
_WIDE, _OVERDUE = 1.5, 1.05
_USUAL_MS = {"funding": 8 * HOUR_MS, "open_interest": DAY_MS}


@dataclass
class RecordsTask:
    """One update of a window's records of one kind; ``now``: epoch seconds.

    ``timeframe`` is the bars'; open interest is asked for at the nearest that is not faster.
    """

    catalogue: Catalogue
    exchange: Exchange
    series: Series
    timeframe: str
    start_ms: int
    end_ms: int
    now: float
    _looks: GapLooks = field(init=False)

    def __post_init__(self) -> None:
        self._looks = looks_of(self.catalogue, self.series)

    def update(self, fault: ExchangeUnavailable | None) -> Outcome:
        """Fetch what was never asked for, and look at holes again.

        ``fault`` is why the bars could not be had; the exchange is not troubled again then.
        Offline, a series that never was there is not missed.
        """
        before = rows_held(self.catalogue, self.series)
        unasked = self._unasked()
        try:
            if fault is not None and unasked:
                raise fault
            if fault is None:
                for start, end in unasked:
                    self._fetch_new(start, end)
                self._look_again()
        except ExchangeUnavailable as error:
            return Outcome(self._new_rows(before), self._stale(error, before, unasked))
        self.catalogue.clear_stale(self.series)
        return Outcome(self._new_rows(before), None)

    def _unasked(self) -> list[Span]:
        return self.catalogue.missing(self.series, self.start_ms, self.end_ms)

    def _fetch_new(self, start: int, end: int) -> None:
        """Ask for a span for the first time, and for the day before: records may come late."""
        end = min(end, self.exchange.now_ms())
        since = max(self.start_ms, start - DAY_MS)
        if since < end:
            self._fetch(since, end)
            self.catalogue.mark_answered(self.series, start, end)

    def _look_again(self) -> None:
        """Ask once more for each hole that was not looked at lately, and remember the look.

        Looks between records that are no hole any more are forgotten; what lies before the
        first record or after the last one of this window, another window may judge better.
        """
        settled = self._looks.settled(self.now)
        holes, known = self._holes()
        due = subtract(holes, settled)
        for start, end in due:
            self._fetch(start, end)
        if due:
            holes, known = self._holes()
            self._looks.note(subtract(holes, settled), self.now)
        self._looks.forget(subtract(known, holes))

    def _holes(self) -> tuple[list[Span], list[Span]]:
        """Where records seem to be missing, and the spans from first to last record."""
        window = (self.start_ms, self.end_ms)
        held = self.catalogue.read(self.series, *window)["timestamp"].to_numpy()
        holes: list[Span] = []
        known: list[Span] = []
        for asked in subtract([window], self._unasked()):
            inside = held[(held >= asked[0]) & (held < asked[1])]
            holes += holes_between(inside, asked, _USUAL_MS[self.series.kind])
            if len(inside):
                known.append((int(inside[0]), int(inside[-1]) + 1))
        return union(holes), known

    def _fetch(self, start: int, end: int) -> None:
        frame = self._records(start, end)
        if len(frame):
            self.catalogue.append(self.series, frame, source=self.exchange.name)

    def _records(self, start: int, end: int) -> pd.DataFrame:
        instrument = self.series.symbol.instrument
        if self.series.kind == "funding":
            return self.exchange.funding(instrument, start, end)
        return self.exchange.open_interest(instrument, self.timeframe, start, end)

    def _stale(
        self, fault: ExchangeUnavailable, before: int, unasked: list[Span]
    ) -> ExchangeUnavailable | None:
        """Mark the series by ``fault``; not if there was nothing but holes to look at again.

        A series that never was there is missed only where there must be one: for a contract
        (its name has a colon), if the exchange could have been asked.
        """
        if not unasked:
            return None
        if self.catalogue.coverage(self.series) is not None:
            self.catalogue.mark_stale(self.series, str(fault))
        contract = ":" in self.series.symbol.instrument
        asked = not isinstance(self.exchange, OfflineExchange)
        expected = before > 0 or (contract and asked)
        return fault if expected else None

    def _new_rows(self, before: int) -> int:
        return rows_held(self.catalogue, self.series) - before


def holes_between(stamps: np.ndarray, asked: Span, usual_ms: int) -> list[Span]:
    """Where records seem to be missing from an answer for ``asked``, by their own rhythm.

    A distance half as wide again as those around it is a hole, and so is an end at which a
    record was due.  Exchanges change their rhythm, so only the nearest distances count;
    ``usual_ms`` stands in where there are none.  ``stamps`` ascend, milliseconds.
    """
    if len(stamps) == 0:
        return [asked]
    steps = np.diff(stamps)
    usual = _rhythm(steps)
    wide = np.flatnonzero(steps > _WIDE * usual)
    holes = [(int(stamps[i]) + 1, int(stamps[i + 1])) for i in wide]
    first, last = (usual[0], usual[-1]) if len(steps) else (usual_ms, usual_ms)
    if stamps[0] - asked[0] > _OVERDUE * first:
        holes.append((asked[0], int(stamps[0])))
    if asked[1] - stamps[-1] > _OVERDUE * last:
        holes.append((int(stamps[-1]) + 1, asked[1]))
    return union(clip(holes, *asked))


def _rhythm(steps: np.ndarray) -> np.ndarray:
    """The lower median of each distance and its neighbours, of which the ends have fewer."""
    width = 2 * _NEIGHBOURS + 1
    if len(steps) < width:
        return np.array([_around(steps, place) for place in range(len(steps))])
    inner = np.partition(sliding_window_view(steps, width), _NEIGHBOURS, axis=1)[:, _NEIGHBOURS]
    head = [_around(steps, place) for place in range(_NEIGHBOURS)]
    tail = [_around(steps, place) for place in range(len(steps) - _NEIGHBOURS, len(steps))]
    return np.concatenate([head, inner.astype(float), tail])


def _around(steps: np.ndarray, place: int) -> float:
    near = steps[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS + 1]
    return float(np.percentile(near, 50, method="lower"))
