"""Splits of labelled events in time, purged on the label's end and followed by an embargo.

Belongs here: which events train and which test.  Does not belong here: fitting anything.

An event is (row, t1_row): decided at the close of bar `row`, its label known at the close of
bar `t1_row`, so it occupies the closed span [row, t1_row].  Rows are positions in the whole
market frame; a regime's events leave gaps, and those count as time that passed.
Source: López de Prado, Advances in Financial Machine Learning (2018), chapters 7 and 12.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Protocol, TypeAlias

import numpy as np

from ares_resources.errors import BadInput, PartitionSkipped

Split: TypeAlias = tuple[np.ndarray, np.ndarray]


class Splitter(Protocol):
    """Anything that yields (train_index, test_index), both int64 and ascending."""

    @property
    def embargo_bars(self) -> int:
        """Bars after each test block in which no training event may start."""

    @property
    def forward(self) -> bool:
        """Whether training always lies before the test; then the embargo lies between them."""

    def split(self, rows: np.ndarray, t1_rows: np.ndarray) -> Iterator[Split]:
        """Split the n events with these rows (n,) and label ends (n,)."""


@dataclass(frozen=True)
class PurgedKFold:
    """Contiguous test folds of equal count; all other events train unless purged."""

    folds: int
    embargo_bars: int = 0
    forward: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_count("folds", self.folds, 2)
        _check_count("embargo_bars", self.embargo_bars, 0)

    def split(self, rows: np.ndarray, t1_rows: np.ndarray) -> Iterator[Split]:
        """Yield `folds` splits in time order; every event is tested exactly once.

        Raises
        ------
        BadInput
            Rows do not ascend strictly, or a label ends before its event.
        PartitionSkipped
            Fewer events than folds.
        """
        rows, t1_rows = check_events(rows, t1_rows)
        for block in _blocks(len(rows), self.folds):
            yield _purged(rows, t1_rows, [block], self.embargo_bars), block


@dataclass(frozen=True)
class PurgedForward:
    """Expanding window: each test block is predicted from purged earlier events only.

    The embargo lies before the block here, between the last training label and it.

    The first `initial_share` of the events is never tested; the rest makes `folds` blocks.
    """

    folds: int
    initial_share: float
    embargo_bars: int = 0
    forward: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_count("folds", self.folds, 1)
        _check_count("embargo_bars", self.embargo_bars, 0)
        if not 0 < self.initial_share < 1:
            raise BadInput(f"initial_share = {self.initial_share}; allowed: between 0 and 1")

    def split(self, rows: np.ndarray, t1_rows: np.ndarray) -> Iterator[Split]:
        """Yield `folds` splits in time order; raises as `PurgedKFold.split`."""
        rows, t1_rows = check_events(rows, t1_rows)
        first = initial_count(len(rows), self.initial_share)
        for block in _blocks(len(rows) - first, self.folds):
            test = block + first
            earlier = np.arange(test[0])
            known = t1_rows[: test[0]] + self.embargo_bars < rows[test[0]]
            yield earlier[known], test


@dataclass(frozen=True)
class CombinatorialPurged:
    """Every choice of `test_groups` among `groups` blocks is tested once (AFML 12.3)."""

    groups: int
    test_groups: int
    embargo_bars: int = 0
    forward: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check_count("groups", self.groups, 2)
        _check_count("test_groups", self.test_groups, 1)
        _check_count("embargo_bars", self.embargo_bars, 0)
        if self.test_groups >= self.groups:
            raise BadInput(f"test_groups = {self.test_groups}; allowed: below {self.groups}")

    @property
    def path_count(self) -> int:
        """Whole out-of-sample paths that the splits recombine into."""
        return math.comb(self.groups - 1, self.test_groups - 1)

    def combinations(self) -> list[tuple[int, ...]]:
        """The tested groups of each split, in the order of `split`."""
        return list(combinations(range(self.groups), self.test_groups))

    def split(self, rows: np.ndarray, t1_rows: np.ndarray) -> Iterator[Split]:
        """Yield comb(groups, test_groups) splits; raises as `PurgedKFold.split`."""
        rows, t1_rows = check_events(rows, t1_rows)
        blocks = _blocks(len(rows), self.groups)
        for chosen in self.combinations():
            tested = [blocks[group] for group in chosen]
            yield _purged(rows, t1_rows, tested, self.embargo_bars), np.concatenate(tested)

    def path_splits(self) -> np.ndarray:
        """Which split supplies each group of each path: int64 (path_count, groups).

        Path j takes group g from the j-th split that tests g, so each path covers every
        group once and each tested group of each split is used exactly once.
        """
        chosen = self.combinations()
        columns = [
            [split for split, tested in enumerate(chosen) if group in tested]
            for group in range(self.groups)
        ]
        return np.array(columns, dtype=np.int64).T

    def paths(self, rows: np.ndarray, predictions: list[np.ndarray]) -> np.ndarray:
        """Recombine per-split predictions: float64 (path_count, n).

        `predictions[s]` holds the values of split s in the order of its test index.
        """
        blocks = _blocks(len(rows), self.groups)
        full = np.full((len(predictions), len(rows)), np.nan)
        for values, tested, line in zip(predictions, self.combinations(), full, strict=True):
            line[np.concatenate([blocks[group] for group in tested])] = values
        return np.stack(
            [
                np.concatenate([full[split, blocks[g]] for g, split in enumerate(path)])
                for path in self.path_splits()
            ]
        )


def initial_count(events: int, share: float) -> int:
    """How many of so many events make up the first `share`; at least one."""
    return max(1, round(events * share))


def block_bounds(rows: np.ndarray, t1_rows: np.ndarray, embargo_bars: int) -> tuple[int, int]:
    """First and last bar that a test block forbids to training spans, embargo included."""
    return int(rows[0]), int(t1_rows.max()) + embargo_bars


def check_events(rows: np.ndarray, t1_rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Events as int64 arrays.

    Raises
    ------
    BadInput
        Lengths differ, values are not whole, rows do not ascend strictly, or t1 < row.
    """
    rows, t1_rows = np.asarray(rows), np.asarray(t1_rows)
    if rows.ndim != 1 or rows.shape != t1_rows.shape:
        raise BadInput(f"rows {rows.shape} and t1_rows {t1_rows.shape}; allowed: one length")
    for name, values in (("rows", rows), ("t1_rows", t1_rows)):
        if not np.issubdtype(values.dtype, np.integer):
            raise BadInput(f"{name} of type {values.dtype}; allowed: integer row numbers")
    rows, t1_rows = rows.astype(np.int64), t1_rows.astype(np.int64)
    wrong = np.flatnonzero(np.diff(rows) <= 0)
    if len(wrong):
        at = wrong[0] + 1
        raise BadInput(f"rows[{at}] = {rows[at]} after {rows[at - 1]}; allowed: ascending")
    wrong = np.flatnonzero(t1_rows < rows)
    if len(wrong):
        at = wrong[0]
        raise BadInput(f"t1_rows[{at}] = {t1_rows[at]}; allowed: at least its row {rows[at]}")
    return rows, t1_rows


def _blocks(events: int, count: int) -> list[np.ndarray]:
    if events < count:
        raise PartitionSkipped(f"{events} events cannot fill {count} folds")
    return np.array_split(np.arange(events), count)


def _purged(
    rows: np.ndarray, t1_rows: np.ndarray, blocks: list[np.ndarray], embargo_bars: int
) -> np.ndarray:
    # A block is contiguous among the events, so an earlier event meets it exactly if its
    # label outlasts the block's first row, a later one if it starts before the last label ends.
    train = np.ones(len(rows), dtype=bool)
    for block in blocks:
        first, last = block_bounds(rows[block], t1_rows[block], embargo_bars)
        train &= (t1_rows < first) | (rows > last)
    return np.flatnonzero(train)


def _check_count(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise BadInput(f"{name} = {value!r}; allowed: whole, at least {least}")
