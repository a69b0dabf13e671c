"""How well probabilities mean what they say, each figure beside what chance would give.

Belongs here: ECE and its noise floor, Brier score, log-loss, Spiegelhalter's z, confidence
against accuracy, the reliability table.  Does not belong here: repairing (`calibrators`).
"""

from __future__ import annotations

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
    members = np.arange(len(p)) if groups is None else np.unique(groups, return_inverse=True)[1]
    generator = np.random.default_rng(np.random.SeedSequence([seed, len(p)]))
    errors = []
    for first in range(0, simulations, SIMULATIONS_AT_ONCE):
        count = min(SIMULATIONS_AT_ONCE, simulations - first)
        draws = generator.random((count, int(members.max()) + 1))
        errors.append(_calibration_errors(p, (draws[:, members] < p).astype(np.float64), w, bins))
    return np.sort(np.concatenate(errors))


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


def spiegelhalter_z(probability: np.ndarray, labels: np.ndarray) -> float:
    """Spiegelhalter's (1986) z: about standard normal if calibrated and independent.

    NaN where every probability is 1/2, 0 or 1, where the statistic says nothing.
    """
    p, y, _ = _checked(probability, labels, np.ones(len(labels)))
    spread = float(np.sqrt(((1 - 2 * p) ** 2 * p * (1 - p)).sum()))
    return float(((y - p) * (1 - 2 * p)).sum()) / spread if spread > 0 else float("nan")


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

    `ece_noise_floor` and `ece_noise_95` are the mean and the 95 % quantile of
    `calibration_noise`; `ece_within_noise` says whether the ECE is below the latter.
    """
    error = expected_calibration_error(probability, labels, weights, bins=bins)
    noise = calibration_noise(probability, weights, bins=bins, seed=seed, groups=groups)
    limit = float(np.quantile(noise, 0.95))
    z = spiegelhalter_z(probability, labels)
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
        "overconfidence": overconfidence(probability, labels, weights),
        "table": reliability_table(probability, labels, weights, bins=bins),
    }


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
