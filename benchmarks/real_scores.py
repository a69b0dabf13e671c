"""The numbers of the benchmark on real bars: scores with intervals, claims, groups of events.

Belongs here: from predictions to plain values.  Does not belong here: models, bars, tables.

All events count alike, so that recipes without weights are judged by the measure they know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.scores import auc, log_loss
from benchmarks.intervals import Resamples, areas, interval, log_losses
from benchmarks.partitions import ENSEMBLE, Trained, is_whole, out_of_fold_of
from benchmarks.training_sets import counted, folds_of


def purged_claims(trained: Trained) -> dict[str, Any]:
    """What each model says of itself out of fold, pieced together over the regimes.

    Beside it what its fold models trained on, counted by a spy (``training_sets``).
    """
    whole = [found for found in trained.artifacts.values() if is_whole(found)]
    if not whole:
        return {}
    parts = [out_of_fold_of(found) for found in whole]
    folds = [folds_of(found, trained.settings) for found in whole]
    events = pd.concat([part for part, _ in parts])
    votes = pd.concat([part for _, part in parts])
    labels, weights = events["label"].to_numpy(float), np.ones(len(events))
    return {
        str(name): {
            "auc": round(auc(labels, votes[name].to_numpy(), weights), 5),
            "log_loss": round(log_loss(labels, votes[name].to_numpy(), weights), 5),
            **counted([fold for regime in folds for fold in regime[str(name)]]),
        }
        for name in votes
    }


def scored(
    test: pd.DataFrame, predicted: Mapping[str, np.ndarray], drawn: Resamples
) -> dict[str, Any]:
    """Each row's AUC and log-loss, and the ensemble's lead over each, with intervals."""
    labels, weights = test["label"].to_numpy(float), np.ones(len(test))
    area = {name: areas(labels, p, weights, drawn) for name, p in predicted.items()}
    loss = {name: log_losses(labels, p, weights, drawn) for name, p in predicted.items()}
    rows = {n: {"auc": interval(area[n]), "log_loss": interval(loss[n])} for n in predicted}
    if ENSEMBLE not in predicted:
        return {"rows": rows, "leads": {}}
    leads = {
        name: {
            "auc": interval(area[ENSEMBLE] - area[name]),
            "log_loss": interval(loss[name] - loss[ENSEMBLE]),
        }
        for name in predicted
        if name != ENSEMBLE
    }
    return {"rows": rows, "leads": leads}


def by_group(
    test: pd.DataFrame, predicted: Mapping[str, np.ndarray], groups: np.ndarray
) -> dict[str, dict[str, float]]:
    """AUC of each row in each group of events, and the group's count."""
    labels, weights = test["label"].to_numpy(float), np.ones(len(test))
    found: dict[str, dict[str, float]] = {}
    for group in sorted(set(groups)):
        own = groups == group
        scored = {n: round(auc(labels[own], p[own], weights[own]), 4) for n, p in predicted.items()}
        found[str(group)] = {"events": int(own.sum()), **scored}
    return found


def months(test: pd.DataFrame) -> np.ndarray:
    return pd.to_datetime(test["timestamp"], unit="ms").dt.strftime("%Y-%m").to_numpy()
