"""A file of bars, read and checked row by row.

Belongs here: from a path to a bars frame, or to one line that says what is wrong.  Does not
belong here: the catalogue (:mod:`ares_resources.exchanges.files.ingest`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput
from ares_resources.exchanges.files.columns import Columns, choose_columns
from ares_resources.exchanges.files.containers import payload_format, read_payload
from ares_resources.exchanges.files.tables import parse_table
from ares_resources.exchanges.files.times import BadTime, to_milliseconds
from ares_resources.storage.frames import Fault, first_fault, recurring_jumps, taker_share, utc
from ares_resources.timeframes import TIMEFRAMES, timeframe_ms

if TYPE_CHECKING:
    import pyarrow as pa

_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class BarsFile:
    """Checked bars in the file's own order, repetitions kept; notes say what was assumed."""

    frame: pd.DataFrame
    timeframe: str
    notes: tuple[str, ...]


def read_bars_file(
    path: Path,
    *,
    timeframe: str | None = None,
    stamped_at: str = "open",
    now_ms: int | None = None,
) -> BarsFile:
    """Read bars from CSV, zip or gz of it, Parquet, feather or JSON.

    Parameters
    ----------
    timeframe
        What the bars must be; None takes the most frequent distance of timestamps.
    stamped_at
        "open", or "close" for exporters that stamp a bar by its end.
    now_ms
        The present, milliseconds UTC; None for the wall clock.

    Raises
    ------
    BadInput
        One line: file, column, first row, value and what is allowed.
    """
    if stamped_at not in ("open", "close"):
        raise BadInput(f"stamped_at {stamped_at!r} is not known; allowed: open, close")
    try:
        data = read_payload(path)
        frame, notes = _bars(parse_table(data, payload_format(path, data)))
        found = _timeframe(frame, timeframe)
        step = timeframe_ms(found)
        if stamped_at == "close":
            frame["timestamp"] -= step
            notes = (*notes, "times are closes; moved back by one bar")
        _refuse_faults(frame, step, now_ms)
    except BadInput as error:
        raise BadInput(_with_file(path, str(error))) from error
    return BarsFile(frame, found, notes)


def _bars(table: pa.Table) -> tuple[pd.DataFrame, tuple[str, ...]]:
    columns = choose_columns(table.column_names)
    try:
        stamps, notes = to_milliseconds(table.column(columns.time).to_pandas())
    except BadTime as error:
        raise BadInput(str(error)) from error
    values = {"timestamp": stamps}
    for name, position in zip(_PRICES, columns.prices, strict=True):
        values[name] = _numbers(table, position)
    values["volume"] = _numbers(table, columns.volume)
    values["taker_buy_share"] = _taker_share(table, columns, values["volume"])
    return pd.DataFrame(values), (*columns.notes, *notes)


def _taker_share(table: pa.Table, columns: Columns, volume: np.ndarray) -> np.ndarray:
    if columns.taker_share is not None:
        return _numbers(table, columns.taker_share)
    if columns.taker_volume is None:
        return np.full(len(volume), np.nan)
    return taker_share(_numbers(table, columns.taker_volume), volume)


def _numbers(table: pa.Table, position: int) -> np.ndarray:
    import pyarrow as pa

    column = table.column(position)
    try:
        return column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        name = table.column_names[position]
        numbers = pd.to_numeric(column.to_pandas(), errors="coerce")
        bad = numbers.isna().to_numpy()
        if not bad.any():
            return numbers.to_numpy(dtype="float64")
        row = int(np.argmax(bad))
        fault = Fault(name, row + 1, repr(column[row].as_py()), "numbers")
        raise BadInput(str(fault)) from error


def _timeframe(frame: pd.DataFrame, wanted: str | None) -> str:
    if wanted is not None:
        timeframe_ms(wanted)
    steps = np.diff(np.sort(frame["timestamp"].to_numpy()))
    steps = steps[steps > 0]
    if len(steps) == 0:
        if wanted is None:
            raise BadInput("one bar only, so its timeframe cannot be told; needed: --timeframe")
        return wanted
    values, counts = np.unique(steps, return_counts=True)
    modal = int(values[np.argmax(counts)])
    found = next((name for name, length in TIMEFRAMES.items() if length == modal), None)
    if found is None:
        allowed = ", ".join(TIMEFRAMES)
        raise BadInput(f"bars are mostly {modal} ms apart, no timeframe; allowed: {allowed}")
    if wanted not in (None, found):
        raise BadInput(f"timeframe {wanted} was asked for; the file holds {found} bars")
    return found


def _refuse_faults(frame: pd.DataFrame, step_ms: int, now_ms: int | None) -> None:
    fault = first_fault(frame, "bars", step_ms=step_ms, now_ms=now_ms)
    if fault is not None:
        raise BadInput(str(fault))
    ordered = frame.drop_duplicates("timestamp").sort_values("timestamp")
    count, first_ms = recurring_jumps(ordered, step_ms)
    if count:
        row = int(np.argmax(frame["timestamp"].to_numpy() == first_ms))
        raise BadInput(
            f"row {row + 1}: close = {frame['close'].iloc[row]} at {utc(first_ms)} is one of "
            f"{count} bars that move by more than 65 %, as on test networks; "
            "allowed: prices of a real market"
        )


def _with_file(path: Path, message: str) -> str:
    return message if message.startswith(str(path)) else f"{path}: {message}"
