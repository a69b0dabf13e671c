"""Step 6: what a study finds is kept only if it holds up on later events.

Belongs here: cutting the events, and judging the winner where the study never looked.  Does
not belong here: the study (`enhancement_study`), the ranking of features, folds and scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import (
    PurgedForward,
    PurgedKFold,
    check_events,
    initial_count,
)
from ares_assets.analyst.dataset import Examples, MarketExamples
from ares_assets.analyst.enhancement_study import (
    Choice,
    OnTrial,
    choice_of,
    predict,
    run_study,
    trials_table,
)
from ares_assets.analyst.experts.base import Parameters, get_expert
from ares_assets.analyst.feature_ranking import FeatureRanking, rank_features
from ares_assets.analyst.scores import BlockGain, paired_block_gain
from ares_resources.errors import BadInput

PROBES = ("linear", "gradient_boosting")


@dataclass(frozen=True)
class Enhancement:
    """What the study found and whether it is used.

    `kind`, `parameters` and `features` are what to train with: the winner's if `kept`, else
    those of step 5 for the winner's kind, on all features.  `gain` compares the two on the later
    events (None if the winner is the default itself); `candidate` is the winner in any case.
    `search_events` counts the partition's own; `search_last_row` is where the last label of
    all regimes ends that was searched on.
    `trials` has a row a trial: `number, state, value` (log-loss on the search part, nats),
    `kind, feature_count, parameters` (JSON).
    """

    kind: str
    parameters: Parameters
    features: tuple[str, ...]
    kept: bool
    reason: str
    gain: BlockGain | None
    candidate: Choice
    search_log_loss: float
    search_events: int
    search_last_row: int
    trials: pd.DataFrame
    ranking: pd.DataFrame

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a report; the two tables are left to be stored beside it."""
        return {
            "kind": self.kind,
            "parameters": dict(self.parameters),
            "features": list(self.features),
            "kept": self.kept,
            "reason": self.reason,
            "gain": self.gain.as_dict() if self.gain else None,
            "candidate": self.candidate.as_dict(),
            "search_log_loss": self.search_log_loss,
            "search_events": self.search_events,
            "search_last_row": self.search_last_row,
            "trials": len(self.trials),
        }


def enhance(
    known: MarketExamples,
    *,
    kinds: Sequence[str],
    n_trials: int,
    folds: int,
    embargo_bars: int,
    search_share: float,
    gain_confidence: float,
    seed: int,
    threads: int,
    recipes: Mapping[str, Parameters] | None = None,
    on_trial: OnTrial | None = None,
) -> Enhancement:
    """Search on the first `search_share` of the events, judge the winner on the rest.

    The study (exactly `n_trials` trials of TPE, in memory) minimises the purged out-of-fold
    log-loss of the search part; events whose label reaches into the later part are left
    out of it.  Winner and step 5's model of the same kind then predict the later part
    forward, each block from purged earlier events, and the winner is kept if the one-sided
    confidence of its paired gain reaches `gain_confidence`.

    Parameters
    ----------
    known
        Development events of all regimes in time order; the partition's own are searched and
        judged on, and an expert of market scope learns from the others too.
    recipes
        Kind -> the parameters that step 5 trained with, which the winner has to beat; a kind's
        defaults where it is not named.
    on_trial
        Called before and after each trial with number, state ("RUNNING", then "COMPLETE", or
        "FAIL" before its error is raised), Optuna's parameters and value: for progress and the
        ledger of trials.

    Raises
    ------
    BadInput
        No kind, unknown kind, `n_trials` below one, lengths or shares out of range.
    PartitionSkipped
        Too few events to search or to judge on.
    """
    if not kinds or n_trials < 1 or not 0.5 < gain_confidence < 1:
        raise BadInput(
            f"kinds {list(kinds)}, n_trials {n_trials}, gain_confidence {gain_confidence}; "
            "allowed: some, at least 1, between 0.5 and 1"
        )
    own = known.own
    check_events(own.rows, own.t1_rows)
    forward = PurgedForward(folds, search_share, embargo_bars)
    search = _search_part(known, search_share)
    within = PurgedKFold(folds, embargo_bars)
    ranking = _rank(search.own, within, kinds, seed, threads)
    study = run_study(search, within, ranking, kinds, n_trials, seed, threads, on_trial)
    candidate = choice_of(study.best_trial, ranking)
    default = _default(candidate.kind, own, recipes or {})
    kept, reason, gain = _judge(known, forward, candidate, default, gain_confidence, seed, threads)
    used = candidate if kept else default
    return Enhancement(
        kind=used.kind,
        parameters=used.parameters,
        features=used.features,
        kept=kept,
        reason=reason,
        gain=gain,
        candidate=candidate,
        search_log_loss=float(study.best_value),
        search_events=len(search),
        search_last_row=int(search.everything.t1_rows.max()),
        trials=trials_table(study, ranking),
        ranking=ranking.table,
    )


def _search_part(known: MarketExamples, share: float) -> MarketExamples:
    rows = known.own.rows
    cut = initial_count(len(rows), share)
    return known.before(int(rows[cut])) if cut < len(rows) else known


def _rank(
    search: Examples, splitter: PurgedKFold, kinds: Sequence[str], seed: int, threads: int
) -> FeatureRanking:
    asked = [kind for kind in PROBES if kind in kinds] or list(kinds[:1])
    return rank_features(
        [get_expert(kind) for kind in asked],
        search.features,
        search.labels,
        search.weights,
        search.rows,
        search.t1_rows,
        splitter=splitter,
        seed=seed,
        threads=threads,
    )


def _default(kind: str, events: Examples, recipes: Mapping[str, Parameters]) -> Choice:
    names = tuple(str(name) for name in events.features.columns)
    return Choice(kind, recipes.get(kind) or get_expert(kind).default_parameters(), names)


def _judge(
    known: MarketExamples,
    forward: PurgedForward,
    candidate: Choice,
    default: Choice,
    gain_confidence: float,
    seed: int,
    threads: int,
) -> tuple[bool, str, BlockGain | None]:
    if candidate.parameters == default.parameters and (
        set(candidate.features) == set(default.features)
    ):
        return False, "the study found nothing better than the defaults", None
    before = predict(known, default, forward, seed, threads)
    after = predict(known, candidate, forward, seed, threads)
    tested, own = ~np.isnan(before), known.own
    gain = paired_block_gain(own.labels[tested], before[tested], after[tested], own.weights[tested])
    kept = gain.confidence >= gain_confidence
    verdict = "reaches" if kept else "is below"
    reason = (
        f"later gain {gain.gain:+.6f} nats, confidence {gain.confidence:.3f} "
        f"{verdict} {gain_confidence}"
    )
    return kept, reason, gain
