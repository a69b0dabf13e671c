"""Times of foreign tables, in whatever unit or spelling, as milliseconds UTC.

Belongs here: epochs of four units, ISO dates, and CryptoDataDownload's ``04-AM``.  Does not
belong here: whether a time is plausible, and which zone a file without one means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ares_resources.arrow_arrays import to_numpy
from ares_resources.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

_UNITS = (  # an epoch below the bound is in this unit; 2009 to 2200 fits every one of them
    ("s", 1e11, 1_000.0),
    ("ms", 1e14, 1.0),
    ("us", 1e17, 1e-3),
    ("ns", np.inf, 1e-6),
)
_HOUR_OF_HALF_DAY = "%Y-%m-%d %I-%p"
_LONGEST_OFFSET_MINUTES = 14 * 60
ALLOWED_TIMES = "epochs in s, ms, us or ns; ISO dates; dates like 2017-08-17 04-AM"


class BadTime(ValueError):
    """A cell that is no time; ``row`` counts from 1 within its block."""

    def __init__(self, row: int, value: object) -> None:
        super().__init__(f"time = {value!r}; allowed: {ALLOWED_TIMES}")
        self.row = row


@dataclass(frozen=True)
class Times:
    """Milliseconds UTC, int64 (n,), and what was assumed.

    ``zone``: "said" by the values, "none" where dates have no zone and are taken as UTC,
    "mixed" where only some say one, or "epoch".  ``units``: rows by unit, for epochs.
    """

    milliseconds: np.ndarray
    zone: str
    units: dict[str, int]


def to_milliseconds(column: pa.ChunkedArray) -> Times:
    """Numbers, datetimes or texts as milliseconds UTC.

    Raises
    ------
    BadTime
        At the first cell that is no time.
    """
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    if column.null_count:
        raise BadTime(1 + column.is_null().to_pylist().index(True), "")
    if pa.types.is_timestamp(kind):
        return Times(_moments(column), "none" if kind.tz is None else "said", {})
    if pa.types.is_date(kind):
        return Times(_moments(column.cast(pa.timestamp("ms"))), "none", {})
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        exact = pa.int64() if pa.types.is_integer(kind) else pa.float64()
        return _from_epochs(to_numpy(column.cast(exact)))
    return _from_texts(column.cast(pa.string()))


def parse_utc_offset(text: str) -> int:
    """``+08:00`` in milliseconds.

    Raises
    ------
    BadInput
        If it is none, or more than 14 hours.
    """
    found = re.fullmatch(r"([+-])(\d{1,2}):?(\d{2})?", text.strip())
    minutes = int(found[2]) * 60 + int(found[3] or 0) if found else _LONGEST_OFFSET_MINUTES + 1
    if found is None or minutes > _LONGEST_OFFSET_MINUTES or int(found[3] or 0) > 59:
        raise BadInput(f"UTC offset {text!r} is not usable; allowed: like +08:00, up to 14 hours")
    return (minutes if found[1] == "+" else -minutes) * 60_000


def spell_utc_offset(offset_ms: int) -> str:
    """The inverse of :func:`parse_utc_offset`."""
    hours, minutes = divmod(abs(offset_ms) // 60_000, 60)
    return f"{'-' if offset_ms < 0 else '+'}{hours:02d}:{minutes:02d}"


def _moments(column: pa.ChunkedArray) -> np.ndarray:
    import pyarrow as pa

    zone = column.type.tz
    return to_numpy(column.cast(pa.timestamp("ms", zone), safe=False).cast(pa.int64()))


def _from_epochs(numbers: np.ndarray) -> Times:
    size = np.abs(numbers.astype("float64"))
    bad = ~np.isfinite(size)
    if bad.any():
        row = int(np.argmax(bad))
        raise BadTime(row + 1, numbers[row].item())
    largest, smallest = size.max(initial=0.0), size.min(initial=np.inf)
    units = {}
    stamps, lower = np.zeros(len(numbers), dtype="int64"), 0.0
    for unit, bound, factor in _UNITS:
        if smallest >= lower and largest < bound:  # all of one unit, as almost every file
            return Times(_scaled(numbers, factor), "epoch", {unit: len(numbers)})
        here = (size >= lower) & (size < bound)
        if here.any():
            units[unit] = int(here.sum())
            stamps[here] = _scaled(numbers[here], factor)
        lower = bound
    return Times(stamps, "epoch", units)


def _scaled(numbers: np.ndarray, factor: float) -> np.ndarray:
    if numbers.dtype.kind in "iu":  # exact: nanoseconds do not fit a float
        whole = numbers.astype("int64", copy=False)
        if factor == 1.0:
            return whole
        return whole * int(factor) if factor > 1 else whole // round(1 / factor)
    return np.rint(numbers * factor).astype("int64")


def _from_texts(column: pa.ChunkedArray) -> Times:
    import pyarrow as pa

    for kind in (pa.float64(), pa.timestamp("us", "UTC"), pa.timestamp("us")):
        try:
            typed = column.cast(kind)
        except pa.ArrowInvalid:
            continue
        return to_milliseconds(typed)
    return _from_mixed_texts(column)


def _from_mixed_texts(column: pa.ChunkedArray) -> Times:
    """Several spellings in one column: slower, cell by cell."""
    import pandas as pd

    values = column.to_pandas().astype("string")
    not_numbers = pd.to_numeric(values, errors="coerce").isna().to_numpy()
    if not not_numbers.all():  # epochs, but for the first cell that is none
        row = int(np.argmax(not_numbers))
        raise BadTime(row + 1, values.iloc[row])
    moments = pd.to_datetime(values, format="ISO8601", utc=True, errors="coerce")
    rest = moments.isna()
    if rest.any():
        moments[rest] = pd.to_datetime(
            values[rest], format=_HOUR_OF_HALF_DAY, utc=True, errors="coerce"
        )
    bad = moments.isna().to_numpy()
    if bad.any():
        row = int(np.argmax(bad))
        raise BadTime(row + 1, values.iloc[row])
    stamps = moments.dt.tz_localize(None).to_numpy().astype("datetime64[ms]").astype("int64")
    said = values.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})\s*$", regex=True)
    zone = "said" if said.all() else "mixed" if said.any() else "none"
    return Times(stamps, zone, {})
