"""The prefix test: cut the future off, and the past must stay the same, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

Rows = pd.DataFrame | pd.Series | np.ndarray


def assert_prefix_invariant(
    function: Callable[[pd.DataFrame], Rows], frame: pd.DataFrame, cuts: Iterable[int]
) -> None:
    """``function`` gives one row per bar, and row i depends on bars 0..i alone.

    For each cut the function is run on the first ``cut`` bars; every value must equal that of
    the run on all bars (NaN equals NaN).

    Raises
    ------
    AssertionError
        Naming the cut, the column and the first row whose value the future changed.
    """
    whole = _columns(function(frame))
    for cut in cuts:
        part = _columns(function(frame.iloc[:cut].reset_index(drop=True)))
        assert list(part) == list(whole), f"cut {cut}: other columns"
        for name, values in part.items():
            assert len(values) == cut, f"cut {cut}, {name}: {len(values)} rows"
            same = _same(values, whole[name][:cut])
            assert same.all(), f"cut {cut}, column {name!r}: row {np.argmin(same)} saw the future"


def random_cuts(rows: int, count: int, *, seed: int) -> list[int]:
    """``count`` cuts between 1 and ``rows``, ascending."""
    generator = np.random.default_rng(np.random.SeedSequence([seed]))
    return sorted(int(cut) for cut in generator.integers(1, rows + 1, count))


def _columns(result: Rows) -> dict[str, np.ndarray]:
    if isinstance(result, pd.DataFrame):
        return {str(name): result[name].to_numpy() for name in result.columns}
    return {"values": np.asarray(result)}


def _same(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    equal = left == right
    if left.dtype.kind == "f":
        equal |= np.isnan(left) & np.isnan(right)
    return equal
