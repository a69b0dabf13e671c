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

from ares_resources.errors import CorruptArtifact
from ares_resources.storage.catalogue import Catalogue, Coverage, Series
from ares_resources.storage.frames import Rows
from ares_resources.storage.merging import ascending, taken
from ares_resources.symbols import SymbolKey

SAMPLE_ROWS = 20_000
SKIPPED_ROWS = 80_000
"""Rows between two samples: clocks change in spring."""
LEAST_PAIRS = 200
LEAST_CORRELATION = 0.3
CERTAIN_CORRELATION = 0.5
PLAIN_SHARE = 0.25
_HALF_HOUR_MS = 1_800_000
_ZONES = range(-28, 29)  # half hours
_MOST_REFERENCES = 6


@dataclass(frozen=True)
class Shift:
    """``shift_ms`` later than ``reference``: the correlation there, and without a shift."""

    shift_ms: int
    reference: str
    correlation: float
    unshifted: float

    @property
    def is_plain(self) -> bool:
        """Whether nothing but a shift can explain it; a market that lags another is not it."""
        return abs(self.unshifted) < PLAIN_SHARE * self.correlation

    def __str__(self) -> str:
        direction = "back" if self.shift_ms > 0 else "forward"
        return (
            f"returns match {self.reference} {self.correlation:.2f} when moved {direction} by "
            f"{abs(self.shift_ms) // 1000} s, and {self.unshifted:.2f} as they are"
        )


class StampJudge:
    """Compares samples of a file's closes, all along it, with the catalogue's series.

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
        self._skip = 0
        self.compared: str | None = None

    @property
    def step_ms(self) -> int:
        """Length of the file's bars."""
        return self._series.step_ms

    def add(self, rows: Rows) -> Shift | None:
        """Look at a block; a shift as soon as a sample shows one."""
        if not self._references:
            return None
        if self._skip > 0:
            self._skip -= len(rows["timestamp"])
            return None
        sample = {name: rows[name] for name in ("timestamp", "close")}
        self._blocks.append(sample)
        self._rows += len(rows["timestamp"])
        if self._rows < SAMPLE_ROWS:
            return None
        return self.finish()

    def finish(self) -> Shift | None:
        """The verdict on what was not judged yet; None: no shift, or nobody can tell."""
        blocks, self._blocks, self._rows, self._skip = self._blocks, [], 0, SKIPPED_ROWS
        if not blocks:
            return None
        rows = _joined(blocks)
        stamps, returns = _returns(rows, self._series.step_ms)
        for reference, _ in self._overlapping(rows["timestamp"])[:_MOST_REFERENCES]:
            best = self._best_shift(reference, stamps, returns)
            if best is not None:
                self.compared = best.reference
                return best if best.shift_ms else None
        return None

    def _overlapping(self, stamps: np.ndarray) -> list[tuple[Series, Coverage]]:
        """References that know the sample's time, the closest relation first."""
        least = LEAST_PAIRS * self._series.step_ms
        return [
            (reference, coverage)
            for reference, coverage in self._references
            if min(coverage.last_ms, stamps[-1]) - max(coverage.first_ms, stamps[0]) >= least
        ]

    def _best_shift(
        self, reference: Series, stamps: np.ndarray, returns: np.ndarray
    ) -> Shift | None:
        if not len(stamps):
            return None
        step = self._series.step_ms
        reach = (len(_ZONES) // 2) * _HALF_HOUR_MS + step
        rows = self._catalogue.rows(reference, int(stamps[0]) - reach, int(stamps[-1]) + reach)
        known_stamps, known = _returns(rows, step)
        unshifted = _correlation(stamps, returns, known_stamps, known)
        found = {0: unshifted}
        if unshifted < CERTAIN_CORRELATION:  # else no other can be twice as large
            shifts = {step, -step, *(k * _HALF_HOUR_MS for k in _ZONES)}
            for shift in sorted(shifts, key=abs):
                if shift % step == 0 and shift:
                    found[shift] = _correlation(stamps - shift, returns, known_stamps, known)
        best = max(found, key=lambda shift: found[shift])
        if found[best] < LEAST_CORRELATION or (best and found[best] < 2 * unshifted):
            return None
        return Shift(best, str(reference.symbol), found[best], unshifted)


def _references(catalogue: Catalogue, series: Series) -> list[tuple[Series, Coverage]]:
    """Series of bars of the same timeframe: the same symbol first, then the same base.

    One whose manifest is damaged tells nothing; whoever uses it will be told so.
    """

    def distance(symbol: SymbolKey) -> tuple[bool, bool, str]:
        same_base = symbol.instrument[:3] == series.symbol.instrument[:3]
        return symbol != series.symbol, not same_base, str(symbol)

    found = []
    for symbol in sorted(catalogue.symbols(), key=distance):
        reference = Series(symbol, "bars", series.timeframe)
        try:
            coverage = catalogue.coverage(reference)
        except CorruptArtifact:
            continue
        if coverage is not None:
            found.append((reference, coverage))
    return found


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
