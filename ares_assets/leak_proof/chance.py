"""What cannot be predicted is not predicted, and what can is not predicted too well.

Belongs here: coin labels through the evaluation of step 5, and the AUC of single features.
Does not belong here: how coins are drawn and how far chance reaches (``coins.py``).

The two look for different leaks.  Coin labels know nothing of the features, so they show leaks
of the EVALUATION: training events that are also tested, or that share bars with tested ones.
They cannot show a feature that knows its label, since the coin label is another one.  That is
what the ceiling on the true labels is for; it is the only proof that sees bars or reference
data that were shifted in time before Ares got them, as the code is sound then and every
recomputation agrees.  A weak one (the next minute's return knows one sixtieth of the next
hour) stays below any honest ceiling: those are caught by ``future.py``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ares_assets.stored import Finding, Stored

if TYPE_CHECKING:
    import numpy as np

    from ares_assets.analyst.cross_validation import PurgedKFold
    from ares_assets.analyst.dataset import Examples, MarketExamples
    from ares_assets.analyst.experts.base import Scope

_DRAWS = 6
# Little regularised, so that what leaks through is learnt by heart and shows.
_EAGER = {"prior_variance": 1.0, "clip": 8.0}
_SHOWN = 10


def coin_labels_give_chance(stored: Stored) -> Finding:
    """The linear expert's out-of-fold AUC of coin labels is 1/2, within four errors.

    Once trained on the partition's own events, and once on those of all regimes, as experts of
    market scope are.  Catches an evaluation that trains on what it tests: folds that are drawn
    event by event, a loop that predicts its training events, features chosen or scaled with
    tested labels.  A handful of unpurged events at the edges of large folds is below its power;
    that is ``folds_are_purged``'s.  The multilevel expert would say less for twice the time: it
    drops what coins do not confirm, and the same leak moves its AUC a third as far.  What it
    stored is ``votes_are_out_of_fold``'s.
    """
    import numpy as np

    from ares_assets.analyst.experts.base import SCOPES
    from ares_assets.leak_proof.coins import band
    from ares_assets.leak_proof.evidence import development_of_all

    known = development_of_all(stored)
    if len(known) < _splitter(stored).folds:
        return Finding(True, f"not judged: {len(known)} events for {_splitter(stored).folds} folds")
    effective = float(known.own.weights.sum())
    scores = {scope: _coin_scores(stored, known, scope) for scope in SCOPES}
    scores = {scope: found for scope, found in scores.items() if found}
    if not scores:
        return Finding(True, f"not judged: {len(known)} events are too few for any fold to train")
    means = {scope: float(np.mean(found)) for scope, found in scores.items()}
    allowed = {scope: band(effective, len(found)) for scope, found in scores.items()}
    figures = {
        "auc": means,
        "band": allowed,
        "draws": {scope: len(found) for scope, found in scores.items()},
        "effective_events": effective,
    }
    told = ", ".join(
        f"{means[scope]:.3f} in the scope of the {scope} (chance is 0.500 +- {allowed[scope]:.3f})"
        for scope in means
    )
    words = f"AUC of labels that are coins ({effective:.0f} effective events): {told}"
    passed = all(abs(means[scope] - 0.5) <= allowed[scope] for scope in means)
    return Finding(passed, words if passed else f"the evaluation leaks: {words}", figures)


def _coin_scores(stored: Stored, known: MarketExamples, scope: Scope) -> list[float]:
    """The AUC within folds of each draw of coins that can be judged."""
    from dataclasses import replace

    import numpy as np

    from ares_assets.analyst.dataset import MarketExamples
    from ares_assets.leak_proof.coins import auc_within_folds, coin_labels

    everything, own, splitter = known.everything, known.own, _splitter(stored)
    tests = [test for _, test in splitter.split(own.rows, own.t1_rows)]
    draws = np.random.default_rng(int(stored["market_data"].sha256[:12], 16))
    scores = []
    for _ in range(_DRAWS):
        labels = coin_labels(everything.rows, everything.t1_rows, draws)
        drawn = MarketExamples(replace(everything, labels=labels), known.member)
        predicted = _predicted(stored, drawn, splitter, scope)
        if predicted is not None:
            scores.append(auc_within_folds(drawn.own.labels, predicted, own.weights, tests))
    return [score for score in scores if not math.isnan(score)]


def no_feature_is_too_good(stored: Stored) -> Finding:
    """No single feature, nor all together, predicts the label better than is believable.

    A feature's direction in each purged fold is that of its training events.  It is suspicious
    above ``checks.suspicious_auc``, and only where chance cannot be the reason: with few events
    the ceiling rises to what the best of so many useless features reaches once in 1,000 runs.
    That is conservative: events count as independent only as far as their whole windows are
    apart, while labels that end early share fewer bars, and features are counted as if none said
    the same as another.
    Catches labels or later prices among the features, and data shifted in time.
    """
    from ares_assets.leak_proof.evidence import development

    known = development(stored)
    scores = _scores(stored, known) if len(known) >= _splitter(stored).folds else {}
    if not scores:
        return Finding(True, "not judged: no fold has events of both classes")
    ceilings = _ceilings({name: error for name, (_, error) in scores.items()}, stored)
    ranked = sorted(scores, key=lambda name: (-scores[name][0], name))
    figures = {
        "best": [
            {"feature": name, "auc": scores[name][0], "ceiling": ceilings[name]}
            for name in ranked[:_SHOWN]
        ]
    }
    suspects = [name for name in ranked if scores[name][0] > ceilings[name]]
    if suspects:
        words = ", ".join(
            f"{name} (AUC {scores[name][0]:.3f}, above {ceilings[name]:.3f})"
            for name in suspects[:_SHOWN]
        )
        return Finding(False, f"too good to be true, look for a leak: {words}", figures)
    best = ranked[0]
    words = f"the best of {len(scores)} is {best} with an AUC of {scores[best][0]:.3f}"
    return Finding(True, f"{words}; suspicious above {ceilings[best]:.3f}", figures)


def _ceilings(errors: dict[str, float], stored: Stored) -> dict[str, float]:
    from statistics import NormalDist

    deviations = NormalDist().inv_cdf(1 - 1e-3 / len(errors))
    least = stored.settings.checks.suspicious_auc
    return {name: max(least, 0.5 + deviations * error) for name, error in errors.items()}


def _scores(stored: Stored, known: Examples) -> dict[str, tuple[float, float]]:
    """AUC within folds and its error by feature, and of the linear expert on all of them."""
    import numpy as np

    from ares_assets.analyst.dataset import MarketExamples
    from ares_assets.leak_proof.coins import auc_within_folds, error_within_folds

    splitter, uniqueness = _splitter(stored), known.weights
    splits = list(splitter.split(known.rows, known.t1_rows))
    votes = {
        str(name): _turned(values, known, uniqueness, splits)
        for name, values in zip(known.features.columns, known.features.to_numpy().T, strict=True)
    }
    alone = MarketExamples(known, np.ones(len(known), bool))
    predicted = _predicted(stored, alone, splitter, "regime")
    if predicted is not None:
        votes["all together"] = predicted, [test for _, test in splits]
    found = {
        name: (
            auc_within_folds(known.labels, vote, uniqueness, tests),
            error_within_folds(known.labels, uniqueness, tests),
        )
        for name, (vote, tests) in votes.items()
    }
    return {name: pair for name, pair in found.items() if not math.isnan(pair[0])}


def _splitter(stored: Stored) -> PurgedKFold:
    from ares_assets.analyst.cross_validation import PurgedKFold

    analyst = stored.settings.analyst
    return PurgedKFold(analyst.folds, analyst.embargo_bars)


def _predicted(
    stored: Stored, known: MarketExamples, splitter: PurgedKFold, scope: Scope
) -> np.ndarray | None:
    """Out of fold, as step 5 predicts; None where some fold has too little to train on."""
    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.analyst.out_of_fold import out_of_fold
    from ares_resources.errors import PartitionSkipped

    try:
        return out_of_fold(
            get_expert("linear"),
            known,
            splitter=splitter,
            parameters=_EAGER,
            seed=0,
            threads=stored.settings.threads,
            scope=scope,
        )
    except PartitionSkipped:
        return None


def _turned(
    values: np.ndarray,
    known: Examples,
    weights: np.ndarray,
    splits: list[tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, list[np.ndarray]]:
    """One feature, turned in each fold as its training events say, and where it is known."""
    import numpy as np

    from ares_assets.analyst.scores import auc

    present = ~np.isnan(values)
    turned, tests = np.zeros(len(values)), []
    for train, test in splits:
        learnt, tested = train[present[train]], test[present[test]]
        if not learnt.size or not tested.size:
            continue
        score = auc(known.labels[learnt], values[learnt], weights[learnt])
        turned[tested] = values[tested] if score >= 0.5 else -values[tested]
        tests.append(tested)
    return turned, tests
