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


def noise_of_auc(
    labels: np.ndarray, score: np.ndarray, rows: np.ndarray, last_rows: np.ndarray
) -> float:
    """Standard error of the AUC that this score would have if it knew nothing of the labels.

    AUC is (sum of the ranks of the ones) / (n1 n0) and a constant, so that its variance, given
    the ranks r less their mean, is sum_ij c_ij r_i r_j / (n1 n0)^2.  c is the labels'
    autocovariance by their distance in bars: as it is found in these labels where two windows
    share bars, and 0 elsewhere, since nothing else ties labels of such a market together.  With
    no overlap it is Mann and Whitney's (n1 + n0 + 1) / (12 n1 n0).  Counting whole windows as
    one event each takes more dependence than there is: labels end before their windows do, and
    the signs of overlapping moves agree less than the moves (van Vleck's arcsine law).

    Parameters
    ----------
    labels, score
        0 or 1, and any number, (n,).
    rows, last_rows
        Where each label's window begins (ascending) and ends, in bars, (n,).

    Returns
    -------
    0 for a score that does not vary; NaN where a class has no event, or where the covariance as
    estimated from few events leaves no variance.
    """
    from scipy.stats import rankdata

    count, ones = len(labels), float(np.sum(labels))
    if ones in (0.0, float(count)):
        return float("nan")
    y, rank = labels - labels.mean(), rankdata(score) - (count + 1) / 2
    gaps, products, ranks = _overlapping(y, rank, rows, last_rows)
    pairs = np.bincount(gaps)
    met = pairs > 0
    covariance = np.bincount(gaps, products)[met] / pairs[met]
    together = np.bincount(gaps, ranks)[met]
    # Taking off the mean of few labels lowers each covariance by the variance of that mean.
    doubled = np.where(np.flatnonzero(met) > 0, 2.0, 1.0)
    covariance += (doubled * pairs[met] * covariance).sum() / count**2
    variance = float((doubled * covariance * together).sum())
    if variance < 0.0 < np.ptp(rank):
        return float("nan")
    return float(np.sqrt(max(variance, 0.0)) / (ones * (count - ones)))


def _overlapping(
    y: np.ndarray, rank: np.ndarray, rows: np.ndarray, last_rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance, product of labels and product of ranks of each pair whose windows share a bar.

    Each pair once, and each event with itself at distance 0.
    """
    found = [(np.zeros(len(y), np.int64), y * y, rank * rank)]
    for apart in range(1, len(y)):
        met = np.flatnonzero(rows[apart:] < last_rows[:-apart])
        if not len(met):
            break
        gap = rows[met + apart] - rows[met]
        found.append((gap, y[met] * y[met + apart], rank[met] * rank[met + apart]))
    gaps, products, ranks = (np.concatenate(part) for part in zip(*found, strict=True))
    return gaps, products, ranks


def fold_scores(
    events: pd.DataFrame, predicted: pd.DataFrame, folds: list[np.ndarray]
) -> dict[str, list[list[float]]]:
    """By expert, AUC and its noise in each fold.

    ``events`` has ``label``, ``row`` and ``last_row``; ``predicted`` one column an expert, rows
    aligned; a fold is the positions of the events that it tests.  Folds of one class are left
    out.  Events count alike.
    """
    found: dict[str, list[list[float]]] = {str(name): [] for name in predicted}
    for fold in folds:
        part = events.iloc[fold]
        labels = part["label"].to_numpy(float)
        for name in predicted:
            values = predicted[name].to_numpy()[fold]
            noise = noise_of_auc(
                labels, values, part["row"].to_numpy(), part["last_row"].to_numpy()
            )
            if np.isfinite(noise):
                score = auc(labels, values, np.ones(len(labels)))
                found[str(name)].append([round(score, 5), round(noise, 5)])
    return found


def standard_scores(folds: np.ndarray) -> np.ndarray:
    """How many errors each of the (m, 2) AUCs and noises lies from one half, (m,).

    A score that does not vary has the AUC 1/2 and no noise; it counts as 0 errors away.
    """
    away = folds[:, 0] - 0.5
    return np.divide(away, folds[:, 1], out=np.zeros(len(folds)), where=folds[:, 1] > 0)


def outside_band(folds: np.ndarray, z: float = 1.96) -> int:
    """How many of the (m, 2) AUCs and noises lie further than ``z`` errors from one half."""
    return int((np.abs(standard_scores(folds)) > z).sum())


def mean_and_error(values: np.ndarray) -> tuple[float, float]:
    """Mean over seeds and its standard error; the error of a single seed is NaN."""
    values = np.asarray(values, float)
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return float(values.mean()), float(error)
