"""How well probabilities mean what they say, each figure beside what chance would give.

Belongs here: ECE and its noise floor, Brier score, log-loss, Spiegelhalter's test, confidence
against accuracy, the reliability table and its noise band.  Does not belong here: repairing
(`calibrators`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ares_resources.errors import BadInput

SIMULATIONS = 500
SIMULATIONS_AT_ONCE = 50


def reliability_table(
    probability: np.ndarray, labels: np.ndarray, weights: np.ndarray, *, bins: int
) -> list[dict[str, float]]:
    """Per bin of about equal event count: weight share, mean prediction, share of ones.

    Events of equal probability always share a bin, so there may be fewer than `bins`.
    """
    p, y, w = _checked(probability, labels, weights)
    total, predicted, ones = _bin_sums(p, y[None, :], w, bins)
    return [
        {
            "weight": float(weight / total.sum()),
            "predicted": float(mean / weight),
            "observed": float(count / weight),
        }
        for weight, mean, count in zip(total, predicted, ones[0], strict=True)
        if weight > 0
    ]


def expected_calibration_error(
    probability: np.ndarray, labels: np.ndarray, weights: np.ndarray, *, bins: int
) -> float:
    """Weighted mean of |share of ones - mean prediction| over equal-mass bins.

    Source: Naeini, Cooper, Hauskrecht (2015), with bins of equal mass.
    """
    p, y, w = _checked(probability, labels, weights)
    return float(_calibration_errors(p, y[None, :], w, bins)[0])


def calibration_noise(
    probability: np.ndarray,
    weights: np.ndarray,
    *,
    bins: int,
    seed: int,
    groups: np.ndarray | None = None,
    simulations: int = SIMULATIONS,
) -> np.ndarray:
    """ECE that perfect calibration would show by chance: float64 (simulations,), ascending.

    Labels are drawn from the probabilities themselves; the mean is the noise floor (about
    .4 sqrt(bins / n) for independent events).  Events of one group in `groups` (n,) share
    their draw, since labels that overlap in time are nearly the same observation.
    """
    p, _, w = _checked(probability, np.zeros(len(probability)), weights)
    gaps, total = _chance_gaps(p, w, bins, seed, groups, simulations)
    return np.sort(np.abs(gaps).sum(axis=1) / total.sum())


def overlap_groups(rows: np.ndarray, t1_rows: np.ndarray) -> np.ndarray:
    """Group numbers int64 (n,) of events in time order: a new group starts with the first
    event that comes after the label end of its group's first."""
    groups = np.empty(len(rows), dtype=np.int64)
    group, end = -1, None
    for index, (row, t1_row) in enumerate(zip(rows.tolist(), t1_rows.tolist(), strict=True)):
        if end is None or row > end:
            group, end = group + 1, t1_row
        groups[index] = group
    return groups


def brier_score(probability: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Weighted mean squared error of the probability; a coin scores 1/4 (Brier 1950)."""
    p, y, w = _checked(probability, labels, weights)
    return float(np.average((p - y) ** 2, weights=w))


def log_loss(probability: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Weighted mean log-loss, nats; a coin scores ln 2."""
    p, y, w = _checked(probability, labels, weights)
    inside = np.clip(p, 1e-15, 1 - 1e-15)
    return float(np.average(-(y * np.log(inside) + (1 - y) * np.log1p(-inside)), weights=w))


def spiegelhalter_z(
    probability: np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None
) -> float:
    """Spiegelhalter's (1986) z: about standard normal if calibrated; above 0: overconfident.

    Sum of c (y - p), c = 1 - 2p, over its standard deviation.  Events of one group in `groups`
    (n,) are taken to share their draw, as in `calibration_noise`: for two of them the
    covariance of the labels is min(p, q) - p q.  Without groups all are independent.
    NaN where every probability is 1/2, 0 or 1, where the statistic says nothing.
    """
    p, y, _ = _checked(probability, labels, np.ones(len(labels)))
    members = np.arange(len(p)) if groups is None else np.unique(groups, return_inverse=True)[1]
    if len(members) != len(p):
        raise BadInput(f"{len(members)} groups for {len(p)} events; allowed: one an event")
    spread = float(np.sqrt(max(_shared_draw_variance(p, 1 - 2 * p, members), 0.0)))
    return float(((y - p) * (1 - 2 * p)).sum()) / spread if spread > 1e-12 else float("nan")


def spiegelhalter_p(
    probability: np.ndarray, labels: np.ndarray, groups: np.ndarray | None = None
) -> float:
    """Two-sided p-value of `spiegelhalter_z`: how often chance is as far off; NaN as there."""
    return math.erfc(abs(spiegelhalter_z(probability, labels, groups)) / math.sqrt(2.0))


def _shared_draw_variance(p: np.ndarray, c: np.ndarray, members: np.ndarray) -> float:
    """Variance of sum c (y - p) where y = (draw of its group < p): the sum over groups of
    sum_ij c_i c_j (min(p_i, p_j) - p_i p_j), each minimum counted from its smaller end."""
    order = np.lexsort((p, members))
    p, c, starts = p[order], c[order], np.flatnonzero(np.diff(members[order], prepend=-1))
    group = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(p)))
    before = np.cumsum(c) - c
    from_here = np.add.reduceat(c, starts)[group] - (before - before[starts][group])
    smaller = c * p * (2.0 * from_here - c)
    return float(smaller.sum() - (np.add.reduceat(c * p, starts) ** 2).sum())


def overconfidence(probability: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    """Mean confidence max(p, 1 - p) minus the accuracy of p > 1/2; above 0: too confident.

    At exactly 1/2 a prediction counts as half right.
    """
    p, y, w = _checked(probability, labels, weights)
    right = np.where(p == 0.5, 0.5, (p > 0.5) == (y == 1))
    return float(np.average(np.maximum(p, 1 - p) - right, weights=w))


def reliability_report(
    probability: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    *,
    bins: int,
    seed: int,
    groups: np.ndarray | None = None,
) -> dict[str, Any]:
    """All measures of this module as plain values; None where one is undefined.

    The table's `noise_low` and `noise_high` bound, bin by bin, where 95 % of the observed
    shares would lie by chance.  `ece_noise_floor` and `ece_noise_95` are the mean and the 95 %
    quantile of `calibration_noise`; `ece_within_noise` says whether the ECE is below the latter.
    """
    p, _, w = _checked(probability, labels, weights)
    error = expected_calibration_error(probability, labels, weights, bins=bins)
    gaps, total = _chance_gaps(p, w, bins, seed, groups, SIMULATIONS)
    noise = np.abs(gaps).sum(axis=1) / total.sum()
    limit = float(np.quantile(noise, 0.95))
    z = spiegelhalter_z(probability, labels, groups)
    table = reliability_table(probability, labels, weights, bins=bins)
    for row, low, high in zip(table, *_band(gaps, total).tolist(), strict=True):
        row |= {"noise_low": row["predicted"] + low, "noise_high": row["predicted"] + high}
    return {
        "events": len(probability),
        "independent_events": len(probability) if groups is None else len(np.unique(groups)),
        "ece": error,
        "ece_noise_floor": float(noise.mean()),
        "ece_noise_95": limit,
        "ece_within_noise": error <= limit,
        "brier": brier_score(probability, labels, weights),
        "log_loss": log_loss(probability, labels, weights),
        "spiegelhalter_z": z if np.isfinite(z) else None,
        "spiegelhalter_p": (
            spiegelhalter_p(probability, labels, groups) if np.isfinite(z) else None
        ),
        "overconfidence": overconfidence(probability, labels, weights),
        "table": table,
    }


def _chance_gaps(
    p: np.ndarray,
    w: np.ndarray,
    bins: int,
    seed: int,
    groups: np.ndarray | None,
    simulations: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Weighted ones less weighted predictions by chance alone, (simulations, b); weights (b,)."""
    members = np.arange(len(p)) if groups is None else np.unique(groups, return_inverse=True)[1]
    generator = np.random.default_rng(np.random.SeedSequence([seed, len(p)]))
    gaps = []
    for first in range(0, simulations, SIMULATIONS_AT_ONCE):
        count = min(SIMULATIONS_AT_ONCE, simulations - first)
        draws = generator.random((count, int(members.max()) + 1))
        total, predicted, ones = _bin_sums(p, (draws[:, members] < p).astype(np.float64), w, bins)
        gaps.append(ones - predicted)
    return np.concatenate(gaps), total


def _band(gaps: np.ndarray, total: np.ndarray) -> np.ndarray:
    """How far chance alone moves the share of ones of each weighty bin: (2, b), 95 %."""
    weighty = total > 0
    return np.quantile(gaps[:, weighty] / total[weighty], (0.025, 0.975), axis=0)


def _bin_sums(
    p: np.ndarray, outcomes: np.ndarray, w: np.ndarray, bins: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums per bin: weight (b,), weighted p (b,), weighted outcome (s, b) of (s, n)."""
    if bins < 1:
        raise BadInput(f"bins = {bins}; allowed: at least 1")
    order = np.argsort(p, kind="stable")
    cuts = np.quantile(p[order], np.arange(1, bins) / bins)
    starts = np.unique(np.searchsorted(p[order], cuts, side="right"))
    starts = np.concatenate([[0], starts[(starts > 0) & (starts < len(p))]])
    weight = np.add.reduceat(w[order], starts)
    predicted = np.add.reduceat((w * p)[order], starts)
    return weight, predicted, np.add.reduceat((outcomes * w)[:, order], starts, axis=1)


def _calibration_errors(
    p: np.ndarray, outcomes: np.ndarray, w: np.ndarray, bins: int
) -> np.ndarray:
    weight, predicted, ones = _bin_sums(p, outcomes, w, bins)
    return np.abs(ones - predicted).sum(axis=1) / weight.sum()


def _checked(
    probability: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    p, y, w = (np.asarray(values, np.float64) for values in (probability, labels, weights))
    if not p.ndim == y.ndim == w.ndim == 1 or not len(p) == len(y) == len(w):
        raise BadInput(f"probability {p.shape}, labels {y.shape}, weights {w.shape}: one length")
    if not len(p) or not ((p >= 0) & (p <= 1)).all():
        raise BadInput(f"probability of {len(p)} events; allowed: at least one, all in 0..1")
    if not w.sum() > 0 or (w < 0).any():
        raise BadInput(f"weights sum to {w.sum()}; allowed: none negative, some above 0")
    return p, y, w
