"""ccxt's own classes of other exchanges, against answers in those exchanges' own shapes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pandas as pd
import pytest
import requests
from fakes.binance_history import BARS, FUNDING, MINUTE, NOW, START

from ares_resources.collection import collect
from ares_resources.errors import HistoryUnavailable
from ares_resources.exchanges.ccxt_exchange import CcxtExchange
from ares_resources.settings import DataSettings
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.symbols import SymbolKey

PLAIN = list(BARS.columns[:6])
ROWS = [row for row in BARS.itertuples(index=False, name=None) if row[0] <= NOW]
Query = dict[str, str]


class InProcess(requests.adapters.BaseAdapter):
    """Answers of one exchange by path; every request is kept."""

    def __init__(self, answers: dict[str, Callable[[Query], Any]]) -> None:
        super().__init__()
        self.answers, self.asked = answers, []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        self.asked.append((parts.path, dict(parse_qsl(parts.query))))
        answer = next(a for path, a in self.answers.items() if parts.path.endswith(path))
        response = requests.Response()
        response.status_code, response.url, response.request = 200, str(request.url), request
        response._content = json.dumps(answer(self.asked[-1][1])).encode()
        response._content_consumed = True
        return response

    def close(self) -> None:
        """Nothing to close."""


def _connect(exchange_id: str, market: dict[str, Any], answers: dict[str, Any]) -> CcxtExchange:
    exchange = CcxtExchange(
        exchange_id,
        settings=DataSettings(max_retries=0),
        base_url="http://127.0.0.1:9",
        sleep=lambda _: None,
        wall=lambda: NOW / 1000,
    )
    client = exchange._client
    client.enableRateLimit = False
    client.set_markets([client.safe_market_structure(market)])
    client.session.mount("http://", InProcess(answers))
    return exchange


def _kraken(query: Query) -> dict[str, Any]:
    """The latest 720 whatever was asked for, the forming one last."""
    since = int(query.get("since", 0))
    rows = [
        [t // 1000, *map(str, (o, h, lo, c)), "0", str(v), 7]
        for t, o, h, lo, c, v, _ in ROWS[-720:]
        if t // 1000 > since
    ]
    return {"error": [], "result": {"XETHZUSD": rows, "last": rows[-1][0] if rows else since}}


def _bybit(query: Query) -> dict[str, Any]:
    """Newest first, at most ``limit``, the earliest of them from ``start``."""
    start, limit = int(query["start"]), int(query["limit"])
    rows = [row for row in ROWS if row[0] >= start][:limit]
    listed = [[str(value) for value in (*row[:6], 0.0)] for row in rows[::-1]]
    return {"retCode": 0, "retMsg": "OK", "result": {"symbol": "ETHUSDT", "list": listed}}


def _bybit_latest(query: Query) -> dict[str, Any]:
    """As if the start were not honoured."""
    return _bybit({**query, "start": str(ROWS[-int(query["limit"])][0])})


def _bybit_funding(query: Query) -> dict[str, Any]:
    """Newest first, at most ``limit``, before ``endTime``."""
    last = int(query.get("endTime", NOW))
    known = [r for r in FUNDING.itertuples(index=False) if r.timestamp <= min(last, NOW)]
    listed = [
        {
            "symbol": "ETHUSDT",
            "fundingRate": repr(r.funding_rate),
            "fundingRateTimestamp": str(r.timestamp),
        }
        for r in known[::-1][: int(query["limit"])]
    ]
    return {"retCode": 0, "retMsg": "OK", "result": {"category": "linear", "list": listed}}


def _bybit_interest(query: Query) -> dict[str, Any]:
    """Newest first, of a contract that has none."""
    assert query["intervalTime"] == "5min"
    return {"retCode": 0, "retMsg": "OK", "result": {"category": "linear", "list": []}}


KRAKEN = {"id": "XETHZUSD", "symbol": "ETH/USD", "base": "ETH", "quote": "USD", "spot": True}
BYBIT = {"id": "ETHUSDT", "symbol": "ETH/USDT:USDT", "base": "ETH", "quote": "USDT"}
BYBIT |= {"settle": "USDT", "type": "swap", "swap": True, "contract": True, "linear": True}


@pytest.fixture
def kraken() -> CcxtExchange:
    times = {"error": [], "result": {"unixtime": NOW // 1000}}
    answers = {"/OHLC": _kraken, "/Time": lambda _: times}
    return _connect("kraken", {**KRAKEN, "type": "spot"}, answers)


@pytest.fixture
def bybit() -> CcxtExchange:
    return _connect_bybit(_bybit)


def _connect_bybit(klines: Callable[[Query], Any]) -> CcxtExchange:
    times = {"retCode": 0, "time": NOW, "result": {"timeNano": str(NOW * 10**6)}}
    answers = {
        "/kline": klines,
        "/market/time": lambda _: times,
        "/funding/history": _bybit_funding,
        "/open-interest": _bybit_interest,
    }
    return _connect("bybit", BYBIT, answers)


def test_kraken_names_what_it_no_longer_has(kraken: CcxtExchange) -> None:
    pages: list[pd.DataFrame] = []

    def read() -> None:
        for page in kraken.bars("ETH/USD", "1m", START, NOW):
            pages.append(page)

    with pytest.raises(HistoryUnavailable, match="cannot be had"):
        read()
    expected = BARS[PLAIN].iloc[2501 - 720 : 2500].reset_index(drop=True)
    pd.testing.assert_frame_equal(pages[0][PLAIN], expected)
    recent = START + 2300 * MINUTE
    (page,) = kraken.bars("ETH/USD", "1m", recent, NOW)
    assert page["timestamp"].tolist() == BARS["timestamp"].iloc[2300:2500].tolist()


def test_bybit_pages_come_newest_first_and_are_all_had(bybit: CcxtExchange, tmp_path: Path) -> None:
    catalogue, symbol = Catalogue(tmp_path), SymbolKey("ETH/USDT:USDT", "BYBIT")
    report = collect(catalogue, bybit, symbol, "1m", start_ms=START, end_ms=NOW)
    assert (report.fetched, report.missing_bars, report.reason) == (2500, 0, "")
    held = catalogue.read(Series(symbol, "bars", "1m"), 0, 2**60)
    pd.testing.assert_frame_equal(held[PLAIN], BARS[PLAIN].iloc[:2500])
    funding = catalogue.read(Series(symbol, "funding"), 0, 2**60)
    assert funding["timestamp"].tolist() == [t for t in FUNDING["timestamp"] if t < NOW]


def test_bars_that_cannot_be_had_do_not_keep_funding_away(tmp_path: Path) -> None:
    catalogue, symbol = Catalogue(tmp_path), SymbolKey("ETH/USDT:USDT", "BYBIT")
    exchange = _connect_bybit(_bybit_latest)
    report = collect(catalogue, exchange, symbol, "1m", start_ms=START, end_ms=NOW)
    assert report.stale
    assert "2023-11-14T22:14:00Z to 2023-11-15T23:15:00Z cannot be had" in report.reason
    assert report.lacks.startswith("no ETH/USDT:USDT.BYBIT 1m bars from 2023-11-14T22:14:00Z")
    assert report.fetched == 999  # the thousandth is forming
    assert report.funding_fetched == 6
    assert catalogue.stale(Series(symbol, "funding")) is None
