"""Any exchange of ccxt as a source of closed bars, funding and open interest.

Belongs here: pagination and the exchange's clock.  Does not belong here: what a failure
means (:mod:`ccxt_faults`), what a good answer looks like (:mod:`pages`), and storage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pandas as pd

from ares_resources.errors import BadInput
from ares_resources.exchanges.ccxt_candles import BINANCES, PAGE_BARS, candle_rows, page_limit
from ares_resources.exchanges.ccxt_client import make_client
from ares_resources.exchanges.ccxt_markets import Market, binance_market_types, find_market
from ares_resources.exchanges.ccxt_requests import Requests
from ares_resources.exchanges.pages import (
    INVERSE_KLINE,
    KLINE,
    UNIFIED,
    Asked,
    bars_page,
    records_page,
    wanted_bars,
)
from ares_resources.exchanges.retries import TransientFailure
from ares_resources.settings import DataSettings
from ares_resources.storage.frames import EARLIEST_MS, empty_frame
from ares_resources.timeframes import DAY_MS, TIMEFRAMES, grid_ceil, grid_floor, timeframe_ms

T = TypeVar("T")

_LATEST_MS = 4_102_444_800_000  # 2100: a clock beyond it is broken
_INVERSE_SPAN_MS = 200 * DAY_MS  # Binance's limit on a coin-margined request
_SETTLEMENT_MS = 8 * 3_600_000
_OPEN_INTEREST_KEPT_MS = 30 * DAY_MS - 3_600_000  # Binance keeps a month; an hour of margin
_OPEN_INTEREST_TIMEFRAMES = ("5m", "15m", "30m", "1h", "4h", "1d")


class CcxtExchange:
    """Public history of one exchange through the real ccxt client; keys are never used.

    Parameters
    ----------
    exchange_id
        ccxt's identifier, such as "binance"; ``name`` is it in capitals.
    settings
        Time-out of a request, tries, and the deadline that all requests of this object share.
    base_url
        Scheme, host and port that replace the exchange's own; None for the exchange itself.
    as_of_ms
        Nothing later is known: the clock stops there.  None for the present.
    sleep, clock
        Waiting, and a monotonic clock in seconds.

    Raises
    ------
    BadInput
        If ccxt has no such exchange; the message has the nearest identifiers.
    """

    def __init__(
        self,
        exchange_id: str,
        *,
        settings: DataSettings,
        base_url: str | None = None,
        as_of_ms: int | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = exchange_id.upper()
        self._client, answer = make_client(exchange_id, settings, base_url)
        self._requests = Requests(self.name, answer, settings, sleep, clock)
        self._as_of_ms = as_of_ms
        self._clock = clock
        self._clock_offset_ms: float | None = None
        self._loaded_types: set[str] = set()

    def now_ms(self) -> int:
        """The exchange's clock, milliseconds UTC, but never past ``as_of_ms``."""
        if self._clock_offset_ms is None:
            self._clock_offset_ms = self._exchange_time() - self._clock() * 1000
        now = int(self._clock() * 1000 + self._clock_offset_ms)
        return now if self._as_of_ms is None else min(now, self._as_of_ms)

    def check_symbol(self, instrument: str) -> None:
        """Raise BadInput with the nearest names if the instrument is not traded here."""
        self._market(instrument)

    def bars(
        self, instrument: str, timeframe: str, start_ms: int, end_ms: int
    ) -> Iterator[pd.DataFrame]:
        """Pages of closed bars with ``start_ms <= timestamp < end_ms``, in time order.

        Raises
        ------
        BadInput
            If the exchange has no such symbol or timeframe.
        ExchangeUnavailable
            If it does not answer usefully within tries and deadline.
        """
        step = timeframe_ms(timeframe)
        market = self._market(instrument)
        self.check_timeframe(timeframe)
        cursor = grid_ceil(start_ms, step)
        end = min(end_ms, grid_floor(self.now_ms(), step))
        while cursor < end:
            page, cursor = self._page(market, timeframe, cursor, end)
            if len(page):
                yield page

    def funding(self, instrument: str, start_ms: int, end_ms: int) -> pd.DataFrame:
        """Settlements in ``start_ms <= timestamp < end_ms``; empty for what is not a swap."""
        market = self._market(instrument)
        if not market.get("swap") or not self._client.has.get("fetchFundingRateHistory"):
            return empty_frame("funding")
        limit = PAGE_BARS if self._client.id in BINANCES else 100

        def ask(since: int) -> object:
            return self._client.fetch_funding_rate_history(market["symbol"], since, limit)

        step = limit * _SETTLEMENT_MS
        return self._records(instrument, "funding", ("fundingRate",), ask, start_ms, end_ms, step)

    def open_interest(
        self, instrument: str, timeframe: str, start_ms: int, end_ms: int
    ) -> pd.DataFrame:
        """Open interest, at the exchange's nearest slower timeframe; empty where it has none."""
        market = self._market(instrument)
        has = self._client.has.get("fetchOpenInterestHistory")
        if not market.get("contract") or not has:
            return empty_frame("open_interest")
        slower = next(
            (t for t in _OPEN_INTEREST_TIMEFRAMES if TIMEFRAMES[t] >= timeframe_ms(timeframe)), "1d"
        )
        limit = 500 if self._client.id in BINANCES else 200
        if self._client.id in BINANCES:
            start_ms = max(start_ms, self.now_ms() - _OPEN_INTEREST_KEPT_MS)

        def ask(since: int) -> object:
            return self._client.fetch_open_interest_history(market["symbol"], slower, since, limit)

        fields = ("openInterestAmount", "openInterestValue")
        step = limit * TIMEFRAMES[slower]
        return self._records(instrument, "open_interest", fields, ask, start_ms, end_ms, step)

    def _exchange_time(self) -> float:
        if not self._client.has.get("fetchTime"):
            return time.time() * 1000
        return self._requests.ask("its clock", self._client.fetch_time, _plausible_time)

    def _market(self, instrument: str) -> Market:
        markets = self._requests.ask(
            "its markets", lambda: self._load_markets(instrument), _some_markets
        )
        return find_market(markets, instrument, self.name)

    def _load_markets(self, instrument: str) -> object:
        if self._client.id != "binance":
            return self._client.load_markets()
        types = self._loaded_types | set(binance_market_types(instrument))
        if types != self._loaded_types:
            self._client.options["fetchMarkets"] = {"types": sorted(types)}
            self._client.load_markets(True)
            self._loaded_types = types if self._client.markets else set()
        return self._client.markets

    def check_timeframe(self, timeframe: str) -> None:
        """Raise BadInput, naming what is allowed, if the exchange has no such bars."""
        timeframe_ms(timeframe)
        offered = self._client.timeframes or {}
        if timeframe not in offered or not self._client.has.get("fetchOHLCV"):
            allowed = ", ".join(name for name in TIMEFRAMES if name in offered) or "none"
            raise BadInput(
                f"timeframe {timeframe!r} is not offered by {self.name}; allowed: {allowed}"
            )

    def _page(
        self, market: Market, timeframe: str, cursor: int, end: int
    ) -> tuple[pd.DataFrame, int]:
        """One page of wanted bars, and where the next one starts."""
        step = timeframe_ms(timeframe)
        raw = self._client.id in BINANCES
        stop = min(end, cursor + _INVERSE_SPAN_MS) if raw and market.get("inverse") else end
        asked = Asked(cursor, stop, step, self.now_ms(), strict=raw)
        shape = (INVERSE_KLINE if market.get("inverse") else KLINE) if raw else UNIFIED
        limit = PAGE_BARS if raw else page_limit(self._client, market)
        page = self._requests.ask(
            f"{market['id']} {timeframe} bars",
            lambda: candle_rows(self._client, market, timeframe, asked, limit),
            lambda rows: bars_page(rows, shape, asked),
        )
        wanted = wanted_bars(page, asked)
        if len(wanted):
            return wanted, int(wanted["timestamp"].iloc[-1]) + step
        later = page["timestamp"][page["timestamp"] >= asked.end_ms]
        if raw or len(later):
            return wanted, stop
        return wanted, cursor + limit * step

    def _records(
        self,
        instrument: str,
        kind: str,
        fields: tuple[str, ...],
        ask: Callable[[int], object],
        start_ms: int,
        end_ms: int,
        empty_step: int,
    ) -> pd.DataFrame:
        def page_from(since: int) -> pd.DataFrame:
            return self._requests.ask(
                f"{instrument} {kind.replace('_', ' ')}",
                lambda: ask(since),
                lambda rows: records_page(self._whole(rows), kind, fields, since, end_ms),
            )

        pages, cursor = [empty_frame(kind)], start_ms
        while cursor < end_ms:
            page = page_from(cursor)
            pages.append(page)
            cursor = int(page["timestamp"].iloc[-1]) + 1 if len(page) else cursor + empty_step
        return pd.concat(pages, ignore_index=True)

    def _whole(self, records: object) -> object:
        """``records``, unless ccxt silently left out rows that it could not read."""
        sent = self._requests.answer.rows()
        if self._client.id in BINANCES and sent and records == []:
            raise TransientFailure(f"none of {sent} records can be read")
        return records


def _plausible_time(answer: object) -> float:
    if not isinstance(answer, int) or not EARLIEST_MS <= answer <= _LATEST_MS:
        raise TransientFailure(f"its clock says {str(answer)[:40]!r}")
    return float(answer)


def _some_markets(answer: object) -> dict[str, Market]:
    if not isinstance(answer, dict) or not answer:
        raise TransientFailure("its list of markets is empty or no list")
    return answer
