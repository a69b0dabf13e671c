"""Holes in records without a grid: found by the rhythm of their neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from ares_resources.collecting_records import holes_between
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
