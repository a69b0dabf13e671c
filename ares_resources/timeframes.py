"""Exchange timeframes in milliseconds.

Belongs here: spelling and length of timeframes.  Pandas' own aliases are not used: its
``1m`` is a month end.
"""

from __future__ import annotations

from ares_resources.errors import BadInput

TIMEFRAMES: dict[str, int] = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "6h": 21_600_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
}
DAY_MS = 86_400_000


def timeframe_ms(timeframe: str) -> int:
    """Length of a bar in milliseconds.

    Raises
    ------
    BadInput
        If the timeframe is not one of :data:`TIMEFRAMES`.
    """
    try:
        return TIMEFRAMES[timeframe]
    except (KeyError, TypeError):
        allowed = ", ".join(TIMEFRAMES)
        raise BadInput(f"timeframe {timeframe!r} is not known; allowed: {allowed}") from None
