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
    """What step 10 makes otherwise of the votes on signals settled before calibration.

    It is carried out again without any bar from calibration on, so that neither a rule nor
    the wait model can have seen one.
    """
    from ares_assets.leak_proof.evidence import role_ends, signals_before_calibration
    from ares_assets.leak_proof.made_again import made_otherwise

    bars = stored["market_data"].load().iloc[: role_ends(stored)["development"]]
    instead = {"market_data": bars, "tactician_dataset": signals_before_calibration(stored)}
    fault = made_otherwise(stored, "tactician_ensemble", instead)
    return fault and f"{fault} of the stored votes"
