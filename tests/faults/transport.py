"""The exchange on the other end of the client's session, in this process and on virtual time.

Belongs here: turning a request into an answer or a failure, and noticing a client that does
not keep the rules.  Does not belong here: which fault comes when (``scripts.py``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from fakes.fake_binance import FakeBinance
from faults.scripts import HIDING, NETWORK, RARE, STATUSES, Fault, Script, forming
from faults.virtual_time import VirtualTime
from requests.structures import CaseInsensitiveDict

_LATENCY = 0.04
_DRIP_SECONDS = 0.7
_LATE_SECONDS = 1.5


@dataclass
class Transport(requests.adapters.BaseAdapter):
    """Answers out of ``fake``; ``offences`` lists what no client may do."""

    fake: FakeBinance
    script: Script
    time: VirtualTime
    step_ms: int
    page_bars: int
    total_seconds: float
    asked: int = 0
    faults: list[str] = field(default_factory=list)
    offences: list[str] = field(default_factory=list)
    banned_until: float = 0.0
    paused_until: float = 0.0
    hidden: dict[str, tuple[int, int, float]] = field(default_factory=dict)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """One request; time passes."""
        self.asked += 1
        parts = urlsplit(str(request.url))
        self._notice(parts.path)
        self.time.sleep(_LATENCY)
        fault = self.script.next(parts.path)
        if fault is not None:
            self.faults.append(fault.kind)
            if fault.kind == "suspend":
                self.time.suspend(float(self.script.random.uniform(10, 7200)))
            if fault.kind == "drop":
                raise requests.ConnectionError("connection reset")
            if fault.kind == "timeout":
                self.time.sleep(float(options["timeout"]))
                raise requests.ReadTimeout("read timed out")
        self.fake.now_ms = self.time.true_ms()
        status, body = self._right(parts.path, dict(parse_qsl(parts.query)))
        if isinstance(body, list):
            if fault is not None and fault.kind in HIDING and body:
                self.hidden[parts.path] = self.script.hide([*map(_stamp, body)], self.time.true())
            body = self._seen(parts.path, body)
        return self._response(request, fault, status, body)

    def close(self) -> None:
        """Nothing to close."""

    def _notice(self, path: str) -> None:
        now = self.time.true()
        if now < self.banned_until:
            self.offences.append(f"{path} was asked for during a ban")
        if now < self.paused_until - 0.5:
            self.offences.append(f"{path} was asked for during a pause that the exchange named")

    def _right(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        status, body = self.fake.answer(path, query)
        if path.endswith("/klines") and isinstance(body, list):
            body = body[: self.page_bars]
            if body and body[-1][0] + self.step_ms > self.fake.now_ms:
                body = [*body[:-1], forming(body[-1])]
        return status, body

    def _seen(self, path: str, rows: list[Any]) -> list[Any]:
        first, last, until = self.hidden.get(path, (0, -1, 0.0))
        if self.time.true() >= until:
            return rows
        return [row for row in rows if not first <= _stamp(row) <= last]

    def _response(
        self, request: requests.PreparedRequest, fault: Fault | None, status: int, body: Any
    ) -> requests.Response:
        kind = None if fault is None else fault.kind
        headers = {"Content-Type": "application/json"}
        data = json.dumps(body).encode()
        if fault is not None and kind in (*STATUSES, *RARE):
            status, data = self.script.status(fault.kind)
            if fault.retry_after is not None:
                headers["Retry-After"] = str(fault.retry_after)
            self._restrain(status, fault.retry_after)
        elif kind is not None and kind not in (*NETWORK, *HIDING):
            data = self.script.body(kind, body, self.fake.now_ms, self.step_ms)
        response = requests.Response()
        response.status_code, response.request, response.url = status, request, str(request.url)
        response.headers = CaseInsensitiveDict(headers)
        response.reason = "OK" if status == 200 else "Refused"
        response.raw = _Stream(self, data, kind)
        return response

    def _restrain(self, status: int, retry_after: int | None) -> None:
        if status == 418:
            self.banned_until = self.time.true() + (retry_after or 60)
        elif status == 429 and retry_after is not None:
            self.paused_until = self.time.true() + retry_after


def _stamp(row: Any) -> int:
    return int(row[0] if isinstance(row, list) else row.get("fundingTime", row.get("timestamp")))


class _Stream:
    """A body that comes as the fault has it: whole, cut off, or byte by byte."""

    def __init__(self, transport: Transport, data: bytes, kind: str | None) -> None:
        self._transport, self._data, self._kind = transport, data, kind
        self._begun = transport.time.monotonic()

    def read(self, amount: int = -1) -> bytes:
        """The next piece."""
        transport = self._transport
        if self._kind == "cut" and len(self._data) < 200:
            raise requests.exceptions.ChunkedEncodingError("connection broken")
        if self._kind == "slow":
            transport.time.sleep(0.3)
        if self._kind == "drip":
            amount = 1
            if transport.time.monotonic() - self._begun > transport.total_seconds + _LATE_SECONDS:
                transport.offences.append("a body dripped for longer than a request may take")
                raise requests.exceptions.ChunkedEncodingError("the exchange had enough")
            transport.time.sleep(_DRIP_SECONDS)
        amount = min(amount, 8192) if amount > 0 else len(self._data)
        if self._kind == "cut":
            amount = min(amount, len(self._data) - 100)
        piece, self._data = self._data[:amount], self._data[amount:]
        return piece

    def close(self) -> None:
        """Nobody reads on."""
