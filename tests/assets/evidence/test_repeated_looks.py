"""Nulls that come again: each look at the holdout is a chance, and the looks are paid for."""

from __future__ import annotations

from functools import cache

import numpy as np

from ares_assets.evidence.deflation import deflation
from ares_assets.evidence.looks import crossings

FAMILIES, LOOKS, DAYS = 1500, 20, 73


@cache
def _passing() -> tuple[np.ndarray, np.ndarray]:
    """Whether each look of each family (families, looks) passes both rows, as counted and as not.

    Every look has days of its own, which is the worst case: looks at the same days are alike.
    """
    rng = np.random.default_rng(20_140_901)
    days = rng.normal(0.0, 0.01, (FAMILIES * LOOKS, DAYS))
    better, _ = crossings(days, level=0.05)
    counted = np.zeros(FAMILIES * LOOKS, bool)
    uncounted = counted.copy()
    for at in np.flatnonzero(better):
        counted[at] = _deflated(days[at], trials=at % LOOKS + 1) >= 0.95
        uncounted[at] = _deflated(days[at], trials=1) >= 0.95
    shape = (FAMILIES, LOOKS)
    return counted.reshape(shape), uncounted.reshape(shape)


def _deflated(daily: np.ndarray, trials: int) -> float:
    return float(deflation(daily, trials=trials)["deflated_sharpe"])


def test_twenty_nulls_in_a_row_are_seldom_promoted_once() -> None:
    counted, _ = _passing()
    assert counted.any(axis=1).mean() <= 0.05


def test_without_counting_looks_they_would_be() -> None:
    _, uncounted = _passing()
    assert uncounted.any(axis=1).mean() > 0.1


def test_one_look_errs_less_than_its_level() -> None:
    counted, _ = _passing()
    assert 0.002 < counted[:, 0].mean() <= 0.05
