"""Binance's public endpoints on loopback, for the real ccxt client to talk to.

Belongs here: serving klines, funding, open interest and exchange info out of frames, and
failing on demand.  Does not belong here: expectations (the tests have them).

    with FakeBinance(now_ms=...) as fake:
        fake.add_bars("spot", "ETHUSDT", "1m", bars)
        fake.fail("429", retry_after=3)          # the next klines request only
        exchange = CcxtExchange("binance", settings=..., base_url=fake.url)

Without shared samples everything is made up here: bars from a seed, exchange info from the
symbols that were added.
"""

from __future__ import annotations

import bisect
import json
import socket
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pandas as pd

from ares_resources.timeframes import TIMEFRAMES

Row = list[Any]
SPOT, LINEAR, INVERSE = "spot", "linear", "inverse"
_ROOTS = {"/api/v3": SPOT, "/fapi/v1": LINEAR, "/futures/data": LINEAR, "/dapi/v1": INVERSE}


@dataclass
class ScriptedFault:
    """One wrong answer; ``path`` is the part of the address that it waits for."""

    kind: str
    path: str = "/klines"
    retry_after: int | None = None


@dataclass
class Request:
    """A request as it came."""

    path: str
    query: dict[str, str]


@dataclass
class FakeBinance:
    """The server; ``requests`` lists what was asked, ``faults`` what will go wrong, in order."""

    now_ms: int
    exchange_info: dict[str, Any] = field(default_factory=dict)
    seconds_between_drips: float = 0.2
    requests: list[Request] = field(default_factory=list)
    faults: list[ScriptedFault] = field(default_factory=list)
    _klines: dict[tuple[str, str, str], list[Row]] = field(default_factory=dict)
    _records: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> FakeBinance:
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add_bars(self, market: str, symbol: str, timeframe: str, bars: pd.DataFrame) -> None:
        """Serve a bars frame; a bar that forms at ``now_ms`` is served as Binance does."""
        self._klines[market, symbol, timeframe] = klines_of(bars, timeframe)

    def add_klines(self, market: str, symbol: str, timeframe: str, rows: list[Row]) -> None:
        """Serve REST rows as they are."""
        self._klines[market, symbol, timeframe] = sorted(rows, key=lambda row: row[0])

    def add_funding(self, symbol: str, funding: pd.DataFrame) -> None:
        """Serve settlements of a perpetual."""
        self._records["fundingRate", symbol] = [
            {"symbol": symbol, "fundingTime": int(t), "fundingRate": repr(float(r))}
            for t, r in zip(funding["timestamp"], funding["funding_rate"], strict=True)
        ]

    def add_open_interest(self, symbol: str, frame: pd.DataFrame) -> None:
        """Serve open interest of a perpetual."""
        self._records["openInterestHist", symbol] = [
            {"symbol": symbol, "timestamp": int(t), "sumOpenInterest": repr(float(v))}
            for t, v in zip(frame["timestamp"], frame["open_interest"], strict=True)
        ]

    def fail(self, kind: str, times: int = 1, **options: Any) -> None:
        """Let the next matching requests go wrong; see ``_BODIES`` and ``_STATUSES``."""
        self.faults += [ScriptedFault(kind, **options) for _ in range(times)]

    def asked(self, path: str = "/klines") -> list[dict[str, str]]:
        """The queries of the requests whose path holds ``path``."""
        return [request.query for request in self.requests if path in request.path]

    def take_fault(self, path: str) -> ScriptedFault | None:
        """The first scripted fault that waits for this path, used up."""
        with self._lock:
            for fault in self.faults:
                if fault.path in path:
                    self.faults.remove(fault)
                    return fault
        return None

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        """Status and body of a faultless answer."""
        root = next((root for root in _ROOTS if path.startswith(root)), None)
        if root is None:
            return 404, {"code": -1, "msg": "no such endpoint"}
        market, endpoint = _ROOTS[root], path.removeprefix(root + "/")
        if endpoint == "time":
            return 200, {"serverTime": self.now_ms}
        if endpoint == "exchangeInfo":
            return 200, self.exchange_info.get(market) or self._made_up_info(market)
        if endpoint == "klines":
            return self._answer_klines(market, query)
        return 200, self._answer_records(endpoint, query)

    def _answer_klines(self, market: str, query: dict[str, str]) -> tuple[int, Any]:
        if query.get("interval") not in TIMEFRAMES:
            return 400, {"code": -1120, "msg": "Invalid interval."}
        known = {(kind, symbol) for kind, symbol, _ in self._klines}
        if (market, query.get("symbol", "")) not in known:
            return 400, {"code": -1121, "msg": "Invalid symbol."}
        rows = self._klines.get((market, query["symbol"], query["interval"]), [])
        first = int(query.get("startTime", 0))
        last = min(int(query.get("endTime", self.now_ms)), self.now_ms)
        low = bisect.bisect_left(rows, first, key=lambda row: row[0])
        high = bisect.bisect_right(rows, last, key=lambda row: row[0])
        limit = min(int(query.get("limit", 500)), 1000)
        if "startTime" not in query:
            low = max(low, high - limit)
        return 200, rows[low : min(high, low + limit)]

    def _answer_records(self, endpoint: str, query: dict[str, str]) -> list[dict[str, Any]]:
        records = self._records.get((endpoint, query.get("symbol", "")), [])
        stamp = "fundingTime" if endpoint == "fundingRate" else "timestamp"
        first = int(query.get("startTime", 0))
        last = min(int(query.get("endTime", self.now_ms)), self.now_ms)
        inside = [record for record in records if first <= record[stamp] <= last]
        return inside[: min(int(query.get("limit", 100)), 1000)]

    def _made_up_info(self, market: str) -> dict[str, Any]:
        symbols = sorted({symbol for kind, symbol, _ in self._klines if kind == market})
        return {
            "timezone": "UTC",
            "serverTime": self.now_ms,
            "rateLimits": [],
            "symbols": [_symbol_info(symbol, market) for symbol in symbols],
        }


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up, as it does on purpose here, is not worth a traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    fake: FakeBinance
    protocol_version = "HTTP/1.1"
    timeout = 5

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        self.fake.requests.append(Request(parts.path, query))
        fault = self.fake.take_fault(parts.path)
        if fault is None:
            status, body = self.fake.answer(parts.path, query)
            self._send(status, json.dumps(body).encode())
        elif fault.kind in _STATUSES:
            status, body = _STATUSES[fault.kind]
            wait = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            self._send(status, json.dumps(body).encode(), **wait)
        else:
            self._misbehave(fault, parts.path, query)

    def _misbehave(self, fault: ScriptedFault, path: str, query: dict[str, str]) -> None:
        _, body = self.fake.answer(path, query)
        if fault.kind == "drop":
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault.kind == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode()[:100])
            self.close_connection = True
        elif fault.kind == "drip":
            self._drip(json.dumps(body).encode())
        elif fault.kind == "html":
            page = b"<html><body>Service Unavailable</body></html>"
            self._send(200, page, **{"Content-Type": "text/html"})
        else:
            self._send(200, _BODIES[fault.kind](body, self.fake.now_ms))

    def _drip(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.close_connection = True
        for byte in data[:40]:
            try:
                self.wfile.write(bytes([byte]))
            except OSError:
                return
            time.sleep(self.fake.seconds_between_drips)

    def _send(self, status: int, data: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


def klines_of(bars: pd.DataFrame, timeframe: str) -> list[Row]:
    """Bars as rows of the REST interface; prices and volumes are texts, as there."""
    step = TIMEFRAMES[timeframe]
    share = bars["taker_buy_share"] if "taker_buy_share" in bars else pd.Series(0.5, bars.index)
    taker = share.fillna(0.5) * bars["volume"]
    columns = zip(
        bars["timestamp"].tolist(),
        *(bars[name].tolist() for name in ("open", "high", "low", "close", "volume")),
        taker.tolist(),
        strict=True,
    )
    return [
        [t, *map(repr, (o, h, lo, c, v)), t + step - 1, repr(v * c), 1, repr(b), repr(b * c), "0"]
        for t, o, h, lo, c, v, b in columns
    ]


def made_up_bars(start_ms: int, count: int, timeframe: str = "1m", seed: int = 1) -> pd.DataFrame:
    """A random walk as a bars frame, the same for the same arguments."""
    generator = np.random.default_rng(np.random.SeedSequence([seed, count]))
    close = np.round(2000 * np.exp(np.cumsum(generator.normal(0, 1e-3, count))), 2)
    opens = np.r_[2000.0, close[:-1]]
    wick = np.round(generator.uniform(0.01, 2, (2, count)), 2)
    volume = np.round(generator.uniform(1, 500, count), 4)
    return pd.DataFrame(
        {
            "timestamp": start_ms + np.arange(count, dtype="int64") * TIMEFRAMES[timeframe],
            "open": opens,
            "high": np.maximum(opens, close) + wick[0],
            "low": np.minimum(opens, close) - wick[1],
            "close": close,
            "volume": volume,
            "taker_buy_share": np.round(generator.uniform(0.1, 0.9, count), 3),
        }
    )


def _symbol_info(symbol: str, market: str) -> dict[str, Any]:
    quote = "USDT"
    base = symbol.removesuffix(quote)
    info = {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": base,
        "quoteAsset": quote,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "orderTypes": ["LIMIT", "MARKET"],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01", "tickSize": "0.01"},
            {"filterType": "LOT_SIZE", "minQty": "0.0001", "stepSize": "0.0001"},
        ],
        "permissions": ["SPOT"],
    }
    if market == LINEAR:
        perpetual = {
            "pair": symbol,
            "contractType": "PERPETUAL",
            "marginAsset": quote,
            "deliveryDate": 4133404800000,
            "onboardDate": 1569398400000,
            "pricePrecision": 2,
            "quantityPrecision": 3,
        }
        info = {**info, **perpetual}
    return info


def _with_cell(rows: list[Row], position: int, value: Any) -> bytes:
    changed = [list(row) for row in rows]
    changed[len(changed) // 2][position] = value
    return json.dumps(changed).encode()


def _shifted(rows: list[Row], by_ms: int) -> bytes:
    return json.dumps([[row[0] + by_ms, *row[1:]] for row in rows]).encode()


_YEAR_MS = 365 * 86_400_000
_BODIES = {
    "truncated": lambda rows, now: json.dumps(rows).encode()[:-30],
    "dict": lambda rows, now: b'{"rows": []}',
    "objects": lambda rows, now: b'[{"a": 1}, {"a": 2}]',
    "null": lambda rows, now: b"null",
    "text": lambda rows, now: b'"ok"',
    "none row": lambda rows, now: json.dumps([*rows[:-1], None]).encode(),
    "none cell": lambda rows, now: _with_cell(rows, 4, None),
    "nan": lambda rows, now: _with_cell(rows, 4, float("nan")),
    "nan text": lambda rows, now: _with_cell(rows, 4, "NaN"),
    "infinity": lambda rows, now: _with_cell(rows, 2, float("inf")),
    "minus one": lambda rows, now: _with_cell(rows, 3, "-1"),
    "negative volume": lambda rows, now: _with_cell(rows, 5, "-1"),
    "taker above volume": lambda rows, now: _with_cell(rows, 9, "1e12"),
    "high below low": lambda rows, now: _with_cell(rows, 2, "0.5"),
    "off grid": lambda rows, now: _with_cell(rows, 0, rows[len(rows) // 2][0] + 7),
    "time as text": lambda rows, now: _with_cell(rows, 0, "yesterday"),
    "future": lambda rows, now: _shifted(rows, now - rows[0][0] - now % 60_000 + 3_600_000),
    "outside": lambda rows, now: _shifted(rows, -_YEAR_MS),
    "unordered": lambda rows, now: json.dumps(rows[::-1]).encode(),
    "repeated": lambda rows, now: json.dumps([rows[0], *rows]).encode(),
    "forming": lambda rows, now: json.dumps(
        [*rows, [now // 60_000 * 60_000, *rows[-1][1:]]]
    ).encode(),
}
BODY_FAULTS = tuple(kind for kind in _BODIES if kind != "forming")
_STATUSES: dict[str, tuple[int, dict[str, Any]]] = {
    "429": (429, {"code": -1003, "msg": "Too much request weight used."}),
    "418": (418, {"code": -1003, "msg": "Way too much request weight used; IP banned."}),
    "500": (500, {"code": -1000, "msg": "An unknown error occurred."}),
    "503": (503, {"code": -1008, "msg": "Server is currently overloaded."}),
    "504": (504, {"code": -1007, "msg": "Timeout waiting for response from backend server."}),
    "403": (403, {}),
    "400": (400, {"code": -1102, "msg": "Mandatory parameter was malformed."}),
    "451": (451, {"code": 0, "msg": "Service unavailable from a restricted location."}),
    "bad symbol": (400, {"code": -1121, "msg": "Invalid symbol."}),
}
