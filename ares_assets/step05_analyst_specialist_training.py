"""Step 5, Analyst Specialist Training: four experts on this regime, out of fold and whole.

Belongs here: reading, training each expert, key numbers.  Does not belong here: experts,
folds and scores (``analyst/``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import numpy as np

    from ares_assets.analyst.cross_validation import PurgedKFold
    from ares_assets.analyst.dataset import Examples
    from ares_assets.analyst.experts.base import Expert


def analyst_specialists(work: Work, analyst_dataset: Artifact) -> Result:
    """Each expert's files, its out-of-fold predictions, and the naive baselines beside them."""
    import pandas as pd

    from ares_assets.analyst.baselines import base_rate_out_of_fold
    from ares_assets.analyst.cross_validation import PurgedKFold
    from ares_assets.analyst.dataset import examples_of
    from ares_assets.analyst.experts.base import get_expert

    known, settings = examples_of(analyst_dataset.load(), "development"), work.settings.analyst
    splitter = PurgedKFold(settings.folds, settings.embargo_bars)
    predictions = {"row": known.rows, "timestamp": known.timestamps, "label": known.labels}
    files: dict[str, bytes] = {}
    for number, kind in enumerate(sorted(settings.experts)):
        work.advanced("expert", number, len(settings.experts))
        predictions[kind], made = _train(work, get_expert(kind), known, splitter)
        files |= {f"{kind}-{name}": content for name, content in made.items()}
    predictions["base_rate"] = base_rate_out_of_fold(
        known.labels, known.weights, known.rows, known.t1_rows, splitter=splitter
    )
    scores = {
        kind: _scores(known, predictions[kind]) for kind in (*sorted(settings.experts), "base_rate")
    }
    metadata = {
        f"{kind}_{name}": value for kind, found in scores.items() for name, value in found.items()
    }
    metadata["best"] = min(settings.experts, key=lambda kind: scores[kind]["log_loss"])
    metadata["events"] = len(known)
    return Result({**files, "out_of_fold.parquet": pd.DataFrame(predictions)}, metadata)


def _train(
    work: Work, expert: Expert, known: Examples, splitter: PurgedKFold
) -> tuple[np.ndarray, dict[str, bytes]]:
    from ares_assets.analyst.out_of_fold import out_of_fold

    common = {
        "parameters": expert.default_parameters(),
        "seed": work.seed,
        "threads": work.settings.threads,
    }
    predicted = out_of_fold(
        expert,
        known.features,
        known.labels,
        known.weights,
        known.rows,
        known.t1_rows,
        splitter=splitter,
        **common,
    )
    fitted = expert.fit(known.features, known.labels, known.weights, **common)
    return predicted, fitted.to_files()


def _scores(known: Examples, predicted: np.ndarray) -> dict[str, float]:
    from ares_assets.analyst.scores import auc, log_loss

    return {
        "auc": auc(known.labels, predicted, known.weights),
        "log_loss": log_loss(known.labels, predicted, known.weights),
    }


SPEC = StepSpec(
    number=5,
    name="analyst_specialists",
    title="Analyst Specialist Training",
    description="CatBoost, gradient boosting, linear and forest experts, purged out of fold.",
    group="analyst",
    kind="bundle",
    inputs=("analyst_dataset",),
    uses=("analyst",),
    function=analyst_specialists,
)
