"""Bringing a series of bars up to date: which spans are asked for, and which gaps are believed.

Belongs here: bars, which lie on a grid, so that every missing one is known.  Does not belong
here: records without a grid (:mod:`ares_resources.collecting_records`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ares_resources.errors import ExchangeUnavailable, HistoryUnavailable
from ares_resources.exchanges.base import Exchange
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.storage.frames import Progress, utc
from ares_resources.storage.gap_ledger import Span, clip, subtract, union
from ares_resources.storage.gap_looks import GapLooks

_MOST_ROUNDS = 4


@dataclass(frozen=True)
class Outcome:
    """New rows of a series, and what stood in the way of the rest."""

    fetched: int
    fault: ExchangeUnavailable | None


@dataclass
class BarsTask:
    """One update of ``[start_ms, end_ms)``, a window on the grid; ``now``: epoch seconds."""

    catalogue: Catalogue
    exchange: Exchange
    series: Series
    start_ms: int
    end_ms: int
    now: float
    progress: Progress | None
    _looks: GapLooks = field(init=False)
    _unavailable: list[Span] = field(init=False, default_factory=list)
    _history: HistoryUnavailable | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._looks = looks_of(self.catalogue, self.series)

    def update(self) -> Outcome:
        """Fetch what lacks; then look at each hole again before it is believed."""
        before = rows_held(self.catalogue, self.series)
        wanted = self._wanted()
        try:
            for start, end in wanted:
                self._fetch(start, end)
            self._look_again()
        except ExchangeUnavailable as fault:
            return Outcome(self._new_rows(before), self._stale(fault, wanted))
        self._looks.forget(subtract([(self.start_ms, self.end_ms)], self._holes()))
        return Outcome(self._new_rows(before), self._stale(self._history, wanted))

    def lacks(self) -> str:
        """What the exchange does not have of the window's beginning; empty if it has it."""
        coverage = self.catalogue.coverage(self.series)
        if coverage is None or coverage.first_ms <= self.start_ms:
            return ""
        until = min(coverage.first_ms, self.end_ms)
        return f"no {self.series} from {utc(self.start_ms)} to {utc(until)}"

    def _wanted(self) -> list[Span]:
        """Spans to ask for: holes, but for those that were looked at not long ago.

        Where a hole is only worth another look, an exchange out of reach makes nothing stale.
        """
        return subtract(self._holes(), self._looks.settled(self.now))

    def _holes(self) -> list[Span]:
        window = (self.start_ms, self.end_ms)
        coverage = self.catalogue.coverage(self.series)
        if coverage is None:
            return [window]
        gaps = self.catalogue.gaps(self.series, *window)
        spans = zip(gaps["start_ms"].tolist(), gaps["end_ms"].tolist(), strict=True)
        extent = (coverage.first_ms, coverage.last_ms + self.series.step_ms)
        return union([*spans, *subtract([window], [extent])])

    def _stale(
        self, fault: ExchangeUnavailable | None, wanted: list[Span]
    ) -> ExchangeUnavailable | None:
        """Mark the series by ``fault``; not if there was nothing but known gaps to look at."""
        lost = isinstance(fault, HistoryUnavailable)
        if fault is None or (not lost and not subtract(wanted, self._looks.all())):
            self.catalogue.clear_stale(self.series)
            return None
        if self.catalogue.coverage(self.series) is not None:
            self.catalogue.mark_stale(self.series, str(fault))
        return fault

    def _look_again(self) -> None:
        """Ask for every hole once more; believe those of which the answer has the neighbours.

        Raises
        ------
        ExchangeUnavailable
            If the answers contradict what the exchange gave before.
        """
        believed: list[Span] = []
        for _ in range(_MOST_ROUNDS):
            settled = [*self._looks.settled(self.now), *believed, *self._unavailable]
            holes = subtract(self._holes(), settled)
            if not holes:
                return
            for start, end in holes:
                if self._is_empty(start, end):
                    believed.append((start, end))
                    self._note(start, end)
        start, end = holes[0]
        raise ExchangeUnavailable(
            f"{self.exchange.name}: {self.series}: its answers from {utc(start)} to {utc(end)} "
            "contradict each other"
        )

    def _is_empty(self, start: int, end: int) -> bool:
        """Whether an answer that has the bars beside the span has none within it."""
        step = self.series.step_ms
        around = self.catalogue.read(self.series, start - step, end + step)["timestamp"].tolist()
        stamps = self._fetch(min([start, *around]), max([end, *(n + step for n in around)]))
        inside = (stamps >= start) & (stamps < end)
        return not inside.any() and bool(np.isin(around, stamps).all())

    def _note(self, start: int, end: int) -> None:
        """Remember an empty span; what lies after the last bar may come any moment."""
        coverage = self.catalogue.coverage(self.series)
        if coverage is not None:
            self._looks.note(clip([(start, end)], 0, coverage.last_ms), self.now)

    def _fetch(self, start: int, end: int) -> np.ndarray:
        """Bring the span's bars into the catalogue; returns their times."""
        stamps, total = [np.empty(0, dtype="int64")], (end - start) // self.series.step_ms
        instrument = self.series.symbol.instrument
        pages = self.exchange.bars(instrument, self.series.timeframe, start, end)
        try:
            for page in pages:
                self.catalogue.append(self.series, page, source=self.exchange.name)
                stamps.append(page["timestamp"].to_numpy())
                if self.progress is not None:
                    fetched = sum(map(len, stamps))
                    self.progress(f"{self.series} from {self.exchange.name}", fetched, total)
        except HistoryUnavailable as fault:
            self._history = self._history or fault
            self._unavailable.append(fault.span)
        return np.concatenate(stamps)

    def _new_rows(self, before: int) -> int:
        return rows_held(self.catalogue, self.series) - before


def rows_held(catalogue: Catalogue, series: Series) -> int:
    """Rows of a series, over all of time."""
    coverage = catalogue.coverage(series)
    return 0 if coverage is None else coverage.rows


def looks_of(catalogue: Catalogue, series: Series) -> GapLooks:
    """The record of looks at a series' gaps, beside its rows."""
    return GapLooks(catalogue.root / series.symbol.folder / series.folder)
