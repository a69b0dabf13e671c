"""The gradient boosting expert: shallow LightGBM trees, few, slow and heavily shrunk.

Belongs here: hyperparameters and their translation.  Does not belong here: training and
files of LightGBM (`lightgbm_trees`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from ares_assets.analyst.experts import lightgbm_trees
from ares_assets.analyst.experts import parameters as tables
from ares_assets.analyst.experts.base import Scope
from ares_assets.analyst.experts.training_data import training_data

if TYPE_CHECKING:
    import optuna

TABLE: tables.ParameterTable = {
    "trees": tables.ParameterRange(default=150, low=20, high=400, log=True),
    "learning_rate": tables.ParameterRange(default=0.02, low=0.005, high=0.1, log=True),
    "leaves": tables.ParameterRange(default=2, low=2, high=16, log=True),
    "leaf_share": tables.ParameterRange(default=0.05, low=0.01, high=0.2, log=True),
    "leaf_penalty": tables.ParameterRange(default=100.0, low=1.0, high=300.0, log=True),
    "feature_share": tables.ParameterRange(default=0.4, low=0.1, high=1.0),
    "row_share": tables.ParameterRange(default=0.6, low=0.3, high=0.95),
}


class GradientBoostingExpert:
    """See `Expert`; source: Ke et al. (2017), LightGBM."""

    kind: ClassVar[str] = "gradient_boosting"
    scope: ClassVar[Scope] = "regime"

    def default_parameters(self) -> dict[str, float | int]:
        """See `Expert.default_parameters`."""
        return tables.default_parameters(TABLE)

    def suggest(self, trial: optuna.trial.BaseTrial) -> dict[str, float | int]:
        """See `Expert.suggest`."""
        return tables.suggest_parameters(trial, self.kind, TABLE)

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
        chosen = tables.complete_parameters(self.kind, TABLE, parameters)
        data = training_data(features, labels, weights)
        settings = {
            "learning_rate": chosen["learning_rate"],
            "num_leaves": chosen["leaves"],
            "min_data_in_leaf": lightgbm_trees.minimum_leaf_rows(
                len(data.labels), chosen["leaf_share"]
            ),
            "lambda_l2": chosen["leaf_penalty"],
            "feature_fraction": chosen["feature_share"],
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
    return lightgbm_trees.load(GradientBoostingExpert.kind, files)


EXPERT = GradientBoostingExpert()
