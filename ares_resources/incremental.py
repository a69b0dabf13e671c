"""Refits that continue a model instead of starting again, as long as that costs no accuracy.

Belongs here: continuing boosted trees (CatBoost, LightGBM) and the judgement against a fit
from scratch.  Does not belong here: which windows are refitted, and the experts of step 5.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput

Kind = Literal["catboost", "lightgbm"]
_SMALLEST_PROBABILITY = 1e-15
_LEARNING_RATE = 0.05
# The rest differs between equal fits: the time, a random identity.
_KEPT_METADATA = frozenset({"class_params", "catboost_version_info"})


@dataclass(frozen=True)
class TrainingSet:
    """Features ``(n, columns)``, labels 0 or 1 ``(n,)`` and weights ``(n,)``."""

    features: pd.DataFrame
    labels: np.ndarray
    weights: np.ndarray

    def __post_init__(self) -> None:
        rows = len(self.features)
        for name in ("labels", "weights"):
            if np.shape(getattr(self, name)) != (rows,):
                shape = np.shape(getattr(self, name))
                raise BadInput(f"{name} have shape {shape}, not ({rows},)")


@dataclass(frozen=True)
class RefitResult:
    """The model of a refit, as bytes in its library's native text or binary format.

    ``used`` says how it was made and ``reason`` why.  The losses are log-losses on the
    validation set; None where that model was not trained.  ``since_check`` counts refits
    since the last comparison with scratch, and goes into the next refit.
    """

    model: bytes
    used: Literal["continued", "scratch"]
    reason: str
    loss_continued: float | None
    loss_scratch: float | None
    since_check: int


class _Library(Protocol):
    def fit(self, data: TrainingSet, *, trees: int, previous: bytes | None) -> bytes: ...

    def probability(self, model: bytes, features: pd.DataFrame) -> np.ndarray: ...


class IncrementalTrainer:
    """Refits boosted trees by adding some to the last model.

    Parameters
    ----------
    kind
        "catboost" or "lightgbm".
    parameters
        The library's own parameters, without seed, threads and number of trees.
    scratch_trees, extra_trees
        Trees of a fit from scratch, and those that a continuation adds.
    tolerance
        Log-loss by which a continuation may be worse than scratch on the validation set.
    check_every
        Refits from one comparison with scratch to the next; 1 compares every time.  Between
        comparisons a continuation that validates worse than the model it continues, beyond
        the tolerance, is compared at once: that is what drift looks like.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        parameters: Mapping[str, Any] | None = None,
        scratch_trees: int = 300,
        extra_trees: int = 20,
        tolerance: float = 0.002,
        check_every: int = 1,
        seed: int = 7,
        threads: int = 2,
    ) -> None:
        if kind not in ("catboost", "lightgbm"):
            raise BadInput(f"kind {kind!r} cannot be continued; allowed: catboost, lightgbm")
        numbers = {
            "scratch_trees": scratch_trees,
            "extra_trees": extra_trees,
            "check_every": check_every,
            "threads": threads,
        }
        for name, value in numbers.items():
            if value < 1:
                raise BadInput(f"{name} {value} must be at least 1")
        if tolerance < 0:
            raise BadInput(f"tolerance {tolerance} must be 0 or more")
        library = _CatBoost if kind == "catboost" else _LightGBM
        self._library: _Library = library(dict(parameters or {}), seed, threads)
        self.scratch_trees, self.extra_trees = scratch_trees, extra_trees
        self.tolerance, self.check_every = tolerance, check_every

    def refit(
        self,
        data: TrainingSet,
        *,
        validation: TrainingSet,
        previous: RefitResult | None = None,
    ) -> RefitResult:
        """A model of ``data``; ``validation`` lies after it in time and decides what is kept.

        The validation set must not be the one that the model is finally judged on.
        """
        if previous is None:
            return self._scratch(data, validation, None, "first fit")
        if _columns(data) != _columns(validation):
            raise BadInput("training and validation features differ in names or order")
        model = self._library.fit(data, trees=self.extra_trees, previous=previous.model)
        loss = self.validation_loss(model, validation)
        since = previous.since_check + 1
        if since < self.check_every:
            before = self.validation_loss(previous.model, validation)
            if loss <= before + self.tolerance:
                reason = f"not worse than the model before; compared {since} refits ago"
                return RefitResult(model, "continued", reason, loss, None, since)
        scratch = self._scratch(data, validation, loss, "continuing costs more than tolerated")
        assert scratch.loss_scratch is not None
        if loss <= scratch.loss_scratch + self.tolerance:
            reason = "within the tolerance of a fit from scratch"
            return RefitResult(model, "continued", reason, loss, scratch.loss_scratch, 0)
        return scratch

    def probability(self, model: bytes, features: pd.DataFrame) -> np.ndarray:
        """float64 ``(n,)``: P(label = 1)."""
        return self._library.probability(model, features)

    def validation_loss(self, model: bytes, validation: TrainingSet) -> float:
        """Weighted log-loss, nats."""
        chance = self.probability(model, validation.features)
        chance = np.clip(chance, _SMALLEST_PROBABILITY, 1 - _SMALLEST_PROBABILITY)
        hit = np.where(np.asarray(validation.labels) == 1, chance, 1 - chance)
        return float(-np.average(np.log(hit), weights=validation.weights))

    def _scratch(
        self, data: TrainingSet, validation: TrainingSet, continued: float | None, reason: str
    ) -> RefitResult:
        model = self._library.fit(data, trees=self.scratch_trees, previous=None)
        loss = self.validation_loss(model, validation)
        return RefitResult(model, "scratch", reason, continued, loss, 0)


def _columns(data: TrainingSet) -> list[str]:
    return [str(name) for name in data.features.columns]


@dataclass(frozen=True)
class _CatBoost:
    parameters: dict[str, Any]
    seed: int
    threads: int

    def fit(self, data: TrainingSet, *, trees: int, previous: bytes | None) -> bytes:
        import catboost

        # CatBoost's own learning rate depends on the number of trees, so it would differ
        # between a fit and its continuation.
        model = catboost.CatBoostClassifier(
            **{"learning_rate": _LEARNING_RATE, **self.parameters},
            iterations=trees,
            random_seed=self.seed,
            thread_count=self.threads,
            allow_writing_files=False,
            verbose=False,
        )
        pool = catboost.Pool(data.features, data.labels, weight=data.weights)
        model.fit(pool, init_model=None if previous is None else self._load(previous))
        metadata = model.get_metadata()
        for name in sorted(set(metadata.keys()) - _KEPT_METADATA):
            del metadata[name]
        with tempfile.TemporaryDirectory(prefix="ares-refit-") as folder:
            path = Path(folder) / "model.cbm"
            model.save_model(str(path))
            return path.read_bytes()

    def probability(self, model: bytes, features: pd.DataFrame) -> np.ndarray:
        loaded = self._load(model)
        ordered = features[loaded.feature_names_]
        chance = loaded.predict_proba(ordered, thread_count=self.threads)
        return np.asarray(chance[:, 1], dtype=np.float64)

    def _load(self, model: bytes) -> Any:
        import catboost

        loaded = catboost.CatBoostClassifier()
        loaded.load_model(blob=model)
        return loaded


@dataclass(frozen=True)
class _LightGBM:
    parameters: dict[str, Any]
    seed: int
    threads: int

    def fit(self, data: TrainingSet, *, trees: int, previous: bytes | None) -> bytes:
        import lightgbm

        fixed = {
            "objective": "binary",
            "seed": self.seed,
            "num_threads": self.threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }
        booster = lightgbm.train(
            {**self.parameters, **fixed},
            lightgbm.Dataset(data.features, data.labels, weight=data.weights),
            num_boost_round=trees,
            init_model=None if previous is None else self._load(previous),
        )
        return booster.model_to_string().encode()

    def probability(self, model: bytes, features: pd.DataFrame) -> np.ndarray:
        loaded = self._load(model)
        ordered = features[loaded.feature_name()]
        return np.asarray(loaded.predict(ordered, num_threads=self.threads), dtype=np.float64)

    def _load(self, model: bytes) -> Any:
        import lightgbm

        return lightgbm.Booster(model_str=model.decode())
