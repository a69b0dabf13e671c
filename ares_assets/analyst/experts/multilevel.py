"""The multilevel expert: one linear model of all regimes, with room for each to differ.

Belongs here: its design, its fit and its JSON.  Does not belong here: how shrinkage is learnt
(`relevance`), and checks shared by all experts.

    score = sum_k p_k (c_k + sum_j (s_j + d_kj) z_j)
    P(y = 1) = sigmoid(logit(b) + score / sqrt(b (1 - b)))

with b the base rate, p_k the filtered probability of regime k, z the standardised features, s_j
what all regimes share and d_kj how regime k deviates. Each feature has one prior variance for s_j
and one for its three deviations, and both are learnt: where a feature works alike everywhere the
regimes lend each other their events, where its sign turns each learns alone, and a feature that
says nothing is dropped. As the p_k are probabilities, the answer is routed softly; `soft` 0 puts
the likeliest regime in their place, in training and after.

It is least squares on the standardised label (y - b) / sqrt(b (1 - b)), with the link that agrees
with it in value and slope where score is 0: for a low signal the two differ by less than a
thousandth.

Source: Gelman and Hill (2007), chapter 12, for partial pooling.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ares_assets.analyst.experts import parameters as tables
from ares_assets.analyst.experts.base import REGIME_COLUMNS, Scope
from ares_assets.analyst.experts.linear import location_and_scale, standardise
from ares_assets.analyst.experts.relevance import Relevance, relevance_determination
from ares_assets.analyst.experts.training_data import (
    TrainingData,
    feature_matrix,
    inside_unit_interval,
    training_data,
)
from ares_resources.errors import BadInput, CorruptArtifact

FILE = "multilevel.json"
REGIMES = len(REGIME_COLUMNS)
_VECTORS = ("median", "mean", "scale", "shared", "intercept")
TABLE: tables.ParameterTable = {
    # 1 mixes the regimes by their probability, 0 takes the likeliest.
    "soft": tables.ParameterRange(default=1, low=0, high=1),
    # Power to which the likelihood of the events is raised: below 1 for what the sum of
    # uniqueness does not know, such as volatility that makes some events count less.
    "evidence_power": tables.ParameterRange(default=0.5, low=0.1, high=1.0, log=True),
    "clip": tables.ParameterRange(default=3.0, low=1.5, high=8.0),
}


@dataclass(frozen=True, eq=False)
class MultilevelModel:
    """Plain arrays; j runs over ``features``, which leave out the regime columns.

    ``median, mean, scale, shared`` (j,), ``intercept`` (3,), ``deviation`` (3, j); ``converged``
    tells whether the search for the prior variances came to its end.
    """

    kind: ClassVar[str] = "multilevel"
    technical: tuple[str, ...]
    median: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    shared: np.ndarray
    intercept: np.ndarray
    deviation: np.ndarray
    base_rate: float
    clip: float
    soft: bool
    converged: bool

    @property
    def features(self) -> tuple[str, ...]:
        """The technical features, then the regimes' probabilities."""
        return (*self.technical, *REGIME_COLUMNS)

    def probability(self, features: pd.DataFrame) -> np.ndarray:
        """See `FittedExpert.probability`; a row's answer does not depend on other rows."""
        values = feature_matrix(features, self.technical)
        z = standardise(values, self.median, self.mean, self.scale, self.clip)
        share = _shares(feature_matrix(features, REGIME_COLUMNS), self.soft)
        score = (z * self.shared).sum(axis=1)
        for regime in range(REGIMES):
            own = self.intercept[regime] + (z * self.deviation[regime]).sum(axis=1)
            score = score + share[:, regime] * own
        b = self.base_rate
        logit = np.log(b / (1.0 - b)) + score / np.sqrt(b * (1.0 - b))
        return inside_unit_interval(1.0 / (1.0 + np.exp(-logit)))

    def to_files(self) -> dict[str, bytes]:
        """One JSON file; floats are spelled so that they read back exactly."""
        content: dict[str, Any] = {
            "kind": self.kind,
            "features": list(self.technical),
            "regimes": list(REGIME_COLUMNS),
            **{name: getattr(self, name).tolist() for name in _VECTORS},
            "deviation": self.deviation.tolist(),
            "base_rate": self.base_rate,
            "clip": self.clip,
            "soft": self.soft,
            "converged": self.converged,
        }
        return {FILE: (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()}


class MultilevelExpert(tables.WithTable):
    """See `Expert`, and the module."""

    kind: ClassVar[str] = "multilevel"
    scope: ClassVar[Scope] = "market"
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
    ) -> MultilevelModel:
        """See `Expert.fit`; ``features`` hold the regimes' probabilities as well.

        Nothing is random, and one thread is used, so neither seed nor threads matter.

        Raises
        ------
        BadInput
            As `Expert.fit`, or a regime's probability is missing.
        """
        chosen = self.completed(parameters)
        missing = [name for name in REGIME_COLUMNS if name not in features.columns]
        if missing:
            raise BadInput(f"multilevel expert: column {missing[0]!r} is missing; needed: all")
        technical = features.drop(columns=list(REGIME_COLUMNS))
        kept = np.asarray(weights, dtype=np.float64) > 0
        data = training_data(technical, labels, weights)
        share = _shares(feature_matrix(features, REGIME_COLUMNS)[kept], bool(chosen["soft"]))
        return _fitted(data, share, chosen)


def load(files: Mapping[str, bytes]) -> MultilevelModel:
    """Rebuild a `MultilevelModel`; `CorruptArtifact` if the JSON does not describe one."""
    try:
        content = json.loads(files[FILE])
        names = tuple(content["features"])
        vectors = {name: np.array(content[name], dtype=np.float64) for name in _VECTORS}
        model = MultilevelModel(
            technical=names,
            deviation=np.array(content["deviation"], dtype=np.float64),
            base_rate=float(content["base_rate"]),
            clip=float(content["clip"]),
            soft=bool(content["soft"]),
            converged=bool(content["converged"]),
            **vectors,
        )
        kind = content["kind"]
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptArtifact(f"{FILE} does not describe a multilevel expert: {error!r}") from error
    shapes = [vectors[name].shape == (len(names),) for name in _VECTORS if name != "intercept"]
    right = all(shapes) and model.intercept.shape == (REGIMES,)
    right &= model.deviation.shape == (REGIMES, len(names)) and 0.0 < model.base_rate < 1.0
    if kind != MultilevelModel.kind or not right:
        raise CorruptArtifact(
            f"{FILE} does not describe a multilevel expert: kind, lengths or base rate"
        )
    return model


def _shares(probability: np.ndarray, soft: bool) -> np.ndarray:
    """Regime shares, (n, 3): the probabilities, or 1 for the likeliest; unknown is a third."""
    unknown = np.isnan(probability).any(axis=1, keepdims=True)
    known = np.where(unknown, 1.0 / REGIMES, probability)
    if soft:
        return known
    # Unknown stays a third each: the likeliest of equals would be the first regime by name.
    return np.where(unknown, known, np.eye(REGIMES)[known.argmax(axis=1)])


def _fitted(
    data: TrainingData, share: np.ndarray, chosen: Mapping[str, float | int]
) -> MultilevelModel:
    median, mean, scale = location_and_scale(data)
    z = standardise(data.matrix, median, mean, scale, float(chosen["clip"]))[:, data.usable]
    base_rate = float(np.average(data.labels, weights=data.weights))
    target = (data.labels - base_rate) / np.sqrt(base_rate * (1.0 - base_rate))
    found = _learnt(z, share, data, target, float(chosen["evidence_power"]))
    width, used = len(data.features), int(data.usable.sum())
    coefficient = found.coefficient[REGIMES:].reshape(REGIMES + 1, used)
    spread = np.zeros((REGIMES + 1, width))
    spread[:, data.usable] = coefficient
    return MultilevelModel(
        data.features,
        median,
        mean,
        scale,
        shared=spread[0],
        intercept=found.coefficient[:REGIMES],
        deviation=spread[1:],
        base_rate=base_rate,
        clip=float(chosen["clip"]),
        soft=bool(chosen["soft"]),
        converged=found.converged,
    )


def _learnt(
    z: np.ndarray, share: np.ndarray, data: TrainingData, target: np.ndarray, power: float
) -> Relevance:
    from threadpoolctl import threadpool_limits

    used = z.shape[1]
    design = np.hstack([share, z, *(share[:, [k]] * z for k in range(REGIMES))])
    numbers = np.arange(used)
    groups = np.concatenate(
        [np.zeros(REGIMES, np.int64), 1 + numbers, *[1 + used + numbers] * REGIMES]
    )
    weight = data.evidence * power
    weighted = design * weight[:, None]
    # One thread: the order of additions, and so the last bits, depend on their number.
    with threadpool_limits(limits=1):
        return relevance_determination(
            weighted.T @ design,
            weighted.T @ target,
            float((weight * target**2).sum()),
            float(weight.sum()),
            groups,
        )


EXPERT = MultilevelExpert()
