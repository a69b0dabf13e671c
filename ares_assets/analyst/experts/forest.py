"""The forest expert: averaged LightGBM trees on random rows and features.

Belongs here: hyperparameters and their translation.  Does not belong here: training and
files of LightGBM (`lightgbm_trees`).  LightGBM's forest is chosen over scikit-learn's for
its native text file and its handling of NaN.

A forest averages trees that each saw the data as they were then, so one cannot be continued:
trees of older windows would stay in the average.  A refit fits anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pandas as pd

from ares_assets.analyst.experts import lightgbm_trees
from ares_assets.analyst.experts import parameters as tables
from ares_assets.analyst.experts.base import Scope
from ares_assets.analyst.experts.training_data import training_data

TABLE: tables.ParameterTable = {
    "trees": tables.ParameterRange(default=150, low=50, high=400, log=True),
    "leaves": tables.ParameterRange(default=8, low=2, high=64, log=True),
    "leaf_share": tables.ParameterRange(default=0.05, low=0.005, high=0.2, log=True),
    "leaf_penalty": tables.ParameterRange(default=30.0, low=1.0, high=300.0, log=True),
    "feature_share": tables.ParameterRange(default=0.3, low=0.1, high=0.9),
    "row_share": tables.ParameterRange(default=0.5, low=0.2, high=0.9),
}


class ForestExpert(tables.WithTable):
    """See `Expert`; source: Breiman (2001), Random Forests."""

    kind: ClassVar[str] = "forest"
    scope: ClassVar[Scope] = "regime"
    table = TABLE

    def fit(
        self,
        features: pd.DataFrame,
        labels: np.ndarray,
        weights: np.ndarray,
        *,
        parameters: Mapping[str, float | int],
        seed: int,
        threads: int,
    ) -> lightgbm_trees.LightGbmModel:
        """See `Expert.fit`."""
        chosen = self.completed(parameters)
        data = training_data(features, labels, weights)
        settings = {
            "boosting": "rf",
            "num_leaves": chosen["leaves"],
            "min_data_in_leaf": lightgbm_trees.minimum_leaf_rows(
                len(data.labels), chosen["leaf_share"]
            ),
            "lambda_l2": chosen["leaf_penalty"],
            "feature_fraction_bynode": chosen["feature_share"],
            "bagging_fraction": chosen["row_share"],
            "bagging_freq": 1,
            "max_bin": 63,
        }
        rounds = int(chosen["trees"])
        return lightgbm_trees.train(
            self.kind, data, settings, rounds=rounds, seed=seed, threads=threads
        )


def load(files: Mapping[str, bytes]) -> lightgbm_trees.LightGbmModel:
    """Rebuild from the file that `to_files` gave."""
    return lightgbm_trees.load(ForestExpert.kind, files)


EXPERT = ForestExpert()
