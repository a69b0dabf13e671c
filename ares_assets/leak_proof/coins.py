"""Labels that nobody can predict, and how far from 1/2 an honest AUC of them may lie.

Belongs here: coin labels that overlap as the true ones do, AUC within folds, its band.  Does
not belong here: what is refitted on them (``chance.py``).

Shuffling the labels themselves would not do: event by event it breaks the overlap through
which unpurged folds leak, and in blocks it joins labels that share no bar, across the purge.
So the BARS are shuffled instead, as coins: each label is drawn anew as the sign of a
coin-flipped path over its own bars, (row, t1_row].  Labels then depend on each other exactly
where their spans share bars, and on no feature.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

# Of a normal: two-sided 6 in 100,000 (see `band`).
DEVIATIONS = 4.0


def coin_labels(rows: np.ndarray, t1_rows: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Labels in {0, 1}, float64 (n,): did a path of random steps rise over (row, t1_row]?

    Two of them are independent where their spans share no bar, and correlated by the share
    that they do; each is 1 with probability 1/2.
    """
    first = int(rows.min())
    steps = draws.standard_normal(int(t1_rows.max()) - first + 1)
    path = np.cumsum(steps)
    return (path[t1_rows - first] > path[rows - first]).astype(np.float64)


def auc_within_folds(
    labels: np.ndarray,
    predicted: np.ndarray,
    weights: np.ndarray,
    tests: Iterable[np.ndarray],
) -> float:
    """Mean over folds of the AUC of each fold's own events, weighted by their weights.

    Across folds an honest AUC of unpredictable labels lies below 1/2: a fold with many ones
    leaves few to those it is predicted from, so that its predictions are low.  Within a fold
    no prediction depends on a label of the fold, so the expectation is exactly 1/2.  NaN where
    no fold has both classes.
    """
    from ares_assets.analyst.scores import auc

    scores, sizes = [], []
    for test in tests:
        score = auc(labels[test], predicted[test], weights[test])
        if not math.isnan(score):
            scores.append(score)
            sizes.append(float(weights[test].sum()))
    return float(np.average(scores, weights=sizes)) if scores else math.nan


def auc_error(effective_events: float) -> float:
    """Standard error of the AUC of a prediction that knows nothing, half of the labels ones.

    The AUC is a Mann-Whitney statistic, of variance (n + 1) / (12 ones zeros) for independent
    events (Mann and Whitney 1947, Annals of Mathematical Statistics 18).  Overlapping labels
    count as many as the sum of their uniqueness (AFML 4.3): m labels that share their bars
    count as one.
    """
    return math.sqrt(_variance(effective_events / 2, effective_events / 2))


def error_within_folds(
    labels: np.ndarray, uniqueness: np.ndarray, tests: Iterable[np.ndarray]
) -> float:
    """Standard error of :func:`auc_within_folds` for these labels, few of one class or not.

    Infinite where no fold has both classes.
    """
    variance, size = 0.0, 0.0
    for test in tests:
        ones = float((uniqueness[test] * labels[test]).sum())
        zeros = float(uniqueness[test].sum()) - ones
        if ones > 0 and zeros > 0:
            variance += (ones + zeros) ** 2 * _variance(ones, zeros)
            size += ones + zeros
    return math.sqrt(variance) / size if size else math.inf


def _variance(ones: float, zeros: float) -> float:
    return (ones + zeros + 1.0) / (12.0 * ones * zeros)


def band(effective_events: float, draws: int, deviations: float = DEVIATIONS) -> float:
    """How far from 1/2 the mean of ``draws`` AUCs may lie: 4 standard errors.

    Draws are independent given the features, so the error of their mean falls with the root
    of their number.  A normal exceeds 4 errors on either side in 6 of 100,000 runs.  A false
    alarm of either of the check's two scopes in 1,000 runs would need 3.48, so the true error
    may be 1.15 times the formula's.  It is 0.94 to 1.05 times that on simulated and real events,
    whose uniqueness counts whole windows; ``tests/leaks`` measures it.
    """
    return deviations * auc_error(effective_events) / math.sqrt(draws)
