"""Any exchange of ccxt as a source of closed bars, funding and open interest.

Belongs here: pagination and the exchange's clock.  Does not belong here: what a failure
means (:mod:`ccxt_faults`), what a good answer looks like (:mod:`pages`), and storage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import pandas as pd

from ares_resources.errors import BadInput, HistoryUnavailable
from ares_resources.exchanges.ccxt_candles import BINANCES, PAGE_BARS, candle_rows, page_limit
from ares_resources.exchanges.ccxt_client import make_client
from ares_resources.exchanges.ccxt_markets import Market, binance_market_types, find_market
from ares_resources.exchanges.ccxt_records import (
    Records,
    fetch_records,
    first_that_is_offered,
    funding_records,
    kept_from_ms,
    open_interest_records,
)
from ares_resources.exchanges.ccxt_requests import Requests
from ares_resources.exchanges.dated_answers import DatedAnswers, some_markets
from ares_resources.exchanges.exchange_clock import ExchangeClock
from ares_resources.exchanges.pages import (
    INVERSE_KLINE,
    KLINE,
    UNIFIED,
    Asked,
    bars_page,
    latest_instead,
    wanted_bars,
)
from ares_resources.exchanges.restraints import Restraints
from ares_resources.exchanges.retries import TransientFailure
from ares_resources.settings import DataSettings
from ares_resources.storage.frames import EARLIEST_MS, empty_frame, utc
from ares_resources.timeframes import DAY_MS, TIMEFRAMES, grid_ceil, grid_floor, timeframe_ms

_LATEST_MS = 4_102_444_800_000  # 2100: a clock beyond it is broken
_INVERSE_SPAN_MS = 200 * DAY_MS  # Binance's limit on a coin-margined request


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
    restraints
        Where bans and pauses are remembered; None for this object alone.
    sleep, clock, wall
        Waiting, a monotonic clock and the clock on the wall, in seconds.

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
        restraints: Restraints | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.name = exchange_id.upper()
        self._client, answer = make_client(exchange_id, settings, base_url, clock)
        known = Restraints() if restraints is None else restraints
        self._requests = Requests(self.name, answer, settings, known, sleep, clock)
        self._as_of_ms = as_of_ms
        self._clock, self._wall = clock, wall
        self._dates = DatedAnswers(self._client, self._requests, clock, wall)
        self._time = ExchangeClock(self._exchange_time, clock, wall)
        self._loaded_types: set[str] = set()

    def now_ms(self) -> int:
        """The exchange's clock, milliseconds UTC, but never past ``as_of_ms``."""
        now = self._time.now_ms()
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
        HistoryUnavailable
            After the last page, if the exchange gave its latest bars and not the earlier ones
            that were asked for.
        ExchangeUnavailable
            If it does not answer usefully within tries and deadline.
        """
        step = timeframe_ms(timeframe)
        market = self._market(instrument)
        self.check_timeframe(timeframe)
        cursor = grid_ceil(start_ms, step)
        end = min(end_ms, grid_floor(self.now_ms(), step))
        lost: tuple[int, int] | None = None
        while cursor < end:
            page, following, begins = self._page(market, timeframe, cursor, end)
            if begins is not None and lost is None:
                lost = cursor, min(begins, end)
            if len(page):
                yield page
            cursor = following
        if lost is not None:
            raise HistoryUnavailable(
                f"{self.name}: {market['id']} {timeframe} bars from {utc(lost[0])} to "
                f"{utc(lost[1])} cannot be had: the exchange gives its latest ones only; "
                "ares ingest brings older ones from files",
                lost,
            )

    def funding(self, instrument: str, start_ms: int, end_ms: int) -> pd.DataFrame:
        """Settlements in ``start_ms <= timestamp < end_ms``; empty for what is not a swap."""
        records = funding_records(self._client, self._market(instrument))
        if records is None:
            return empty_frame("funding")
        return self._records([records], instrument, start_ms, end_ms)

    def open_interest(
        self, instrument: str, timeframe: str, start_ms: int, end_ms: int
    ) -> pd.DataFrame:
        """Open interest, at the exchange's nearest slower timeframe; empty where it has none."""
        market = self._market(instrument)
        offered = open_interest_records(self._client, market, timeframe)
        if not offered:
            return empty_frame("open_interest")
        kept = kept_from_ms(self._client, self.now_ms())
        return self._records(offered, instrument, max(start_ms, kept), end_ms)

    def _records(
        self, offered: Sequence[Records], instrument: str, start_ms: int, end_ms: int
    ) -> pd.DataFrame:
        what = f"{instrument} {offered[0].kind.replace('_', ' ')}"
        whole = self._client.id in BINANCES

        def fetch(records: Records) -> pd.DataFrame:
            return fetch_records(self._requests, records, what, start_ms, end_ms, whole=whole)

        return first_that_is_offered(offered, fetch, f"{self.name}: {what}")

    def _exchange_time(self) -> tuple[float, float]:
        """The exchange's time, milliseconds, and the monotonic second at which it came.

        An exchange without an endpoint for it dates its answers.
        """
        if self._client.has.get("fetchTime"):
            told = self._requests.ask("its clock", self._client.fetch_time, _plausible_time)
            return told, self._clock()
        return self._dates.time()

    def _market(self, instrument: str) -> Market:
        markets = self._requests.ask(
            "its markets", lambda: self._load_markets(instrument), some_markets
        )
        market = find_market(markets, instrument, self.name)
        self._dates.market = str(market["symbol"])
        return market

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
    ) -> tuple[pd.DataFrame, int, int | None]:
        """One page of wanted bars, where the next one starts, and where the page begins.

        The latter only if the exchange gave its latest bars instead of those asked for.
        """
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
        begins = None if raw else latest_instead(page, asked, limit)
        if len(wanted):
            return wanted, int(wanted["timestamp"].iloc[-1]) + step, begins
        later = page["timestamp"][page["timestamp"] >= asked.end_ms]
        if raw or len(later):
            return wanted, stop, begins
        return wanted, cursor + limit * step, begins


def _plausible_time(answer: object) -> float:
    if not isinstance(answer, int) or not EARLIEST_MS <= answer <= _LATEST_MS:
        raise TransientFailure(f"its clock says {str(answer)[:40]!r}")
    return float(answer)
