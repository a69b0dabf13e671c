"""What models trained on, fold by fold, and how much of it shares bars with their test labels.

Belongs here: a spy in the place of step 5's experts, and counting.  Does not belong here: folds
(which the counting does not ask), scores, tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ares_assets.analyst.cross_validation import PurgedKFold
from ares_assets.analyst.dataset import MarketExamples, everything_of
from ares_assets.analyst.experts.base import EXPERT_KINDS, SCOPES, get_expert
from ares_assets.analyst.out_of_fold import out_of_fold
from ares_assets.leak_proof.spans import Spans, SpyExpert, span_features
from ares_resources.settings import Settings
from ares_resources.storage.artifacts import Artifact
from benchmarks.partitions import ENSEMBLE, is_whole

_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Fold:
    """Spans (rows, label window ends) of the events that one model trained and was tested on."""

    train: Spans
    test: Spans


def leaking_rows(train: Spans, test: Spans) -> int:
    """Training events whose label shares bars with some tested event's label.

    A label reads the bars after its row to its end.  Rows of the tested ascend.
    """
    (rows, ends), (first, last) = train, test
    # Of the test labels that begin in time, the one that ends last decides.
    begun = np.searchsorted(first, ends, side="left") - 1
    latest_end = np.maximum.accumulate(last)
    return int(((begun >= 0) & (latest_end[np.maximum(begun, 0)] > rows)).sum())


def counted(folds: Sequence[Fold]) -> dict[str, Any]:
    """How many models, the rows that each trained on, and how many of all these leak."""
    sizes = [len(fold.train[0]) for fold in folds]
    return {
        "models": len(folds),
        "trained_rows": {"mean": round(np.mean(sizes)), "least": min(sizes), "most": max(sizes)},
        "trained_rows_in_all": sum(sizes),
        "leaking_rows": sum(leaking_rows(fold.train, fold.test) for fold in folds),
    }


def folds_of(found: Mapping[str, Artifact], settings: Settings) -> dict[str, list[Fold]]:
    """By expert and for the ensemble: the folds behind one regime's out-of-fold predictions.

    The loop of step 5 is run again on its data set with a spy in place of each expert, and with
    the linear expert fitted on what the spy saw, which has to give the stored predictions.  The
    ensemble has seen what any member has that carries weight.

    Raises
    ------
    ValueError
        If it does not: then step 5 trained on something else than was counted.
    """
    analyst = settings.analyst
    known = everything_of(found["analyst_dataset"].load(), "development")
    splitter = PurgedKFold(analyst.folds, analyst.embargo_bars)
    spied = {scope: spied_folds(known, splitter, SpyExpert(scope)) for scope in SCOPES}
    stored = found["analyst_specialists"].load()["out_of_fold.parquet"]
    by_kind = {
        kind: spied[get_expert(kind).scope] for kind in EXPERT_KINDS if kind in stored.columns
    }
    if "linear" in by_kind:
        again = _predicted_linear(known, by_kind["linear"], threads=settings.threads)
        if not np.allclose(again, stored["linear"], rtol=0, atol=_TOLERANCE):
            raise ValueError("step 5's linear expert did not train on the events that were counted")
    if is_whole(found):
        weights = found["analyst_ensemble"].metadata["weights"]
        by_kind[ENSEMBLE] = _together(by_kind[kind] for kind, w in weights.items() if w > 0)
    return by_kind


def spied_folds(known: MarketExamples, splitter: PurgedKFold, spy: SpyExpert) -> list[Fold]:
    """What the product's loop over folds hands to an expert in the spy's place."""
    everything = known.everything
    spans = span_features(everything.rows, everything.t1_rows)
    seen = MarketExamples(replace(everything, features=spans), known.member)
    out_of_fold(spy, seen, splitter=splitter, parameters={}, seed=0, threads=1)
    return [Fold(train, test) for train, test in spy.seen]


def _predicted_linear(known: MarketExamples, folds: Sequence[Fold], *, threads: int) -> np.ndarray:
    expert, everything, own = get_expert("linear"), known.everything, known.own
    predicted = np.full(len(own), np.nan)
    for fold in folds:
        part = everything.part(np.isin(everything.rows, fold.train[0]))
        model = expert.fit(
            part.features,
            part.labels,
            part.weights,
            parameters=expert.default_parameters(),
            seed=0,  # Nothing of a linear fit is drawn.
            threads=threads,
        )
        tested = np.isin(own.rows, fold.test[0])
        predicted[tested] = model.probability(own.features[tested])
    return predicted


def _together(members: Iterable[Sequence[Fold]]) -> list[Fold]:
    return [
        Fold(_union([fold.train for fold in same]), same[0].test)
        for same in zip(*members, strict=True)
    ]


def _union(spans: Sequence[Spans]) -> Spans:
    rows, first = np.unique(np.concatenate([part[0] for part in spans]), return_index=True)
    return rows, np.concatenate([part[1] for part in spans])[first]
