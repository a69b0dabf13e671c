"""LightGBM underneath two experts: training, prediction and its native text.

Belongs here: what gradient boosting and the forest share.  Does not belong here: their
hyperparameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd

from ares_assets.analyst.experts.training_data import (
    TrainingData,
    feature_matrix,
    inside_unit_interval,
    useful_threads,
)
from ares_resources.errors import CorruptArtifact

if TYPE_CHECKING:
    import lightgbm


@dataclass(frozen=True, eq=False)
class LightGbmModel:
    """A LightGBM text model; `kind` names the expert whose file it is."""

    kind: str
    features: tuple[str, ...]
    text: str
    booster: lightgbm.Booster = field(repr=False)

    def probability(self, features: pd.DataFrame) -> np.ndarray:
        """See `FittedExpert.probability`; NaN follows the branch learnt for it."""
        values = feature_matrix(features, self.features)
        if not len(values):
            return np.empty(0)
        predicted = self.booster.predict(values, num_threads=1)
        return inside_unit_interval(np.asarray(predicted, dtype=np.float64))

    def to_files(self) -> dict[str, bytes]:
        """LightGBM's own text format."""
        return {_file(self.kind): self.text.encode()}


def train(
    kind: str,
    data: TrainingData,
    settings: Mapping[str, Any],
    *,
    rounds: int,
    seed: int,
    threads: int,
    before: LightGbmModel | None = None,
) -> LightGbmModel:
    """Train on checked data, or add `rounds` to the model `before`, which stays as it is.

    Deterministic for a fixed seed and thread count.
    """
    import lightgbm

    # Reversible spelling: LightGBM refuses some characters in names and changes others.
    names = [quote(name, safe="") for name in data.features]
    options = {
        **settings,
        "objective": "binary",
        # Each continuation draws other rows and features than the trees before it.
        "seed": (seed + (0 if before is None else tree_count(before))) % 2**31,
        "num_threads": useful_threads(len(data.labels), threads),
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    pool = lightgbm.Dataset(
        data.matrix, data.labels, weight=data.weights, feature_name=names, params=options
    )
    booster = lightgbm.train(
        options,
        pool,
        num_boost_round=rounds,
        init_model=None if before is None else before.booster,
    )
    text = booster.model_to_string()
    # Predictions come from the re-read text, so that a saved model answers the same.
    return _from_text(kind, text)


def load(kind: str, files: Mapping[str, bytes]) -> LightGbmModel:
    """Rebuild a model; `CorruptArtifact` if the file is missing or unreadable."""
    import lightgbm

    name = _file(kind)
    if name not in files:
        raise CorruptArtifact(f"{name} is missing; present: {', '.join(sorted(files)) or 'none'}")
    # Asked before LightGBM is, which prints to stdout when it cannot read a text.
    if not files[name].startswith(b"tree\n") or b"\nend of parameters" not in files[name]:
        raise CorruptArtifact(f"{name} is not a whole LightGBM model")
    try:
        return _from_text(kind, files[name].decode())
    except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as error:
        raise CorruptArtifact(f"{name} is not a LightGBM model: {error}") from error


def tree_count(model: LightGbmModel) -> int:
    """Trees that the model sums over."""
    return int(model.booster.num_trees())


def minimum_leaf_rows(rows: int, share: float) -> int:
    """Rows a leaf must hold: a share of the training rows, at least twenty."""
    return max(20, round(rows * share))


def _from_text(kind: str, text: str) -> LightGbmModel:
    import lightgbm

    booster = lightgbm.Booster(model_str=text)
    return LightGbmModel(
        kind, tuple(unquote(name) for name in booster.feature_name()), text, booster
    )


def _file(kind: str) -> str:
    return f"{kind}.txt"
