"""A ccxt client for public candles: no keys, bounded requests, and a memory of the last answer.

Belongs here: making the client and naming exchanges.  Does not belong here: what is asked.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ares_resources.errors import BadInput
from ares_resources.settings import DataSettings


@dataclass
class LastAnswer:
    """Status, headers and body of the last response; None and empty where none came.

    ``dated``: the time in the header of the last response that had one, milliseconds UTC,
    and the monotonic second at which it came; it is not forgotten.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    dated: tuple[float, float] | None = None

    def forget(self) -> None:
        """Before a request: nothing has come."""
        self.status, self.headers, self.body = None, {}, None

    def rows(self) -> int | None:
        """Length of a body that is a list; 0 for an object; None for what is neither.

        ccxt's unified calls take a text for an empty list: a torn body would pass for "no
        data".
        """
        try:
            content = json.loads(self.body or "")
        except (ValueError, RecursionError):
            return None
        if isinstance(content, list):
            return len(content)
        return 0 if isinstance(content, dict) else None

    def retry_after(self) -> float | None:
        """Seconds that the exchange asked to wait for, if it said so."""
        text = self.headers.get("retry-after", "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text):
            return float(text)
        until, sent = http_date_ms(text), http_date_ms(self.headers.get("date", ""))
        return None if until is None or sent is None else max(0.0, (until - sent) / 1000)


def http_date_ms(text: str) -> float | None:
    """A header's date, milliseconds UTC; None if it is none."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp() * 1000
    except (TypeError, ValueError, OverflowError):
        return None


def make_client(
    exchange_id: str, settings: DataSettings, base_url: str | None, clock: Callable[[], float]
) -> tuple[Any, LastAnswer]:
    """A ccxt client by id, and where its last answer is noted; ``clock`` is monotonic, seconds.

    Raises
    ------
    BadInput
        If ccxt has no such exchange, or ``base_url`` is not http(s).
    """
    import ccxt

    if exchange_id not in ccxt.exchanges:
        near = difflib.get_close_matches(exchange_id, ccxt.exchanges, n=3, cutoff=0.5)
        allowed = ", ".join(near) or f"{', '.join(ccxt.exchanges[:3])} and others of ccxt"
        raise BadInput(f"exchange {exchange_id.upper()!r} is not known; nearest: {allowed}, sim")
    options = {"enableRateLimit": True, "timeout": int(settings.request_timeout_seconds * 1000)}
    client = getattr(ccxt, exchange_id)(options)
    if base_url:
        client.urls["api"] = _moved(client.urls["api"], _checked_base(base_url))
    _bound(client, settings.request_timeout_seconds, clock)
    answer = LastAnswer()
    _note_answers(client, answer, clock)
    return client, answer


def _bound(client: Any, seconds: float, clock: Callable[[], float]) -> None:
    from ares_resources.exchanges.bounded_session import BoundedSession

    trust_env = client.session.trust_env
    client.session.close()
    client.session = BoundedSession(seconds, clock)
    client.session.trust_env = trust_env


def _note_answers(client: Any, answer: LastAnswer, clock: Callable[[], float]) -> None:
    inherited = client.on_rest_response

    def noting(
        code: int, reason: str, url: str, method: str, headers: Any, body: str, *rest: Any
    ) -> Any:
        answer.status, answer.body = int(code), body
        answer.headers = {str(name).lower(): str(value) for name, value in headers.items()}
        date = http_date_ms(answer.headers.get("date", ""))
        answer.dated = answer.dated if date is None else (date, clock())
        return inherited(code, reason, url, method, headers, body, *rest)

    client.on_rest_response = noting


def _moved(urls: Any, base: str) -> Any:
    """Every address of a ccxt tree under another scheme and host, paths kept."""
    if isinstance(urls, dict):
        return {name: _moved(value, base) for name, value in urls.items()}
    return base + re.sub(r"^[a-z]+://[^/]*", "", urls) if isinstance(urls, str) else urls


def _checked_base(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise BadInput(f"base URL {base_url!r} is not usable; allowed: http(s)://host[:port]")
    return base_url.rstrip("/")
