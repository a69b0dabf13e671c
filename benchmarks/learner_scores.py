"""What a learner is worth: share of the oracle's IC, and fold AUCs against pure noise.

Belongs here: measures on arrays.  Does not belong here: markets, models, tables.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ares_assets.analyst.scores import auc

SMALLEST, LARGEST = 1e-6, 1 - 1e-6


def logit(probability: np.ndarray) -> np.ndarray:
    """log(p / (1 - p)) with p kept off 0 and 1, (n,)."""
    inside = np.clip(np.asarray(probability, float), SMALLEST, LARGEST)
    return np.log(inside / (1.0 - inside))


def returns_ahead(opens: np.ndarray, closes: np.ndarray, horizon: int) -> np.ndarray:
    """Sum of the simple returns of the ``horizon`` bars after each bar, NaN at the end, (n,).

    The first of them runs from the open of the bar after, at which the product's labels enter.
    """
    total = np.concatenate([[0.0], np.cumsum(closes / opens - 1.0)])
    ahead = np.full(len(closes), np.nan)
    if len(closes) > horizon:
        ahead[:-horizon] = total[1 + horizon :] - total[1:-horizon]
    return ahead


def information_coefficient(score: np.ndarray, outcome: np.ndarray) -> float:
    """Pearson correlation of score and outcome; 0 where the score does not vary."""
    if np.ptp(score) == 0:
        return 0.0
    return float(np.corrcoef(score, outcome)[0, 1])


def noise_of_auc(labels: np.ndarray, uniqueness: np.ndarray) -> float:
    """Standard error of the AUC of a score that knows nothing.

    Mann and Whitney's variance (n1 + n0 + 1) / (12 n1 n0), with counts of independent events in
    place of events: labels overlap, and the sum of their average uniqueness is how many there
    are (López de Prado 2018, chapter 4).  NaN where a class has no event.
    """
    ones = float(np.sum(uniqueness * labels))
    zeros = float(np.sum(uniqueness * (1 - labels)))
    if ones <= 0 or zeros <= 0:
        return float("nan")
    return float(np.sqrt((ones + zeros + 1.0) / (12.0 * ones * zeros)))


def fold_scores(
    events: pd.DataFrame, predicted: pd.DataFrame, folds: list[np.ndarray]
) -> dict[str, list[list[float]]]:
    """By expert, AUC and its noise in each fold.

    ``events`` has ``label`` and ``uniqueness``; ``predicted`` one column an expert, rows aligned;
    a fold is the positions of the events that it tests.  Folds of one class are left out.  Events
    count alike; their uniqueness says how many are independent.
    """
    found: dict[str, list[list[float]]] = {str(name): [] for name in predicted}
    for fold in folds:
        part = events.iloc[fold]
        labels = part["label"].to_numpy(float)
        uniqueness = part["uniqueness"].to_numpy()
        noise = noise_of_auc(labels, uniqueness)
        if not np.isfinite(noise):
            continue
        for name in predicted:
            values = predicted[name].to_numpy()[fold]
            score = auc(labels, values, np.ones(len(labels)))
            found[str(name)].append([round(score, 5), round(noise, 5)])
    return found


def outside_band(folds: np.ndarray, z: float = 1.96) -> int:
    """How many of the (m, 2) AUCs and noises lie further than ``z`` errors from one half."""
    if len(folds) == 0:
        return 0
    return int((np.abs(folds[:, 0] - 0.5) > z * folds[:, 1]).sum())


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean over seeds and its standard error; the error of a single seed is NaN."""
    values = np.asarray(values, float)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return float(values.mean()), float(error)
