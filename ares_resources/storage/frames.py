"""The rows that come from a market and rest in the catalogue, and what is wrong with one.

Belongs here: columns, dtypes, emptiness, and the first fault.  Does not belong here: where
rows came from, and what is done about a fault (the caller raises).

Rows are columns of equal length: a DataFrame at the borders, a dict of arrays inside, so that
files stream through without pandas.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, Union

import numpy as np

from ares_resources.errors import BadInput
from ares_resources.timeframes import DAY_MS, grid_offset_ms, grid_words

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["bars", "funding", "open_interest"]
Rows: TypeAlias = dict[str, np.ndarray]
AnyRows: TypeAlias = Union["pd.DataFrame", Mapping[str, np.ndarray]]
Progress = Callable[[str, int, int], None]  # what, done, total: of files, or of bars

COLUMNS: dict[str, tuple[str, ...]] = {
    "bars": ("timestamp", "open", "high", "low", "close", "volume", "taker_buy_share"),
    "funding": ("timestamp", "funding_rate"),
    "open_interest": ("timestamp", "open_interest"),
}
NULLABLE: dict[str, tuple[str, ...]] = {
    "bars": ("taker_buy_share",),
    "funding": (),
    "open_interest": (),
}
EARLIEST_MS = 1_230_768_000_000  # 2009-01-01: no coin is older
LONGEST_JUDGED_MS = 3_600_000
JUMP_LOG_RETURN = 0.5
JUMPS_THAT_REFUSE = 3
JUMP_SHARE_THAT_REFUSES = 1 / 20_000


@dataclass(frozen=True)
class Fault:
    """The first bad cell of a frame; ``row`` counts data rows from 1."""

    column: str
    row: int
    value: object
    allowed: str

    @property
    def words(self) -> str:
        """What is wrong, without the row."""
        return f"{self.column} = {self.value}; allowed: {self.allowed}"

    def __str__(self) -> str:
        return f"row {self.row}: {self.words}"


def empty_rows(kind: str) -> Rows:
    """No rows of this kind, with the right columns and dtypes."""
    return {name: np.empty(0, "int64" if i == 0 else "float64") for i, name in _numbered(kind)}


def empty_frame(kind: str) -> pd.DataFrame:
    """:func:`empty_rows` as a frame."""
    return frame_of(empty_rows(kind))


def frame_of(rows: Rows) -> pd.DataFrame:
    """The columns as a frame with a RangeIndex."""
    import pandas as pd

    return pd.DataFrame(rows, copy=False)


def conform(frame: AnyRows, kind: str) -> pd.DataFrame:
    """:func:`conform_rows` as a frame."""
    return frame_of(conform_rows(frame, kind))


def conform_rows(frame: AnyRows, kind: str) -> Rows:
    """The known columns in order, typed; a missing nullable column becomes NaN.

    Raises
    ------
    BadInput
        If a column is missing or not numeric, or the timestamps are not integers.
    """
    columns: Rows = {}
    for position, name in _numbered(kind):
        if name in frame:
            columns[name] = _typed(frame[name], name, integer=position == 0)
        elif name in NULLABLE[kind]:
            columns[name] = np.full(len(columns["timestamp"]), np.nan)
        else:
            raise BadInput(f"{kind} without column {name!r}; needed: {', '.join(COLUMNS[kind])}")
    return columns


def first_fault(
    frame: AnyRows, kind: str, *, step_ms: int = 0, now_ms: int | None = None
) -> Fault | None:
    """The first row that cannot be true, or None.

    Parameters
    ----------
    frame
        Conforming rows, in any order.
    step_ms
        Length of the timeframe, on whose grid timestamps must be; 0 for no grid.
    now_ms
        The present; timestamps may lie up to a day later.
    """
    now = int(time.time() * 1000) if now_ms is None else now_ms
    if kind == "bars" and _surely_sound(frame, step_ms, now):
        return None
    checks = [*_time_checks(frame, step_ms, now), *_value_checks(frame, kind)]
    found = [
        (int(np.argmax(bad)), order) for order, (_, bad, _) in enumerate(checks) if np.any(bad)
    ]
    if not found:
        return None
    row, order = min(found)
    column, _, allowed = checks[order]
    return Fault(column, row + 1, np.asarray(frame[column])[row], allowed)


def recurring_jumps(frame: AnyRows, step_ms: int) -> tuple[int, int]:
    """How many neighbouring bars of up to an hour jump beyond belief, and the first one's time.

    Real markets move by more than 50 % within one bar at most once in a great while; test
    networks do so all the time.  ``frame`` is sorted.  (0, 0) below three such jumps, or one in
    20,000 bars.
    """
    jumped = jumps(frame, step_ms)
    count = int(jumped.sum())
    if not too_many_jumps(count, len(jumped)):
        return 0, 0
    return count, int(np.asarray(frame["timestamp"])[jumped][0])


def jumps(frame: AnyRows, step_ms: int) -> np.ndarray:
    """Whether each bar jumps beyond belief from the one before, bool (n,); see above."""
    stamps, close, high, low = (
        np.asarray(frame[name]) for name in ("timestamp", "close", "high", "low")
    )
    jumped = np.zeros(len(stamps), dtype=bool)
    if step_ms > LONGEST_JUDGED_MS or len(stamps) < 2:
        return jumped
    ratio, wide = close[1:] / close[:-1], high[1:] / low[1:]
    bound = float(np.exp(JUMP_LOG_RETURN))
    beyond = (ratio > bound) | (ratio < 1 / bound) | (wide > bound)
    jumped[1:] = beyond & (np.diff(stamps) == step_ms)
    return jumped


def too_many_jumps(count: int, rows: int) -> bool:
    """Whether so many jumps in so many bars say that this is no real market."""
    return count >= max(JUMPS_THAT_REFUSE, JUMP_SHARE_THAT_REFUSES * rows)


def taker_share(taker_volume: np.ndarray, volume: np.ndarray) -> np.ndarray:
    """Share of ``volume`` that takers bought; NaN where nothing was traded.

    Exchanges round the two volumes apart from each other, so a share may pass 1 by that.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(volume > 0, taker_volume / volume, np.nan)
    return np.where((share > 1) & (share < 1 + 1e-6), 1.0, share)


def utc(timestamp_ms: int) -> str:
    """A timestamp for people: ``2023-03-24T12:40:00Z``."""
    moment = np.datetime64(int(timestamp_ms), "ms")
    text = np.datetime_as_string(moment, unit="s" if timestamp_ms % 1000 == 0 else "ms")
    return f"{text}Z"


def _numbered(kind: str) -> enumerate[str]:
    if kind not in COLUMNS:
        raise BadInput(f"kind of series {kind!r} is not known; allowed: {', '.join(COLUMNS)}")
    return enumerate(COLUMNS[kind])


def _typed(values: pd.Series | np.ndarray, name: str, *, integer: bool) -> np.ndarray:
    if integer and getattr(values.dtype, "kind", "O") not in "iu":
        raise BadInput(f"column {name!r} holds {values.dtype}; needed: integer milliseconds UTC")
    try:
        return np.asarray(values, dtype="int64" if integer else "float64")
    except (TypeError, ValueError) as error:
        raise BadInput(f"column {name!r} is not numeric: {error}") from error


def _surely_sound(bars: AnyRows, step_ms: int, now_ms: int) -> bool:
    """Whether no check below can find a fault, in few passes: a NaN fails every comparison."""
    stamps, opens, high, low, close, volume, share = (
        np.asarray(bars[name]) for name in COLUMNS["bars"]
    )
    if len(stamps) == 0:
        return True
    in_time = stamps.min() >= EARLIEST_MS and stamps.max() <= now_ms + DAY_MS
    if not in_time or (step_ms and ((stamps - grid_offset_ms(step_ms)) % step_ms).any()):
        return False
    sound = (low > 0) & (low <= opens) & (low <= close) & (high >= opens) & (high >= close)
    sound &= (high < np.inf) & (volume >= 0) & (volume < np.inf)
    sound &= ((share >= 0) & (share <= 1)) | np.isnan(share)
    return bool(sound.all())


Check = tuple[str, np.ndarray, str]


def _time_checks(frame: AnyRows, step_ms: int, now_ms: int) -> list[Check]:
    stamps = np.asarray(frame["timestamp"])
    latest = now_ms + DAY_MS
    span = f"milliseconds UTC from {utc(EARLIEST_MS)} to {utc(latest)}"
    checks: list[Check] = [("timestamp", (stamps < EARLIEST_MS) | (stamps > latest), span)]
    if step_ms:
        off_grid = (stamps - grid_offset_ms(step_ms)) % step_ms != 0
        checks.append(("timestamp", off_grid, grid_words(step_ms)))
    return checks


def _value_checks(frame: AnyRows, kind: str) -> list[Check]:
    if kind == "bars":
        return _bar_checks(frame)
    name = COLUMNS[kind][1]
    values = np.asarray(frame[name])
    if kind == "funding":
        bad = ~np.isfinite(values) | (np.abs(values) > 1)
        return [(name, bad, "a fraction per settlement between -1 and 1")]
    return [(name, ~np.isfinite(values) | (values < 0), "a finite number of at least 0")]


def _bar_checks(frame: AnyRows) -> list[Check]:
    opens, high, low, close, volume, share = (
        np.asarray(frame[name]) for name in COLUMNS["bars"][1:]
    )
    checks: list[Check] = [
        (name, ~np.isfinite(values) | (values <= 0), "finite prices above 0")
        for name, values in (("open", opens), ("high", high), ("low", low), ("close", close))
    ]
    top, bottom = np.maximum(opens, close), np.minimum(opens, close)
    checks.append(("high", high < np.maximum(top, low), "at least open, close and low"))
    checks.append(("low", low > bottom, "at most open, close and high"))
    checks.append(("volume", ~np.isfinite(volume) | (volume < 0), "a finite number of at least 0"))
    unknown = np.isnan(share)
    bad_share = ~unknown & ~((share >= 0) & (share <= 1))
    checks.append(("taker_buy_share", bad_share, "a share from 0 to 1, or nothing"))
    return checks
