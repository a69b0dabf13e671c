"""Step 9, Tactician Specialist Training: take or skip, now or later.

Belongs here: reading labels and features, training, key numbers.  Does not belong here: the
classifiers (``tactician/specialists.py``).
"""

from __future__ import annotations

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.storage.artifacts import Artifact


def tactician_specialists(work: Work, tactician_dataset: Artifact) -> Result:
    """Take classifiers by timeframe and kind, each with purged out-of-fold predictions."""
    import pandas as pd

    from ares_assets.counted_trials import choosing
    from ares_assets.tactician.specialists import (
        purged_splits,
        take_alternatives,
        train_take_specialists,
    )
    from ares_assets.tactician.tactician_ensemble import cross_fitted_stakes
    from ares_assets.tactician.utility import compare_policies, policy_utility

    data, settings = tactician_dataset.load(), work.settings
    labels = data["labels.parquet"]
    splits = purged_splits(
        labels["row"],
        labels["settled_row"],
        folds=settings.analyst.folds,
        embargo_bars=settings.analyst.embargo_bars,
    )
    timeframes = tactician_dataset.metadata["timeframes"]
    planned = take_alternatives(labels, timeframes)
    with choosing(work, "tacticians", planned, tactician_dataset) as seen:
        specialists = train_take_specialists(
            labels,
            {name: data[f"features-{name}.parquet"] for name in timeframes},
            labels["weight"].to_numpy(),
            splits=splits,
            seed=work.seed,
            threads=settings.threads,
        )
        # One that came out constant has another name than was planned, but the same place.
        seen |= {name: one.log_loss for name, one in zip(planned, specialists, strict=True)}
    votes = pd.DataFrame({one.name: one.model.out_of_fold for one in specialists})
    best = min(specialists, key=lambda one: one.log_loss)
    honest = cross_fitted_stakes(
        labels,
        {one.name: one.model.out_of_fold for one in specialists},
        splits,
        minimum_trades=work.settings.search.minimum_trades,
    )
    policies = compare_policies(labels, best.model.out_of_fold, threshold=0.5)
    policies["tactician"] = policy_utility(labels, honest)
    files = {
        f"{one.name}-{file}": content
        for one in specialists
        for file, content in one.model.fitted.to_files().items()
    }
    described = {"specialists.json": [one.to_json() for one in specialists]}
    metadata = {
        "specialists": len(specialists),
        "best": best.name,
        "best_log_loss": best.log_loss,
        "base_log_loss": best.base_log_loss,
        **{f"utility_{name}": policy.mean for name, policy in sorted(policies.items())},
        "utility_standard_error": policies["tactician"].standard_error,
    }
    degraded = tuple(f"{o.name}: {reason}" for o in specialists for reason in o.model.degraded)
    return Result({**files, **described, "out_of_fold.parquet": votes}, metadata, degraded)


SPEC = StepSpec(
    number=9,
    name="tactician_specialists",
    title="Tactician Specialist Training",
    description="Take/skip classifiers at several timeframes, judged by net utility.",
    group="tactician",
    kind="bundle",
    inputs=("tactician_dataset",),
    uses=("analyst", "tactician", "search"),
    function=tactician_specialists,
)
