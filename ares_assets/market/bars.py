"""Bars as frames: what a valid one is, and what is joined to it.

Belongs here: the schema of bars, and joining funding and open interest by availability.
Does not belong here: collecting, storing, repairing bars; slower ones (``resampling.py``).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput
from ares_resources.timeframes import grid_offset_ms, grid_words, timeframe_ms

if TYPE_CHECKING:
    from pandera.errors import SchemaError
    from pandera.pandas import DataFrameSchema

PRICE_COLUMNS = ("open", "high", "low", "close")
BAR_COLUMNS = ("timestamp", *PRICE_COLUMNS, "volume", "taker_buy_share")
REFERENCE_COLUMNS = ("funding_rate", "funding_payment", "gap_payment", "open_interest")
MARKET_COLUMNS = BAR_COLUMNS + REFERENCE_COLUMNS


@lru_cache(maxsize=1)
def bar_schema() -> DataFrameSchema:
    """Pandera schema of a bars frame; the columns of step 1's reference data are optional."""
    import pandera.pandas as pa

    def finite(series: pd.Series) -> pd.Series:
        return pd.Series(np.isfinite(series.to_numpy()), index=series.index)

    price = [pa.Check(finite, error="finite"), pa.Check.gt(0, error="above 0")]
    amount = [pa.Check(finite, error="finite"), pa.Check.ge(0, error="at least 0")]
    share = pa.Check.in_range(0, 1, error="within 0 and 1")
    columns: dict[str, Any] = {"timestamp": pa.Column("int64", pa.Check.ge(0, error="at least 0"))}
    columns |= {name: pa.Column("float64", price) for name in PRICE_COLUMNS}
    columns["volume"] = pa.Column("float64", amount)
    columns["taker_buy_share"] = pa.Column("float64", share, nullable=True)
    for name in REFERENCE_COLUMNS:
        columns[name] = pa.Column("float64", price[:1], nullable=True, required=False)
    return pa.DataFrameSchema(columns)


def check_bars(frame: pd.DataFrame, timeframe: str) -> None:
    """Reject a bars (or market) frame that is not exactly what the other steps rely on.

    Checked: columns, their order and types; finite positive prices with
    ``low <= open, close <= high``; volume >= 0; taker share in [0, 1] or missing; a plain
    range index; timestamps ascending, unique and on the timeframe's grid.  Missing bars are
    allowed (they are absent rows).

    Raises
    ------
    BadInput
        One line: the column, the first bad row, its value and what is allowed.
    """
    step = timeframe_ms(timeframe)
    _check_columns(frame)
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        raise BadInput("bars: the index must be 0..n-1; reset it")
    _check_values(frame)
    _check_candles(frame)
    _check_grid(frame["timestamp"].to_numpy(), step, timeframe)


def _check_columns(frame: pd.DataFrame) -> None:
    have = list(frame.columns)
    known = [name for name in MARKET_COLUMNS if name in BAR_COLUMNS or name in have]
    missing = [name for name in known if name not in have]
    extra = [name for name in have if name not in known]
    if missing:
        raise BadInput(f"bars: column {missing[0]!r} is missing; needed: {', '.join(known)}")
    if extra:
        raise BadInput(f"bars: column {extra[0]!r} is unknown; allowed: {', '.join(known)}")
    if have != known:
        raise BadInput(f"bars: columns are ordered {have}; they must be {known}")


def _check_values(frame: pd.DataFrame) -> None:
    from pandera.errors import SchemaError

    try:
        bar_schema().validate(frame)
    except SchemaError as error:
        raise BadInput(_describe(frame, error)) from error


def _describe(frame: pd.DataFrame, error: SchemaError) -> str:
    name = str(getattr(error.schema, "name", None))
    values = frame[name]
    if error.reason_code is not None and error.reason_code.name == "WRONG_DATATYPE":
        return f"bars: column {name!r} is {values.dtype}; it must be {error.schema.dtype}"
    if error.reason_code is not None and error.reason_code.name == "SERIES_CONTAINS_NULLS":
        row = int(np.flatnonzero(values.isna())[0])
        return f"bars: column {name!r}, row {row}: missing value; every bar needs one"
    row = int(error.failure_cases["index"].iloc[0])
    return f"bars: column {name!r}, row {row}: {values.iloc[row]} must be {error.check.error}"


def _check_candles(frame: pd.DataFrame) -> None:
    body = frame[["open", "close"]].to_numpy()
    for column, wrong, allowed in (
        ("high", frame["high"].to_numpy() < body.max(axis=1), "at least open and close"),
        ("low", frame["low"].to_numpy() > body.min(axis=1), "at most open and close"),
    ):
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            value = frame[column].iloc[row]
            raise BadInput(f"bars: column {column!r}, row {row}: {value} must be {allowed}")


def _check_grid(timestamps: np.ndarray, step: int, timeframe: str) -> None:
    off_grid = np.flatnonzero((timestamps - grid_offset_ms(step)) % step)
    if len(off_grid):
        row = int(off_grid[0])
        raise BadInput(
            f"bars: column 'timestamp', row {row}: {timestamps[row]} is not the open of a "
            f"{timeframe} bar (allowed: {grid_words(step)})"
        )
    unsorted = np.flatnonzero(np.diff(timestamps) <= 0)
    if len(unsorted):
        row = int(unsorted[0]) + 1
        raise BadInput(
            f"bars: column 'timestamp', row {row}: {timestamps[row]} must be later than "
            f"{timestamps[row - 1]} before it (ascending, no duplicates)"
        )


def join_reference(
    bars: pd.DataFrame,
    funding: pd.DataFrame,
    open_interest: pd.DataFrame,
    timeframe: str,
) -> pd.DataFrame:
    """Add funding and open interest to bars, each as known at the bar's close.

    A value joins the first bar that closes at or after its own time.  ``funding_rate`` is the
    last rate settled by the close (NaN before the first); ``funding_payment`` the sum of the
    rates settled within (open, close], else 0.0; ``open_interest`` the last one known at the
    close (NaN before the first).  What settled while bars were missing, after the close of the
    bar before and up to a bar's open, is that bar's ``gap_payment``: due for a position held over
    the gap, not for one opened at that bar.

    Parameters
    ----------
    bars
        A valid bars frame, n rows.
    funding
        ``timestamp`` (ms of settlement), ``funding_rate`` (fraction per settlement); may be empty.
    open_interest
        ``timestamp`` (ms), ``open_interest``; may be empty.

    Returns
    -------
    New market frame with :data:`MARKET_COLUMNS`, n rows.

    Raises
    ------
    BadInput
        If a reference frame is unsorted, holds duplicates or non-finite values.
    """
    opens = bars["timestamp"].to_numpy()
    closes = opens + timeframe_ms(timeframe)
    settled, rates = _reference_series(funding, "funding_rate")
    observed, interest = _reference_series(open_interest, "open_interest")
    market = bars.loc[:, list(BAR_COLUMNS)].copy()
    market["funding_rate"] = _last_known(settled, rates, closes)
    within, between = _payments(settled, rates, opens, closes)
    market["funding_payment"], market["gap_payment"] = within, between
    market["open_interest"] = _last_known(observed, interest, closes)
    return market


def _reference_series(frame: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    missing = [name for name in ("timestamp", column) if name not in frame.columns]
    if missing:
        raise BadInput(f"{column}: column {missing[0]!r} is missing; have {list(frame.columns)}")
    times = frame["timestamp"].to_numpy(dtype=np.int64)
    values = frame[column].to_numpy(dtype=np.float64)
    backward = np.flatnonzero(np.diff(times) <= 0)
    if len(backward):
        row = int(backward[0]) + 1
        raise BadInput(
            f"{column}: column 'timestamp', row {row}: {times[row]} must be later than "
            f"{times[row - 1]} before it"
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        row = int(bad[0])
        raise BadInput(f"{column}: column {column!r}, row {row}: {values[row]} must be finite")
    return times, values


def _last_known(times: np.ndarray, values: np.ndarray, closes: np.ndarray) -> np.ndarray:
    padded = np.concatenate([[np.nan], values])
    return padded[np.searchsorted(times, closes, side="right")]


def _payments(
    times: np.ndarray, rates: np.ndarray, opens: np.ndarray, closes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the rates settled within each bar, and between it and the bar before it."""
    within, between = np.zeros(len(opens)), np.zeros(len(opens))
    bar = np.searchsorted(closes, times, side="left")
    known = bar < len(opens)
    bar, times, rates = bar[known], times[known], rates[known]
    inside = times > opens[bar]
    np.add.at(within, bar[inside], rates[inside])
    # Nobody held a position before the first bar.
    late = ~inside & (bar > 0)
    np.add.at(between, bar[late], rates[late])
    return within, between
