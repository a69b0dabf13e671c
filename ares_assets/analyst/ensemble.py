"""The ensemble: weights chosen on out-of-fold predictions, with diversity and a fallback.

Belongs here: greedy selection, Yule's Q, the weighted vote.  Does not belong here: training
members, and the released model (`model`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ares_assets.analyst.cross_validation import PurgedKFold, initial_count
from ares_assets.analyst.scores import auc, log_loss
from ares_resources.errors import BadInput, PartitionSkipped

ALWAYS = "linear"
CROSS_FIT_FOLDS = 4


@dataclass(frozen=True)
class EnsembleSelection:
    """The chosen weights and why.

    `weights` sum to one and name chosen members only.  `cross_fitted_log_loss` is what the
    selection procedure scores on events whose labels chose no weight; `fallback` names the
    member that replaced the vote, or is None.  `refused` gives the reason by member.
    """

    weights: dict[str, float]
    log_loss: float
    cross_fitted_log_loss: float
    best_member: str
    fallback: str | None
    member_scores: dict[str, dict[str, float]]
    q_statistics: dict[str, float]
    refused: dict[str, str]
    events: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a report."""
        return asdict(self)


def select_ensemble(
    predictions: Mapping[str, np.ndarray],
    labels: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
    *,
    rounds: int = 25,
    maximum_q: float = 0.98,
    tolerance: float = 0.001,
    embargo_bars: int = 0,
) -> EnsembleSelection:
    """Greedy selection with replacement by log-loss (Caruana et al. 2004).

    Members are name -> out-of-fold probability (n,); events that some member does not
    predict (NaN) are left out.  Members enter from the best to the worst, the linear one
    first, and one whose right and wrong calls are those of an earlier member (Q above
    `maximum_q`) is refused.  The whole procedure is also cross-fitted over purged folds of
    time: where that is worse than the best single member by more than `tolerance` (nats),
    that member alone is taken.

    Raises
    ------
    BadInput
        No members, lengths disagree, or a setting out of range.
    PartitionSkipped
        Too few events that all members predict.
    """
    votes, kept = _shared_events(predictions, rounds, maximum_q, len(labels))
    y, w = np.asarray(labels, np.float64)[kept], np.asarray(weights, np.float64)[kept]
    scores = {
        name: {"log_loss": log_loss(y, vote, w), "auc": auc(y, vote, w)}
        for name, vote in votes.items()
    }
    best = min(scores, key=lambda name: (scores[name]["log_loss"], name))
    chosen, refused = _select(votes, y, w, rounds, maximum_q)
    splits = PurgedKFold(CROSS_FIT_FOLDS, embargo_bars).split(rows[kept], t1_rows[kept])
    honest = log_loss(y, _cross_fitted(votes, y, w, splits, rounds, maximum_q), w)
    fallback = best if honest > scores[best]["log_loss"] + tolerance else None
    if fallback is not None:
        chosen = {fallback: 1.0}
    return EnsembleSelection(
        weights=chosen,
        log_loss=log_loss(y, combine(votes, chosen), w),
        cross_fitted_log_loss=honest,
        best_member=best,
        fallback=fallback,
        member_scores=scores,
        q_statistics={
            f"{a}|{b}": q_statistic(votes[a], votes[b], y, w) for a, b in combinations(votes, 2)
        },
        refused=refused,
        events=int(kept.sum()),
    )


def combine(probabilities: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """Weighted average of the members' probabilities, float64 (n,), in sorted name order.

    Raises
    ------
    BadInput
        A weight is negative, all are zero, or a weighted member is missing.
    """
    total = sum(weights.values())
    if not total > 0 or min(weights.values()) < 0:
        raise BadInput(f"ensemble weights {dict(weights)}; allowed: none negative, some above 0")
    used = sorted(name for name, weight in weights.items() if weight > 0)
    missing = [name for name in used if name not in probabilities]
    if missing:
        raise BadInput(
            f"ensemble member {missing[0]!r} is missing; given: {', '.join(sorted(probabilities))}"
        )
    votes = [np.asarray(probabilities[name], np.float64) * (weights[name] / total) for name in used]
    return np.sum(votes, axis=0)


def seated_votes(
    votes: Mapping[str, np.ndarray], enhanced: np.ndarray, kind: str, search_share: float
) -> dict[str, np.ndarray]:
    """The votes with the enhanced model in the seat of its kind, where it may be believed.

    Its parameters were searched on the first ``search_share`` of the events, where its
    predictions look better than they are: there its kind's own votes stay.
    """
    searched = initial_count(len(enhanced), search_share)
    seated = np.concatenate([votes[kind][:searched], enhanced[searched:]])
    return {**votes, kind: seated}


def q_statistic(
    first: np.ndarray, second: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> float:
    """Yule's Q of two members' right and wrong calls, in [-1, 1]; 1 means always together.

    A member calls up where it exceeds its own weighted mean, since at low signal every
    probability may lie on one side of 1/2.  0 where the table says nothing either way.
    Source: Kuncheva and Whitaker (2003), Measures of diversity in classifier ensembles.
    """
    right = [
        (vote > np.average(vote, weights=weights)) == (labels == 1) for vote in (first, second)
    ]
    if np.array_equal(*right):
        return 1.0
    both, neither = weights[right[0] & right[1]].sum(), weights[~right[0] & ~right[1]].sum()
    only_first, only_second = (
        weights[right[0] & ~right[1]].sum(),
        weights[~right[0] & right[1]].sum(),
    )
    together, apart = both * neither, only_first * only_second
    return float((together - apart) / (together + apart)) if together + apart > 0 else 0.0


def _shared_events(
    predictions: Mapping[str, np.ndarray], rounds: int, maximum_q: float, events: int
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    if not predictions:
        raise BadInput("an ensemble needs at least one member")
    if rounds < 1 or not -1 <= maximum_q <= 1:
        raise BadInput(f"rounds = {rounds}, maximum_q = {maximum_q}; allowed: >= 1 and in -1..1")
    for name, vote in predictions.items():
        if np.shape(vote) != (events,):
            raise BadInput(f"member {name!r} of shape {np.shape(vote)}; allowed: ({events},)")
    kept = ~np.isnan(np.stack([predictions[name] for name in sorted(predictions)])).any(axis=0)
    if kept.sum() < 2 * CROSS_FIT_FOLDS:
        raise PartitionSkipped(f"{kept.sum()} events are predicted by every member; too few")
    return {name: np.asarray(predictions[name])[kept] for name in sorted(predictions)}, kept


def _select(
    votes: Mapping[str, np.ndarray], y: np.ndarray, w: np.ndarray, rounds: int, maximum_q: float
) -> tuple[dict[str, float], dict[str, str]]:
    """Weights of the best prefix of the greedy draws, and who was refused."""
    candidates, refused = _diverse(votes, y, w, maximum_q)
    total, drawn, losses = np.zeros(len(y)), [], []
    for size in range(1, rounds + 1):
        scored = [(log_loss(y, (total + votes[name]) / size, w), name) for name in candidates]
        loss, name = min(scored)
        total = total + votes[name]
        drawn.append(name)
        losses.append(loss)
    best = drawn[: int(np.argmin(losses)) + 1]
    return {name: best.count(name) / len(best) for name in sorted(set(best))}, refused


def _diverse(
    votes: Mapping[str, np.ndarray], y: np.ndarray, w: np.ndarray, maximum_q: float
) -> tuple[list[str], dict[str, str]]:
    order = sorted(votes, key=lambda name: (name != ALWAYS, log_loss(y, votes[name], w), name))
    accepted: list[str] = []
    refused: dict[str, str] = {}
    for name in order:
        alike = {other: q_statistic(votes[name], votes[other], y, w) for other in accepted}
        other = max(alike, key=lambda key: alike[key], default="")
        if alike and alike[other] > maximum_q:
            refused[name] = f"Q = {alike[other]:.4f} with {other}, above {maximum_q}"
        else:
            accepted.append(name)
    return accepted, refused


def _cross_fitted(
    votes: Mapping[str, np.ndarray],
    y: np.ndarray,
    w: np.ndarray,
    splits: Iterator[tuple[np.ndarray, np.ndarray]],
    rounds: int,
    maximum_q: float,
) -> np.ndarray:
    combined = np.empty(len(y))
    for train, test in splits:
        if not w[train].sum() > 0:
            raise PartitionSkipped("purging leaves no event to choose ensemble weights on")
        part = {name: vote[train] for name, vote in votes.items()}
        weights, _ = _select(part, y[train], w[train], rounds, maximum_q)
        combined[test] = combine({name: vote[test] for name, vote in votes.items()}, weights)
    return combined
