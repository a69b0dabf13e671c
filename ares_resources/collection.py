"""Step 1's work: bring a symbol's series in the catalogue up to date, fetching only what lacks.

Belongs here: the order of things, and what an exchange out of reach means.  Does not belong
here: which bars or records lack (:mod:`ares_resources.collecting_bars`,
:mod:`ares_resources.collecting_records`), how an exchange is asked, and how rows are stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ares_resources.collecting_bars import BarsTask, Outcome
from ares_resources.collecting_records import RecordsTask
from ares_resources.errors import BadInput, ExchangeUnavailable, HistoryUnavailable
from ares_resources.exchanges.base import Exchange
from ares_resources.exchanges.offline import OfflineExchange
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.storage.fingerprints import joined_fingerprint
from ares_resources.storage.frames import EARLIEST_MS, Progress, utc
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import grid_ceil, grid_floor, timeframe_ms

_SIDE_KINDS = ("funding", "open_interest")


@dataclass(frozen=True)
class CollectionReport:
    """What a collection did.

    ``fetched``: new bars; ``stale`` and ``reason``: whether and why something could not be
    brought up to date; ``lacks``: what the exchange does not have of the window, if anything;
    ``fingerprint``: of the window's bars, funding and open interest.
    """

    fetched: int
    funding_fetched: int
    open_interest_fetched: int
    missing_bars: int
    stale: bool
    reason: str
    lacks: str
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
    wall: Callable[[], float] = time.time,
) -> CollectionReport:
    """Fetch what the catalogue lacks of ``[start_ms, end_ms)``; every page is kept at once.

    A gap is looked at a second time, between bars that have to come along, and again at
    growing distances of ``wall``'s time (epoch seconds): no gap is believed for good.  An
    exchange out of reach leaves what is there, marked stale with the reason.

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
    bars = Series(symbol, "bars", timeframe)
    task = BarsTask(catalogue, exchange, bars, start_ms, end_ms, wall(), progress)
    outcome = task.update()
    held = len(catalogue.read(bars, start_ms, end_ms))
    if held == 0:
        raise _nothing(catalogue, exchange, bars, (start_ms, end_ms), outcome.fault)
    unreached = None if isinstance(outcome.fault, HistoryUnavailable) else outcome.fault
    sides: dict[str, Outcome] = {}
    for kind in _SIDE_KINDS:
        series = Series(symbol, kind, timeframe)
        side = RecordsTask(catalogue, exchange, series, timeframe, start_ms, end_ms, wall())
        sides[kind] = side.update(unreached)
    faults = [outcome.fault, *(side.fault for side in sides.values())]
    reasons = list(dict.fromkeys(str(fault) for fault in faults if fault is not None))
    return CollectionReport(
        fetched=outcome.fetched,
        funding_fetched=sides["funding"].fetched,
        open_interest_fetched=sides["open_interest"].fetched,
        missing_bars=(end_ms - start_ms) // timeframe_ms(timeframe) - held,
        stale=bool(reasons),
        reason="; ".join(reasons),
        lacks=task.lacks(),
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


def _nothing(
    catalogue: Catalogue,
    exchange: Exchange,
    bars: Series,
    span: tuple[int, int],
    fault: ExchangeUnavailable | None,
) -> BadInput | ExchangeUnavailable:
    """The error to raise when no bar of the window is there."""
    what = f"no {bars.timeframe} bars of {bars.symbol}"
    window = f"from {utc(span[0])} to {utc(span[1])}"
    if fault is None:
        return BadInput(f"{what} {window}: the exchange has none; allowed: another window")
    if isinstance(exchange, OfflineExchange):
        coverage = catalogue.coverage(bars)
        there = (
            "none at all"
            if coverage is None
            else f"{utc(coverage.first_ms)} to {utc(coverage.last_ms)}"
        )
        return BadInput(
            f"{what} {window} in the catalogue, and offline nothing is fetched; there: {there}"
        )
    return ExchangeUnavailable(f"{what} {window} in the catalogue: {fault}")


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
