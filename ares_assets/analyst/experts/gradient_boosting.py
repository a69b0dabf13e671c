"""The gradient boosting expert: shallow LightGBM trees, few, slow and heavily shrunk.

Belongs here: hyperparameters and their translation.  Does not belong here: training and
files of LightGBM (`lightgbm_trees`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from ares_assets.analyst.experts import lightgbm_trees
from ares_assets.analyst.experts import parameters as tables
from ares_assets.analyst.experts.base import Scope
from ares_assets.analyst.experts.continuation import check_continuation
from ares_assets.analyst.experts.training_data import TrainingData, training_data
from ares_resources.errors import BadInput

if TYPE_CHECKING:
    from ares_assets.analyst.experts.base import FittedExpert

TABLE: tables.ParameterTable = {
    "trees": tables.ParameterRange(default=150, low=20, high=400, log=True),
    "learning_rate": tables.ParameterRange(default=0.02, low=0.005, high=0.1, log=True),
    "leaves": tables.ParameterRange(default=2, low=2, high=16, log=True),
    "leaf_share": tables.ParameterRange(default=0.05, low=0.01, high=0.2, log=True),
    "leaf_penalty": tables.ParameterRange(default=100.0, low=1.0, high=300.0, log=True),
    "feature_share": tables.ParameterRange(default=0.4, low=0.1, high=1.0),
    "row_share": tables.ParameterRange(default=0.6, low=0.3, high=0.95),
}


class GradientBoostingExpert(tables.WithTable):
    """See `Expert`; source: Ke et al. (2017), LightGBM."""

    kind: ClassVar[str] = "gradient_boosting"
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
        rounds = int(chosen["trees"])
        return lightgbm_trees.train(
            self.kind, data, _settings(data, chosen), rounds=rounds, seed=seed, threads=threads
        )

    def continue_fit(
        self,
        previous: FittedExpert,
        features: pd.DataFrame,
        labels: np.ndarray,
        weights: np.ndarray,
        *,
        parameters: Mapping[str, float | int],
        trees: int,
        seed: int,
        threads: int,
    ) -> lightgbm_trees.LightGbmModel:
        """See `ContinuableExpert.continue_fit`."""
        before, chosen = _own(previous), self.completed(parameters)
        data = training_data(features, labels, weights)
        check_continuation(before.features, data, trees)
        return lightgbm_trees.train(
            self.kind,
            data,
            _settings(data, chosen),
            rounds=trees,
            seed=seed,
            threads=threads,
            before=before,
        )

    def tree_count(self, model: FittedExpert) -> int:
        """See `ContinuableExpert.tree_count`."""
        return lightgbm_trees.tree_count(_own(model))


def load(files: Mapping[str, bytes]) -> lightgbm_trees.LightGbmModel:
    """Rebuild from the file that `to_files` gave."""
    return lightgbm_trees.load(GradientBoostingExpert.kind, files)


def _own(model: FittedExpert) -> lightgbm_trees.LightGbmModel:
    if (
        isinstance(model, lightgbm_trees.LightGbmModel)
        and model.kind == GradientBoostingExpert.kind
    ):
        return model
    raise BadInput(f"a {model.kind} model cannot be continued as {GradientBoostingExpert.kind}")


def _settings(data: TrainingData, chosen: Mapping[str, float | int]) -> dict[str, Any]:
    rows = lightgbm_trees.minimum_leaf_rows(len(data.labels), chosen["leaf_share"])
    return {
        "learning_rate": chosen["learning_rate"],
        "num_leaves": chosen["leaves"],
        "min_data_in_leaf": rows,
        "lambda_l2": chosen["leaf_penalty"],
        "feature_fraction": chosen["feature_share"],
        "bagging_fraction": chosen["row_share"],
        "bagging_freq": 1,
        "max_bin": 63,
    }


EXPERT = GradientBoostingExpert()
