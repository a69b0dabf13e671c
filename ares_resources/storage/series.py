"""What a series of the catalogue is called, and the figures that describe one.

Belongs here: the name of a series, its coverage, the report of an append.  Does not belong
here: files.
"""

from __future__ import annotations

from dataclasses import dataclass

from ares_resources.errors import BadInput
from ares_resources.storage.frames import COLUMNS
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import timeframe_ms


@dataclass(frozen=True, order=True)
class Series:
    """One thing that is known of a symbol.

    ``kind`` is "bars", "funding" or "open_interest".  Funding has no timeframe: whatever is
    given is dropped, so that there is one funding series for a symbol.
    """

    symbol: SymbolKey
    kind: str
    timeframe: str = ""

    def __post_init__(self) -> None:
        if self.kind not in COLUMNS:
            raise BadInput(f"series {self.kind!r} is not known; allowed: {', '.join(COLUMNS)}")
        if self.kind == "funding":
            object.__setattr__(self, "timeframe", "")
        else:
            timeframe_ms(self.timeframe)

    @property
    def step_ms(self) -> int:
        """Distance of neighbouring bars, milliseconds; 0 where there is no grid."""
        return timeframe_ms(self.timeframe) if self.kind == "bars" else 0

    @property
    def folder(self) -> str:
        """Name of the series' folder inside its symbol's."""
        return f"{self.kind}-{self.timeframe}" if self.timeframe else self.kind

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.symbol), self.timeframe, self.kind) if part)


@dataclass(frozen=True)
class Coverage:
    """First and last timestamp of a series, and its rows."""

    first_ms: int
    last_ms: int
    rows: int


@dataclass(frozen=True)
class AppendReport:
    """What became of the rows of one append, in rows."""

    added: int
    repeated: int
    conflicting: int
