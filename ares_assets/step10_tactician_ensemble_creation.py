"""Step 10, Tactician Ensemble Creation: one decision out of several timeframes.

Belongs here: combining, judging the rules beside it, and the model that later steps use.
Does not belong here: the rules (``tactician/``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import pandas as pd

    from ares_assets.analyst.cross_validation import Split
    from ares_assets.tactician.model import TacticianModel
    from ares_assets.tactician.rules import Rules
    from ares_assets.tactician.tactician_ensemble import TacticianEnsemble


def tactician_ensemble(
    work: Work, market_data: Artifact, tactician_dataset: Artifact, tactician_specialists: Artifact
) -> Result:
    """Weights, threshold and band, timing, size rule and management, all judged out of fold."""
    from ares_assets.counted_trials import choosing
    from ares_assets.tactician.coordination import against_trade
    from ares_assets.tactician.rules import judge_rules
    from ares_assets.tactician.specialists import purged_splits
    from ares_assets.tactician.tactician_ensemble import ALTERNATIVES, combine_tacticians

    data, trained = tactician_dataset.load(), tactician_specialists.load()
    labels, votes = data["labels.parquet"], trained["out_of_fold.parquet"]
    analyst = work.settings.analyst
    splits = purged_splits(
        labels["row"], labels["settled_row"], folds=analyst.folds, embargo_bars=analyst.embargo_bars
    )
    names = tactician_dataset.metadata["timeframes"]
    features = {name: data[f"features-{name}.parquet"] for name in names}
    with choosing(work, "tactics", ALTERNATIVES, tactician_dataset, tactician_specialists):
        ensemble = combine_tacticians(
            labels,
            {name: votes[name].to_numpy() for name in votes.columns},
            minimum_trades=work.settings.search.minimum_trades,
        )
        rules = judge_rules(
            labels,
            features,
            ensemble,
            base_timeframe=market_data.metadata["timeframe"],
            splits=splits,
            costs=work.settings.costs,
            settings=work.settings.tactician,
            confidence=analyst.gain_confidence,
            seed=work.seed,
            threads=work.settings.threads,
        )
    model = _model(trained, ensemble, rules)
    slowest = rules.coordination.timeframe
    decided = labels[["row", "probability", "net_return", "settled_row"]].assign(
        **{f"take-{name}": votes[name] for name in votes.columns},
        wait=rules.timing.model.out_of_fold,
        against=against_trade(features, slowest) if slowest else False,
    )
    report = {"ensemble": ensemble.to_json(), **rules.to_json()}
    metadata = _figures(work, labels, votes, trained, ensemble, rules, splits)
    value = {**model.to_files(), "out_of_fold.parquet": decided, "report.json": report}
    return Result(value, metadata)


def _figures(
    work: Work,
    labels: pd.DataFrame,
    votes: pd.DataFrame,
    trained: dict[str, Any],
    ensemble: TacticianEnsemble,
    rules: Rules,
    splits: list[Split],
) -> dict[str, Any]:
    import numpy as np

    from ares_assets.tactician.coordination import agreement
    from ares_assets.tactician.tactician_ensemble import cross_fitted_stakes
    from ares_assets.tactician.utility import policy_utility

    stake, taken = rules.sizing.stake, rules.coordination.taken
    members = {name: votes[name].to_numpy() for name in votes.columns}
    honest = cross_fitted_stakes(
        labels, members, splits, minimum_trades=work.settings.search.minimum_trades
    )
    cross_fitted, sized = policy_utility(labels, honest), policy_utility(labels, stake)
    return {
        "members": {name: round(w, 4) for name, w in sorted(ensemble.weights.items())},
        "method": ensemble.method,
        "timeframe_agreement": agreement(
            labels["take"].to_numpy(np.int64),
            members,
            {one["name"]: one["timeframe"] for one in trained["specialists.json"]},
            ensemble.weights,
        ),
        "threshold": ensemble.threshold,
        "never_trades": ensemble.threshold >= 1.0,
        "finding": ensemble.reason or "trades where the take probability passes the threshold",
        "taken_share": round(float(taken.mean()), 4),
        "utility": ensemble.utility.mean,
        "utility_standard_error": ensemble.utility.standard_error,
        "utility_cross_fitted": cross_fitted.mean,
        "utility_cross_fitted_standard_error": cross_fitted.standard_error,
        "utility_always_take": float(labels["net_return"].mean()),
        "utility_sized": sized.mean,
        "utility_sized_standard_error": sized.standard_error,
        "mean_size_of_taken": float(stake[taken].mean()) if taken.any() else 0.0,
        "largest_size": float(stake.max()),
        "turnover": ensemble.turnover,
        "turnover_without_band": ensemble.turnover_without_band,
        "coordination": rules.coordination.reason,
        "timing": rules.timing.reason,
        "sizing": rules.sizing.reason,
        "management": rules.management.reason,
        "management_acts": rules.management.kept,
    }


def _model(trained: dict[str, Any], ensemble: TacticianEnsemble, rules: Rules) -> TacticianModel:
    from ares_assets.tactician.constant_expert import load_tactician_expert
    from ares_assets.tactician.model import TacticianModel

    described = {one["name"]: one for one in trained["specialists.json"]}
    used = [name for name, weight in sorted(ensemble.weights.items()) if weight > 0]
    members = {}
    for name in used:
        prefix = f"{name}-"
        files = {n[len(prefix) :]: data for n, data in trained.items() if n.startswith(prefix)}
        members[name] = load_tactician_expert(described[name]["kind"], files)
    parameters = {
        "ensemble": {
            "weights": {name: ensemble.weights[name] for name in used},
            "threshold": ensemble.threshold,
            "band": ensemble.band,
        },
        **rules.parameters(),
    }
    return TacticianModel(
        members=members,
        timeframes={name: described[name]["timeframe"] for name in used},
        parameters=parameters,
        wait=rules.timing.model.fitted if rules.timing.kept else None,
    )


SPEC = StepSpec(
    number=10,
    name="tactician_ensemble",
    title="Tactician Ensemble Creation",
    description="Combines the tacticians across timeframes and holds turnover down.",
    group="tactician",
    kind="bundle",
    inputs=("market_data", "tactician_dataset", "tactician_specialists"),
    uses=("analyst", "costs", "tactician", "search"),
    function=tactician_ensemble,
)
