"""Ranking features by what a purged out-of-fold prediction loses without them.

Belongs here: clusters of features that say the same, their permutation importance, the
order that follows.  Does not belong here: how many features to take (`enhancement`).

Features that say the same stand in for each other when one alone is permuted, so all of a
cluster are permuted together.  Source: López de Prado, Machine Learning for Asset Managers
(2020), chapter 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import Splitter
from ares_assets.analyst.experts.base import Expert, FittedExpert
from ares_assets.analyst.out_of_fold import fold_seed
from ares_assets.analyst.scores import auc, log_loss

SAME_CLUSTER_CORRELATION = 0.6


@dataclass(frozen=True)
class FeatureRanking:
    """Features from the most to the least useful.

    `table` has a row a feature in that order: `feature`, `cluster` (number), `importance`
    (of the cluster: mean rise of log-loss when permuted, nats), `standard_error` (over
    folds), `separation` (|AUC - 1/2| of the feature alone).  `columns` keeps the frame's order.
    """

    features: tuple[str, ...]
    table: pd.DataFrame
    columns: tuple[str, ...]

    def top(self, share: float) -> tuple[str, ...]:
        """The best `share` of all features, at least one, in the order of the frame."""
        best = set(self.features[: max(1, round(share * len(self.features)))])
        return tuple(name for name in self.columns if name in best)


def rank_features(
    probes: Sequence[Expert],
    features: pd.DataFrame,
    labels: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
    *,
    splitter: Splitter,
    seed: int,
    threads: int,
) -> FeatureRanking:
    """Rank by clustered permutation importance, averaged over probes and purged folds.

    The best feature of a useful cluster comes before the second of a more useful one, as
    the second adds little: a feature's place follows its cluster's importance divided by its
    place within the cluster, which is by its own separation.

    Parameters
    ----------
    probes
        Experts whose default models are asked, at least one.
    features
        (n, k); the other arrays are (n,), aligned by position.

    Raises
    ------
    PartitionSkipped, BadInput
        As the experts and the splitter do.
    """
    clusters = cluster_features(features.to_numpy(np.float64))
    rises = []
    for fold, (train, test) in enumerate(splitter.split(rows, t1_rows)):
        for probe in probes:
            fold_rise = _rises(
                _fit(probe, features, labels, weights, train, fold_seed(seed, fold), threads),
                features.iloc[test],
                labels[test],
                weights[test],
                clusters,
                np.random.default_rng(np.random.SeedSequence([seed, fold])),
            )
            rises.append(fold_rise)
    importance = np.mean(rises, axis=0)
    error = np.std(rises, axis=0) / np.sqrt(max(1, len(rises) - 1))
    return _ranking(features, labels, weights, clusters, importance, error)


def cluster_features(matrix: np.ndarray) -> np.ndarray:
    """Cluster number int64 (k,) of each column of (n, k), numbered by first appearance.

    Average linkage on 1 - |Spearman correlation|; columns closer than .6 share a cluster.
    A constant or empty column is a cluster of its own.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if matrix.shape[1] < 2:
        return np.zeros(matrix.shape[1], dtype=np.int64)
    ranks = pd.DataFrame(matrix).rank()
    centred = (ranks - ranks.mean()).fillna(0.0).to_numpy()
    norm = np.sqrt((centred**2).sum(axis=0))
    unit = centred / np.where(norm > 0, norm, 1.0)
    distance = np.clip(1.0 - np.abs(unit.T @ unit), 0.0, 1.0)
    np.fill_diagonal(distance, 0.0)
    # Rounded, so that the last bits of a BLAS product cannot decide a merge.
    condensed = squareform(np.round((distance + distance.T) / 2, 9), checks=False)
    found = fcluster(
        linkage(condensed, "average"), 1.0 - SAME_CLUSTER_CORRELATION, criterion="distance"
    )
    order = {number: place for place, number in enumerate(dict.fromkeys(found.tolist()))}
    return np.array([order[number] for number in found.tolist()], dtype=np.int64)


def _fit(
    probe: Expert,
    features: pd.DataFrame,
    labels: np.ndarray,
    weights: np.ndarray,
    train: np.ndarray,
    seed: int,
    threads: int,
) -> FittedExpert:
    return probe.fit(
        features.iloc[train],
        labels[train],
        weights[train],
        parameters={},
        seed=seed,
        threads=threads,
    )


def _rises(
    model: FittedExpert,
    features: pd.DataFrame,
    labels: np.ndarray,
    weights: np.ndarray,
    clusters: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """Rise of log-loss by cluster, nats."""
    base = log_loss(labels, model.probability(features), weights)
    values = features.to_numpy(np.float64)
    rises = np.empty(int(clusters.max()) + 1)
    for cluster in range(len(rises)):
        changed = values.copy()
        shuffled = generator.permutation(len(values))
        members = clusters == cluster
        changed[:, members] = values[shuffled][:, members]
        frame = pd.DataFrame(changed, columns=features.columns)
        rises[cluster] = log_loss(labels, model.probability(frame), weights) - base
    return rises


def _ranking(
    features: pd.DataFrame,
    labels: np.ndarray,
    weights: np.ndarray,
    clusters: np.ndarray,
    importance: np.ndarray,
    error: np.ndarray,
) -> FeatureRanking:
    table = pd.DataFrame(
        {
            "feature": [str(name) for name in features.columns],
            "cluster": clusters,
            "importance": importance[clusters],
            "standard_error": error[clusters],
            "separation": [_separation(column, labels, weights) for column in features.T.values],
        }
    )
    table = table.sort_values(["cluster", "separation", "feature"], ascending=[True, False, True])
    place = table.groupby("cluster").cumcount() + 1
    # A useless cluster's members stay in order of its importance, divided or not.
    table["rank_score"] = table["importance"] / np.where(table["importance"] > 0, place, 1 / place)
    table = table.sort_values(["rank_score", "feature"], ascending=[False, True])
    table = table.drop(columns="rank_score").reset_index(drop=True)
    columns = tuple(str(name) for name in features.columns)
    return FeatureRanking(tuple(table["feature"]), table, columns)


def _separation(column: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    known = ~np.isnan(column.astype(np.float64))
    area = auc(labels[known], column[known], weights[known]) if known.any() else np.nan
    return 0.0 if np.isnan(area) else abs(area - 0.5)
