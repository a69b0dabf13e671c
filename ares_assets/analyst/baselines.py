"""What the experts must beat without any feature.

Belongs here: naive predictions, out of fold.  Does not belong here: experts trained on all
regimes (`out_of_fold`), and verdicts.
"""

from __future__ import annotations

import numpy as np

from ares_assets.analyst.cross_validation import Splitter
from ares_assets.analyst.experts.training_data import inside_unit_interval
from ares_assets.analyst.out_of_fold import check_lengths
from ares_resources.errors import PartitionSkipped


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
