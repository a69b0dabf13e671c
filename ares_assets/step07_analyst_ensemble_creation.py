"""Step 7, Analyst Ensemble Creation: weighted voting on out-of-fold predictions.

Belongs here: gathering members from steps 5 and 6, and the model that later steps use.
Does not belong here: choosing weights (``analyst/ensemble.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    from ares_assets.analyst.dataset import Examples


_POOLED_LOSS = "pooled_.*_log_loss"


def analyst_ensemble(
    work: Work,
    analyst_dataset: Artifact,
    analyst_specialists: Artifact,
    enhanced_analysts: Artifact,
) -> Result:
    """Weights, the members that carry one, and their joint out-of-fold probability.

    Weights are chosen on the specialists of step 5.  A model that step 6 kept takes the seat of
    its kind: it was admitted on the later events, so choosing its weight there too would count
    the same luck twice.
    """
    import pandas as pd

    from ares_assets.analyst.dataset import examples_of
    from ares_assets.analyst.ensemble import combine, seated_votes, select_ensemble
    from ares_assets.analyst.model import AnalystModel
    from ares_assets.analyst.scores import auc, log_loss
    from ares_assets.counted_trials import choosing

    known, settings = examples_of(analyst_dataset.load(), "development"), work.settings.analyst
    specialists, enhanced = analyst_specialists.load(), enhanced_analysts.load()
    found = enhanced["enhancement.json"]
    votes = {
        kind: specialists["out_of_fold.parquet"][kind].to_numpy()
        for kind in sorted(settings.experts)
    }
    with choosing(work, "weights", ["vote"], analyst_dataset, analyst_specialists) as seen:
        chosen = select_ensemble(
            votes,
            known.labels,
            known.weights,
            known.rows,
            known.t1_rows,
            rounds=settings.ensemble_rounds,
            maximum_q=settings.maximum_q_statistic,
            embargo_bars=settings.embargo_bars,
        )
        seen["vote"] = chosen.log_loss
    seat = found["kind"] if found["kept"] and found["kind"] in chosen.weights else None
    if seat is not None:
        better = enhanced["out_of_fold.parquet"]["enhanced"].to_numpy()
        votes = seated_votes(votes, better, seat, settings.search_share)
    described = _members(chosen.weights, found, specialists["recipes.json"], seat, known)
    fitted = {
        kind: _fitted(kind, enhanced if kind == seat else specialists, seat) for kind in described
    }
    model = AnalystModel(fitted, chosen.weights)
    together = combine(votes, chosen.weights)
    metadata = {
        "weights": {name: round(weight, 4) for name, weight in sorted(chosen.weights.items())},
        "members": len(chosen.weights),
        "auc": auc(known.labels, together, known.weights),
        "log_loss": log_loss(known.labels, together, known.weights),
        "specialists_log_loss": chosen.log_loss,
        "specialists_cross_fitted_log_loss": chosen.cross_fitted_log_loss,
        "best_member": chosen.best_member,
        "best_member_log_loss": chosen.member_scores[chosen.best_member]["log_loss"],
        "single_member": chosen.fallback or "none: the vote held up",
        "refused": len(chosen.refused),
        "largest_q": max(chosen.q_statistics.values(), default=None),
        **_beside(analyst_specialists.metadata),
        "enhanced": _seating(found, seat),
    }
    columns = {"row": known.rows, "timestamp": known.timestamps, "probability": together}
    value = {
        **model.to_files(),
        "members.json": described,
        "selection.json": {**chosen.as_dict(), "enhanced_seat": seat},
        "out_of_fold.parquet": pd.DataFrame(columns),
    }
    return Result(value, metadata)


def _beside(specialists: Mapping[str, Any]) -> dict[str, Any]:
    """What the ensemble has to be better than."""
    pooled = [value for name, value in specialists.items() if re.fullmatch(_POOLED_LOSS, name)]
    return {
        "base_rate_log_loss": specialists["base_rate_log_loss"],
        "best_pooled_log_loss": min(pooled),
    }


def _seating(found: Mapping[str, Any], seat: str | None) -> str:
    if seat is not None:
        return f"in the seat of {seat}"
    return "not kept" if not found["kept"] else f"kept, but {found['kind']} carries no weight"


def _members(
    weights: Mapping[str, float],
    enhancement: Mapping[str, Any],
    recipes: Mapping[str, Any],
    seat: str | None,
    known: Examples,
) -> dict[str, dict[str, Any]]:
    """The recipe of every member that carries a weight: what a refit needs."""
    everything = list(known.features.columns)
    described = {
        kind: {"kind": kind, "parameters": recipes[kind], "features": everything}
        for kind in sorted(weights)
    }
    if seat is not None:
        parts = ("kind", "parameters", "features")
        described[seat] = {part: enhancement[part] for part in parts}
    return described


def _fitted(kind: str, source: Mapping[str, Any], seat: str | None) -> Any:
    from ares_assets.analyst.experts.base import load_expert

    prefix = "enhanced-" if kind == seat else f"{kind}-"
    files = {n[len(prefix) :]: data for n, data in source.items() if n.startswith(prefix)}
    return load_expert(kind, files)


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
