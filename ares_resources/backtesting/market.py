"""The bars that a backtest walks over, as checked arrays.

Belongs here: arrays of bars, their checks, views and fingerprint.  Does not belong here:
signals and runs (``engine``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ares_resources.backtesting.options import whole_number
from ares_resources.errors import BadInput
from ares_resources.timeframes import DAY_MS

if TYPE_CHECKING:
    import pandas as pd

_PRICES = ("open", "high", "low", "close")
_COLUMNS = ("timestamp", *_PRICES, "atr", "funding_payment")


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
    bar_ms
        Length of a bar, milliseconds; no two bars may lie nearer.  0 takes the smallest
        distance of two bars (1 for a single bar), for callers that know no timeframe: a later
        bar may change it, and with it time stops over gaps.
    gap_payment
        float64 ``(n,)``, fraction of notional that a long held since an earlier bar pays at the
        bar's open, for settlements while bars were missing; None, or 0.0 everywhere: none.

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
    bar_ms: int = 0
    gap_payment: np.ndarray | None = None

    def __post_init__(self) -> None:
        names = _COLUMNS if self.gap_payment is None else (*_COLUMNS, "gap_payment")
        for name in names:
            kind = np.int64 if name == "timestamp" else np.float64
            object.__setattr__(self, name, frozen_array(getattr(self, name), kind))
        rows = len(self.timestamp)
        if rows == 0:
            raise BadInput("market has 0 rows; a backtest needs at least 1 bar")
        for name in names:
            if getattr(self, name).shape != (rows,):
                shape = getattr(self, name).shape
                raise BadInput(f"market column {name!r} has shape {shape}, not ({rows},)")
        self._check_values()
        object.__setattr__(self, "bar_ms", self._checked_bar_ms())
        object.__setattr__(self, "gap_payment", _unless_zero(self.gap_payment))

    @classmethod
    def from_frame(cls, bars: pd.DataFrame, atr: np.ndarray, *, bar_ms: int = 0) -> MarketArrays:
        """Take the columns of a market frame; a frame without funding pays none."""
        missing = [name for name in ("timestamp", *_PRICES) if name not in bars.columns]
        if missing:
            raise BadInput(f"market frame lacks column {missing[0]!r}; has {list(bars.columns)}")
        if "funding_payment" in bars.columns:
            funding = bars["funding_payment"].to_numpy()
        else:
            funding = np.zeros(len(bars))
        gap = bars["gap_payment"].to_numpy() if "gap_payment" in bars.columns else None
        columns = {name: bars[name].to_numpy() for name in ("timestamp", *_PRICES)}
        return cls(**columns, atr=atr, funding_payment=funding, bar_ms=bar_ms, gap_payment=gap)

    def __len__(self) -> int:
        return len(self.timestamp)

    def rows(self, start: int, stop: int) -> MarketArrays:
        """The bars ``start <= row < stop``, as views: nothing is copied or checked again."""
        if not 0 <= start < stop <= len(self):
            raise BadInput(f"rows [{start}, {stop}) are not inside a market of {len(self)} rows")
        part = object.__new__(MarketArrays)
        for name in _COLUMNS:
            object.__setattr__(part, name, getattr(self, name)[start:stop])
        # A part counts time as the whole does, also where its own bars all lie far apart.
        object.__setattr__(part, "bar_ms", self.bar_ms)
        gap = None if self.gap_payment is None else self.gap_payment[start:stop]
        object.__setattr__(part, "gap_payment", _unless_zero(gap))
        return part

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
        funded = np.union1d(np.flatnonzero(self.funding_payment), self._gap_paid_rows)
        return _ended(np.union1d(funded, self.day_end_rows))

    @cached_property
    def gap_rows(self) -> np.ndarray:
        """int64: rows before which bars are missing, ascending, then one beyond any row."""
        if self.timestamp[-1] - self.timestamp[0] == (len(self) - 1) * self.bar_ms:
            return _ended(self._gap_paid_rows)
        return _ended(np.union1d(np.flatnonzero(np.diff(self.slot) > 1) + 1, self._gap_paid_rows))

    @cached_property
    def gap_funding(self) -> np.ndarray:
        """float64: ``gap_payment`` of each of ``gap_rows``; 0.0 beyond."""
        paid = np.zeros(len(self.gap_rows))
        if self.gap_payment is not None:
            paid[:-1] = self.gap_payment[self.gap_rows[:-1]]
        return frozen_array(paid, np.float64)

    @cached_property
    def _gap_paid_rows(self) -> np.ndarray:
        if self.gap_payment is None:
            return np.empty(0, np.int64)
        return np.flatnonzero(self.gap_payment).astype(np.int64)

    @cached_property
    def extremes(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest low and highest high of each block of rows; see ``kernel.price_extremes``."""
        from ares_resources.backtesting.kernel import price_extremes

        return price_extremes(self.low, self.high)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of all that decides a result; computed once for each object."""
        from ares_resources.hashing import arrays_fingerprint

        content = {name: getattr(self, name) for name in _COLUMNS}
        content["bar_ms"] = np.array([self.bar_ms], np.int64)
        if self.gap_payment is not None:
            content["gap_payment"] = self.gap_payment
        return arrays_fingerprint(content)

    def _check_values(self) -> None:
        from ares_resources.backtesting.kernel import bars_are_sound

        if not bars_are_sound(*(getattr(self, name) for name in _COLUMNS)):
            self._name_the_fault()
        if self.gap_payment is not None:
            _refuse("gap_payment", self.gap_payment, ~np.isfinite(self.gap_payment), "set")

    def _checked_bar_ms(self) -> int:
        given = whole_number("bar_ms", self.bar_ms, least=0)
        step = np.diff(self.timestamp)
        if not given:
            return int(step.min()) if step.size else 1
        if step.size and step.min() < given:
            row = int(np.argmax(step < given)) + 1
            raise BadInput(
                f"market row {row}: timestamp {self.timestamp[row]} is {step[row - 1]} ms after the"
                f" row before; bars of {given} ms must be at least that far apart"
            )
        return given

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


def _unless_zero(values: np.ndarray | None) -> np.ndarray | None:
    """None for a column of zeros, which says and costs no more than no column."""
    return values if values is not None and values.any() else None


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
