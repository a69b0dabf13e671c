"""Funding and open interest of a ccxt client, page by page.

Belongs here: which records to ask for, and which page comes next.  Does not belong here: what
is wrong with an answer (:mod:`ares_resources.exchanges.pages`), and storage.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ares_resources.errors import BadInput, ExchangeUnavailable
from ares_resources.exchanges.ccxt_candles import BINANCES, PAGE_BARS
from ares_resources.exchanges.ccxt_markets import Market
from ares_resources.exchanges.ccxt_requests import Requests
from ares_resources.exchanges.pages import records_page
from ares_resources.exchanges.retries import TransientFailure
from ares_resources.storage.frames import empty_frame
from ares_resources.timeframes import DAY_MS, HOUR_MS, TIMEFRAMES, timeframe_ms

_OPEN_INTEREST_KEPT_MS = 30 * DAY_MS - HOUR_MS  # Binance keeps a month; an hour of margin
_OPEN_INTEREST_TIMEFRAMES = ("5m", "15m", "30m", "1h", "4h", "1d")


@dataclass(frozen=True)
class Records:
    """One kind of records of one market: how to ask for them.

    ``ask`` takes the first wanted time, milliseconds; ``least_step_ms`` is the smallest
    distance of two records, by which an empty page is passed over.
    """

    kind: str
    fields: tuple[str, ...]
    ask: Callable[[int], object]
    limit: int
    least_step_ms: int


def funding_records(client: Any, market: Market) -> Records | None:
    """Settlements of a perpetual; None for what is none, or where there is no history."""
    if not market.get("swap") or not client.has.get("fetchFundingRateHistory"):
        return None
    limit = PAGE_BARS if client.id in BINANCES else 100

    def ask(since: int) -> object:
        return client.fetch_funding_rate_history(market["symbol"], since, limit)

    # Some exchanges settle every hour: a longer step over an empty page could miss some.
    return Records("funding", ("fundingRate",), ask, limit, HOUR_MS)


def open_interest_records(client: Any, market: Market, timeframe: str) -> Sequence[Records]:
    """Open interest at each of the exchange's usual timeframes that is not faster; maybe none."""
    if not market.get("contract") or not client.has.get("fetchOpenInterestHistory"):
        return ()
    limit = 500 if client.id in BINANCES else 200
    wanted = timeframe_ms(timeframe)
    slower = [name for name in _OPEN_INTEREST_TIMEFRAMES if TIMEFRAMES[name] >= wanted] or ["1d"]

    def at(name: str) -> Records:
        def ask(since: int) -> object:
            return client.fetch_open_interest_history(market["symbol"], name, since, limit)

        fields = ("openInterestAmount", "openInterestValue")
        return Records("open_interest", fields, ask, limit, TIMEFRAMES[name])

    return [at(name) for name in slower]


def kept_from_ms(client: Any, now_ms: int) -> int:
    """Since when an exchange keeps open interest, as far as that is known."""
    return now_ms - _OPEN_INTEREST_KEPT_MS if client.id in BINANCES else 0


def first_that_is_offered(
    offered: Sequence[Records], fetch: Callable[[Records], pd.DataFrame], what: str
) -> pd.DataFrame:
    """What the first of ``offered`` gives that the client does not refuse to ask for.

    Raises
    ------
    ExchangeUnavailable
        If it refuses all of them.
    """
    refusal: BadInput | None = None
    for records in offered:
        try:
            return fetch(records)
        except BadInput as error:
            refusal = error
    raise ExchangeUnavailable(f"{what}: no timeframe of it can be asked for: {refusal}")


def fetch_records(
    requests: Requests, records: Records, what: str, start_ms: int, end_ms: int, *, whole: bool
) -> pd.DataFrame:
    """All records with ``start_ms <= timestamp < end_ms``, of as many pages as it takes.

    ``whole``: a list of records that the client reads as empty is torn, not empty.
    """

    def page_from(since: int) -> pd.DataFrame:
        def read(answer: object) -> pd.DataFrame:
            sent = requests.answer.rows()
            if whole and sent and answer == []:
                raise TransientFailure(f"none of {sent} records can be read")
            return records_page(answer, records.kind, records.fields, since, end_ms)

        return requests.ask(what, lambda: records.ask(since), read)

    pages, cursor = [empty_frame(records.kind)], start_ms
    while cursor < end_ms:
        page = page_from(cursor)
        pages.append(page)
        last = int(page["timestamp"].iloc[-1]) if len(page) else None
        cursor = cursor + records.limit * records.least_step_ms if last is None else last + 1
    return pd.concat(pages, ignore_index=True)
