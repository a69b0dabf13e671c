"""Step 5, Analyst Specialist Training: experts of this regime, out of fold and whole.

Belongs here: reading, training each expert, key numbers.  Does not belong here: experts,
folds and scores (``analyst/``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import numpy as np

    from ares_assets.analyst.cross_validation import PurgedKFold
    from ares_assets.analyst.dataset import Examples, MarketExamples
    from ares_assets.analyst.experts.base import Expert, Scope


BASELINES = ("base_rate", "pooled_catboost", "pooled_linear")


def analyst_specialists(work: Work, analyst_dataset: Artifact) -> Result:
    """Each expert's files, its out-of-fold predictions, and the baselines beside them."""
    import pandas as pd

    from ares_assets.analyst.cross_validation import PurgedKFold
    from ares_assets.analyst.dataset import everything_of
    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.analyst.out_of_fold import fit_expert
    from ares_assets.counted_trials import choosing

    known, settings = everything_of(analyst_dataset.load(), "development"), work.settings.analyst
    splitter, own = PurgedKFold(settings.folds, settings.embargo_bars), known.own
    predictions = {"row": own.rows, "timestamp": own.timestamps, "label": own.labels}
    files: dict[str, bytes] = {}
    recipes: dict[str, dict[str, float | int]] = {}
    routing: dict[str, Any] = {}
    kinds = sorted(settings.experts)
    alternatives = _alternatives(kinds)
    with choosing(work, "specialists", alternatives, analyst_dataset) as seen:
        for number, kind in enumerate(kinds):
            work.advanced("expert", number, len(kinds) + len(BASELINES))
            expert = get_expert(kind)
            recipes[kind], predictions[kind], noted = _predicted(work, expert, known, splitter)
            routing |= noted
            fitted = fit_expert(
                expert,
                known,
                parameters=recipes[kind],
                seed=work.seed,
                threads=work.settings.threads,
            )
            files |= {f"{kind}-{name}": content for name, content in fitted.to_files().items()}
        predictions |= _baselines(work, known, splitter)
        scores = {name: _scores(own, predictions[name]) for name in (*kinds, *BASELINES)}
        metadata: dict[str, Any] = {
            f"{name}_{score}": value
            for name, found in scores.items()
            for score, value in found.items()
        }
        seen |= {name: (metadata | routing)[figure] for name, figure in alternatives.items()}
    metadata["best"] = min(kinds, key=lambda kind: scores[kind]["log_loss"])
    metadata |= {"events": len(known), "events_of_all_regimes": len(known.everything), **routing}
    value = {**files, "out_of_fold.parquet": pd.DataFrame(predictions), "recipes.json": recipes}
    return Result(value, metadata)


def _alternatives(kinds: list[str]) -> dict[str, str]:
    """What is chosen among, and the figure that scores it; an expert that can route is two."""
    from ares_assets.analyst.experts.base import get_expert

    found: dict[str, str] = {}
    for kind in kinds:
        if "soft" in get_expert(kind).default_parameters():
            found |= {f"{kind}, {way}": f"routing_{way}_log_loss" for way in ("soft", "hard")}
        else:
            found[kind] = f"{kind}_log_loss"
    return found


def _predicted(
    work: Work, expert: Expert, known: MarketExamples, splitter: PurgedKFold
) -> tuple[dict[str, float | int], np.ndarray, dict[str, Any]]:
    """The parameters to train with, their out-of-fold predictions, and what to say of them.

    An expert that can route by probability does so where that predicts better than taking the
    likeliest regime.
    """
    from ares_assets.analyst.scores import log_loss, paired_block_gain

    parameters, own = expert.default_parameters(), known.own
    soft = _out_of_fold(work, expert, known, splitter, parameters)
    if "soft" not in parameters:
        return parameters, soft, {}
    hard = _out_of_fold(work, expert, known, splitter, {**parameters, "soft": 0})
    gain = paired_block_gain(own.labels, hard, soft, own.weights)
    chosen = "soft" if gain.gain > 0 else "hard"
    noted = {
        "routing": chosen,
        "routing_soft_log_loss": log_loss(own.labels, soft, own.weights),
        "routing_hard_log_loss": log_loss(own.labels, hard, own.weights),
        "routing_gain_confidence": gain.confidence,
    }
    if chosen == "soft":
        return parameters, soft, noted
    return {**parameters, "soft": 0}, hard, noted


def _baselines(work: Work, known: MarketExamples, splitter: PurgedKFold) -> dict[str, np.ndarray]:
    """What the experts must beat: the base rate, and learners that take all regimes as one."""
    from ares_assets.analyst.baselines import base_rate_out_of_fold
    from ares_assets.analyst.experts.base import get_expert

    own = known.own
    found = {
        "base_rate": base_rate_out_of_fold(
            own.labels, own.weights, own.rows, own.t1_rows, splitter=splitter
        )
    }
    for kind in ("catboost", "linear"):
        expert = get_expert(kind)
        found[f"pooled_{kind}"] = _out_of_fold(
            work, expert, known, splitter, expert.default_parameters(), scope="market"
        )
    return found


def _out_of_fold(
    work: Work,
    expert: Expert,
    known: MarketExamples,
    splitter: PurgedKFold,
    parameters: dict[str, float | int],
    scope: Scope | None = None,
) -> np.ndarray:
    from ares_assets.analyst.out_of_fold import out_of_fold

    return out_of_fold(
        expert,
        known,
        splitter=splitter,
        parameters=parameters,
        seed=work.seed,
        threads=work.settings.threads,
        scope=scope,
    )


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
    description="CatBoost, gradient boosting, linear, forest and multilevel experts, out of fold.",
    group="analyst",
    kind="bundle",
    inputs=("analyst_dataset",),
    uses=("analyst",),
    function=analyst_specialists,
)
