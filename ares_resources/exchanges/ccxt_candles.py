"""Asking a ccxt client for one page of candles.

Belongs here: which endpoint, with which parameters.  Does not belong here: what is wrong
with an answer (:mod:`ares_resources.exchanges.pages`), and which page comes next.
"""

from __future__ import annotations

import itertools
from typing import Any

from ares_resources.exchanges.ccxt_markets import Market
from ares_resources.exchanges.pages import Asked

BINANCES = ("binance", "binanceusdm", "binancecoinm", "binanceus")
PAGE_BARS = 1000


def candle_rows(client: Any, market: Market, timeframe: str, asked: Asked, limit: int) -> object:
    """The body of one answer.

    Binance is asked raw, since ccxt's unified bars leave out the taker's volume.
    """
    if client.id not in BINANCES:
        return _oldest_first(client.fetch_ohlcv(market["symbol"], timeframe, asked.start_ms, limit))
    query = {
        "symbol": market["id"],
        "interval": client.timeframes[timeframe],
        "startTime": asked.start_ms,
        "endTime": asked.end_ms - 1,
        "limit": limit,
    }
    if market.get("spot"):
        return client.publicGetKlines(query)
    if market.get("inverse"):
        return client.dapiPublicGetKlines(query)
    return client.fapiPublicGetKlines(query)


def _oldest_first(rows: object) -> object:
    """Rows that go straight backward in time, as some exchanges send them, turned around."""
    if not isinstance(rows, list) or len(rows) < 2:
        return rows
    stamps = [row[0] for row in rows if isinstance(row, list) and row and isinstance(row[0], int)]
    whole = len(stamps) == len(rows)
    backward = whole and all(one > other for one, other in itertools.pairwise(stamps))
    return rows[::-1] if backward else rows


def page_limit(client: Any, market: Market) -> int:
    """Bars that one answer of this exchange can hold, at most :data:`PAGE_BARS`."""
    offered = client.feature_value(market["symbol"], "fetchOHLCV", "limit", 500)
    return max(1, min(int(offered or 500), PAGE_BARS))
