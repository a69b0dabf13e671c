"""Step 1, Data Collection: the window's bars, from the catalogue, brought up to date first.

Belongs here: which span is wanted, and what is said about it.  Does not belong here: how an
exchange is asked (``ares_resources/collection.py``), and how bars rest (the catalogue).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Request, Result, StepSpec, Work
from ares_resources.errors import BadInput
from ares_resources.timeframes import DAY_MS, WEEK_MS, grid_floor, timeframe_ms

if TYPE_CHECKING:
    from ares_resources.exchanges.base import Exchange
    from ares_resources.storage.artifacts import Artifact
    from ares_resources.storage.catalogue import Catalogue

_LATE_BARS = 10
STALE = "stale data"


def collect_window(work: Work, _: Mapping[str, Artifact]) -> str:
    """Bring the catalogue up to date; returns the window and the fingerprint of its rows."""
    from ares_resources.collection import window_fingerprint
    from ares_resources.exchanges.registry import open_exchange
    from ares_resources.storage.catalogue import Series

    request, data = work.request, work.settings.data
    step, catalogue = timeframe_ms(data.timeframe), work.workspace.catalogue
    exchange = open_exchange(
        request.symbol.exchange,
        settings=data,
        as_of_ms=request.as_of_ms,
        offline=request.offline,
        home=work.workspace.home,
    )
    bars = Series(request.symbol, "bars", data.timeframe)
    end = asked_end(request, catalogue, exchange, data.timeframe)
    start = end - int(work.settings.lookback_days * DAY_MS)
    read_from = first_bar_wanted(start, data.warmup_bars, step)
    unreached = _bring_up_to_date(work, exchange, read_from, end)
    held = catalogue.read(bars, start, end)
    if held.empty:
        raise BadInput(_nothing_held(work, start, end))
    last_close = int(held["timestamp"].iloc[-1]) + step
    known = window_fingerprint(catalogue, request.symbol, data.timeframe, read_from, last_close)
    return json.dumps(
        {
            "read_from": read_from,
            "window_start_ms": max(start, int(held["timestamp"].iloc[0])),
            "window_end_ms": last_close,
            "stale": unreached or _late(end, last_close, step),
            "fingerprint": known,
        }
    )


def first_bar_wanted(window_start_ms: int, warmup_bars: int, step_ms: int) -> int:
    """The Monday, 00:00 UTC, at or before the first bar that the warm-up needs.

    A window that ends later by a day also begins later by a day.  Were its first bar to move
    with it, no earlier computation over these bars could be extended: their numbering and the
    seeds of Wilder's means begin at the first bar.  So that bar moves once a week.
    """
    return grid_floor(window_start_ms - warmup_bars * step_ms, WEEK_MS)


def market_data(work: Work) -> Result:
    """Bars with funding and open interest as known at each close, warm-up included."""
    from ares_assets.market.bars import check_bars, join_reference
    from ares_assets.pictures import price_picture
    from ares_resources.storage.catalogue import Series

    window = json.loads(work.outside)
    symbol, timeframe = work.request.symbol, work.settings.data.timeframe
    catalogue, end = work.workspace.catalogue, window["window_end_ms"]

    def read(kind: str) -> Any:
        return catalogue.read(Series(symbol, kind, timeframe), window["read_from"], end)

    bars = read("bars")
    frame = join_reference(bars, read("funding"), read("open_interest"), timeframe)
    check_bars(frame, timeframe)
    gaps = catalogue.gaps(Series(symbol, "bars", timeframe), window["read_from"], end)
    spans = list(zip(gaps["start_ms"], gaps["end_ms"], strict=True))
    missing = int(gaps["missing_bars"].sum())
    metadata = {
        "rows": len(frame),
        "window_start_ms": window["window_start_ms"],
        "window_end_ms": end,
        "window_days": round((end - window["window_start_ms"]) / DAY_MS, 3),
        "timeframe": timeframe,
        "gaps": len(gaps),
        "missing_bars": missing,
        "missing_share": round(missing / (len(frame) + missing), 6),
        "longest_gap_bars": int(gaps["missing_bars"].max()) if missing else 0,
        "gap_ledger": gaps.to_dict("records"),
        "funding_settlements": int((frame["funding_payment"] != 0).sum()),
        "has_open_interest": bool(frame["open_interest"].notna().any()),
        "has_taker_buy_share": bool(frame["taker_buy_share"].notna().any()),
        "picture": price_picture(frame["timestamp"].to_numpy(), frame["close"].to_numpy(), spans),
    }
    degraded = (f"{STALE}: {window['stale']}",) if window["stale"] else ()
    return Result(frame, metadata, degraded)


def _bring_up_to_date(work: Work, exchange: Any, start: int, end: int) -> str | None:
    """Ask the exchange for what lacks; why it could not be asked, if so.  Offline asks nobody."""
    from ares_resources import progress
    from ares_resources.collection import collect
    from ares_resources.exchanges.offline import OfflineExchange

    if isinstance(exchange, OfflineExchange):
        return None
    report = collect(
        work.workspace.catalogue,
        exchange,
        work.request.symbol,
        work.settings.data.timeframe,
        start_ms=start,
        end_ms=end,
        progress=work.advanced,
    )
    if report.lacks:
        progress.current().noted(f"{exchange.name} has {report.lacks}")
    return report.reason if report.stale else None


def asked_end(request: Request, catalogue: Catalogue, exchange: Exchange, timeframe: str) -> int:
    """The last close that may count: the asked time, the exchange's clock, or the last bar."""
    from ares_resources.errors import ExchangeUnavailable
    from ares_resources.storage.catalogue import Series

    step = timeframe_ms(timeframe)
    if request.as_of_ms is not None:
        return grid_floor(request.as_of_ms, step)
    coverage = catalogue.coverage(Series(request.symbol, "bars", timeframe))
    if request.offline and coverage is not None:
        return coverage.last_ms + step
    try:
        return grid_floor(exchange.now_ms(), step)
    except ExchangeUnavailable:
        if coverage is None:
            raise
        return coverage.last_ms + step


def _late(end: int, last_close: int, step: int) -> str | None:
    if end - last_close <= _LATE_BARS * step:
        return None
    return f"the last bar closed {(end - last_close) / 3_600_000:.1f} hours before the asked time"


def _nothing_held(work: Work, start: int, end: int) -> str:
    from datetime import UTC, datetime

    def spelled(ms: int) -> str:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ")

    return (
        f"no {work.settings.data.timeframe} bars of {work.request.symbol} between "
        f"{spelled(start)} and {spelled(end)}; ingest a file that covers it, or move --as-of"
    )


SPEC = StepSpec(
    number=1,
    name="market_data",
    title="Data Collection",
    description="Bars, funding and open interest of the window, out of the catalogue.",
    group="market",
    kind="frame",
    inputs=(),
    uses=("data", "lookback_days"),
    function=market_data,
    shared=True,
    fingerprint=collect_window,
)
