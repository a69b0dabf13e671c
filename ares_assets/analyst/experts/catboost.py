"""The CatBoost expert: shallow oblivious trees, plain boosting, heavily shrunk.

Belongs here: its fit and its `.cbm` file, freed of everything that differs between equal
fits.  Does not belong here: checks shared by all experts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from ares_assets.analyst.experts import parameters as tables
from ares_assets.analyst.experts.base import Scope
from ares_assets.analyst.experts.continuation import check_continuation
from ares_assets.analyst.experts.training_data import (
    TrainingData,
    feature_matrix,
    inside_unit_interval,
    training_data,
)
from ares_resources.errors import BadInput, CorruptArtifact

if TYPE_CHECKING:
    from catboost import CatBoostClassifier

    from ares_assets.analyst.experts.base import FittedExpert

FILE = "catboost.cbm"
TABLE: tables.ParameterTable = {
    "trees": tables.ParameterRange(default=150, low=20, high=400, log=True),
    "learning_rate": tables.ParameterRange(default=0.02, low=0.005, high=0.1, log=True),
    "depth": tables.ParameterRange(default=2, low=1, high=6),
    "leaf_penalty": tables.ParameterRange(default=30.0, low=1.0, high=300.0, log=True),
    "feature_share": tables.ParameterRange(default=0.4, low=0.1, high=1.0),
    "row_share": tables.ParameterRange(default=0.6, low=0.3, high=0.95),
}
# What is left in the file; the rest holds the time of training, a random identity, and
# the training set's history.
KEPT_METADATA = frozenset({"class_params", "catboost_version_info"})


@dataclass(frozen=True, eq=False)
class CatBoostModel:
    """A `.cbm` model and its bytes."""

    kind: ClassVar[str] = "catboost"
    features: tuple[str, ...]
    content: bytes = field(repr=False)
    model: CatBoostClassifier = field(repr=False)

    def probability(self, features: pd.DataFrame) -> np.ndarray:
        """See `FittedExpert.probability`; NaN counts as below every border."""
        values = feature_matrix(features, self.features)
        if not len(values):
            return np.empty(0)
        named = pd.DataFrame(values, columns=list(self.features))
        score = self.model.predict(named, prediction_type="RawFormulaVal", thread_count=1)
        return inside_unit_interval(1.0 / (1.0 + np.exp(-np.asarray(score, dtype=np.float64))))

    def to_files(self) -> dict[str, bytes]:
        """CatBoost's own binary format."""
        return {FILE: self.content}


class CatBoostExpert(tables.WithTable):
    """See `Expert`; source: Prokhorenkova et al. (2018), CatBoost."""

    kind: ClassVar[str] = "catboost"
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
    ) -> CatBoostModel:
        """See `Expert.fit`; deterministic for a fixed seed and thread count."""
        chosen = self.completed(parameters)
        data = training_data(features, labels, weights)
        # Predictions come from the re-read bytes, so that a saved model answers the same.
        return load({FILE: _train(data, chosen, seed, threads)})

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
    ) -> CatBoostModel:
        """See `ContinuableExpert.continue_fit`; the learning rate is that of `fit`."""
        before, chosen = _own(previous), self.completed(parameters)
        data = training_data(features, labels, weights)
        check_continuation(before.features, data, trees)
        chosen = {**chosen, "trees": trees}
        return load({FILE: _train(data, chosen, seed, threads, before)})

    def tree_count(self, model: FittedExpert) -> int:
        """See `ContinuableExpert.tree_count`."""
        return int(_own(model).model.tree_count_)


def load(files: Mapping[str, bytes]) -> CatBoostModel:
    """Rebuild a `CatBoostModel`; `CorruptArtifact` if the file is missing or unreadable."""
    from catboost import CatBoostClassifier, CatBoostError

    if FILE not in files:
        raise CorruptArtifact(f"{FILE} is missing; present: {', '.join(sorted(files)) or 'none'}")
    model = CatBoostClassifier()
    try:
        model.load_model(blob=files[FILE], format="cbm")
    except CatBoostError as error:
        raise CorruptArtifact(f"{FILE} is not a CatBoost model: {error}") from error
    return CatBoostModel(tuple(model.feature_names_), files[FILE], model)


def _own(model: FittedExpert) -> CatBoostModel:
    if not isinstance(model, CatBoostModel):
        raise BadInput(f"a {model.kind} model cannot be continued as {CatBoostExpert.kind}")
    return model


def _train(
    data: TrainingData,
    chosen: Mapping[str, float | int],
    seed: int,
    threads: int,
    before: CatBoostModel | None = None,
) -> bytes:
    from catboost import CatBoostClassifier, Pool

    model = CatBoostClassifier(
        iterations=chosen["trees"],
        learning_rate=chosen["learning_rate"],
        depth=chosen["depth"],
        l2_leaf_reg=chosen["leaf_penalty"],
        rsm=chosen["feature_share"],
        subsample=chosen["row_share"],
        bootstrap_type="Bernoulli",
        boosting_type="Plain",
        leaf_estimation_iterations=1,
        border_count=64,
        # The first trees hold the average already; CatBoost refuses to be told both.
        boost_from_average=before is None,
        # Each continuation draws other rows and features than the trees before it.
        random_seed=seed + (0 if before is None else before.model.tree_count_),
        thread_count=threads,
        allow_writing_files=False,
        logging_level="Silent",
    )
    frame = pd.DataFrame(data.matrix, columns=list(data.features))
    model.fit(
        Pool(frame, data.labels.astype(np.int64), weight=data.weights),
        init_model=None if before is None else before.model,
    )
    return _content(model)


def _content(model: CatBoostClassifier) -> bytes:
    """The model's deterministic bytes.

    CatBoost saves to a path only, so the bytes go through a temporary folder; the public
    alternative, pickling the object, is what Ares never does.
    """
    metadata = model.get_metadata()
    for key in sorted(set(metadata.keys()) - KEPT_METADATA):
        del metadata[key]
    with tempfile.TemporaryDirectory(prefix="ares-catboost-") as folder:
        path = Path(folder) / FILE
        model.save_model(str(path), format="cbm")
        return path.read_bytes()


EXPERT = CatBoostExpert()
