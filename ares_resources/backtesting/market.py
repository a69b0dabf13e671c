"""The bars that a backtest walks over, as checked arrays.

Belongs here: arrays of bars, their checks, views and fingerprint.  Does not belong here:
signals and runs (``engine``).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ares_resources.errors import BadInput
from ares_resources.timeframes import DAY_MS

if TYPE_CHECKING:
    import pandas as pd

_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, eq=False)
class MarketArrays:
    """The bars a backtest walks over; rows are bars, missing bars are absent.

    Parameters
    ----------
    timestamp
        int64 ``(n,)``, milliseconds UTC of the bar's open, strictly increasing.
    open, high, low, close
        float64 ``(n,)``, finite and positive, with ``low <= open, close <= high``.
    atr
        float64 ``(n,)``, average true range known at the bar's close, price units; NaN while
        it is not known yet (no decision is taken there).
    funding_payment
        float64 ``(n,)``, fraction of notional that a long pays in the bar; 0.0 without a
        settlement.

    Raises
    ------
    BadInput
        Naming the column, first row and value that break these rules.
    """

    timestamp: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    atr: np.ndarray
    funding_payment: np.ndarray

    def __post_init__(self) -> None:
        for field in fields(self):
            kind = np.int64 if field.name == "timestamp" else np.float64
            object.__setattr__(self, field.name, frozen_array(getattr(self, field.name), kind))
        rows = len(self.timestamp)
        if rows == 0:
            raise BadInput("market has 0 rows; a backtest needs at least 1 bar")
        for field in fields(self):
            if getattr(self, field.name).shape != (rows,):
                shape = getattr(self, field.name).shape
                raise BadInput(f"market column {field.name!r} has shape {shape}, not ({rows},)")
        self._check_values()

    @classmethod
    def from_frame(cls, bars: pd.DataFrame, atr: np.ndarray) -> MarketArrays:
        """Take the columns of a market frame; a frame without funding pays none."""
        missing = [name for name in ("timestamp", *_PRICES) if name not in bars.columns]
        if missing:
            raise BadInput(f"market frame lacks column {missing[0]!r}; has {list(bars.columns)}")
        if "funding_payment" in bars.columns:
            funding = bars["funding_payment"].to_numpy()
        else:
            funding = np.zeros(len(bars))
        columns = {name: bars[name].to_numpy() for name in ("timestamp", *_PRICES)}
        return cls(**columns, atr=atr, funding_payment=funding)

    def __len__(self) -> int:
        return len(self.timestamp)

    def rows(self, start: int, stop: int) -> MarketArrays:
        """The bars ``start <= row < stop``, as views: nothing is copied or checked again."""
        if not 0 <= start < stop <= len(self):
            raise BadInput(f"rows [{start}, {stop}) are not inside a market of {len(self)} rows")
        part = object.__new__(MarketArrays)
        for field in fields(self):
            object.__setattr__(part, field.name, getattr(self, field.name)[start:stop])
        # A part counts time as the whole does, also where its own bars all lie far apart.
        object.__setattr__(part, "bar_ms", self.bar_ms)
        return part

    @cached_property
    def bar_ms(self) -> int:
        """Length of a bar in milliseconds: the smallest distance of two bars (1 for one bar)."""
        return int(np.diff(self.timestamp).min()) if len(self) > 1 else 1

    @cached_property
    def slot(self) -> np.ndarray:
        """int64 ``(n,)``: bar lengths since the first bar; it jumps where bars are missing."""
        return frozen_array((self.timestamp - self.timestamp[0]) // self.bar_ms, np.int64)

    @cached_property
    def day_end_rows(self) -> np.ndarray:
        """int64 ``(days,)``: the last row of every UTC day that has bars, by bar open."""
        first, last = self.timestamp[0] // DAY_MS, self.timestamp[-1] // DAY_MS
        midnights = np.arange(first + 1, last + 1, dtype=np.int64) * DAY_MS
        ends = np.searchsorted(self.timestamp, midnights) - 1
        return frozen_array(np.unique(np.append(ends, len(self) - 1)), np.int64)

    @cached_property
    def event_rows(self) -> np.ndarray:
        """int64: rows with funding and last rows of days, ascending, then one beyond any row."""
        funded = np.flatnonzero(self.funding_payment)
        return _ended(np.union1d(funded, self.day_end_rows))

    @cached_property
    def gap_rows(self) -> np.ndarray:
        """int64: rows before which bars are missing, ascending, then one beyond any row."""
        if self.timestamp[-1] - self.timestamp[0] == (len(self) - 1) * self.bar_ms:
            return _ended(np.empty(0, np.int64))
        return _ended(np.flatnonzero(np.diff(self.slot) > 1) + 1)

    @cached_property
    def extremes(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest low and highest high of each block of rows; see ``kernel.price_extremes``."""
        from ares_resources.backtesting.kernel import price_extremes

        return price_extremes(self.low, self.high)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all columns; computed once for each object."""
        from ares_resources.hashing import arrays_fingerprint

        return arrays_fingerprint({field.name: getattr(self, field.name) for field in fields(self)})

    def _check_values(self) -> None:
        from ares_resources.backtesting.kernel import bars_are_sound

        if not bars_are_sound(*(getattr(self, field.name) for field in fields(self))):
            self._name_the_fault()

    def _name_the_fault(self) -> None:
        step = np.diff(self.timestamp)
        if step.size and step.min() <= 0:
            row = int(np.argmax(step <= 0)) + 1
            raise BadInput(f"market row {row}: timestamp {self.timestamp[row]} does not increase")
        for name in _PRICES:
            column = getattr(self, name)
            _refuse(name, column, ~((column > 0) & (column < np.inf)), "finite and positive")
        _refuse("funding_payment", self.funding_payment, ~np.isfinite(self.funding_payment), "set")
        _refuse("atr", self.atr, (self.atr < 0) | np.isinf(self.atr), "NaN, or finite and >= 0")
        body_high, body_low = np.maximum(self.open, self.close), np.minimum(self.open, self.close)
        _refuse("high", self.high, self.high < body_high, "at or above open and close")
        _refuse("low", self.low, self.low > body_low, "at or below open and close")


def _ended(rows: np.ndarray) -> np.ndarray:
    return frozen_array(np.append(rows, np.iinfo(np.int64).max), np.int64)


def _refuse(name: str, column: np.ndarray, bad: np.ndarray, allowed: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise BadInput(f"market row {row}: {name} {column[row]} must be {allowed}")


def frozen_array(values: np.ndarray, kind: type) -> np.ndarray:
    """A contiguous read-only view (a copy only where type or layout force one)."""
    array = np.asarray(values)
    whole = np.issubdtype(array.dtype, np.integer)
    if array.dtype.kind not in "iuf" or (kind is np.int64 and not whole):
        raise BadInput(f"array of type {array.dtype} given where {kind.__name__} is needed")
    view: np.ndarray = np.ascontiguousarray(array, dtype=kind).view()
    view.flags.writeable = False
    return view
