"""What step 10 tells of its decisions: counted anew from the stored votes, and made again.

Belongs here: the proof for step 10's report and key numbers.  Does not belong here: the votes
that they are made of (``tactician_votes.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.stored import Stored

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_TOLERANCE = 1e-9  # Of a probability or a return; equal inputs give the same to the bit.


def told_otherwise(stored: Stored, labels: pd.DataFrame, decided: pd.DataFrame) -> str | None:
    """The first figure of step 10 that is not that of its stored votes; None where there is none.

    ``labels`` are step 8's signals with their outcomes, ``decided`` step 10's columns, (n, ...).
    """
    return (
        _counted_otherwise(stored, labels, decided)
        or _crossed_otherwise(stored, labels)
        or _made_otherwise(stored)
    )


def _counted_otherwise(stored: Stored, labels: pd.DataFrame, decided: pd.DataFrame) -> str | None:
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
    counted = _counted(labels, decided, value["tactician.json"]["parameters"])
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


def _crossed_otherwise(stored: Stored, labels: pd.DataFrame) -> str | None:
    """Where the cross-fitted utility is another in folds computed apart, or knows its outcomes.

    Each fold's outcomes are once turned around: what is decided on that fold must not change.
    """
    import numpy as np

    from ares_assets.leak_proof.spans import purged_training
    from ares_assets.tactician import tactician_ensemble

    analyst, least = stored.settings.analyst, stored.settings.search.minimum_trades
    table = stored["tactician_specialists"].load()["out_of_fold.parquet"]
    votes = {str(name): table[name].to_numpy() for name in table}
    rows, settled = (labels[name].to_numpy(np.int64) for name in ("row", "settled_row"))
    masks = purged_training(rows, settled, analyst.folds, analyst.embargo_bars)
    splits = [(np.flatnonzero(train), tested) for train, tested in masks]
    cross_fitted = tactician_ensemble.cross_fitted_stakes
    stakes = cross_fitted(labels, votes, splits, minimum_trades=least)
    told = stored["tactician_ensemble"].metadata["utility_cross_fitted"]
    mean = float((stakes * labels["net_return"]).mean())
    if not abs(mean - told) <= _TOLERANCE:
        return f"cross-fitted utility: {told!r} is told, but purged folds give {mean!r}"
    for number, (train, tested) in enumerate(splits):
        turned = labels.copy()
        turned.loc[tested, "net_return"] = -labels["net_return"].to_numpy()[tested]
        turned.loc[tested, "take"] = 1 - labels["take"].to_numpy()[tested]
        again = cross_fitted(turned, votes, [(train, tested)], minimum_trades=least)
        if not np.array_equal(again[tested], stakes[tested]):
            return f"fold {number}: outcomes of its own signals change what is decided on them"
    return None


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
