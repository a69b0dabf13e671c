"""Combining tacticians across timeframes, with turnover held down.

Belongs here: weights from out-of-fold predictions, the guard against being worse than the
best member, and the hysteresis of the decision.  Does not belong here: training members.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import Split
from ares_assets.analyst.scores import event_log_loss
from ares_assets.tactician.utility import (
    NEVER,
    QUANTILES,
    ThresholdChoice,
    Utility,
    choose_threshold,
    paired_gain,
    policy_utility,
)
from ares_resources.errors import BadInput, PartitionSkipped

ROUNDS = 25
ERRORS_TOLERANCE = 1.0
BAND_TOLERANCE = 0.25
BANDS = (0.0, 0.005, 0.01, 0.02, 0.04)
RULES = ("coordination", "timing", "sizing", "management")
ALTERNATIVES = (
    *(f"method {name}" for name in ("best member", "greedy", "inverse loss")),
    *(f"threshold at quantile {share}" for share in (0.0, *QUANTILES)),
    *(f"band {width}" for width in BANDS[1:]),
    *(f"rule {name}" for name in RULES),
)
"""What step 10 chooses among: each is a trial of the ledger."""


@dataclass(frozen=True)
class TacticianEnsemble:
    """Weights over members, the decision rule, and the out-of-fold evidence for both.

    ``reason`` tells of findings that are no faults (a single member does as well, nothing is
    worth trading); what a member lacked is told by step 9, which trains it.
    """

    weights: dict[str, float]
    method: str
    threshold: float
    band: float
    out_of_fold: np.ndarray
    taken: np.ndarray
    log_loss: float
    utility: Utility
    turnover: float
    turnover_without_band: float
    reason: str

    def to_json(self) -> dict[str, object]:
        """What the release needs to repeat the decision, and what to show beside it."""
        return {
            "weights": dict(sorted(self.weights.items())),
            "method": self.method,
            "threshold": self.threshold,
            "band": self.band,
            "log_loss": self.log_loss,
            "utility": self.utility.to_json(),
            "turnover": self.turnover,
            "turnover_without_band": self.turnover_without_band,
            "reason": self.reason,
        }


def combine(members: Mapping[str, np.ndarray], weights: Mapping[str, float]) -> np.ndarray:
    """Weighted vote of the members' probabilities, (n,), in sorted order of their names.

    Raises
    ------
    BadInput
        A member with a weight is missing.
    """
    missing = sorted(set(weights) - set(members))
    if missing:
        raise BadInput(f"tactician {missing[0]!r} is missing; given: {', '.join(sorted(members))}")
    used = sorted(name for name in weights if weights[name] > 0.0)
    return np.sum([weights[name] * np.asarray(members[name]) for name in used], axis=0)


def take_with_band(
    probability: np.ndarray,
    *,
    threshold: float,
    band: float,
    raised_by: np.ndarray | float = 0.0,
) -> np.ndarray:
    """Take decisions with hysteresis, bool (n,), in time order, starting from not taking.

    Taking begins above ``threshold + band / 2`` and ends at or below ``threshold - band / 2``.
    A threshold of 1 means never.  ``raised_by``, a scalar or (n,), is what a signal must show
    on top of the threshold.
    """
    p = np.asarray(probability, dtype=np.float64) - raised_by
    if threshold >= NEVER:
        return np.zeros(p.size, dtype=bool)
    enter, stay = p > threshold + band / 2.0, p > threshold - band / 2.0
    taken = np.zeros(p.size, dtype=bool)
    taking = False
    for i in range(p.size):
        taking = bool(stay[i] if taking else enter[i])
        taken[i] = taking
    return taken


def turnover(taken: np.ndarray) -> float:
    """Share of signals at which the decision differs from the one before."""
    return float(np.count_nonzero(np.diff(taken.astype(np.int8)))) / max(len(taken), 1)


def greedy_weights(
    take: np.ndarray, members: Mapping[str, np.ndarray], *, rounds: int = ROUNDS
) -> dict[str, float]:
    """Members drawn with replacement, each time the one that lowers the log-loss most.

    The best prefix of the draws is kept; ties go to the first name.

    Source: Caruana et al. (2004), Ensemble selection from libraries of models.
    """
    names = sorted(members)
    total, drawn = np.zeros(take.size), []
    best_loss, best_count = np.inf, 0
    for count in range(1, rounds + 1):
        losses = [
            float(event_log_loss(take, (total + members[name]) / count).mean()) for name in names
        ]
        chosen = int(np.argmin(losses))
        drawn.append(names[chosen])
        total = total + members[names[chosen]]
        if losses[chosen] < best_loss:
            best_loss, best_count = losses[chosen], count
    kept = drawn[:best_count]
    return {name: kept.count(name) / best_count for name in names if name in kept}


def inverse_loss_weights(take: np.ndarray, members: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Weights proportional to one over the member's out-of-fold log-loss."""
    inverse = {
        name: 1.0 / max(float(event_log_loss(take, members[name]).mean()), 1e-12)
        for name in sorted(members)
    }
    total = sum(inverse.values())
    return {name: value / total for name, value in inverse.items()}


def combine_tacticians(
    labels: pd.DataFrame,
    members: Mapping[str, np.ndarray],
    *,
    size: np.ndarray | None = None,
    minimum_trades: int = 20,
) -> TacticianEnsemble:
    """Choose weights, threshold and band on out-of-fold predictions.

    Parameters
    ----------
    labels
        Meta-labels, (n_events, ...), in time order.
    members
        Name -> out-of-fold take probability, (n_events,).
    size
        Size of each signal if taken, (n_events,); 1 where not given.

    Raises
    ------
    PartitionSkipped
        There is no member.
    BadInput
        A member's length disagrees or it has a missing prediction.
    """
    _check(labels, members)
    take = labels["take"].to_numpy(np.int64)
    stake = np.ones(len(labels)) if size is None else np.asarray(size, dtype=np.float64)
    candidates = {
        "greedy": greedy_weights(take, members),
        "inverse_loss": inverse_loss_weights(take, members),
    }
    losses = {
        method: float(event_log_loss(take, combine(members, weights)).mean())
        for method, weights in candidates.items()
    }
    method = min(sorted(losses), key=lambda name: losses[name])
    weights, fallback = _guarded(labels, members, candidates[method], stake, minimum_trades)
    p = combine(members, weights)
    choice = choose_threshold(labels, p, size=stake, minimum_trades=minimum_trades)
    band = _choose_band(labels, p, choice, stake)
    taken = take_with_band(p, threshold=choice.threshold, band=band)
    return TacticianEnsemble(
        weights=weights,
        method="best_member" if fallback else method,
        threshold=choice.threshold,
        band=band,
        out_of_fold=p,
        taken=taken,
        log_loss=float(event_log_loss(take, p).mean()),
        utility=policy_utility(labels, np.where(taken, stake, 0.0)),
        turnover=turnover(taken),
        turnover_without_band=turnover(p > choice.threshold),
        reason="; ".join(part for part in (fallback, choice.reason) if part),
    )


def cross_fitted_stakes(
    labels: pd.DataFrame,
    members: Mapping[str, np.ndarray],
    splits: Iterable[Split],
    *,
    minimum_trades: int = 20,
) -> np.ndarray:
    """Stakes, (n_events,), when :func:`combine_tacticians` never saw the fold it decides on.

    Everything that it chooses (method, weights, the fall back to one member, threshold, band)
    is chosen on the other, purged folds.  Crossing the threshold alone would leave the luck of
    the other choices in: on noise, members picked on all signals seem to earn something.
    """
    stakes = np.zeros(len(labels))
    for train, test in splits:
        if train.size < 2:
            continue
        learnt = combine_tacticians(
            labels.iloc[train].reset_index(drop=True),
            {name: np.asarray(vote)[train] for name, vote in members.items()},
            minimum_trades=minimum_trades,
        )
        votes = {name: np.asarray(vote)[test] for name, vote in members.items()}
        p = combine(votes, learnt.weights)
        stakes[test] = take_with_band(p, threshold=learnt.threshold, band=learnt.band)
    return stakes


def _guarded(
    labels: pd.DataFrame,
    members: Mapping[str, np.ndarray],
    weights: dict[str, float],
    stake: np.ndarray,
    minimum_trades: int,
) -> tuple[dict[str, float], str]:
    """The weights, or the richest member alone where the ensemble brings clearly less.

    In log-loss the ensemble cannot be worse than its best member, since that is the first
    draw of the greedy selection; in money it can, and money is what a tactician is for.
    """
    ensemble = combine(members, weights)

    def returns(p: np.ndarray) -> np.ndarray:
        choice = choose_threshold(labels, p, size=stake, minimum_trades=minimum_trades)
        return np.where(p > choice.threshold, stake, 0.0) * labels["net_return"].to_numpy(float)

    brought = {name: returns(members[name]) for name in sorted(members)}
    richest = max(brought, key=lambda name: float(brought[name].mean()))
    lag = paired_gain(labels, returns(ensemble), brought[richest])
    if lag.mean < -ERRORS_TOLERANCE * lag.standard_error:
        return {richest: 1.0}, f"utility {lag.mean:.2e} a signal below {richest}: that member alone"
    return weights, ""


def _choose_band(
    labels: pd.DataFrame, p: np.ndarray, choice: ThresholdChoice, stake: np.ndarray
) -> float:
    """The band with the least turnover among those that cost next to no utility."""
    if choice.threshold >= NEVER:
        return 0.0
    floor = choice.utility.mean - BAND_TOLERANCE * choice.utility.standard_error
    best_band, least = 0.0, turnover(p > choice.threshold)
    for band in BANDS[1:]:
        taken = take_with_band(p, threshold=choice.threshold, band=band)
        utility = policy_utility(labels, np.where(taken, stake, 0.0))
        if utility.mean >= floor and turnover(taken) < least:
            best_band, least = band, turnover(taken)
    return best_band


def _check(labels: pd.DataFrame, members: Mapping[str, np.ndarray]) -> None:
    if not members:
        raise PartitionSkipped("no tactician could be trained, so there is none to combine")
    for name in sorted(members):
        values = np.asarray(members[name])
        if values.shape != (len(labels),) or np.isnan(values).any():
            raise BadInput(
                f"tactician {name!r}: {values.shape} predictions for {len(labels)} signals, "
                f"{int(np.isnan(values).sum())} missing; each signal needs one"
            )
