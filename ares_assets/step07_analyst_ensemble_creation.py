"""Step 7, Analyst Ensemble Creation: weighted voting on out-of-fold predictions.

Belongs here: gathering members from steps 5 and 6, and the model that later steps use.
Does not belong here: choosing weights (``analyst/ensemble.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.storage.artifacts import Artifact


def analyst_ensemble(
    work: Work,
    analyst_dataset: Artifact,
    analyst_specialists: Artifact,
    enhanced_analysts: Artifact,
) -> Result:
    """Weights, the members that carry one, and their joint out-of-fold probability."""
    import pandas as pd

    from ares_assets.analyst.dataset import examples_of
    from ares_assets.analyst.ensemble import combine, select_ensemble
    from ares_assets.analyst.model import AnalystModel
    from ares_assets.analyst.scores import auc

    known, settings = examples_of(analyst_dataset.load(), "development"), work.settings.analyst
    specialists, enhanced = analyst_specialists.load(), enhanced_analysts.load()
    kinds = sorted(settings.experts)
    votes = {kind: specialists["out_of_fold.parquet"][kind].to_numpy() for kind in kinds}
    if enhanced["enhancement.json"]["kept"]:
        votes["enhanced"] = enhanced["out_of_fold.parquet"]["enhanced"].to_numpy()
    chosen = select_ensemble(
        _judged(votes, settings.search_share),
        known.labels,
        known.weights,
        known.rows,
        known.t1_rows,
        rounds=settings.ensemble_rounds,
        maximum_q=settings.maximum_q_statistic,
        embargo_bars=settings.embargo_bars,
    )
    described = _members(
        chosen.weights,
        enhanced["enhancement.json"],
        specialists["recipes.json"],
        known.features.columns,
    )
    model = AnalystModel(
        {name: _fitted(name, described[name], specialists, enhanced) for name in described},
        chosen.weights,
    )
    together = combine(votes, chosen.weights)
    out_of_fold = pd.DataFrame(
        {"row": known.rows, "timestamp": known.timestamps, "probability": together}
    )
    metadata = {
        "weights": {name: round(weight, 4) for name, weight in sorted(chosen.weights.items())},
        "members": len(chosen.weights),
        "log_loss": chosen.log_loss,
        "cross_fitted_log_loss": chosen.cross_fitted_log_loss,
        "auc": auc(known.labels, together, known.weights),
        "best_member": chosen.best_member,
        "best_member_log_loss": chosen.member_scores[chosen.best_member]["log_loss"],
        "single_member": chosen.fallback or "none: the vote held up",
        "refused": len(chosen.refused),
    }
    value = {
        **model.to_files(),
        "members.json": described,
        "selection.json": chosen.as_dict(),
        "out_of_fold.parquet": out_of_fold,
    }
    return Result(value, metadata)


def _judged(votes: Mapping[str, Any], search_share: float) -> dict[str, Any]:
    """The votes on which weights may be chosen.

    The enhanced member's parameters were chosen on the first part of development, so there
    it would look better than it is; weights are chosen on what came later.
    """
    import numpy as np

    from ares_assets.analyst.cross_validation import initial_count

    judged = dict(votes)
    if "enhanced" in judged:
        searched = initial_count(len(judged["enhanced"]), search_share)
        judged["enhanced"] = np.concatenate(
            [np.full(searched, np.nan), judged["enhanced"][searched:]]
        )
    return judged


def _members(
    weights: Mapping[str, float],
    enhancement: Mapping[str, Any],
    recipes: Mapping[str, Any],
    names: Any,
) -> dict[str, dict[str, Any]]:
    """The recipe of every member that carries a weight: what a refit needs."""
    described = {}
    for name in sorted(weights):
        if name == "enhanced":
            parts = ("kind", "parameters", "features")
            described[name] = {part: enhancement[part] for part in parts}
        else:
            described[name] = {
                "kind": name,
                "parameters": recipes[name],
                "features": list(names),
            }
    return described


def _fitted(
    name: str,
    described: Mapping[str, Any],
    specialists: Mapping[str, Any],
    enhanced: Mapping[str, Any],
) -> Any:
    from ares_assets.analyst.experts.base import load_expert

    source = enhanced if name == "enhanced" else specialists
    prefix = f"{name}-"
    files = {n[len(prefix) :]: data for n, data in source.items() if n.startswith(prefix)}
    return load_expert(described["kind"], files)


SPEC = StepSpec(
    number=7,
    name="analyst_ensemble",
    title="Analyst Ensemble Creation",
    description="Greedy weighted voting on out-of-fold predictions with a diversity floor.",
    group="analyst",
    kind="bundle",
    inputs=("analyst_dataset", "analyst_specialists", "enhanced_analysts"),
    uses=("analyst",),
    function=analyst_ensemble,
)
