"""Whether a file's times mean what they seem to, told by series that are known already.

Belongs here: comparing returns, or funding rates, at shifted times.  Does not belong here:
what is then done about it (:mod:`ares_resources.exchanges.files.ingest`).

Markets move together, so the returns of a bar correlate with those of the same minute
elsewhere and hardly with those a minute apart.  A file stamped at its bars' close, or in
another zone, shows as a correlation at the wrong distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.storage.frames import Rows
from ares_resources.storage.merging import ascending, taken
from ares_resources.symbols import SymbolKey

SAMPLE_ROWS = 20_000
LEAST_PAIRS = 200
LEAST_CORRELATION = 0.3
_HALF_HOUR_MS = 1_800_000
_ZONES = range(-28, 29)  # half hours
_REFERENCES = 6


@dataclass(frozen=True)
class Shift:
    """``shift_ms`` later than ``reference``: the correlation there, and without a shift."""

    shift_ms: int
    reference: str
    correlation: float
    unshifted: float

    def __str__(self) -> str:
        return (
            f"returns match {self.reference} {self.correlation:.2f} when moved back by "
            f"{self.shift_ms // 1000} s, and {self.unshifted:.2f} as they are"
        )


class StampJudge:
    """Collects a sample of a file's closes and compares it with the catalogue's series.

    Parameters
    ----------
    series
        The series of bars that the file is for.
    """

    def __init__(self, catalogue: Catalogue, series: Series) -> None:
        self._catalogue, self._series = catalogue, series
        self._references = _references(catalogue, series)
        self._blocks: list[Rows] = []
        self._rows = 0

    @property
    def step_ms(self) -> int:
        """Length of the file's bars."""
        return self._series.step_ms

    @property
    def wants_more(self) -> bool:
        """Whether another block could still change the verdict."""
        return bool(self._references) and self._rows < SAMPLE_ROWS

    def add(self, rows: Rows) -> None:
        """Take the bars of a block that some reference covers into the sample."""
        stamps = rows["timestamp"]
        covered = np.zeros(len(stamps), dtype=bool)
        for reference in self._references:
            coverage = self._catalogue.coverage(reference)
            if coverage is not None:
                covered |= (stamps >= coverage.first_ms) & (stamps <= coverage.last_ms)
        if covered.any():
            sample = taken({name: rows[name] for name in ("timestamp", "close")}, covered)
            self._blocks.append(sample)
            self._rows += int(covered.sum())

    def verdict(self) -> Shift | None:
        """The shift that the closest reference shows, or None: no shift, or nobody can tell."""
        if self._rows < LEAST_PAIRS:
            return None
        stamps, returns = _returns(_joined(self._blocks), self._series.step_ms)
        for reference in self._references:
            best = self._best_shift(reference, stamps, returns)
            if best is not None:
                return best if best.shift_ms else None
        return None

    def _best_shift(
        self, reference: Series, stamps: np.ndarray, returns: np.ndarray
    ) -> Shift | None:
        if not len(stamps):
            return None
        step = self._series.step_ms
        reach = (len(_ZONES) // 2) * _HALF_HOUR_MS + step
        rows = self._catalogue.rows(reference, int(stamps[0]) - reach, int(stamps[-1]) + reach)
        known_stamps, known = _returns(rows, step)
        shifts = sorted({0, step, -step, *(k * _HALF_HOUR_MS for k in _ZONES)}, key=abs)
        found = {
            shift: _correlation(stamps - shift, returns, known_stamps, known)
            for shift in shifts
            if shift % step == 0
        }
        best = max(found, key=lambda shift: found[shift])
        if found[best] < LEAST_CORRELATION or (best and found[best] < 2 * found[0]):
            return None
        return Shift(best, str(reference.symbol), found[best], found[0])


def _references(catalogue: Catalogue, series: Series) -> list[Series]:
    """Series of bars of the same timeframe: the same symbol first, then the same base."""

    def distance(symbol: SymbolKey) -> tuple[bool, bool, str]:
        same_base = symbol.instrument[:3] == series.symbol.instrument[:3]
        return symbol != series.symbol, not same_base, str(symbol)

    found = [
        Series(symbol, "bars", series.timeframe)
        for symbol in sorted(catalogue.symbols(), key=distance)
    ]
    held = [one for one in found if catalogue.coverage(one) is not None]
    return held[:_REFERENCES]


def _joined(blocks: list[Rows]) -> Rows:
    rows = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    if ascending(rows["timestamp"]):
        return rows
    _, first = np.unique(rows["timestamp"], return_index=True)
    return taken(rows, first)


def _returns(rows: Rows, step_ms: int) -> tuple[np.ndarray, np.ndarray]:
    """Times and log returns of the bars whose neighbour before them is there."""
    stamps, logs = rows["timestamp"], np.log(rows["close"])
    follows = np.flatnonzero(np.diff(stamps) == step_ms) + 1
    return stamps[follows], logs[follows] - logs[follows - 1]


def _correlation(
    stamps: np.ndarray, returns: np.ndarray, known_stamps: np.ndarray, known: np.ndarray
) -> float:
    """Correlation of the returns at equal times; 0 where there are too few, or none moves."""
    if not len(known_stamps):
        return 0.0
    place = np.minimum(np.searchsorted(known_stamps, stamps), len(known_stamps) - 1)
    same = known_stamps[place] == stamps
    one, other = returns[same], known[place[same]]
    if len(one) < LEAST_PAIRS or one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def funding_offset(catalogue: Catalogue, series: Series, rows: Rows) -> int | None:
    """How far a file's settlements lie from the catalogue's equal ones, ms; None if unclear.

    ``rows`` are ``timestamp, funding_rate`` with times read as UTC.  Offsets of whole half
    hours are tried; one must match nine tenths of at least twenty settlements, and no other.
    """
    reach = (len(_ZONES) // 2) * _HALF_HOUR_MS
    stamps = rows["timestamp"]
    known = catalogue.rows(series, int(stamps.min()) - reach, int(stamps.max()) + reach + 1)
    minutes = np.rint(known["timestamp"] / 60_000).astype(np.int64)  # settlements jitter by ms
    rates = dict(zip(minutes.tolist(), known["funding_rate"].tolist(), strict=True))
    fitting = []
    for half_hours in _ZONES:
        offset = half_hours * _HALF_HOUR_MS
        pairs = [
            (rate, rates[minute])
            for minute, rate in zip(
                ((stamps - offset) // 60_000).tolist(), rows["funding_rate"].tolist(), strict=True
            )
            if minute in rates
        ]
        agreeing = sum(abs(one - other) <= 5e-9 for one, other in pairs)
        if len(pairs) >= 20 and agreeing >= 0.9 * len(pairs):
            fitting.append(offset)
    return fitting[0] if len(fitting) == 1 else None
