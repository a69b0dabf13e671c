"""Rows of an exchange's answers, checked and made into frames.

Belongs here: every way in which a body of status 200 can be wrong.  Does not belong here:
asking for it, and trying again (each fault is a :class:`TransientFailure`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ares_resources.exchanges.retries import TransientFailure
from ares_resources.storage.frames import conform, empty_frame, first_fault, taker_share, utc

CLOCK_TOLERANCE_MS = 60_000


@dataclass(frozen=True)
class RowShape:
    """Positions in a row; ``width`` is the least length, ``taker`` None where not given."""

    width: int
    volume: int = 5
    taker: int | None = None


UNIFIED = RowShape(6)
KLINE = RowShape(11, taker=9)
INVERSE_KLINE = RowShape(11, volume=7, taker=10)  # position 5 counts contracts there


@dataclass(frozen=True)
class Asked:
    """What was asked for, and by the exchange's clock when, milliseconds UTC.

    ``strict``: the exchange honours the span, so rows outside it are a fault; else they are
    dropped, since many exchanges know no end and some round the start down.
    """

    start_ms: int
    end_ms: int
    step_ms: int
    now_ms: int
    strict: bool


def bars_page(rows: object, shape: RowShape, asked: Asked) -> pd.DataFrame:
    """All plausible rows of one page, in time order, closed or not, as a bars frame.

    Raises
    ------
    TransientFailure
        If the body is not a list of rows, or any row cannot be true.
    """
    columns = _columns(rows, shape)
    frame = _typed_bars(columns, shape)
    _refuse_fault(frame, "bars", asked.step_ms, asked.now_ms)
    _refuse_disorder(frame)
    stamps = frame["timestamp"].to_numpy()
    future = stamps > asked.now_ms + CLOCK_TOLERANCE_MS
    if future.any():
        raise TransientFailure(f"a bar of the future, {utc(int(stamps[np.argmax(future)]))}")
    if asked.strict:
        _refuse_outside(stamps, asked)
    return frame


def wanted_bars(page: pd.DataFrame, asked: Asked) -> pd.DataFrame:
    """The closed bars of the span that was asked for."""
    stamps = page["timestamp"].to_numpy()
    inside = (stamps >= asked.start_ms) & (stamps < asked.end_ms)
    return page[inside & (stamps + asked.step_ms <= asked.now_ms)].reset_index(drop=True)


def latest_instead(page: pd.DataFrame, asked: Asked, limit: int) -> int | None:
    """Where a page begins that holds an exchange's latest bars and not those asked for.

    Such an exchange answers any start by its newest page: nearly full, up to the present, and
    beginning later than asked.  None for every other page.
    """
    if len(page) < 0.9 * limit:
        return None
    first, last = int(page["timestamp"].iloc[0]), int(page["timestamp"].iloc[-1])
    reaches_now = last + 2 * asked.step_ms > asked.now_ms
    return first if reaches_now and first > asked.start_ms + asked.step_ms else None


def records_page(
    rows: object, kind: str, fields: tuple[str, ...], start_ms: int, end_ms: int
) -> pd.DataFrame:
    """Funding or open interest of ccxt's unified records, inside the span, sorted, unique.

    ``fields`` are alternatives for the value; the first that every record has is taken.
    """
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TransientFailure(f"{kind}: not a list of records")
    if not rows:
        return empty_frame(kind)
    name = next((f for f in fields if all(row.get(f) is not None for row in rows)), fields[0])
    stamps = [row.get("timestamp") for row in rows]
    if not all(_is_integer(stamp) for stamp in stamps):
        raise TransientFailure(f"{kind}: a record without a time")
    column = empty_frame(kind).columns[1]
    values = _floats([row.get(name) for row in rows], name)
    frame = pd.DataFrame({"timestamp": _integers(stamps), column: values})
    frame = conform(frame, kind).drop_duplicates().sort_values("timestamp", kind="stable")
    frame = frame[(frame["timestamp"] >= start_ms) & (frame["timestamp"] < end_ms)]
    _refuse_fault(frame, kind, 0, end_ms)
    if frame["timestamp"].duplicated().any():
        raise TransientFailure(f"{kind}: two values for one time")
    return frame.reset_index(drop=True)


def _columns(rows: object, shape: RowShape) -> list[list[Any]]:
    if not isinstance(rows, list):
        raise TransientFailure(f"the body is not a list of bars but {type(rows).__name__}")
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) < shape.width:
            raise TransientFailure(f"row {number + 1} is no bar: {str(row)[:60]!r}")
        if not _is_integer(row[0]):
            raise TransientFailure(f"row {number + 1} has no time: {str(row[0])[:30]!r}")
    return [list(column) for column in zip(*(row[: shape.width] for row in rows), strict=True)]


def _typed_bars(columns: list[list[Any]], shape: RowShape) -> pd.DataFrame:
    if not columns:
        return empty_frame("bars")
    names = ("open", "high", "low", "close")
    values: dict[str, np.ndarray] = {"timestamp": _integers(columns[0])}
    for name, position in zip(names, range(1, 5), strict=True):
        values[name] = _floats(columns[position], name)
    values["volume"] = _floats(columns[shape.volume], "volume")
    if shape.taker is not None:
        taker = _floats(columns[shape.taker], "taker_buy_volume")
        _refuse_bad_taker(taker)
        values["taker_buy_share"] = taker_share(taker, values["volume"])
    return conform(pd.DataFrame(values), "bars")


def _refuse_bad_taker(taker: np.ndarray) -> None:
    bad = ~np.isfinite(taker) | (taker < 0)
    if bad.any():
        row = int(np.argmax(bad))
        raise TransientFailure(f"row {row + 1}: taker_buy_volume = {taker[row]}")


def _floats(cells: list[Any], name: str) -> np.ndarray:
    numbers = np.empty(len(cells))
    for row, cell in enumerate(cells):
        try:
            numbers[row] = float(cell)
        except (TypeError, ValueError) as error:
            raise TransientFailure(f"row {row + 1}: {name} = {str(cell)[:30]!r}") from error
    return numbers


def _integers(cells: list[Any]) -> np.ndarray:
    return np.array([int(cell) for cell in cells], dtype="int64")


def _is_integer(value: object) -> bool:
    if isinstance(value, str):  # ccxt turns the numbers of a body into texts
        return re.fullmatch(r"\d{1,18}", value) is not None
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62


def _refuse_fault(frame: pd.DataFrame, kind: str, step_ms: int, now_ms: int) -> None:
    fault = first_fault(frame, kind, step_ms=step_ms, now_ms=now_ms)
    if fault is not None:
        raise TransientFailure(str(fault))


def _refuse_disorder(frame: pd.DataFrame) -> None:
    steps = np.diff(frame["timestamp"].to_numpy())
    if (steps <= 0).any():
        raise TransientFailure(f"row {int(np.argmax(steps <= 0)) + 2} is out of order")


def _refuse_outside(stamps: np.ndarray, asked: Asked) -> None:
    forming = (stamps >= asked.end_ms) & (stamps + asked.step_ms > asked.now_ms)
    outside = ((stamps < asked.start_ms) | (stamps >= asked.end_ms)) & ~forming
    if outside.any():
        at = utc(int(stamps[np.argmax(outside)]))
        raise TransientFailure(f"a bar of {at}, outside the span that was asked for")
