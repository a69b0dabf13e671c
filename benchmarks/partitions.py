"""The product's own steps 1 to 7, run without Dagster in a scratch home, and what they left.

Belongs here: carrying out steps through the engine, and reading their bundles, which no other
benchmark file opens.  Does not belong here: what a step computes, and any judgement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.dataset import Examples, analyst_inputs, everything_of
from ares_assets.analyst.experts.base import (
    EXPERT_KINDS,
    FittedExpert,
    get_expert,
    load_expert,
)
from ares_assets.analyst.features import compute_features
from ares_assets.analyst.model import AnalystModel
from ares_assets.engine import Request, Work, execute
from ares_assets.market.classification import decode
from ares_assets.market.regimes import REGIMES
from ares_assets.market.roles import first_row, roles_of
from ares_assets.steps import STEPS
from ares_resources.home import Home
from ares_resources.settings import Settings
from ares_resources.storage.artifacts import Artifact
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import timeframe_ms
from ares_resources.workspace import Workspace

ENSEMBLE, ENHANCED = "ensemble", "enhanced"
POOLED = {"catboost": "pooled CatBoost", "linear": "pooled linear"}
LAST_STEP = 7
POOLED_SEED = 1


@dataclass(frozen=True)
class Trained:
    """The artifacts of one symbol's regimes: regime -> step name -> artifact.

    A skipped regime's last artifact carries the reason, and the steps after it are absent.
    """

    settings: Settings
    artifacts: Mapping[str, Mapping[str, Artifact]]

    @property
    def market(self) -> Artifact:
        return self.artifacts[REGIMES[0]]["market_data"]

    @property
    def regime_model(self) -> dict[str, Any]:
        """Step 2's fitted model."""
        return self.artifacts[REGIMES[0]]["market_regimes"].load()["model.json"]

    def skipped(self) -> dict[str, str]:
        """Why each regime that was skipped was."""
        last = {regime: list(found.values())[-1] for regime, found in self.artifacts.items()}
        return {regime: a.skipped for regime, a in last.items() if a.skipped is not None}

    def seconds(self) -> dict[str, float]:
        """What each step cost, summed over the regimes; shared steps count once."""
        spent: dict[str, dict[str, float]] = {}
        for found in self.artifacts.values():
            for name, artifact in found.items():
                spent.setdefault(name, {})[artifact.key] = artifact.cost["seconds"]
        return {name: round(sum(each.values()), 1) for name, each in spent.items()}


def train_regimes(
    symbol: SymbolKey,
    settings: Settings,
    home: Home,
    *,
    as_of_ms: int,
    offline: bool,
    last_step: int = LAST_STEP,
) -> Trained:
    """Carry out steps 1 to ``last_step`` for all three regimes, as a run of the product does.

    The steps' functions, keys and stores are the product's; Dagster's skin, the asset checks
    and tracking are left out, since no result depends on them.
    """
    home.create()
    workspace = Workspace(home)
    found: dict[str, dict[str, Artifact]] = {}
    for regime in REGIMES:
        request = Request(symbol, regime, settings, as_of_ms, offline, "benchmark")
        found[regime] = train_regime(request, workspace, last_step)
    return Trained(settings, found)


def train_regime(
    request: Request, workspace: Workspace, last_step: int, *, publish: bool = False
) -> dict[str, Artifact]:
    """Steps 1 to ``last_step`` of one regime, or up to the step that skips it.

    With ``publish`` what a step does after its artifact is done too: step 16 releases, by the
    verdict alone, since nothing is checked here.
    """
    found: dict[str, Artifact] = {}
    for spec in STEPS[:last_step]:
        inputs = {name: found[name] for name in spec.inputs}
        work = Work(spec, request, workspace)
        artifact, _ = execute(work, inputs)
        found[spec.name] = artifact
        for act in (spec.after, spec.once_passed):
            if publish and act is not None and artifact.skipped is None:
                act(work, artifact)
        if artifact.skipped is not None:
            break
    return found


def known_bars(trained: Trained, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Decoded regimes and technical features at each close of a market frame; n rows each."""
    settings = trained.settings
    regimes = decode(frame, trained.regime_model, settings.regimes)
    features = compute_features(
        frame, timeframe=settings.data.timeframe, settings=settings.features
    )
    return regimes, features


def development_of(trained: Trained, frame: pd.DataFrame) -> tuple[np.ndarray, int]:
    """Development rows of step 1's frame, and the first row after development's span.

    Between them lie the purged bars.  ``frame`` may go on past step 1's window.
    """
    window = trained.market.metadata
    inside = frame[frame["timestamp"] < window["window_end_ms"]]
    settings = trained.settings
    roles = roles_of(inside, window, settings.window, settings.labels.horizon_bars)
    return np.flatnonzero(roles == "development"), first_row(roles, "calibration")


def members_of(found: Mapping[str, Artifact]) -> dict[str, Any]:
    """One regime's fitted models by name: the ensemble, each expert, and step 6's.

    Each answers ``probability(features)``.
    """
    specialists = found["analyst_specialists"].load()
    enhanced = found["enhanced_analysts"].load()
    kinds = [name for name in specialists["out_of_fold.parquet"] if name in EXPERT_KINDS]
    members: dict[str, Any] = {kind: _fitted(kind, kind, specialists) for kind in kinds}
    members[ENHANCED] = _fitted("enhanced", enhanced["enhancement.json"]["kind"], enhanced)
    members[ENSEMBLE] = AnalystModel.from_files(found["analyst_ensemble"].load())
    return members


def choices_of(found: Mapping[str, Artifact]) -> dict[str, Any]:
    """What steps 6 and 7 decided in one regime, for the record."""
    enhanced, ensemble = found["enhanced_analysts"].metadata, found["analyst_ensemble"].metadata
    return {
        "events": found["analyst_specialists"].metadata["events"],
        "enhanced": f"{enhanced['kind']}, {'kept' if enhanced['kept'] else 'not kept'}",
        "weights": " ".join(f"{name} {w:.2f}" for name, w in ensemble["weights"].items()),
    }


def probabilities(
    trained: Trained, regimes: pd.DataFrame, features: pd.DataFrame, rows: np.ndarray
) -> dict[str, np.ndarray]:
    """P(up) of each model at these rows (m,) of the n that :func:`known_bars` gives.

    The product's models are pieced together by the decoded regime of each row; a skipped
    regime's rows say 1/2.  The pooled models answer for all rows.

    Returns
    -------
    float64 (m,) by model.
    """
    inputs, decoded = analyst_inputs(features, regimes, rows), regimes["regime"].to_numpy()[rows]
    pieced: dict[str, np.ndarray] = {}
    for regime, found in trained.artifacts.items():
        if not is_whole(found):
            continue
        own = np.flatnonzero(decoded == regime)
        for name, model in members_of(found).items():
            place = pieced.setdefault(name, np.full(len(rows), 0.5))
            place[own] = model.probability(inputs.iloc[own])
    known = all_examples(trained)
    for kind, name in POOLED.items():
        pieced[name] = _pooled(kind, known, trained.settings.threads).probability(inputs)
    return pieced


def is_whole(found: Mapping[str, Artifact]) -> bool:
    """Whether step 7 was reached and not skipped."""
    return "analyst_ensemble" in found and found["analyst_ensemble"].skipped is None


def all_examples(trained: Trained) -> Examples:
    """The labelled development events of all regimes, as step 4 left them.

    Raises
    ------
    ValueError
        If step 4 was skipped in every regime.
    """
    for found in trained.artifacts.values():
        if "analyst_dataset" in found and found["analyst_dataset"].skipped is None:
            return everything_of(found["analyst_dataset"].load(), "development").everything
    raise ValueError(f"no regime has a data set: {trained.skipped()}")


def _pooled(kind: str, known: Examples, threads: int) -> FittedExpert:
    """One expert of the product's default parameters on all regimes' events.

    It reads the regimes' probabilities among its features, so that it may tell them apart.
    """
    expert = get_expert(kind)
    return expert.fit(
        known.features,
        known.labels,
        known.weights,
        parameters=expert.default_parameters(),
        seed=POOLED_SEED,
        threads=threads,
    )


def out_of_fold_of(found: Mapping[str, Artifact]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One regime's own development events, and each expert's out-of-fold probability of them.

    Rows are aligned; the second frame has one column an expert, and one for the ensemble if
    step 7 was carried out (its weights were chosen on these very predictions).
    """
    events = found["analyst_dataset"].load()["events.parquet"]
    own = (events["role"] == "development") & events["member"]
    predicted = found["analyst_specialists"].load()["out_of_fold.parquet"]
    votes = predicted[[name for name in predicted if name in EXPERT_KINDS]].copy()
    if is_whole(found):
        together = found["analyst_ensemble"].load()["out_of_fold.parquet"]
        votes[ENSEMBLE] = together["probability"].to_numpy()
    return events[own].reset_index(drop=True), votes


def bar_step(trained: Trained) -> int:
    """Length of a base bar, ms."""
    return timeframe_ms(trained.settings.data.timeframe)


def _fitted(name: str, kind: str, bundle: Mapping[str, Any]) -> FittedExpert:
    prefix = f"{name}-"
    files = {n[len(prefix) :]: data for n, data in bundle.items() if n.startswith(prefix)}
    return load_expert(kind, files)
