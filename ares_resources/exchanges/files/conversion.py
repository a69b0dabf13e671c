"""One block of a foreign table, brought to the catalogue's columns and looked at.

Belongs here: what can be done with a block alone.  Does not belong here: what needs the blocks
before it (:mod:`ares_resources.exchanges.files.reader`).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import numpy as np

from ares_resources.arrow_arrays import to_numpy
from ares_resources.errors import BadInput
from ares_resources.exchanges.files.columns import Columns, choose_columns
from ares_resources.exchanges.files.plausibility import Leaps, leaps_of
from ares_resources.exchanges.files.times import BadTime, to_milliseconds
from ares_resources.storage.frames import Fault, Rows, conform_rows, first_fault, taker_share
from ares_resources.timeframes import TIMEFRAMES, timeframe_ms

if TYPE_CHECKING:
    import pyarrow as pa

_STRETCH = 24
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class ReadOptions:
    """What a person says about a file; None where the file is to tell.

    ``timeframe``: what bars must be.  ``stamped_at``: "open", or "close" for exporters that
    stamp a bar by its end.  ``utc_offset_ms``: zone of the file's times.  ``volume_unit``:
    "base", or "quote" for volumes in the quote currency.  ``now_ms``: the present.
    ``quote_is_dollar``: whether volumes may be judged as amounts of dollars.  ``is_inverse``:
    whether the instrument's dumps count volume in contracts.  ``allow_jumps``: take in bars that
    leap like a test network's.
    """

    timeframe: str | None = None
    stamped_at: str | None = None
    utc_offset_ms: int | None = None
    volume_unit: str | None = None
    now_ms: int | None = None
    quote_is_dollar: bool = False
    is_inverse: bool = False
    allow_jumps: bool = False

    def __post_init__(self) -> None:
        _check_choice("stamped_at", self.stamped_at, ("open", "close"))
        _check_choice("volume_unit", self.volume_unit, ("base", "quote"))
        if self.timeframe is not None:
            timeframe_ms(self.timeframe)


@dataclass(frozen=True)
class Block:
    """Conforming rows in the file's order, and what was found out about them.

    ``timeframe`` is empty for funding; ``zone`` and ``units`` are those of :class:`Times`;
    ``notes`` say how columns were chosen.
    """

    rows: Rows
    kind: str
    timeframe: str
    zone: str
    units: dict[str, int]
    notes: tuple[str, ...]
    leaps: Leaps | None
    volume_is_quote: bool = False


class BadRow(Exception):
    """A row that cannot be used; ``row`` counts from 1 within its block."""

    def __init__(self, row: int, words: str) -> None:
        super().__init__(words)
        self.row = row


def convert(table: pa.Table, options: ReadOptions, timeframe: str) -> Block:
    """Bring a block to the catalogue's columns, and check each of its rows.

    ``timeframe`` is what earlier blocks turned out to be; empty for the first.

    Raises
    ------
    BadRow
        At the first cell that is no number or time, or else the first row that cannot be true.
    BadInput
        If the columns are no bars and no funding, or no timeframe fits.
    """
    columns = choose_columns(table.column_names)
    try:
        times = to_milliseconds(table.column(columns.time))
    except BadTime as error:
        raise BadRow(error.row, str(error)) from error
    stamps = times.milliseconds - (options.utc_offset_ms or 0)
    if columns.kind == "funding":
        rows: Rows = {
            "timestamp": stamps,
            "funding_rate": _rates(table.column(columns.values[0])),
        }
    else:
        timeframe = timeframe or timeframe_of(stamps, options.timeframe)
        rows = _bars(table, columns, stamps, options, timeframe)
    step = timeframe_ms(timeframe) if timeframe else 0
    _refuse_other_timeframe(stamps, step)
    fault = first_fault(rows, columns.kind, step_ms=step, now_ms=options.now_ms)
    if fault is not None:
        raise BadRow(fault.row, fault.words)
    leaps = leaps_of(rows, step) if timeframe else None
    return Block(
        rows,
        columns.kind,
        timeframe,
        times.zone,
        times.units,
        columns.notes,
        leaps,
        columns.volume_is_quote,
    )


def _refuse_other_timeframe(stamps: np.ndarray, step_ms: int) -> None:
    """Refuse a long stretch of bars at another distance: two timeframes in one file."""
    if not step_ms or (np.diff(stamps) == step_ms).all():
        return
    steps = np.diff(np.sort(stamps))
    steps = steps[steps > 0]
    if len(steps) < _STRETCH:
        return
    turns = np.flatnonzero(np.diff(steps)) + 1
    lengths = np.diff(np.concatenate([[0], turns, [len(steps)]]))
    values = steps[np.concatenate([[0], turns])]
    other = (lengths >= _STRETCH) & (values != step_ms)
    if other.any():
        first = int(np.argmax(other))
        row = int(lengths[:first].sum())
        raise BadRow(
            int(np.argmax(stamps == np.unique(stamps)[row])) + 1,
            f"from here on {int(lengths[first]) + 1} bars are {int(values[first])} ms apart, and "
            f"others {step_ms}; allowed: one timeframe in a file",
        )


def timeframe_of(stamps: np.ndarray, wanted: str | None) -> str:
    """The timeframe that most neighbouring bars are apart.

    Raises
    ------
    BadInput
        If that is none, or not the one that was asked for, or there is one bar only.
    """
    steps = np.diff(np.sort(stamps))
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
    if wanted is not None and wanted != found and (steps % timeframe_ms(wanted)).any():
        raise BadInput(f"timeframe {wanted} was asked for; the file holds {found} bars")
    return wanted or found


def _bars(
    table: pa.Table, columns: Columns, stamps: np.ndarray, options: ReadOptions, timeframe: str
) -> Rows:
    numbers = [_numbers(table, position) for position in columns.values]
    values: Rows = {"timestamp": stamps, **dict(zip(_PRICES, numbers[:4], strict=True))}
    values["volume"] = numbers[4]
    values["taker_buy_share"] = _taker_share(table, columns, numbers[4])
    if options.volume_unit == "quote":
        values["volume"] = numbers[4] / (sum(numbers[:4]) / 4)
    if options.stamped_at == "close":
        values["timestamp"] = stamps - timeframe_ms(timeframe)
    return conform_rows(values, "bars")


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
        return to_numpy(column.cast(pa.float64()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass  # some cell is no number: find out which
    cells = column.to_pylist()
    row = next((n for n, cell in enumerate(cells) if not _is_number(cell)), None)
    if row is None:
        return np.array([float(cell) for cell in cells])
    fault = Fault(table.column_names[position], row + 1, repr(cells[row]), "numbers")
    raise BadRow(fault.row, fault.words)


def _is_number(cell: object) -> bool:
    try:
        float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _rates(column: pa.ChunkedArray) -> np.ndarray:
    """Rates as fractions; texts may be percent, which are shifted as decimals, exactly."""
    import pyarrow as pa

    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return to_numpy(column.cast(pa.float64()))
    rates = np.empty(len(column))
    for row, cell in enumerate(column.to_pylist()):
        text = str(cell).strip()
        try:
            number = Decimal(text.removesuffix("%").strip())
            rates[row] = float(number.scaleb(-2) if text.endswith("%") else number)
        except (InvalidOperation, ValueError) as error:
            fault = Fault("funding_rate", row + 1, repr(cell), "numbers, or percent")
            raise BadRow(fault.row, fault.words) from error
    return rates


def _check_choice(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise BadInput(f"{name} {value!r} is not known; allowed: {', '.join(allowed)}")
