"""The one interface behind which every source of bars stands.

Belongs here: the protocol.  Does not belong here: any exchange, and any storage.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd


class Exchange(Protocol):
    """Read access to one exchange's public history."""

    name: str

    def now_ms(self) -> int:
        """The exchange's clock, milliseconds UTC."""
        ...

    def check_symbol(self, instrument: str) -> None:
        """Raise BadInput, naming what is allowed, if the instrument is not traded here."""
        ...

    def check_timeframe(self, timeframe: str) -> None:
        """Raise BadInput, naming what is allowed, if there are no such bars here."""
        ...

    def bars(
        self, instrument: str, timeframe: str, start_ms: int, end_ms: int
    ) -> Iterator[pd.DataFrame]:
        """Pages of closed bars with ``start_ms <= timestamp < end_ms``, in time order."""
        ...

    def funding(self, instrument: str, start_ms: int, end_ms: int) -> pd.DataFrame:
        """Funding settlements: ``timestamp``, ``funding_rate``; empty where there are none."""
        ...

    def open_interest(
        self, instrument: str, timeframe: str, start_ms: int, end_ms: int
    ) -> pd.DataFrame:
        """Open interest: ``timestamp``, ``open_interest``; empty where there is none."""
        ...
