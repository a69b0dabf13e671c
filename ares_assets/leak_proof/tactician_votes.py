"""What is decided over money by: the stored votes of steps 9 and 10, refitted and counted anew.

Belongs here: the proof for the out-of-fold columns of the take members and of the wait
classifier.  Does not belong here: what step 10 tells of them (``tactician_figures.py``), the
folds that steps use (``folds.py``), and the features and outcomes that members learn from
(``outcomes.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ares_assets.stored import Stored

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ares_assets.analyst.experts.base import FittedExpert


@dataclass(frozen=True)
class _Voter:
    """A stored out-of-fold column (n,), and what a refit of it learns from."""

    name: str
    step: str
    kind: str
    features: pd.DataFrame
    labels: np.ndarray
    stored: np.ndarray


def tactician_votes_are_out_of_fold(stored: Stored) -> tuple[bool, str]:
    """Take and wait probabilities are those of purged folds, and step 10 tells what they make.

    Every member of step 9, with a weight or without (those without were compared with the
    others), and step 10's wait classifier are refitted on one drawn fold, whose training
    signals are computed apart from the splitters, and must predict what is stored.  Step 10's
    columns must be those of steps 8 and 9; its report must tell what the released rule makes of
    the stored columns, counted apart from the step; its honest utility must be of choices that
    no outcome of the fold they are judged on can change; and the step, carried out again on what
    is stored, must say the same.  Catches labels that reached a vote, votes of models that were
    trained on the tested signals, and a report of other votes than those stored.
    """
    import numpy as np

    from ares_assets.leak_proof.tactician_figures import told_otherwise

    decided = stored["tactician_ensemble"].load()["out_of_fold.parquet"]
    fault = _other_columns(stored, decided)
    if fault is not None:
        return False, fault
    draws = np.random.default_rng(int(stored["market_data"].sha256[:12], 16))
    tried = []
    for voter in _voters(stored, decided):
        number = int(draws.integers(stored.settings.analyst.folds))
        fault = _predicted_otherwise(stored, voter, number)
        if fault is not None:
            return False, f"{voter.name} of {voter.step}, fold {number}, {fault}"
        tried.append(f"{voter.name} (fold {number})")
    fault = told_otherwise(stored, _labels(stored), decided)
    if fault is not None:
        return False, fault
    return True, f"{len(decided)} decisions are of the stored votes; refitted: {', '.join(tried)}"


def _other_columns(stored: Stored, decided: pd.DataFrame) -> str | None:
    """Where step 10 decided on other signals, or other votes, than those of steps 8 and 9."""
    from ares_assets.leak_proof.differences import unlike

    labels = _labels(stored)
    votes = stored["tactician_specialists"].load()["out_of_fold.parquet"]
    if len(votes) != len(labels):
        return f"{len(votes)} votes are stored for {len(labels)} signals"
    own = ["row", "probability", "net_return", "settled_row"]
    kept = labels[own].assign(**{f"take-{name}": votes[name].to_numpy() for name in votes})
    fault = unlike(decided, kept, list(kept.columns))
    return fault and f"step 10 decided on something else than steps 8 and 9 store: {fault}"


def _labels(stored: Stored) -> pd.DataFrame:
    labels: pd.DataFrame = stored["tactician_dataset"].load()["labels.parquet"]
    return labels


def _voters(stored: Stored, decided: pd.DataFrame) -> Iterator[_Voter]:
    """Every member of step 9, then step 10's wait classifier."""
    dataset, labels = stored["tactician_dataset"].load(), _labels(stored)
    trained = stored["tactician_specialists"].load()
    for told in trained["specialists.json"]:
        yield _Voter(
            told["name"],
            "tactician_specialists",
            told["kind"],
            dataset[f"features-{told['timeframe']}.parquet"],
            labels["take"].to_numpy(),
            trained["out_of_fold.parquet"][told["name"]].to_numpy(),
        )
    timing = stored["tactician_ensemble"].load()["report.json"]["timing"]
    yield _Voter(
        "wait",
        "tactician_ensemble",
        timing["kind"],
        dataset[f"features-{stored['market_data'].metadata['timeframe']}.parquet"],
        labels["wait"].to_numpy(),
        decided["wait"].to_numpy(),
    )


def _predicted_otherwise(stored: Stored, voter: _Voter, number: int) -> str | None:
    """One fold's predictions by a fit on its purged signals, against the stored ones."""
    import numpy as np

    from ares_assets.analyst.out_of_fold import fold_seed
    from ares_assets.leak_proof.differences import other_predictions
    from ares_assets.leak_proof.spans import purged_training
    from ares_assets.leak_proof.votes import seed_of

    labels, analyst = _labels(stored), stored.settings.analyst
    rows, settled = (labels[name].to_numpy(np.int64) for name in ("row", "settled_row"))
    train, tested = purged_training(rows, settled, analyst.folds, analyst.embargo_bars)[number]
    again = _refitted(
        voter,
        train,
        tested,
        weights=labels["weight"].to_numpy(np.float64),
        seed=fold_seed(seed_of(stored, voter.step), number),
        threads=stored.settings.threads,
    )
    return other_predictions(again, voter.stored[tested], rows[tested], int(train.sum()))


def _refitted(
    voter: _Voter,
    train: np.ndarray,
    tested: np.ndarray,
    *,
    weights: np.ndarray,
    seed: int,
    threads: int,
) -> np.ndarray:
    """Probabilities of the tested signals by a fit on the training ones."""
    import numpy as np

    model = fitted_tactician(
        voter.kind,
        voter.features.iloc[np.flatnonzero(train)],
        voter.labels[train].astype(np.int64),
        weights=weights[train],
        seed=seed,
        threads=threads,
    )
    return model.probability(voter.features.iloc[tested])


def fitted_tactician(
    kind: str,
    features: pd.DataFrame,
    labels: np.ndarray,
    *,
    weights: np.ndarray,
    seed: int,
    threads: int,
) -> FittedExpert:
    """A fit on these signals; the base rate where labels are (nearly) of one class."""
    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.analyst.experts.training_data import MINIMUM_ROWS_PER_CLASS
    from ares_assets.tactician.constant_expert import KIND, constant_expert

    weighted = labels[weights > 0]
    ones = int(weighted.sum())
    if kind == KIND or min(ones, weighted.size - ones) < MINIMUM_ROWS_PER_CLASS:
        return constant_expert(labels)
    expert = get_expert(kind)
    return expert.fit(
        features,
        labels,
        weights,
        parameters=expert.default_parameters(),
        seed=seed,
        threads=threads,
    )
