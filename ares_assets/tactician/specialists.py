"""Take or skip: small classifiers of "acting on this signal pays", one a timeframe and kind.

Belongs here: training and purged out-of-fold predictions of the take classifiers.  Does not
belong here: the wait classifier (``timing.py``), thresholds (``utility.py``), combining.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import PurgedKFold, Split
from ares_assets.analyst.experts.base import get_expert
from ares_assets.analyst.experts.training_data import MINIMUM_ROWS_PER_CLASS
from ares_assets.analyst.out_of_fold import fold_seed
from ares_assets.analyst.scores import event_log_loss
from ares_assets.market.pace import longer_window
from ares_assets.tactician.constant_expert import constant_expert
from ares_resources.errors import BadInput, PartitionSkipped

if TYPE_CHECKING:
    from ares_assets.analyst.experts.base import FittedExpert

KINDS = ("linear", "catboost")
MINIMUM_EVENTS = 60


@dataclass(frozen=True)
class BinaryModel:
    """A fitted classifier with its purged out-of-fold predictions, float64 (n_events,)."""

    fitted: FittedExpert
    out_of_fold: np.ndarray
    degraded: tuple[str, ...]


@dataclass(frozen=True)
class TakeSpecialist:
    """One tactician: take/skip at one timeframe; ``name`` is ``<timeframe>_<kind>``."""

    name: str
    timeframe: str
    model: BinaryModel
    log_loss: float
    base_log_loss: float

    def to_json(self) -> dict[str, object]:
        """What the release records beside the model's files."""
        return {
            "name": self.name,
            "timeframe": self.timeframe,
            "kind": self.model.fitted.kind,
            "features": list(self.model.fitted.features),
            "log_loss": self.log_loss,
            "base_log_loss": self.base_log_loss,
            "degraded": list(self.model.degraded),
        }


def purged_splits(
    rows: np.ndarray, known_rows: np.ndarray, *, folds: int, embargo_bars: int
) -> list[Split]:
    """Purged folds over (n,) signals, decided at ``rows`` and settled by ``known_rows``.

    The latter are where the whole window is over, the delayed variant's included, however the
    signal ended: purging by its end would keep the quick ones before each test.

    Raises
    ------
    PartitionSkipped
        Too few signals to learn from.
    """
    check_enough(rows)
    decided, known = (np.asarray(values, dtype=np.int64) for values in (rows, known_rows))
    return list(PurgedKFold(folds, embargo_bars).split(decided, known))


def check_enough(labels: Sized, *, days: float | None = None) -> None:
    """Raise PartitionSkipped, with both numbers, where a tactician cannot be trained.

    ``days``, the length of the window that they come from, adds how long one would do.
    """
    if len(labels) < MINIMUM_EVENTS:
        longer = "" if days is None else f"; {longer_window(len(labels), MINIMUM_EVENTS, days)}"
        raise PartitionSkipped(
            f"{len(labels)} signals with an outcome; a tactician needs at least "
            f"{MINIMUM_EVENTS}{longer}"
        )


def train_binary(
    features: pd.DataFrame,
    labels: np.ndarray,
    weights: np.ndarray,
    *,
    kind: str,
    splits: Sequence[Split],
    seed: int,
    threads: int,
    parameters: Mapping[str, float | int] | None = None,
) -> BinaryModel:
    """Fit one classifier on all (n, k) rows, and on each fold's training part.

    A training part of (nearly) one class gives its base rate, and says so in ``degraded``:
    there is nothing to tell apart, which is a result and no failure.

    Raises
    ------
    BadInput
        Lengths disagree, or the folds do not predict every event once.
    PartitionSkipped
        A fold has nothing left to train on.
    """
    y = np.asarray(labels, dtype=np.int64)
    if not len(features) == y.size == len(weights):
        raise BadInput(
            f"{len(features)} rows of features, {y.size} labels and {len(weights)} weights"
        )
    _check_cover(splits, y.size)
    w = np.asarray(weights, dtype=np.float64)
    fit = partial(_fit, kind=kind, threads=threads, parameters=parameters)
    out_of_fold = np.full(y.size, np.nan)
    reasons: list[str] = []
    for fold, (train, test) in enumerate(splits):
        try:
            part = features.iloc[train], y[train], w[train]
            fitted = fit(*part, seed=fold_seed(seed, fold))
        except PartitionSkipped as error:
            raise PartitionSkipped(f"{kind} tactician, fold {fold}: {error}") from error
        if fitted.kind != kind:
            reasons.append(f"fold {fold}: {_too_alike(y[train])}")
        out_of_fold[test] = fitted.probability(features.iloc[test])
    final = fit(features, y, w, seed=seed)
    if final.kind != kind:
        reasons.insert(0, _too_alike(y))
    return BinaryModel(final, out_of_fold, tuple(reasons))


def train_take_specialists(
    labels: pd.DataFrame,
    features: Mapping[str, pd.DataFrame],
    weights: np.ndarray,
    *,
    splits: Sequence[Split],
    seed: int,
    threads: int = 2,
    kinds: Sequence[str] = KINDS,
    parameters: Mapping[str, Mapping[str, float | int]] | None = None,
) -> list[TakeSpecialist]:
    """One take/skip classifier a timeframe and kind, in sorted order.

    Parameters
    ----------
    labels
        Meta-labels, (n_events, ...).
    features
        Timeframe -> (n_events, k) features: the signal's own plus that timeframe's context.
    weights
        Uniqueness weights, (n_events,).
    splits
        From :func:`purged_splits`.
    parameters
        Kind -> hyperparameters; the expert's own defaults where absent.

    Raises
    ------
    PartitionSkipped
        Too few signals.  One class of labels is NOT skipped: the specialists are then
        constant, and their ``degraded`` says why.
    """
    check_enough(labels)
    take = labels["take"].to_numpy(np.int64)
    base = event_log_loss(take, np.full(take.size, constant_expert(take).base_rate))
    specialists = []
    for timeframe in sorted(features):
        for kind in _kinds_for(take, kinds):
            model = train_binary(
                features[timeframe],
                take,
                np.asarray(weights, dtype=np.float64),
                kind=kind,
                splits=splits,
                seed=seed,
                threads=threads,
                parameters=(parameters or {}).get(kind),
            )
            loss = float(event_log_loss(take, model.out_of_fold).mean())
            name = f"{timeframe}_{model.fitted.kind}"
            specialists.append(TakeSpecialist(name, timeframe, model, loss, float(base.mean())))
    return specialists


def take_alternatives(
    labels: pd.DataFrame, timeframes: Iterable[str], kinds: Sequence[str] = KINDS
) -> list[str]:
    """What :func:`train_take_specialists` will train, ``<timeframe>_<kind>``, in its order."""
    used = _kinds_for(labels["take"].to_numpy(np.int64), kinds)
    return [f"{timeframe}_{kind}" for timeframe in sorted(timeframes) for kind in used]


def _kinds_for(take: np.ndarray, kinds: Sequence[str]) -> list[str]:
    """All kinds are the same constant on one class: one of them is enough."""
    return sorted(kinds)[:1] if _alike(take) else sorted(kinds)


def _alike(y: np.ndarray) -> bool:
    ones = int(y.sum())
    return y.size > 0 and min(ones, y.size - ones) < MINIMUM_ROWS_PER_CLASS


def _too_alike(y: np.ndarray) -> str:
    return f"{int(y.sum())} of {y.size} labels are 1: the base rate stands in for a model"


def _fit(
    features: pd.DataFrame,
    y: np.ndarray,
    weights: np.ndarray,
    *,
    kind: str,
    seed: int,
    threads: int,
    parameters: Mapping[str, float | int] | None,
) -> FittedExpert:
    if _alike(y[weights > 0]):
        return constant_expert(y)
    expert = get_expert(kind)
    chosen = expert.default_parameters() if parameters is None else dict(parameters)
    return expert.fit(features, y, weights, parameters=chosen, seed=seed, threads=threads)


def _check_cover(splits: Sequence[Split], n: int) -> None:
    tested = np.sort(np.concatenate([test for _, test in splits])) if splits else np.empty(0)
    if not np.array_equal(tested, np.arange(n)):
        raise BadInput(f"the folds predict {tested.size} events; each of {n} is needed once")
