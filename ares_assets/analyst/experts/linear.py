"""The linear expert: ridge logistic regression on standardised features.

Belongs here: its fit with imputation and scaling, and its JSON.  Does not belong here:
checks shared by all experts.

Under a year of bars a strongly regularised linear model beats boosting on this problem, so
the defaults are those of a Gaussian prior with a total logit spread of a few tenths.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from ares_assets.analyst.experts import parameters as tables
from ares_assets.analyst.experts.base import Scope
from ares_assets.analyst.experts.training_data import (
    TrainingData,
    feature_matrix,
    inside_unit_interval,
    training_data,
    useful_threads,
)
from ares_resources.errors import CorruptArtifact

FILE = "linear.json"
TABLE: tables.ParameterTable = {
    # Variance of the prior on each standardised coefficient.
    "prior_variance": tables.ParameterRange(default=0.001, low=1e-5, high=1.0, log=True),
    # Standard deviations beyond which a feature's value says nothing more.
    "clip": tables.ParameterRange(default=3.0, low=1.5, high=8.0),
}


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Plain arrays: P(y = 1) = sigmoid(intercept + sum coefficient * clip(z)).

    Arrays are float64 (k,); z = (value or median - mean) / scale.
    """

    kind: ClassVar[str] = "linear"
    features: tuple[str, ...]
    median: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    coefficient: np.ndarray
    intercept: float
    clip: float

    def probability(self, features: pd.DataFrame) -> np.ndarray:
        """See `FittedExpert.probability`; a row's answer does not depend on other rows."""
        values = feature_matrix(features, self.features)
        standardised = standardise(values, self.median, self.mean, self.scale, self.clip)
        # A sum along each row, since a BLAS product may round differently by batch size.
        score = self.intercept + (standardised * self.coefficient).sum(axis=1)
        return inside_unit_interval(1.0 / (1.0 + np.exp(-score)))

    def to_files(self) -> dict[str, bytes]:
        """One JSON file; floats are spelled so that they read back exactly."""
        content = {
            "kind": self.kind,
            "features": list(self.features),
            "median": self.median.tolist(),
            "mean": self.mean.tolist(),
            "scale": self.scale.tolist(),
            "coefficient": self.coefficient.tolist(),
            "intercept": self.intercept,
            "clip": self.clip,
        }
        return {FILE: (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()}


class LinearExpert(tables.WithTable):
    """See `Expert`; source: Hastie, Tibshirani, Friedman (2009), chapter 4.4."""

    kind: ClassVar[str] = "linear"
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
    ) -> LinearModel:
        """See `Expert.fit`; the problem is convex, so the seed is not used."""
        chosen = self.completed(parameters)
        data = training_data(features, labels, weights)
        median, mean, scale = location_and_scale(data)
        standardised = standardise(data.matrix, median, mean, scale, chosen["clip"])
        coefficient, intercept = _ridge(data, standardised, chosen["prior_variance"], threads)
        return LinearModel(
            data.features, median, mean, scale, coefficient, intercept, float(chosen["clip"])
        )


def load(files: Mapping[str, bytes]) -> LinearModel:
    """Rebuild a `LinearModel`; `CorruptArtifact` if the JSON does not describe one."""
    try:
        content = json.loads(files[FILE])
        vectors = {
            name: np.array(content[name], dtype=np.float64)
            for name in ("median", "mean", "scale", "coefficient")
        }
        names = tuple(content["features"])
        model = LinearModel(
            features=names,
            intercept=float(content["intercept"]),
            clip=float(content["clip"]),
            **vectors,
        )
        wrong = any(vector.shape != (len(names),) for vector in vectors.values())
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptArtifact(f"{FILE} does not describe a linear expert: {error!r}") from error
    if wrong or content.get("kind") != LinearModel.kind:
        raise CorruptArtifact(f"{FILE} does not describe a linear expert: lengths or kind differ")
    return model


def location_and_scale(data: TrainingData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Median, and mean and standard deviation after imputing it, each (k,)."""
    median, mean = np.zeros((2, len(data.features)))
    scale = np.ones(len(data.features))
    values = data.matrix[:, data.usable]
    median[data.usable] = np.nanmedian(values, axis=0)
    filled = np.where(np.isnan(values), median[data.usable], values)
    mean[data.usable] = filled.mean(axis=0)
    deviation = filled.std(axis=0)
    # A spread below rounding error would blow up into noise: such a feature stays unscaled.
    real = deviation > 1e-12 * (1.0 + np.abs(mean[data.usable]))
    scale[data.usable] = np.where(real, deviation, 1.0)
    return median, mean, scale


def standardise(
    values: np.ndarray, median: np.ndarray, mean: np.ndarray, scale: np.ndarray, clip: float
) -> np.ndarray:
    """Imputed, centred, scaled and clipped values, (n, k)."""
    filled = np.where(np.isnan(values), median, values)
    return np.clip((filled - mean) / scale, -clip, clip)


def _ridge(
    data: TrainingData, standardised: np.ndarray, prior_variance: float, threads: int
) -> tuple[np.ndarray, float]:
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    solver = LogisticRegression(
        C=prior_variance, l1_ratio=0.0, solver="newton-cholesky", tol=1e-8, max_iter=100
    )
    with threadpool_limits(limits=useful_threads(len(data.labels), threads)):
        solver.fit(standardised[:, data.usable], data.labels, sample_weight=data.evidence)
    coefficient = np.zeros(len(data.features))
    coefficient[data.usable] = solver.coef_[0]
    return coefficient, float(solver.intercept_[0])


EXPERT = LinearExpert()
