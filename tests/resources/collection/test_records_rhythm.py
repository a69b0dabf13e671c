"""Holes in records without a grid: found by the rhythm of their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fakes.binance_history import FUNDING
from hypothesis import given
from hypothesis import strategies as st

from ares_resources.collecting_bars import looks_of
from ares_resources.collecting_records import RecordsTask, _around, _rhythm, holes_between
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import HOUR_MS

H = HOUR_MS


def _holes(hours: list[float], asked: tuple[float, float]) -> list[tuple[float, float]]:
    stamps = np.array([int(hour * H) for hour in hours], dtype="int64")
    found = holes_between(stamps, (int(asked[0] * H), int(asked[1] * H)), 8 * H)
    return [(round(start / H, 3), round(end / H, 3)) for start, end in found]


@pytest.mark.parametrize(
    ("hours", "asked", "expected"),
    [
        ([], (0, 24), [(0, 24)]),
        ([0, 8, 16], (0, 24), []),
        ([0, 8, 24, 32], (0, 40), [(8, 24)]),
        ([0, 8, 24, 40, 48, 56, 64, 72, 80], (0, 88), [(8, 24), (24, 40)]),
        ([0, 1, 2, 3, 5, 6, 7], (0, 8), [(3, 5)]),
        ([0, 4, 8, 12, 16, 20, 28, 36, 44, 52, 60], (0, 68), []),  # from four hours to eight
        ([16, 24, 32], (0, 40), [(0, 16)]),
        ([0, 8, 16], (0, 40), [(16, 40)]),
        ([8], (0, 17), [(8, 17)]),
        ([7.999, 16.001, 24.0], (0, 32), []),
    ],
)
def test_holes(
    hours: list[float], asked: tuple[float, float], expected: list[tuple[float, float]]
) -> None:
    assert _holes(hours, asked) == expected


@given(st.lists(st.integers(1, 5), max_size=60), st.sampled_from([1, H]))
def test_the_rhythm_is_that_of_each_place_by_itself(steps: list[int], unit: int) -> None:
    distances = np.array(steps, dtype="int64") * unit
    plain = [_around(distances, place) for place in range(len(steps))]
    assert _rhythm(distances).tolist() == plain


@dataclass
class _Source:
    """An exchange with funding at ``hours``."""

    hours: list[int]
    name: str = "BINANCE"
    asked: int = 0

    def now_ms(self) -> int:
        return 10_000 * 8 * H + int(FUNDING["timestamp"].iloc[0])

    def funding(self, instrument: str, start: int, end: int) -> pd.DataFrame:
        self.asked += 1
        first = int(FUNDING["timestamp"].iloc[0])
        stamps = [first + hour * H for hour in self.hours]
        rows = pd.concat([FUNDING.iloc[:1]] * len(stamps), ignore_index=True)
        rows["timestamp"] = np.array(stamps, dtype="int64")
        return rows[rows["timestamp"].between(start, end - 1)].reset_index(drop=True)


def test_looks_at_what_is_no_hole_any_more_are_forgotten(tmp_path: Path) -> None:
    catalogue, series = Catalogue(tmp_path), Series(SymbolKey("ETHUSDTPERP", "BINANCE"), "funding")
    source: Any = _Source([0, 8, 16, 32, 40])
    first = int(FUNDING["timestamp"].iloc[0])
    looks = looks_of(catalogue, series)

    def update(hours: int, now: float) -> None:
        end = first + hours * H
        outcome = RecordsTask(catalogue, source, series, "1m", first, end, now).update(None)
        assert outcome.fault is None

    update(48, 0.0)
    hole = (first + 16 * H + 1, first + 32 * H)
    assert looks.all() == [hole]
    for step in range(5):  # the next record is overdue, and the tail grows
        update(57 + step, 60.0 + step)
    assert looks.all()[-1][1] == first + 61 * H
    source.hours = [0, 8, 16, 32, 40, 48, 56, 64]
    update(72, 200.0)
    assert looks.all() == [hole]
    asked = source.asked
    update(72, 260.0)
    assert source.asked == asked
    source.hours = list(range(0, 72, 8))
    update(72, 10_000.0)
    assert looks.all() == []
