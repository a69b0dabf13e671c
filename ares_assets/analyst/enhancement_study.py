"""The study of step 6: expert, hyperparameters and number of features in one space.

Belongs here: asking, evaluating and listing trials.  Does not belong here: whether what is
found is used (`enhancement`), and the experts' own spaces.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import PurgedKFold, Splitter
from ares_assets.analyst.dataset import MarketExamples
from ares_assets.analyst.experts.base import REGIME_COLUMNS, Parameters, get_expert
from ares_assets.analyst.feature_ranking import FeatureRanking
from ares_assets.analyst.out_of_fold import out_of_fold
from ares_assets.analyst.scores import log_loss

if TYPE_CHECKING:
    import optuna

OnTrial: TypeAlias = Callable[[int, str, dict[str, Any], float | None], None]

SMALLEST_FEATURE_SHARE = 0.1


@dataclass(frozen=True)
class Choice:
    """One way to train: an expert, its parameters, its features."""

    kind: str
    parameters: Parameters
    features: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a report."""
        return {
            "kind": self.kind,
            "parameters": dict(self.parameters),
            "features": list(self.features),
        }


def predict(
    known: MarketExamples, choice: Choice, splitter: Splitter, seed: int, threads: int
) -> np.ndarray:
    """Out-of-fold probabilities of the partition's events by this way to train; NaN where none."""
    return out_of_fold(
        get_expert(choice.kind),
        known,
        features=list(choice.features),
        splitter=splitter,
        parameters=choice.parameters,
        seed=seed,
        threads=threads,
    )


def run_study(
    search: MarketExamples,
    splitter: PurgedKFold,
    ranking: FeatureRanking,
    kinds: Sequence[str],
    n_trials: int,
    seed: int,
    threads: int,
    on_trial: OnTrial | None,
) -> optuna.Study:
    """Run exactly `n_trials` trials of TPE in memory, minimising purged log-loss.

    The defaults of some kinds come first, within the budget, so that a winner is at least as
    good as they are; the search space is conditional on the kind.  `on_trial` is called
    with "RUNNING" when a trial's parameters are known, and after each trial, also after one
    that raises and so ends the study.
    """
    import optuna

    def value_of(trial: optuna.Trial) -> float:
        kind = trial.suggest_categorical("kind", list(kinds))
        trial.suggest_float("feature_share", SMALLEST_FEATURE_SHARE, 1.0)
        get_expert(kind).suggest(trial)
        if on_trial is not None:
            on_trial(trial.number, "RUNNING", dict(trial.params), None)
        predicted = predict(search, choice_of(trial, ranking), splitter, seed, threads)
        return log_loss(search.own.labels, predicted, search.own.weights)

    def objective(trial: optuna.Trial) -> float:
        try:
            return value_of(trial)
        except Exception:
            # Optuna calls nobody back for a trial that raises, and the study ends with it.
            if on_trial is not None:
                on_trial(trial.number, "FAIL", dict(trial.params), None)
            raise

    def report(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if on_trial is not None:
            on_trial(trial.number, trial.state.name, dict(trial.params), trial.value)

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        for kind in _starting_kinds(kinds, n_trials):
            study.enqueue_trial(_default_point(kind))
        study.optimize(objective, n_trials=n_trials, callbacks=[report])
    finally:
        optuna.logging.set_verbosity(verbosity)
    return study


def _starting_kinds(kinds: Sequence[str], n_trials: int) -> list[str]:
    """Whose defaults are tried first: at most half the trials, the linear one foremost."""
    order = sorted(kinds, key=lambda kind: (kind != "linear", list(kinds).index(kind)))
    return order[: n_trials // 2]


def _default_point(kind: str) -> dict[str, Any]:
    own = {f"{kind}.{name}": v for name, v in get_expert(kind).default_parameters().items()}
    return {"kind": kind, "feature_share": 1.0, **own}


def choice_of(trial: optuna.Trial | optuna.trial.FrozenTrial, ranking: FeatureRanking) -> Choice:
    """What a trial's parameters mean."""
    kind = trial.params["kind"]
    prefix = f"{kind}."
    own = {
        name.removeprefix(prefix): value
        for name, value in trial.params.items()
        if name.startswith(prefix)
    }
    chosen = set(ranking.top(trial.params["feature_share"]))
    if get_expert(kind).scope == "market":
        chosen.update(REGIME_COLUMNS)
    return Choice(kind, own, tuple(name for name in ranking.columns if name in chosen))


def trials_table(study: optuna.Study, ranking: FeatureRanking) -> pd.DataFrame:
    """A row a trial: number, state, value, kind, feature_count, parameters (JSON)."""
    lines = []
    for trial in study.trials:
        choice = choice_of(trial, ranking)
        lines.append(
            {
                "number": trial.number,
                "state": trial.state.name,
                "value": trial.value,
                "kind": choice.kind,
                "feature_count": len(choice.features),
                "parameters": json.dumps(choice.parameters, sort_keys=True),
            }
        )
    return pd.DataFrame(lines)
