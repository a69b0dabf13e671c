"""Which features step 6's study could choose from, and in which order, made anew.

Belongs here: that proof.  Does not belong here: whether the study's winner may be used
(``admission.py``), and how many events were searched on (``folds.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ares_assets.stored import Stored

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ares_assets.analyst.dataset import Examples
    from ares_assets.analyst.experts.base import FittedExpert

_TOLERANCE = 1e-9  # Nats; equal events give the same up to the order of a mean.


def ranking_saw_no_later_event(stored: Stored) -> tuple[bool, str]:
    """Features were ranked, and the winner's chosen, by events known before the later part.

    What each feature is ranked by (its cluster's permutation importance on purged folds, and
    its own AUC) is computed apart from the step and its splitters, on the partition's own events
    whose label is known before the first one that the winner was judged on.  The order must
    follow from that, and the winner's features must be the first so many (with the regime's
    probabilities, for an expert that learns from all regimes).  Catches a choice of features
    that peeked at the events which then admit the model: its gain would be as stored, and too
    high.
    """
    import numpy as np

    from ares_assets.leak_proof.evidence import development

    value = stored["enhanced_analysts"].load()
    before = _known_before_the_later_part(stored, development(stored))
    kept: pd.DataFrame = value["ranking.parquet"]
    if sorted(kept["feature"]) != sorted(str(name) for name in before.features):
        return False, f"{len(kept)} features are ranked, and not those of the events"
    for name, again in _ranked_by(stored, before).items():
        apart = np.abs(again[kept["feature"]].to_numpy() - kept[name].to_numpy())
        wrong = np.flatnonzero(~(apart <= _TOLERANCE))
        if wrong.size:
            one, events = kept.iloc[int(wrong[0])], f"{len(before)} events known before"
            return False, (
                f"{one['feature']}: {name} {one[name]:.9g} is stored, but the {events} the "
                f"later part give {again[one['feature']]:.9g} ({wrong.size} of {len(kept)} differ)"
            )
    fault = _ordered_otherwise(kept) or _chosen_otherwise(
        value["enhancement.json"]["candidate"], list(kept["feature"])
    )
    if fault is not None:
        return False, fault
    return True, f"{len(kept)} features are ranked by {len(before)} events before the later part"


def _known_before_the_later_part(stored: Stored, known: Examples) -> Examples:
    first = max(1, round(len(known) * stored.settings.analyst.search_share))
    return known.part(known.t1_rows < known.rows[first]) if first < len(known) else known


def _ranked_by(stored: Stored, known: Examples) -> dict[str, pd.Series]:
    """Cluster, importance and separation of every feature, by its name."""
    import numpy as np
    import pandas as pd

    from ares_assets.analyst.feature_ranking import cluster_features
    from ares_assets.analyst.scores import auc

    values = known.features.to_numpy(np.float64)
    clusters = cluster_features(values)
    rises = [
        _rises(model, known.part(tested), clusters, order)
        for model, tested, order in _probes(stored, known)
    ]
    importance = np.mean(rises, axis=0)[clusters]
    separation = []
    for column in values.T:
        there = ~np.isnan(column)
        area = auc(known.labels[there], column[there], known.weights[there])
        separation.append(0.0 if np.isnan(area) else abs(area - 0.5))
    names = [str(name) for name in known.features.columns]
    columns = {"cluster": clusters, "importance": importance, "separation": separation}
    return {name: pd.Series(column, names) for name, column in columns.items()}


def _probes(
    stored: Stored, known: Examples
) -> Iterator[tuple[FittedExpert, np.ndarray, np.random.Generator]]:
    """Each probe fitted on each fold, what it is tested on, and what shuffles clusters there."""
    import numpy as np

    from ares_assets.analyst.enhancement import PROBES
    from ares_assets.analyst.experts.base import get_expert
    from ares_assets.analyst.out_of_fold import fold_seed
    from ares_assets.leak_proof.spans import purged_training
    from ares_assets.leak_proof.votes import seed_of

    analyst, seed = stored.settings.analyst, seed_of(stored, "enhanced_analysts")
    kinds = sorted(analyst.experts)
    asked = [kind for kind in PROBES if kind in kinds] or kinds[:1]
    folds = purged_training(known.rows, known.t1_rows, analyst.folds, analyst.embargo_bars)
    for number, (mask, tested) in enumerate(folds):
        train = known.part(mask)
        for kind in asked:
            model = get_expert(kind).fit(
                train.features,
                train.labels,
                train.weights,
                parameters={},
                seed=fold_seed(seed, number),
                threads=stored.settings.threads,
            )
            yield model, tested, np.random.default_rng(np.random.SeedSequence([seed, number]))


def _rises(
    model: FittedExpert, tested: Examples, clusters: np.ndarray, order: np.random.Generator
) -> list[float]:
    """How much log-loss rises, nats, as each cluster's features are shuffled together."""
    from ares_assets.analyst.scores import log_loss

    def loss(features: pd.DataFrame) -> float:
        return log_loss(tested.labels, model.probability(features), tested.weights)

    base, rises = loss(tested.features), []
    for cluster in range(int(clusters.max()) + 1):
        shuffled, own = tested.features.to_numpy(float, copy=True), clusters == cluster
        shuffled[:, own] = shuffled[order.permutation(len(tested))][:, own]
        rises.append(loss(type(tested.features)(shuffled, columns=tested.features.columns)) - base)
    return rises


def _ordered_otherwise(kept: pd.DataFrame) -> str | None:
    """The first feature that its cluster's importance and its place in it put higher."""
    import numpy as np

    order = kept.sort_values(["separation", "feature"], ascending=[False, True])
    place = (order.groupby("cluster").cumcount() + 1).reindex(kept.index).to_numpy()
    importance = kept["importance"].to_numpy()
    score = np.where(importance > 0, importance / place, importance * place)
    late = np.flatnonzero(np.diff(score) > _TOLERANCE)
    if not late.size:
        return None
    names = kept["feature"].to_numpy()
    return f"{names[late[0] + 1]} is ranked below {names[late[0]]}, but its importance is higher"


def _chosen_otherwise(winner: Mapping[str, Any], ranked: Sequence[str]) -> str | None:
    """The winner's first feature that has a better one left out; None where there is none."""
    from ares_assets.analyst.experts.base import REGIME_COLUMNS, get_expert

    free = REGIME_COLUMNS if get_expert(winner["kind"]).scope == "market" else ()
    chosen = set(winner["features"])
    left_out = next((name for name in ranked if name not in chosen), None)
    if left_out is None:
        return None
    below = ranked[ranked.index(left_out) :]
    odd = [name for name in below if name in chosen and name not in free]
    return f"the winner learns from {odd[0]}, but not from {left_out} above it" if odd else None
