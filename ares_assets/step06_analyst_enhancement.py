"""Step 6, Analyst Enhancement: one study over expert, hyperparameters and features.

Belongs here: reading, the trial ledger, training what is kept.  Does not belong here: the
study (``analyst/enhancement.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    from ares_assets.analyst.dataset import MarketExamples

STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
"""What the ledger calls the states in which Optuna's trials end."""


def enhanced_analysts(
    work: Work, analyst_dataset: Artifact, analyst_specialists: Artifact
) -> Result:
    """The study's winner if its gain held up on later events, else the defaults; trained."""
    import pandas as pd

    from ares_assets.analyst.dataset import everything_of
    from ares_assets.analyst.enhancement import enhance
    from ares_assets.analyst.scores import auc, log_loss
    from ares_assets.counted_trials import record_training

    known = everything_of(analyst_dataset.load(), "development")
    own = known.own
    settings = work.settings.analyst
    record_training(work, analyst_dataset)
    trials = _TrialNotes(work, analyst_dataset.sha256)
    found = enhance(
        known,
        kinds=sorted(settings.experts),
        n_trials=work.settings.n_trials,
        folds=settings.folds,
        embargo_bars=settings.embargo_bars,
        search_share=settings.search_share,
        gain_confidence=settings.gain_confidence,
        seed=work.seed,
        threads=work.settings.threads,
        recipes=analyst_specialists.load()["recipes.json"],
        on_trial=trials.note,
    )
    predicted, files = _train(work, known, found.kind, found.parameters, found.features)
    metadata = {
        "trials": len(found.trials),
        "distinct_sets": len(trials.keys),
        "kept": found.kept,
        "finding": found.reason,
        "kind": found.kind,
        "features": len(found.features),
        "gain": None if found.gain is None else found.gain.gain,
        "gain_confidence": None if found.gain is None else found.gain.confidence,
        "auc": auc(own.labels, predicted, own.weights),
        "log_loss": log_loss(own.labels, predicted, own.weights),
        "best_before": analyst_specialists.metadata["best"],
    }
    value = {
        **{f"enhanced-{name}": content for name, content in files.items()},
        "enhancement.json": found.as_dict(),
        "trials.parquet": found.trials,
        "ranking.parquet": found.ranking,
        "out_of_fold.parquet": pd.DataFrame({"row": own.rows, "enhanced": predicted}),
    }
    return Result(value, metadata)


class _TrialNotes:
    """Enters each trial into the ledger as it begins and as it ends, and tells whoever watches.

    At once, not in a batch at the end: what a study that fails or is killed began counts too,
    and counts no second time when it is made again.
    """

    def __init__(self, work: Work, data: str) -> None:
        from ares_assets.counted_trials import choice_identity, study_prefix
        from ares_resources.backtesting.trial_records import TrialRecords

        self._work = work
        self._identity = choice_identity(work, data)
        self.keys: set[str] = set()
        self._records = TrialRecords(work.workspace.ledger, f"{study_prefix(work)}enhancement")

    def note(
        self, number: int, state: str, parameters: dict[str, Any], value: float | None
    ) -> None:
        """Called by the study before and after each trial."""
        from ares_resources.hashing import cache_key

        # A point that comes to another value (by other code) is another trial for ``TrialRecords``.
        key = cache_key((self._identity, parameters))
        self.keys.add(key)
        if state == "RUNNING":
            self._records.begun([key])
            return
        self._records.ended([(key, STATES[state], [] if value is None else [value], None)])
        self._work.advanced("trial", number + 1, self._work.settings.n_trials)


def _train(
    work: Work, known: MarketExamples, kind: str, parameters: Any, features: tuple[str, ...]
) -> tuple[Any, dict[str, bytes]]:
    from ares_assets.analyst.cross_validation import PurgedKFold
    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.analyst.out_of_fold import fit_expert, out_of_fold

    settings, expert = work.settings.analyst, get_expert(kind)
    common = {
        "features": list(features),
        "parameters": parameters,
        "seed": work.seed,
        "threads": work.settings.threads,
    }
    splitter = PurgedKFold(settings.folds, settings.embargo_bars)
    predicted = out_of_fold(expert, known, splitter=splitter, **common)
    return predicted, fit_expert(expert, known, **common).to_files()


SPEC = StepSpec(
    number=6,
    name="enhanced_analysts",
    title="Analyst Enhancement",
    description="Nested search of expert, hyperparameters and features; kept if the gain holds.",
    group="analyst",
    kind="bundle",
    inputs=("analyst_dataset", "analyst_specialists"),
    uses=("analyst", "n_trials"),
    function=enhanced_analysts,
)
