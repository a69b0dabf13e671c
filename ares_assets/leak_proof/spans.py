"""Spans of labels against spans of tests, computed plainly and apart from the splitters.

Belongs here: which events a training could see, and whether any of their labels meets what is
tested.  Does not belong here: the folds that steps use (``analyst/cross_validation.py``), on
which this must not rely.

An event occupies the closed span [row, t1_row]; a tested run of events forbids the bars from
its first row to its last label end, and ``embargo_bars`` more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from ares_assets.analyst.experts.base import Scope

Spans = tuple[np.ndarray, np.ndarray]


@dataclass
class SpyExpert:
    """An expert that learns nothing and notes which events it was trained and tested on.

    Given :func:`span_features` in place of features, it shows what a loop over folds really
    hands to a learner; see ``analyst.experts.base.Expert`` for the protocol.
    """

    kind: ClassVar[str] = "spy"
    scope: Scope = "regime"
    features: tuple[str, ...] = ("row", "t1_row")
    seen: list[tuple[Spans, Spans]] = field(default_factory=list)
    _train: Spans | None = None

    def default_parameters(self) -> dict[str, float | int]:
        """None: there is nothing to set."""
        return {}

    def suggest(self, trial: Any) -> dict[str, float | int]:
        """None: there is nothing to search."""
        return {}

    def fit(
        self,
        features: pd.DataFrame,
        labels: np.ndarray,
        weights: np.ndarray,
        *,
        parameters: Mapping[str, float | int],
        seed: int,
        threads: int,
    ) -> SpyExpert:
        """Note the training events."""
        self._train = _spans(features)
        return self

    def probability(self, features: pd.DataFrame) -> np.ndarray:
        """Note the tested events; 1/2 for each."""
        assert self._train is not None
        self.seen.append((self._train, _spans(features)))
        return np.full(len(features), 0.5)

    def to_files(self) -> dict[str, bytes]:
        """Nothing to keep."""
        return {}


def span_features(rows: np.ndarray, t1_rows: np.ndarray) -> pd.DataFrame:
    """What :class:`SpyExpert` reads in place of features, (n, 2)."""
    return pd.DataFrame({"row": rows, "t1_row": t1_rows})


def _spans(features: pd.DataFrame) -> Spans:
    return features["row"].to_numpy(np.int64), features["t1_row"].to_numpy(np.int64)


def meeting(train: Spans, test: Spans, all_rows: np.ndarray, embargo_bars: int) -> str | None:
    """The first training label that meets the tested bars, in words; None where none does.

    Parameters
    ----------
    train, test
        Rows and label ends of the events of one fold.
    all_rows
        Rows of every event that the folds divide, ascending: tested events that are
        neighbours among them are one run.
    """
    rows, t1_rows = train
    for first, last in _tested_runs(test, all_rows):
        met = np.flatnonzero((t1_rows >= first) & (rows <= last + embargo_bars))
        if met.size:
            at = int(met[0])
            return (
                f"{met.size} training labels, the first over rows {rows[at]}..{t1_rows[at]}, meet "
                f"the tested bars {first}..{last} or the {embargo_bars} bars of embargo after them"
            )
    return None


def _tested_runs(test: Spans, all_rows: np.ndarray) -> list[tuple[int, int]]:
    rows, t1_rows = test
    order = np.argsort(rows)
    place = np.searchsorted(all_rows, rows[order])
    runs = np.split(order, np.flatnonzero(np.diff(place) > 1) + 1)
    return [(int(rows[run].min()), int(t1_rows[run].max())) for run in runs if run.size]


def purged_training(
    rows: np.ndarray, t1_rows: np.ndarray, folds: int, embargo_bars: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """(training mask, tested positions) of each of ``folds`` equal runs, purged and embargoed."""
    found = []
    for tested in np.array_split(np.arange(len(rows)), folds):
        first, last = int(rows[tested].min()), int(t1_rows[tested].max())
        apart = (t1_rows < first) | (rows > last + embargo_bars)
        apart[tested] = False
        found.append((apart, tested))
    return found


def purged_events(
    spans: Spans,
    member: np.ndarray,
    *,
    folds: int,
    number: int,
    embargo_bars: int,
    scope: Scope,
) -> tuple[np.ndarray, np.ndarray]:
    """What fold ``number`` trains on, bool over the events of all regimes, and what it tests.

    ``spans`` are those of all regimes' events and ``member`` marks the partition's own, whose
    equal runs are tested (positions among the own).  In the scope of a regime the own train; in
    that of the market all do whose span is apart from the tested one.
    """
    rows, t1_rows = spans
    own = np.flatnonzero(member)
    train, tested = purged_training(rows[own], t1_rows[own], folds, embargo_bars)[number]
    if scope == "market":
        first, last = int(rows[own][tested].min()), int(t1_rows[own][tested].max())
        return (t1_rows < first) | (rows > last + embargo_bars), tested
    chosen = np.zeros(len(rows), bool)
    chosen[own[train]] = True
    return chosen, tested


def known_too_late(train: Spans, test: Spans, embargo_bars: int) -> str | None:
    """The first training label that is not known, and the embargo over, before all tested rows.

    None where none is.  For folds that go forward: what lies behind the test may not train,
    however far away.
    """
    rows, t1_rows = train
    first = int(test[0].min())
    late = np.flatnonzero(t1_rows + embargo_bars >= first)
    if not late.size:
        return None
    at = int(late[0])
    return (
        f"{late.size} training labels, the first over rows {rows[at]}..{t1_rows[at]}, are not "
        f"known {embargo_bars} bars before row {first}, the first that is tested forward"
    )
