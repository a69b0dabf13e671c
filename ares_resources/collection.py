"""Step 1's work: bring a symbol's series in the catalogue up to date, fetching only what lacks.

Belongs here: which spans to ask for, and what an exchange out of reach means.  Does not
belong here: how an exchange is asked, and how rows are stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from ares_resources.errors import BadInput, ExchangeUnavailable
from ares_resources.exchanges.base import Exchange
from ares_resources.exchanges.offline import OfflineExchange
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.storage.fingerprints import joined_fingerprint
from ares_resources.storage.frames import EARLIEST_MS, Progress, utc
from ares_resources.storage.gap_ledger import Span
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import DAY_MS, grid_ceil, grid_floor, timeframe_ms

_SIDE_KINDS = ("funding", "open_interest")


@dataclass(frozen=True)
class CollectionReport:
    """What a collection did.

    ``fetched``: new bars; ``stale`` and ``reason``: whether and why something could not be
    brought up to date; ``fingerprint``: of the window's bars, funding and open interest.
    """

    fetched: int
    funding_fetched: int
    open_interest_fetched: int
    missing_bars: int
    stale: bool
    reason: str
    fingerprint: str


def collect(
    catalogue: Catalogue,
    exchange: Exchange,
    symbol: SymbolKey,
    timeframe: str,
    *,
    start_ms: int,
    end_ms: int,
    progress: Progress | None = None,
) -> CollectionReport:
    """Fetch what the catalogue lacks of ``[start_ms, end_ms)``; every page is kept at once.

    Gaps that the exchange confirms are remembered and not asked for again.  An exchange out
    of reach leaves what is there, marked stale with the reason.

    Raises
    ------
    BadInput
        If the window is empty, the exchange does not trade the symbol, or nothing may be
        fetched (offline) and nothing is there.
    ExchangeUnavailable
        If the exchange is out of reach and no bar of the window is there.
    DataConflict
        If the exchange contradicts a bar that is there.
    """
    start_ms, end_ms = _on_grid(start_ms, end_ms, timeframe)
    task = _Task(catalogue, exchange, symbol, timeframe, start_ms, end_ms, progress)
    fetched, fault = task.update_bars()
    held = len(catalogue.read(task.series("bars"), start_ms, end_ms))
    if held == 0:
        raise task.nothing(fault)
    sides = {kind: task.update_side(kind, fault) for kind in _SIDE_KINDS}
    faults = [fault, *(side_fault for _, side_fault in sides.values())]
    reasons = list(dict.fromkeys(str(fault) for fault in faults if fault is not None))
    return CollectionReport(
        fetched=fetched,
        funding_fetched=sides["funding"][0],
        open_interest_fetched=sides["open_interest"][0],
        missing_bars=(end_ms - start_ms) // timeframe_ms(timeframe) - held,
        stale=bool(reasons),
        reason="; ".join(reasons),
        fingerprint=window_fingerprint(catalogue, symbol, timeframe, start_ms, end_ms),
    )


def window_fingerprint(
    catalogue: Catalogue, symbol: SymbolKey, timeframe: str, start_ms: int, end_ms: int
) -> str:
    """One fingerprint of a window's bars, funding and open interest as they rest now."""
    return joined_fingerprint(
        *(
            catalogue.fingerprint(Series(symbol, kind, timeframe), start_ms, end_ms)
            for kind in ("bars", *_SIDE_KINDS)
        )
    )


@dataclass(frozen=True)
class _Task:
    """One collection: what to bring up to date, and from where."""

    catalogue: Catalogue
    exchange: Exchange
    symbol: SymbolKey
    timeframe: str
    start_ms: int
    end_ms: int
    progress: Progress | None

    def series(self, kind: str) -> Series:
        """The symbol's series of one kind."""
        return Series(self.symbol, kind, self.timeframe)

    def update_bars(self) -> tuple[int, ExchangeUnavailable | None]:
        """New bars, and what stood in the way of the rest.

        What the first round leaves out before the last bar is asked for once more: only a
        span that comes back empty is believed to be a gap.
        """
        series = self.series("bars")
        before = self._rows(series)
        try:
            for spans in (self._lacking, self._lacking_before_last):
                for start, end in spans(series):
                    if self._fetch(series, start, end) == 0:
                        self._confirm_gap(series, start, end)
        except ExchangeUnavailable as fault:
            self._mark_stale(series, fault)
            return self._rows(series) - before, fault
        self.catalogue.clear_stale(series)
        return self._rows(series) - before, None

    def update_side(
        self, kind: str, fault: ExchangeUnavailable | None
    ) -> tuple[int, ExchangeUnavailable | None]:
        """New records of funding or open interest, and what stood in the way.

        ``fault`` is why the bars could not be had; the exchange is not troubled again then.
        Offline, a series that never was there is not missed.
        """
        series = self.series(kind)
        before = self._rows(series)
        try:
            for start, end in self._lacking(series):
                if fault is not None:
                    raise fault
                self._fetch_side(series, start, end)
        except ExchangeUnavailable as error:
            self._mark_stale(series, error)
            expected = before > 0 or not isinstance(self.exchange, OfflineExchange)
            return self._rows(series) - before, error if expected else None
        self.catalogue.clear_stale(series)
        return self._rows(series) - before, None

    def nothing(self, fault: ExchangeUnavailable | None) -> BadInput | ExchangeUnavailable:
        """The error to raise when no bar of the window is there."""
        what = f"no {self.timeframe} bars of {self.symbol}"
        window = f"from {utc(self.start_ms)} to {utc(self.end_ms)}"
        if fault is None:
            return BadInput(f"{what} {window}: the exchange has none; allowed: another window")
        if isinstance(self.exchange, OfflineExchange):
            coverage = self.catalogue.coverage(self.series("bars"))
            there = (
                "none at all"
                if coverage is None
                else f"{utc(coverage.first_ms)} to {utc(coverage.last_ms)}"
            )
            return BadInput(
                f"{what} {window} in the catalogue, and offline nothing is fetched; there: {there}"
            )
        return ExchangeUnavailable(f"{what} {window} in the catalogue: {fault}")

    def _rows(self, series: Series) -> int:
        coverage = self.catalogue.coverage(series)
        return 0 if coverage is None else coverage.rows

    def _lacking(self, series: Series) -> list[Span]:
        return self.catalogue.missing(series, self.start_ms, self.end_ms)

    def _lacking_before_last(self, series: Series) -> list[Span]:
        coverage = self.catalogue.coverage(series)
        last = -1 if coverage is None else coverage.last_ms
        return [span for span in self._lacking(series) if span[0] < last]

    def _fetch(self, series: Series, start: int, end: int) -> int:
        fetched, total = 0, (end - start) // series.step_ms
        for page in self.exchange.bars(self.symbol.instrument, self.timeframe, start, end):
            self.catalogue.append(series, page, source=self.exchange.name)
            fetched += len(page)
            if self.progress is not None:
                self.progress(f"{series} from {self.exchange.name}", fetched, total)
        return fetched

    def _confirm_gap(self, series: Series, start: int, end: int) -> None:
        """Remember what lies before the last bar; the end of a series may still grow."""
        coverage = self.catalogue.coverage(series)
        if coverage is not None and start < coverage.last_ms:
            self.catalogue.mark_answered(series, start, min(end, coverage.last_ms))

    def _fetch_side(self, series: Series, start: int, end: int) -> None:
        end = min(end, self.exchange.now_ms())
        since = max(self.start_ms, start - DAY_MS)  # the latest records may have come late
        if since >= end:
            return
        instrument = self.symbol.instrument
        frame = (
            self.exchange.funding(instrument, since, end)
            if series.kind == "funding"
            else self.exchange.open_interest(instrument, self.timeframe, since, end)
        )
        if len(frame):
            self.catalogue.append(series, frame, source=self.exchange.name)
        self.catalogue.mark_answered(series, start, end)

    def _mark_stale(self, series: Series, fault: ExchangeUnavailable) -> None:
        if self.catalogue.coverage(series) is not None:
            self.catalogue.mark_stale(series, str(fault))


def _on_grid(start_ms: int, end_ms: int, timeframe: str) -> tuple[int, int]:
    """The window's first and last bar boundary inside it; nothing is older than coins are."""
    step = timeframe_ms(timeframe)
    start = grid_ceil(max(start_ms, EARLIEST_MS), step)
    end = grid_floor(end_ms, step)
    if start >= end:
        raise BadInput(
            f"window {start_ms} to {end_ms} ms holds no whole {timeframe} bar; "
            "allowed: an end at least one bar after the start"
        )
    return start, end
