"""Exchange timeframes in milliseconds, and the grid on which their bars open.

Belongs here: spelling, length and grid of timeframes.  Pandas' own aliases are not used: its
``1m`` is a month end.  Does not belong here: which of them an exchange offers.

A timeframe is usable if its bars have one length and open at times that are known without
asking: some number of seconds, minutes or hours that divides a day, a day, or a week.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NoReturn

from ares_resources.errors import BadInput

SECOND_MS, MINUTE_MS, HOUR_MS = 1_000, 60_000, 3_600_000
DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
_MONDAY_MS = 4 * DAY_MS  # 1970-01-05; the epoch was a Thursday

_UNITS = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": WEEK_MS}
_USUAL = (
    *("1s", "5s", "10s", "15s", "30s"),
    *("1m", "2m", "3m", "5m", "10m", "15m", "20m", "30m", "45m"),
    *("1h", "2h", "3h", "4h", "6h", "8h", "12h", "1d", "1w"),
)

TIMEFRAMES: dict[str, int] = {name: int(name[:-1]) * _UNITS[name[-1]] for name in _USUAL}
"""The usual ones, ascending; :func:`timeframe_ms` knows every other that divides a day."""


def timeframe_ms(timeframe: str) -> int:
    """Length of a bar in milliseconds.

    Raises
    ------
    BadInput
        If the timeframe is misspelt, or its bars have no one length or no known grid; the
        message says which, and what to do.
    """
    known = TIMEFRAMES.get(timeframe) if isinstance(timeframe, str) else None
    return _parsed(timeframe) if known is None else known


def why_not_slower(timeframe: str, base: str) -> str | None:
    """Why bars of ``timeframe`` cannot be made of ``base`` ones, in words; None if they can.

    Both are usable timeframes.  Slower bars are longer, and whole multiples, of the base ones.
    """
    length, step = timeframe_ms(timeframe), timeframe_ms(base)
    if length <= step:
        return f"is not longer than the {base} bars"
    if length % step:
        return f"is not a whole multiple of the {base} bars"
    return None


def slower_timeframes(timeframes: Sequence[str], base: str) -> tuple[str, ...]:
    """Those of ``timeframes`` that can be made of ``base`` bars, in their order."""
    return tuple(name for name in timeframes if why_not_slower(name, base) is None)


def timeframes_left_out(timeframes: Sequence[str], base: str) -> dict[str, str]:
    """The others of ``timeframes``, each with the reason in words."""
    reasons = {name: why_not_slower(name, base) for name in timeframes}
    return {name: why for name, why in reasons.items() if why is not None}


def grid_offset_ms(step_ms: int) -> int:
    """When, after the epoch, the grid of bars of this length begins: weeks open on Mondays."""
    return _MONDAY_MS if step_ms % WEEK_MS == 0 else 0


def grid_floor(moment_ms: int, step_ms: int) -> int:
    """The last bar boundary at or before a moment."""
    offset = grid_offset_ms(step_ms)
    return (moment_ms - offset) // step_ms * step_ms + offset


def grid_ceil(moment_ms: int, step_ms: int) -> int:
    """The first bar boundary at or after a moment."""
    return grid_floor(moment_ms + step_ms - 1, step_ms)


def grid_words(step_ms: int) -> str:
    """Where bars of this length open, for people."""
    if step_ms % WEEK_MS == 0:
        return "Mondays 00:00 UTC"
    return f"multiples of {step_ms} ms"


def _parsed(timeframe: object) -> int:
    match = re.fullmatch(r"([1-9]\d{0,4})([smhdwMy])", str(timeframe)[:8])
    if not isinstance(timeframe, str) or match is None:
        raise BadInput(f"timeframe {_shown(timeframe)} is not known; allowed: {_allowed()}")
    count, unit = int(match[1]), match[2]
    if unit in "My":
        _refuse(timeframe, "months and years have no one length", "1d, and resample")
    length = count * _UNITS[unit]
    if length not in (DAY_MS, WEEK_MS) and (unit in "dw" or length > DAY_MS):
        _refuse(timeframe, "no calendar says on which day its bars open", "1d, and resample")
    if length != WEEK_MS and DAY_MS % length:
        _refuse(timeframe, "it does not divide a day", _allowed())
    spelled = _spelled(length)
    if spelled != timeframe:
        _refuse(timeframe, "each length has one spelling", spelled)
    return length


def _spelled(length_ms: int) -> str:
    unit = next(name for name in "wdhms" if length_ms % _UNITS[name] == 0)
    return f"{length_ms // _UNITS[unit]}{unit}"


def _refuse(timeframe: str, reason: str, instead: str) -> NoReturn:
    raise BadInput(f"timeframe {timeframe!r} cannot be used: {reason}; allowed: {instead}")


def _allowed() -> str:
    return f"{', '.join(TIMEFRAMES)}, and others that divide a day"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
