"""What is decided over money by: the stored votes of steps 9 and 10, refitted and counted anew.

Belongs here: the proof for the out-of-fold columns of the take members and of the wait
classifier, and that step 10 tells what those columns make.  Does not belong here: the folds
that steps use (``folds.py``), and the features and outcomes that members learn from
(``outcomes.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ares_assets.stored import Stored

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_TOLERANCE = 1e-9  # Of a probability or a return; equal inputs give the same to the bit.


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
    the stored columns, counted apart from the step; and the step, carried out again on what is
    stored, must say the same.  Catches labels that reached a vote, votes of models that were
    trained on the tested signals, and a report of other votes than those stored.
    """
    import numpy as np

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
    fault = _told_otherwise(stored, decided) or _made_otherwise(stored)
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
    kept = voter.stored[tested]
    wrong = np.flatnonzero(~(np.abs(again - kept) <= _TOLERANCE))
    if not wrong.size:
        return None
    at = int(wrong[0])
    return (
        f"row {rows[tested][at]}: stored is {kept[at]:.9f}, but {int(train.sum())} purged "
        f"training signals give {again[at]:.9f} ({wrong.size} of {tested.size} votes differ)"
    )


def _refitted(
    voter: _Voter,
    train: np.ndarray,
    tested: np.ndarray,
    *,
    weights: np.ndarray,
    seed: int,
    threads: int,
) -> np.ndarray:
    """Probabilities of the tested signals; the base rate where labels are (nearly) of a class."""
    import numpy as np

    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.analyst.experts.training_data import MINIMUM_ROWS_PER_CLASS
    from ares_assets.tactician.constant_expert import KIND, constant_expert

    y, features = voter.labels[train].astype(np.int64), voter.features.iloc[tested]
    ones = int(y.sum())
    if voter.kind == KIND or min(ones, y.size - ones) < MINIMUM_ROWS_PER_CLASS:
        return constant_expert(y).probability(features)
    expert = get_expert(voter.kind)
    model = expert.fit(
        voter.features.iloc[np.flatnonzero(train)],
        y,
        weights[train],
        parameters=expert.default_parameters(),
        seed=seed,
        threads=threads,
    )
    return model.probability(features)


def _told_otherwise(stored: Stored, decided: pd.DataFrame) -> str | None:
    """The first figure of step 10 that the released rule does not make of the stored columns."""
    ensemble = stored["tactician_ensemble"]
    value, metadata = ensemble.load(), ensemble.metadata
    report = value["report.json"]
    told = {
        "log-loss": report["ensemble"]["log_loss"],
        "turnover": report["ensemble"]["turnover"],
        "trades": report["ensemble"]["utility"]["traded"],
        "utility": report["ensemble"]["utility"]["mean"],
        "share taken": metadata["taken_share"],
        "gain of waiting": report["timing"]["gain"]["mean"],
    }
    counted = _counted(_labels(stored), decided, value["tactician.json"]["parameters"])
    for name, figure in counted.items():
        if not abs(figure - told[name]) <= _TOLERANCE:
            return f"{name}: {told[name]!r} is told, but the stored votes make {figure!r}"
    return None


def _counted(
    labels: pd.DataFrame, decided: pd.DataFrame, rule: Mapping[str, Any]
) -> dict[str, float]:
    import numpy as np

    from ares_assets.analyst.scores import event_log_loss
    from ares_assets.tactician.tactician_ensemble import combine

    ensemble, coordination = rule["ensemble"], rule["coordination"]
    votes = {name: decided[f"take-{name}"].to_numpy() for name in ensemble["weights"]}
    p = combine(votes, ensemble["weights"])
    take, net, delayed = (
        labels[name].to_numpy(np.float64) for name in ("take", "net_return", "delayed_net_return")
    )
    alone = _taken(p, ensemble)
    raised = coordination["raised_by"] if coordination["kept"] else 0.0
    taken = _taken(p - raised * decided["against"].to_numpy(bool), ensemble)
    waits = taken & (decided["wait"].to_numpy() > rule["timing"]["wait_above"])
    return {
        "log-loss": float(event_log_loss(take, p).mean()),
        "turnover": float(np.count_nonzero(alone[1:] != alone[:-1])) / len(alone),
        "trades": int(alone.sum()),
        "utility": float(np.where(alone, net, 0.0).mean()),
        "share taken": round(float(taken.mean()), 4),
        "gain of waiting": float(np.where(waits, delayed - net, 0.0).mean()),
    }


def _taken(p: np.ndarray, rule: Mapping[str, float]) -> np.ndarray:
    """Signal by signal: taking begins above the band around the threshold, ends below it."""
    import numpy as np

    threshold, half = rule["threshold"], rule["band"] / 2.0
    taken, taking = np.zeros(len(p), bool), False
    for i, one in enumerate(p):
        taking = threshold < 1.0 and one > (threshold - half if taking else threshold + half)
        taken[i] = taking
    return taken


def _made_otherwise(stored: Stored) -> str | None:
    """What step 10, carried out again on the stored votes, makes of them besides what it stored."""
    from ares_assets.engine import Work
    from ares_assets.steps import STEPS

    spec = next(spec for spec in STEPS if spec.name == "tactician_ensemble")
    work = Work(spec, stored.request, stored.workspace)
    again = spec.function(work, **{name: stored[name] for name in spec.inputs})
    kept = stored[spec.name].load()
    if sorted(again.value) != sorted(kept):
        return f"step 10 makes {sorted(again.value)}, but stored are {sorted(kept)}"
    for name in sorted(kept):
        # The wait model's file is rounded as its predictions are, which are compared.
        if not name.startswith("wait-") and not _alike(again.value[name], kept[name]):
            return f"step 10 makes another {name} of the stored votes"
    figures = stored[spec.name].metadata
    for name, figure in again.metadata.items():
        if not _alike(figure, figures.get(name)):
            return (
                f"{name}: {figures.get(name)!r} is told, but step 10 makes {figure!r} of its votes"
            )
    return None


def _alike(left: Any, right: Any) -> bool:
    """Whether two values of a bundle, or figures, are the same up to the rounding of a fit."""
    import numpy as np
    import pandas as pd

    if isinstance(left, pd.DataFrame):
        return list(left) == list(right) and all(
            _alike(left[name].to_numpy(), right[name].to_numpy()) for name in left
        )
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return sorted(left) == sorted(right) and all(_alike(left[k], right[k]) for k in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(_alike, left, right))
    if isinstance(left, (str, bytes)):
        return bool(left == right)
    one, other = np.asarray(left), np.asarray(right)
    if one.shape != other.shape:
        return False
    if one.dtype.kind == "f" and other.dtype.kind in "if":
        return np.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
    return np.array_equal(one, other)
