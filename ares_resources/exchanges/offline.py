"""No exchange at all: for runs that shall use the catalogue only.

Belongs here: refusing to fetch, in one place.  Does not belong here: what is then done with
the bars at hand (:mod:`ares_resources.collection`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pandas as pd

from ares_resources.errors import ExchangeUnavailable


class OfflineExchange:
    """Knows the time and nothing else; every question is answered by ExchangeUnavailable."""

    def __init__(self, name: str, *, as_of_ms: int | None = None) -> None:
        self.name = name.upper()
        self._as_of_ms = as_of_ms

    def now_ms(self) -> int:
        """``as_of_ms``, or the wall clock."""
        return int(time.time() * 1000) if self._as_of_ms is None else self._as_of_ms

    def check_symbol(self, instrument: str) -> None:
        """Accept any: the catalogue knows which symbols there are."""

    def check_timeframe(self, timeframe: str) -> None:
        """Accept any: the catalogue knows which series there are."""

    def bars(
        self, instrument: str, timeframe: str, start_ms: int, end_ms: int
    ) -> Iterator[pd.DataFrame]:
        """Raise ExchangeUnavailable."""
        raise self._refusal()

    def funding(self, instrument: str, start_ms: int, end_ms: int) -> pd.DataFrame:
        """Raise ExchangeUnavailable."""
        raise self._refusal()

    def open_interest(
        self, instrument: str, timeframe: str, start_ms: int, end_ms: int
    ) -> pd.DataFrame:
        """Raise ExchangeUnavailable."""
        raise self._refusal()

    def _refusal(self) -> ExchangeUnavailable:
        return ExchangeUnavailable(f"{self.name} is not asked: offline")
