"""What the experts must beat: the base rate, and one expert trained on all regimes.

Belongs here: naive and pooled predictions, out of fold.  Does not belong here: verdicts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import Splitter, block_bounds, check_events
from ares_assets.analyst.experts.base import Expert
from ares_assets.analyst.experts.training_data import inside_unit_interval
from ares_assets.analyst.out_of_fold import check_lengths, fold_seed
from ares_resources.errors import BadInput, PartitionSkipped


def coin(events: int) -> np.ndarray:
    """P = 1/2 for each event: float64 (n,)."""
    return np.full(events, 0.5)


def base_rate_out_of_fold(
    labels: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
    *,
    splitter: Splitter,
) -> np.ndarray:
    """The training folds' weighted share of ones: float64 (n,), NaN where never tested.

    Raises
    ------
    PartitionSkipped
        A fold's training part is empty or weightless.
    """
    labels, weights = np.asarray(labels, float), np.asarray(weights, float)
    check_lengths(len(labels), weights=weights, rows=rows, t1_rows=t1_rows)
    predicted = np.full(len(labels), np.nan)
    for fold, (train, test) in enumerate(splitter.split(rows, t1_rows)):
        if not weights[train].sum() > 0:
            raise PartitionSkipped(f"base rate, fold {fold}: no training event is left")
        predicted[test] = np.average(labels[train], weights=weights[train])
    return np.where(np.isnan(predicted), np.nan, inside_unit_interval(predicted))


def pooled_out_of_fold(
    expert: Expert,
    features: pd.DataFrame,
    labels: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
    *,
    member: np.ndarray,
    splitter: Splitter,
    parameters: Mapping[str, float | int],
    seed: int,
    threads: int,
) -> np.ndarray:
    """Predictions of the regime's events by an expert trained on all regimes' events.

    The n events are those of all regimes; `member` bool (n,) marks this regime's, on which
    alone the splitter works.  From each fold's first row to its last label end plus embargo,
    no event of any regime trains; under a forward splitter neither does a later one.

    Returns
    -------
    float64 (members,), aligned with `features[member]`; NaN where never tested.

    Raises
    ------
    BadInput, PartitionSkipped
        As `out_of_fold`.
    """
    labels, weights = np.asarray(labels, float), np.asarray(weights, float)
    check_lengths(len(features), labels=labels, weights=weights, rows=rows, t1_rows=t1_rows)
    rows, t1_rows = check_events(rows, t1_rows)
    own = _members(member, len(rows))
    predicted = np.full(len(own), np.nan)
    for fold, (train, test) in enumerate(splitter.split(rows[own], t1_rows[own])):
        allowed = _allowed(rows, t1_rows, own, train, test, splitter.embargo_bars)
        model = expert.fit(
            features.iloc[allowed],
            labels[allowed],
            weights[allowed],
            parameters=parameters,
            seed=fold_seed(seed, fold),
            threads=threads,
        )
        predicted[test] = model.probability(features.iloc[own[test]])
    return predicted


def _members(member: np.ndarray, events: int) -> np.ndarray:
    member = np.asarray(member)
    if member.dtype != bool or member.shape != (events,) or not member.any():
        raise BadInput(f"member {member.dtype}{member.shape}; allowed: bool ({events},), some true")
    return np.flatnonzero(member)


def _allowed(
    rows: np.ndarray,
    t1_rows: np.ndarray,
    own: np.ndarray,
    train: np.ndarray,
    test: np.ndarray,
    embargo_bars: int,
) -> np.ndarray:
    # Test indices fall into runs of neighbours; a run with all between it is forbidden time.
    allowed = np.ones(len(rows), dtype=bool)
    for run in np.split(test, np.flatnonzero(np.diff(test) > 1) + 1):
        first, last = block_bounds(rows[own[run]], t1_rows[own[run]], embargo_bars)
        allowed &= (t1_rows < first) | (rows > last)
    if not len(train) or train[-1] < test[0]:
        allowed &= rows < rows[own[test[0]]]
    return np.flatnonzero(allowed)
