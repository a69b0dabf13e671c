"""Times of foreign tables, in whatever unit or spelling, as milliseconds UTC.

Belongs here: epochs of four units, ISO dates, and CryptoDataDownload's ``04-AM``.  Does not
belong here: whether a time is plausible.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

_UNITS = (  # an epoch below the bound is in this unit; 2009 to 2200 fits every one of them
    ("s", 1e11, 1_000.0),
    ("ms", 1e14, 1.0),
    ("us", 1e17, 1e-3),
    ("ns", np.inf, 1e-6),
)
_HOUR_OF_HALF_DAY = "%Y-%m-%d %I-%p"
ALLOWED_TIMES = "epochs in s, ms, us or ns; ISO dates; dates like 2017-08-17 04-AM"


class BadTime(ValueError):
    """The first cell that is no time; ``row`` counts from 1."""

    def __init__(self, row: int, value: object) -> None:
        super().__init__(f"row {row}: time = {value!r}; allowed: {ALLOWED_TIMES}")


def to_milliseconds(values: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """Milliseconds UTC (int64) of numbers, datetimes or texts, and notes on what was assumed.

    Raises
    ------
    BadTime
        At the first cell that is no time.
    """
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _from_datetimes(values.dt.tz_convert("UTC").dt.tz_localize(None)), ()
    if pd.api.types.is_datetime64_dtype(values.dtype):
        return _from_datetimes(values), ("times without a zone are taken as UTC",)
    if pd.api.types.is_numeric_dtype(values.dtype):
        return _from_epochs(values)
    return _from_texts(values.astype("string"))


def _from_datetimes(values: pd.Series) -> np.ndarray:
    missing = values.isna().to_numpy()
    if missing.any():
        raise BadTime(int(np.argmax(missing)) + 1, "")
    return values.to_numpy().astype("datetime64[ms]").astype("int64")


def _from_epochs(values: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    numbers = values.to_numpy()
    size = np.abs(numbers.astype("float64"))
    bad = ~np.isfinite(size)
    if bad.any():
        row = int(np.argmax(bad))
        raise BadTime(row + 1, values.iloc[row])
    stamps = np.zeros(len(numbers), dtype="int64")
    found, lower = [], 0.0
    for unit, bound, factor in _UNITS:
        here = (size >= lower) & (size < bound)
        if here.any():
            found.append(f"{unit} in {int(here.sum())} rows")
            stamps[here] = _scaled(numbers[here], factor)
        lower = bound
    return stamps, (f"epochs are mixed: {', '.join(found)}",) if len(found) > 1 else ()


def _scaled(numbers: np.ndarray, factor: float) -> np.ndarray:
    if numbers.dtype.kind in "iu":  # exact: nanoseconds do not fit a float
        whole = numbers.astype("int64")
        return whole * int(factor) if factor >= 1 else whole // round(1 / factor)
    return np.rint(numbers * factor).astype("int64")


def _from_texts(values: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().all():
        return _from_epochs(numbers.astype("float64"))
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
    stamps = _from_datetimes(moments.dt.tz_localize(None))
    return stamps, ("dates without a zone are taken as UTC",)
