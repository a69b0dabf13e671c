"""Out-of-fold predictions: each event is predicted by a model that never saw its time.

Belongs here: which events an expert learns from (its regime's own, or those of all regimes), and
the loop over folds.  Does not belong here: folds, learners and scores.

Whatever the scope, predictions are of the partition's own events, and the folds are theirs; the
events of other regimes are purged by the same spans of time.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ares_assets.analyst.cross_validation import Splitter, block_bounds
from ares_assets.analyst.dataset import Examples, MarketExamples
from ares_assets.analyst.experts.base import Expert, FittedExpert, Scope
from ares_resources.errors import BadInput, PartitionSkipped

Parameters = Mapping[str, float | int]


def fit_expert(
    expert: Expert,
    known: MarketExamples,
    *,
    parameters: Parameters,
    seed: int,
    threads: int,
    features: list[str] | None = None,
) -> FittedExpert:
    """The expert trained on all events of its scope; on these features, or on all.

    Raises
    ------
    BadInput, PartitionSkipped
        As the expert does.
    """
    chosen = known.own if expert.scope == "regime" else known.everything
    return _fit(expert, chosen, features, parameters, seed, threads)


def out_of_fold(
    expert: Expert,
    known: MarketExamples,
    *,
    splitter: Splitter,
    parameters: Parameters,
    seed: int,
    threads: int,
    features: list[str] | None = None,
    scope: Scope | None = None,
) -> np.ndarray:
    """P(y = 1) of each of the partition's own events from the folds that test it.

    Parameters
    ----------
    known
        The events of all regimes; the folds are cut from the partition's own.
    features
        Columns to use; all when None.
    scope
        Another scope than the expert's own: "market" gives the pooled baseline.

    Returns
    -------
    float64 (own events,); NaN where no fold tests.  An event that several folds test (as in
    combinatorial ones) gets the mean of its predictions.

    Raises
    ------
    BadInput
        Anything that the expert or the splitter refuses.
    PartitionSkipped
        A fold's training part is too small or has one class; the message names the fold.
    """
    own = known.own
    total, count = np.zeros(len(own)), np.zeros(len(own), dtype=np.int64)
    for fold, (train, test) in enumerate(splitter.split(own.rows, own.t1_rows)):
        part = training_part(
            known,
            train,
            test,
            scope=scope or expert.scope,
            embargo_bars=splitter.embargo_bars,
            forward=splitter.forward,
        )
        try:
            model = _fit(expert, part, features, parameters, fold_seed(seed, fold), threads)
        except PartitionSkipped as error:
            raise PartitionSkipped(f"{expert.kind} expert, fold {fold}: {error}") from error
        total[test] += model.probability(own.features.iloc[test])
        count[test] += 1
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)


def training_part(
    known: MarketExamples,
    train: np.ndarray,
    test: np.ndarray,
    *,
    scope: Scope,
    embargo_bars: int,
    forward: bool,
) -> Examples:
    """The events that may train for one fold.

    ``train`` and ``test`` are positions among the partition's own events.  With scope "market"
    all events may, but for those whose span meets a run of tested events, from its first row to
    its last label end plus embargo; in ``forward`` folds only the stretch before the test that
    ``train`` covers may: neither later events, nor labels within the embargo before it, nor, in
    a rolling window, those that have left it.
    """
    if scope == "regime":
        return known.own.part(train)
    own, everything = known.own, known.everything
    rows, t1_rows = everything.rows, everything.t1_rows
    allowed = np.ones(len(rows), dtype=bool)
    # Test positions fall into runs of neighbours; the time between two runs is not tested.
    for run in np.split(test, np.flatnonzero(np.diff(test) > 1) + 1):
        first, last = block_bounds(own.rows[run], own.t1_rows[run], embargo_bars)
        allowed &= (t1_rows < first) | (rows > last)
    if forward:
        allowed &= t1_rows + embargo_bars < own.rows[test[0]]
        if len(train) and train[0] > 0:
            allowed &= rows >= own.rows[train[0]]
    return everything.part(np.flatnonzero(allowed))


def fold_seed(seed: int, fold: int) -> int:
    """The seed of one fold's fit: a 31-bit number, different for each (seed, fold)."""
    return int(np.random.SeedSequence([seed, fold]).generate_state(1)[0] >> 1)


def check_lengths(events: int, **vectors: np.ndarray) -> None:
    """Refuse a vector that does not have one value per event.

    Raises
    ------
    BadInput
        Names the vector, its shape and the length it must have.
    """
    for name, values in vectors.items():
        if np.shape(values) != (events,):
            raise BadInput(f"{name} of shape {np.shape(values)}; allowed: ({events},)")


def _fit(
    expert: Expert,
    known: Examples,
    features: list[str] | None,
    parameters: Parameters,
    seed: int,
    threads: int,
) -> FittedExpert:
    return expert.fit(
        known.features if features is None else known.features[features],
        known.labels,
        known.weights,
        parameters=parameters,
        seed=seed,
        threads=threads,
    )
