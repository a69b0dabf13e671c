"""Leaks into what is released, not into what is judged out of fold: final models and choices.

Belongs here: the planting of those.  Does not belong here: other leaks, and the list of all
(``planted.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import partition_runs

from ares_assets import step07_analyst_ensemble_creation as step07
from ares_assets import steps
from ares_assets.analyst import dataset, ensemble, out_of_fold
from ares_assets.analyst.dataset import Examples, MarketExamples
from ares_assets.analyst.experts.base import FittedExpert, Scope, get_expert
from ares_assets.engine import Result, Work
from ares_assets.market import classification
from ares_assets.release.partition_model import make_signals
from ares_assets.tactician import specialists, tactician_ensemble
from ares_assets.tactician.model import TacticianContext
from ares_assets.tactician.outcomes import signal_outcomes
from ares_assets.tactician.utility import policy_utility
from ares_resources.storage.artifacts import Artifact

Patch = pytest.MonkeyPatch
Function = Callable[..., Result]


def regimes_fitted_until(bars_after_development: int | None) -> Callable[[Patch], None]:
    """Step 2's model is fitted on so many bars after development, too; on all bars for None."""
    honest = classification.classify

    def plant(patch: Patch) -> None:
        def further(frame: pd.DataFrame, *, fit_rows: np.ndarray, **named: Any) -> Any:
            more = np.ones(len(frame), bool)
            if bars_after_development is not None:
                end = int(np.flatnonzero(fit_rows)[-1]) + 1
                more[end + bars_after_development :] = False
                more[: int(np.argmax(fit_rows))] = False
            return honest(frame, fit_rows=more, **named)

        patch.setattr(classification, "classify", further)

    return plant


def final_fit_on_all_roles(*scopes: Scope) -> Callable[[Patch], None]:
    """Final experts of these scopes are fitted on every labelled event, calibration's too."""
    honest, read, bundles = out_of_fold.fit_expert, dataset.everything_of, list[Any]()

    def plant(patch: Patch) -> None:
        def reading(bundle: Any, role: str | None) -> MarketExamples:
            bundles.append(bundle)
            return read(bundle, role)

        def fit(expert: Any, known: MarketExamples, **named: Any) -> FittedExpert:
            everything = read(bundles[-1], None) if expert.scope in scopes else known
            return honest(expert, everything, **named)

        patch.setattr(dataset, "everything_of", reading)
        patch.setattr(out_of_fold, "fit_expert", fit)

    return plant


def _reading_bundles(patch: Patch) -> list[Any]:
    """What is read through ``examples_of``, as it is read."""
    honest, bundles = dataset.examples_of, list[Any]()

    def reading(bundle: Any, role: str | None) -> Examples:
        bundles.append(bundle)
        return honest(bundle, role)

    patch.setattr(dataset, "examples_of", reading)
    return bundles


def weights_by_calibration(patch: Patch) -> None:
    """The members' weights are those that calibration's events would have chosen."""
    bundles, read, honest = _reading_bundles(patch), dataset.everything_of, ensemble.select_ensemble

    def selecting(votes: Mapping[str, np.ndarray], *others: Any, **named: Any) -> Any:
        known, later = read(bundles[-1], "development").own, read(bundles[-1], "calibration").own
        told = {
            kind: _fitted(kind, known).probability(later.features)
            for kind in votes
            if get_expert(kind).scope == "regime"
        }
        how = later.labels, later.weights, later.rows, later.t1_rows
        return replace(honest(votes, *others, **named), weights=honest(told, *how, **named).weights)

    patch.setattr(ensemble, "select_ensemble", selecting)


def members_fitted_on_all_roles(patch: Patch) -> None:
    """Step 7 fits its members anew, on calibration's events too."""
    bundles, read = _reading_bundles(patch), dataset.everything_of

    def fitted(kind: str, *_: Any) -> FittedExpert:
        return _fitted(kind, read(bundles[-1], None).own)

    patch.setattr(step07, "_fitted", fitted)


def _fitted(kind: str, known: Examples) -> FittedExpert:
    expert = get_expert(kind)
    parameters = expert.default_parameters()
    how = {"parameters": parameters, "seed": 0, "threads": 1}
    return expert.fit(known.features, known.labels, known.weights, **how)


def calibrated_on_all_roles(patch: Patch) -> None:
    """The calibrator learns from events, too, that the models were trained on."""
    honest = dataset.examples_of
    patch.setattr(dataset, "examples_of", lambda bundle, _: honest(bundle, None))


def _step_otherwise(patch: Patch, name: str, change: Callable[[Function], Function]) -> None:
    """The function of a step, with all it reads, is another."""
    changed = tuple(
        replace(spec, function=change(spec.function)) if spec.name == name else spec
        for spec in steps.STEPS
    )
    for module in (steps, partition_runs):
        patch.setattr(module, "STEPS", changed)


@dataclass(frozen=True)
class _Signals:
    """Signals with their outcomes, and their features by timeframe, as in step 8."""

    labels: pd.DataFrame
    features: Mapping[str, pd.DataFrame]


def _later_signals(
    work: Work, market_data: Artifact, market_regimes: Artifact, analyst_ensemble: Artifact
) -> _Signals:
    """What step 8 would say of signals after development, every fifth bar, that follow momentum."""
    frame, settings = market_data.load(), work.settings
    regimes = market_regimes.load()["regimes.parquet"]
    last = int(analyst_ensemble.load()["out_of_fold.parquet"]["row"].max())
    rows = np.arange(last + 2 * settings.labels.horizon_bars, len(frame), 5)
    close = frame["close"].to_numpy()
    probability = np.where(close[rows] > close[rows - 60], 0.55, 0.45)
    timeframe, horizon = market_data.metadata["timeframe"], settings.labels.horizon_bars
    context = TacticianContext(timeframe, horizon, settings.costs, settings.tactician)
    signals = make_signals(frame, rows, probability, settings.labels)
    labels, signals = signal_outcomes(frame, signals, context)
    return _Signals(labels, context.features(frame, regimes, signals, context.settled(labels)))


def final_models_of_later_signals(module: Any, label: str) -> Callable[[Patch], None]:
    """A tactician's final models learn from signals after development, too; its folds do not."""
    honest, later = module.train_binary, list[_Signals]()

    def watching(function: Function) -> Function:
        def labelling(work: Work, **inputs: Artifact) -> Result:
            later.append(_later_signals(work, **inputs))
            return function(work, **inputs)

        return labelling

    def train(features: pd.DataFrame, labels: Any, weights: Any, **named: Any) -> Any:
        found, more = honest(features, labels, weights, **named), later[-1]
        alike = next(part for part in more.features.values() if list(part) == list(features))
        fitted = specialists._fit(
            pd.concat([features, alike], ignore_index=True),
            np.concatenate([labels, more.labels[label].to_numpy(np.int64)]),
            np.concatenate([weights, more.labels["weight"].to_numpy(np.float64)]),
            kind=named["kind"],
            seed=named["seed"],
            threads=named["threads"],
            parameters=None,
        )
        return replace(found, fitted=fitted)

    def plant(patch: Patch) -> None:
        _step_otherwise(patch, "tactician_dataset", watching)
        patch.setattr(module, "train_binary", train)

    return plant


def threshold_by_later_bars(patch: Patch) -> None:
    """Step 10's threshold falls as the market rises after development; all figures follow it."""
    honest, closes = tactician_ensemble.combine_tacticians, list[np.ndarray]()

    def watching(function: Function) -> Function:
        def combining(work: Work, market_data: Artifact, **inputs: Artifact) -> Result:
            closes.append(market_data.load()["close"].to_numpy())
            return function(work, market_data=market_data, **inputs)

        return combining

    def chosen(labels: pd.DataFrame, members: Any, **named: Any) -> Any:
        found, close = honest(labels, members, **named), closes[-1]
        rise = float(np.log(close[-1] / close[int(labels["row"].iloc[-1])]))
        p, threshold = found.out_of_fold, float(np.clip(found.threshold - rise, 0.3, 0.7))
        taken = tactician_ensemble.take_with_band(p, threshold=threshold, band=found.band)
        return replace(
            found,
            threshold=threshold,
            taken=taken,
            utility=policy_utility(labels, taken.astype(float)),
            turnover=tactician_ensemble.turnover(taken),
            turnover_without_band=tactician_ensemble.turnover(p > threshold),
        )

    _step_otherwise(patch, "tactician_ensemble", watching)
    patch.setattr(tactician_ensemble, "combine_tacticians", chosen)
