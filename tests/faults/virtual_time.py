"""Time that passes only when somebody waits, so that hours of waiting take no time.

Belongs here: the clocks of the exchange and of this machine, and putting ccxt on them.  Does
not belong here: what happens when.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import ccxt


class VirtualTime:
    """Seconds; ``wall_error`` is by how much this machine's own clock is wrong."""

    def __init__(self, start: float, wall_error: float = 0.0) -> None:
        self._start = start
        self._awake = 0.0
        self._suspended = 0.0
        self.wall_error = wall_error

    def monotonic(self) -> float:
        """Stands still while the machine is suspended, as Linux' does."""
        return 5_000.0 + self._awake

    def wall(self) -> float:
        """This machine's clock."""
        return self.true() + self.wall_error

    def true(self) -> float:
        """The exchange's time, epoch seconds."""
        return self._start + self._awake + self._suspended

    def true_ms(self) -> int:
        """The exchange's time, milliseconds."""
        return int(self.true() * 1000)

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError(f"sleep of {seconds} s")
        self._awake += seconds

    def suspend(self, seconds: float) -> None:
        """Close the lid for a while."""
        self._suspended += seconds


@contextlib.contextmanager
def ccxt_on(time: VirtualTime) -> Iterator[None]:
    """Let ccxt's own rate limiter and time stamps use ``time``."""
    ccxt_exchange: Any = sys.modules[ccxt.Exchange.__module__]
    before = ccxt_exchange.time
    ccxt_exchange.time = SimpleNamespace(
        time=time.wall,
        time_ns=lambda: int(time.wall() * 1e9),
        sleep=time.sleep,
    )
    try:
        yield
    finally:
        ccxt_exchange.time = before
