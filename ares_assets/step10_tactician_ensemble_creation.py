"""Step 10, Tactician Ensemble Creation: one decision out of several timeframes.

Belongs here: combining, timing, payoffs, and the model that later steps use.
Does not belong here: the rules (``tactician/``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import pandas as pd

    from ares_assets.tactician.model import TacticianModel
    from ares_assets.tactician.tactician_ensemble import TacticianEnsemble
    from ares_assets.tactician.timing import Timing


def tactician_ensemble(
    work: Work, market_data: Artifact, tactician_dataset: Artifact, tactician_specialists: Artifact
) -> Result:
    """Weights, threshold, band, timing and payoffs, all learnt out of fold."""
    from ares_assets.tactician.positions import judge_management
    from ares_assets.tactician.tactician_ensemble import combine_tacticians

    data, trained = tactician_dataset.load(), tactician_specialists.load()
    labels, votes = data["labels.parquet"], trained["out_of_fold.parquet"]
    ensemble = combine_tacticians(
        labels,
        {name: votes[name].to_numpy() for name in votes.columns},
        minimum_trades=work.settings.search.minimum_trades,
    )
    base = data[f"features-{market_data.metadata['timeframe']}.parquet"]
    timing = _timing(work, labels, base, ensemble)
    management = judge_management(
        labels,
        labels["managed_return"].to_numpy(),
        taken=ensemble.taken,
        confidence=work.settings.analyst.gain_confidence,
    )
    model = _model(trained, labels, ensemble, timing)
    decided = labels[["row", "probability", "net_return", "settled_row"]].assign(
        **{f"take-{name}": votes[name] for name in votes.columns},
        wait=timing.model.out_of_fold,
    )
    report = {
        "ensemble": ensemble.to_json(),
        "timing": timing.to_json(),
        "management": management.to_json(),
    }
    metadata = {
        "members": {name: round(w, 4) for name, w in sorted(ensemble.weights.items())},
        "method": ensemble.method,
        "threshold": ensemble.threshold,
        "never_trades": ensemble.threshold >= 1.0,
        "finding": ensemble.reason or "trades where the take probability passes the threshold",
        "taken_share": round(float(ensemble.taken.mean()), 4),
        "utility": ensemble.utility.mean,
        "utility_standard_error": ensemble.utility.standard_error,
        "turnover": ensemble.turnover,
        "turnover_without_band": ensemble.turnover_without_band,
        "timing": timing.reason,
        "management_if_followed": management.reason,
    }
    value = {**model.to_files(), "out_of_fold.parquet": decided, "report.json": report}
    return Result(value, metadata, ensemble.degraded)


def _timing(
    work: Work, labels: pd.DataFrame, features: pd.DataFrame, ensemble: TacticianEnsemble
) -> Timing:
    from ares_assets.tactician.specialists import purged_splits
    from ares_assets.tactician.timing import train_timing

    analyst = work.settings.analyst
    return train_timing(
        labels,
        features,
        labels["weight"].to_numpy(),
        taken=ensemble.taken,
        splits=purged_splits(labels, folds=analyst.folds, embargo_bars=analyst.embargo_bars),
        confidence=analyst.gain_confidence,
        seed=work.seed,
        threads=work.settings.threads,
    )


def _model(
    trained: dict[str, Any], labels: pd.DataFrame, ensemble: TacticianEnsemble, timing: Timing
) -> TacticianModel:
    from ares_assets.tactician.constant_expert import load_tactician_expert
    from ares_assets.tactician.model import TacticianModel
    from ares_assets.tactician.sizing import average_payoffs

    described = {one["name"]: one for one in trained["specialists.json"]}
    used = [name for name, weight in sorted(ensemble.weights.items()) if weight > 0]
    members = {}
    for name in used:
        prefix = f"{name}-"
        files = {n[len(prefix) :]: data for n, data in trained.items() if n.startswith(prefix)}
        members[name] = load_tactician_expert(described[name]["kind"], files)
    kept = timing.to_json()
    parameters = {
        "ensemble": {
            "weights": {name: ensemble.weights[name] for name in used},
            "threshold": ensemble.threshold,
            "band": ensemble.band,
        },
        "payoffs": average_payoffs(labels["net_return"].to_numpy()).to_json(),
        "timing": {"kept": kept["kept"], "wait_above": kept["wait_above"]},
    }
    return TacticianModel(
        members=members,
        timeframes={name: described[name]["timeframe"] for name in used},
        parameters=parameters,
        wait=timing.model.fitted if timing.kept else None,
    )


SPEC = StepSpec(
    number=10,
    name="tactician_ensemble",
    title="Tactician Ensemble Creation",
    description="Combines the tacticians across timeframes and holds turnover down.",
    group="tactician",
    kind="bundle",
    inputs=("market_data", "tactician_dataset", "tactician_specialists"),
    uses=("analyst", "tactician", "search"),
    function=tactician_ensemble,
)
