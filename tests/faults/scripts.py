"""Random wrong answers: which kind comes when, and what it looks like.

Belongs here: faults of requests, drawn from a seed.  Does not belong here: how they reach the
client (``transport.py``), and kills (``kills.py``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from fakes.fake_binance import _BODIES, _STATUSES, BODY_FAULTS

Body = Any

NETWORK = ("drop", "timeout", "drip", "cut", "slow", "suspend")
STATUSES = ("429", "500", "503", "504")
RARE = ("418", "418", "403", "400", "451")
OMISSIONS = ("omits some", "omits first", "omits last", "empties")
HIDING = ("hides",)  # some rows, from every answer, for some minutes
ODD_BODIES = ("html", "truncated", "null", "text", "dict")
CLOCK = ("skew",)
BAR_BODIES = (*BODY_FAULTS, "forming", "contradiction")


@dataclass(frozen=True)
class Fault:
    """One wrong answer; ``retry_after`` in seconds, where the exchange names one."""

    kind: str
    retry_after: int | None = None


class Script:
    """Draws a fault, or none, for each request; the same for the same seed and run."""

    def __init__(self, seed: int, run: int, rate: float, only: tuple[str, ...] = ()) -> None:
        self.random = np.random.default_rng(np.random.SeedSequence([seed, 2, run]))
        self.rate = rate
        self.only = only

    def next(self, path: str) -> Fault | None:
        """What befalls the next request."""
        if self.random.random() >= self.rate:
            return None
        group = self._group(path)
        group = tuple(kind for kind in group if kind in self.only) if self.only else group
        if not group:
            return None
        kind = str(self.random.choice(group))
        named = kind in ("429", "418") and self.random.random() < 0.6
        return Fault(kind, int(self.random.integers(1, 40)) if named else None)

    def _group(self, path: str) -> tuple[str, ...]:
        draw = self.random.random()
        if self.only:
            last = path.rpartition("/")[2]
            rows = (*OMISSIONS, *HIDING)
            lists = {"time": CLOCK, "exchangeInfo": (), "klines": (*rows, *BAR_BODIES)}
            return (*RARE, *STATUSES, *NETWORK, *lists.get(last, rows))
        if draw < 0.05:
            return RARE
        if draw < 0.25:
            return NETWORK
        if draw < 0.40:
            return STATUSES
        if path.endswith("/time"):
            return CLOCK if draw < 0.9 else ODD_BODIES
        if path.endswith("/exchangeInfo"):
            return ODD_BODIES
        if draw < 0.65:
            return (*OMISSIONS, *HIDING, *HIDING)
        return BAR_BODIES if path.endswith("/klines") else ODD_BODIES

    def hide(self, stamps: list[int], now: float) -> tuple[int, int, float]:
        """First and last time of the rows that are not to be seen, and until when, seconds."""
        first = int(self.random.integers(0, len(stamps)))
        last = min(len(stamps) - 1, first + int(self.random.integers(0, 30)))
        return stamps[first], stamps[last], now + float(self.random.uniform(5, 1800))

    def body(self, kind: str, body: Body, now_ms: int, step_ms: int) -> bytes:
        """The wrong body in place of a right one."""
        if kind == "skew":
            return self._skewed(body)
        if kind == "html":
            return b"<html><body>Service Unavailable</body></html>"
        if kind in OMISSIONS:
            return json.dumps(self._omitting(kind, body)).encode()
        if kind in BAR_BODIES and not body:
            return b"null"
        if kind == "contradiction":
            return json.dumps(self._contradicting(body)).encode()
        if kind == "forming":
            opened = now_ms // step_ms * step_ms
            return json.dumps([*body, forming([opened, *body[-1][1:]])]).encode()
        return _BODIES[kind](body, now_ms)

    def status(self, kind: str) -> tuple[int, bytes]:
        """Status and body of a refusal."""
        code, body = _STATUSES[kind]
        return code, json.dumps(body).encode()

    def _skewed(self, body: Body) -> bytes:
        by = float(self.random.choice([-1, 1])) * 10 ** self.random.uniform(0.9, 6)
        return json.dumps({"serverTime": int(body["serverTime"] + by * 1000)}).encode()

    def _omitting(self, kind: str, rows: Body) -> Body:
        if not isinstance(rows, list) or kind == "empties":
            return []
        cut = int(self.random.integers(0, len(rows) + 1))
        if kind == "omits first":
            return rows[cut:]
        if kind == "omits last":
            return rows[:cut]
        width = int(self.random.integers(1, 30))
        return rows[:cut] + rows[cut + width :]

    def _contradicting(self, rows: Body) -> Body:
        place = int(self.random.integers(0, len(rows)))
        other = forming(rows[place])
        return [*rows[: place + 1], other, *rows[place + 1 :]]


def forming(row: list[Any]) -> list[Any]:
    """A candle before its end: the same open, and not yet the rest."""
    half = [repr(float(value) / 2) for value in (row[5], row[7], row[9], row[10])]
    return [row[0], row[1], row[1], row[1], row[1], half[0], row[6], half[1], 1, *half[2:], "0"]
