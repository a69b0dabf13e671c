"""Out-of-fold predictions: each event is predicted by a model that never saw its time.

Belongs here: the loop over folds.  Does not belong here: folds, learners and scores.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import Splitter
from ares_assets.analyst.experts.base import Expert
from ares_resources.errors import BadInput, PartitionSkipped


def out_of_fold(
    expert: Expert,
    features: pd.DataFrame,
    labels: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
    *,
    splitter: Splitter,
    parameters: Mapping[str, float | int],
    seed: int,
    threads: int,
) -> np.ndarray:
    """P(y = 1) of each event from the folds that test it: float64 (n,), NaN where none does.

    Features (n, k), labels, weights, rows and t1_rows (n,) are aligned by position.  An
    event that several folds test (as in CPCV) gets the mean of its predictions.

    Raises
    ------
    BadInput
        Lengths disagree, or anything that the expert or the splitter refuses.
    PartitionSkipped
        A fold's training part is too small or has one class; the message names the fold.
    """
    labels, weights = np.asarray(labels, float), np.asarray(weights, float)
    check_lengths(len(features), labels=labels, weights=weights, rows=rows, t1_rows=t1_rows)
    total, count = np.zeros(len(features)), np.zeros(len(features), dtype=np.int64)
    for fold, (train, test) in enumerate(splitter.split(rows, t1_rows)):
        try:
            model = expert.fit(
                features.iloc[train],
                labels[train],
                weights[train],
                parameters=parameters,
                seed=fold_seed(seed, fold),
                threads=threads,
            )
        except PartitionSkipped as error:
            raise PartitionSkipped(f"{expert.kind} expert, fold {fold}: {error}") from error
        total[test] += model.probability(features.iloc[test])
        count[test] += 1
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def fold_seed(seed: int, fold: int) -> int:
    """The seed of one fold's fit: a 31-bit number, different for each (seed, fold)."""
    return int(np.random.SeedSequence([seed, fold]).generate_state(1)[0] >> 1)


def check_lengths(events: int, **vectors: np.ndarray) -> None:
    """Refuse a vector that does not have one value per event.

    Raises
    ------
    BadInput
        Names the vector, its shape and the length it must have.
    """
    for name, values in vectors.items():
        if np.shape(values) != (events,):
            raise BadInput(f"{name} of shape {np.shape(values)}; allowed: ({events},)")
