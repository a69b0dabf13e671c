"""No model is judged on what it was trained on: roles, folds, and out-of-fold predictions.

Belongs here: the proofs for steps 4 to 7, 9 and 10.  Does not belong here: the arithmetic of
spans (``spans.py``), which is written apart from the splitters that it judges.

Three questions, since each can be wrong where the others are right: do the splitters keep
training labels away from tested bars; did step 5 store predictions that such folds, and no
others, give; did the study of step 6 look at as many events as it may and no more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ares_assets.stored import Stored
from ares_resources.errors import PartitionSkipped

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ares_assets.analyst.cross_validation import Splitter
    from ares_assets.analyst.dataset import MarketExamples
    from ares_assets.analyst.experts.base import Scope
    from ares_assets.leak_proof.spans import Spans


def holdout_is_unseen(stored: Stored) -> tuple[bool, str]:
    """Every label of a role is known, however it ends, before the next role begins."""
    from ares_assets.leak_proof.evidence import FOLLOWING, events_of, role_ends

    events = events_of(stored)
    for role, end in role_ends(stored).items():
        last = events.loc[events["role"] == role, ["t1_row", "last_row"]].max().max()
        if last >= end:
            return False, f"a {role} label ends at row {last}, inside {FOLLOWING[role]}"
    others = sorted(set(events["role"]) - set(FOLLOWING))
    if others:
        return False, f"events of {others} are in the training data"
    return True, f"{len(events)} labels end before the role after theirs begins"


def folds_are_purged(stored: Stored) -> tuple[bool, str]:
    """No training label of the analysts' folds meets a tested span or its embargo.

    A spy in place of an expert notes what the loops of steps 5 to 7 hand to a learner: the
    purged folds, the forward folds that judge step 6, and the folds in which an expert is
    trained on all regimes' events.  Forward folds may not train on anything later either.
    Catches folds without purging or embargo, and forward ones that look ahead.
    """
    from ares_assets.analyst.cross_validation import PurgedForward, PurgedKFold
    from ares_assets.analyst.ensemble import CROSS_FIT_FOLDS
    from ares_assets.analyst.experts.base import SCOPES
    from ares_assets.leak_proof.evidence import development_of_all

    known, analyst = development_of_all(stored), stored.settings.analyst
    folds, embargo = analyst.folds, analyst.embargo_bars
    splitters: dict[str, Splitter] = {
        f"{folds} purged folds": PurgedKFold(folds, embargo),
        f"{folds} forward folds": PurgedForward(folds, analyst.search_share, embargo),
        f"{CROSS_FIT_FOLDS} folds of the ensemble": PurgedKFold(CROSS_FIT_FOLDS, embargo),
    }
    count = 0
    for name, splitter in splitters.items():
        try:
            both = [_spied(known, splitter, scope) for scope in SCOPES]
        except PartitionSkipped as reason:
            # Step 5 skips the partition for the same reason: no fold, no leak.
            return True, f"not judged, {name}: {reason}"
        for seen in both:
            fault = _first_meeting(seen, known.own.rows, embargo)
            if fault is None and isinstance(splitter, PurgedForward):
                fault = _first_too_late(seen, embargo)
            if fault is not None:
                return False, f"{name}, {fault}"
            count += len(seen)
    return True, f"in {count} folds over {len(known)} events no training label meets a tested span"


def _spied(known: MarketExamples, splitter: Splitter, scope: Scope) -> list[tuple[Spans, Spans]]:
    """What a learner of this scope is trained and tested on, fold by fold."""
    from dataclasses import replace

    from ares_assets.analyst.dataset import MarketExamples
    from ares_assets.analyst.out_of_fold import out_of_fold
    from ares_assets.leak_proof.spans import SpyExpert, span_features

    spy, everything = SpyExpert(scope), known.everything
    spans = span_features(everything.rows, everything.t1_rows)
    seen = MarketExamples(replace(everything, features=spans), known.member)
    out_of_fold(spy, seen, splitter=splitter, parameters={}, seed=0, threads=1)
    return spy.seen


def _first_meeting(
    seen: Iterable[tuple[Spans, Spans]], all_rows: np.ndarray, embargo_bars: int
) -> str | None:
    from ares_assets.leak_proof.spans import meeting

    for number, (train, test) in enumerate(seen):
        fault = meeting(train, test, all_rows, embargo_bars)
        if fault is not None:
            return f"fold {number}: {fault}"
    return None


def _first_too_late(seen: Iterable[tuple[Spans, Spans]], embargo_bars: int) -> str | None:
    from ares_assets.leak_proof.spans import known_too_late

    for number, (train, test) in enumerate(seen):
        fault = known_too_late(train, test, embargo_bars)
        if fault is not None:
            return f"fold {number}: {fault}"
    return None


def predictions_are_out_of_fold(stored: Stored) -> tuple[bool, str]:
    """Step 5's stored predictions of the linear expert are those of purged folds, made anew.

    The training events of each fold are computed apart from the splitters, and the expert is
    fitted on them alone.  Catches whatever reached a prediction besides them: folds without
    purging, a scaler or a choice of features fitted before the folds, a mix-up of rows.
    """
    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.leak_proof.differences import other_predictions
    from ares_assets.leak_proof.evidence import development
    from ares_assets.leak_proof.spans import purged_training

    settings = stored.settings
    if "linear" not in settings.analyst.experts:
        return True, "not repeated: analyst.experts holds no linear expert"
    table: pd.DataFrame = stored["analyst_specialists"].load()["out_of_fold.parquet"]
    known, expert = development(stored), get_expert("linear")
    kept = table.set_index("row")["linear"].reindex(known.rows).to_numpy()
    folds = purged_training(
        known.rows, known.t1_rows, settings.analyst.folds, settings.analyst.embargo_bars
    )
    for number, (train, tested) in enumerate(folds):
        model = expert.fit(
            known.features[train],
            known.labels[train],
            known.weights[train],
            parameters=expert.default_parameters(),
            seed=0,
            threads=settings.threads,
        )
        again = model.probability(known.features.iloc[tested])
        fault = other_predictions(again, kept[tested], known.rows[tested], int(train.sum()))
        if fault is not None:
            return False, f"linear expert, fold {number}, {fault}"
    return True, f"{len(known)} predictions of the linear expert are those of {len(folds)} folds"


def search_saw_no_later_event(stored: Stored) -> tuple[bool, str]:
    """Step 6 searched on exactly the events known before the first one it was judged on.

    On exactly so many of the partition's own, and on no later one of any regime.
    """
    from ares_assets.leak_proof.evidence import development

    known, share = development(stored), stored.settings.analyst.search_share
    first_later = max(1, round(len(known) * share))
    judged = known.rows[first_later:]
    ends = known.t1_rows[:first_later]
    allowed = int((ends < judged[0]).sum()) if judged.size else len(ends)
    found = stored["enhanced_analysts"].load()["enhancement.json"]
    used, known_by = int(found["search_events"]), int(found["search_last_row"])
    if judged.size and known_by >= judged[0]:
        return False, (
            f"a label that is known at row {known_by} was searched on; the winner was judged "
            f"from row {judged[0]} on"
        )
    if used != allowed:
        words = f"{used} events were searched on, {allowed} are known before row {judged[0]}"
        return False, f"{words}, the first that the winner was judged on"
    return True, f"{used} events, all known before the later part begins"


def tactician_folds_are_purged(stored: Stored) -> tuple[bool, str]:
    """No training outcome of the tacticians' folds meets a tested span or its embargo."""
    import numpy as np

    from ares_assets.tactician.specialists import purged_splits

    labels, analyst = stored["tactician_dataset"].load()["labels.parquet"], stored.settings.analyst
    rows, t1_rows = labels["row"].to_numpy(np.int64), labels["settled_row"].to_numpy(np.int64)
    splits = purged_splits(
        labels["row"], labels["settled_row"], folds=analyst.folds, embargo_bars=analyst.embargo_bars
    )
    seen = [tuple((rows[part], t1_rows[part]) for part in split) for split in splits]
    fault = _first_meeting(seen, rows, analyst.embargo_bars)  # type: ignore[arg-type]
    words = f"in {len(splits)} folds over {len(rows)} signals no outcome meets a tested span"
    return (True, words) if fault is None else (False, fault)
