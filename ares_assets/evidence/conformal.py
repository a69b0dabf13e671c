"""Split-conformal prediction sets for up or down, and when to abstain.

Belongs here: thresholds from calibration events, sets, what the sets of some events hold.
Does not belong here: making probabilities calibrated (`calibrators`), coverage against what
chance allows (`coverage`), adaptation under drift (`adaptive`).

A set holds every direction that the calibration events do not rule out; both or none of
them is no statement, so the model abstains.  Coverage is guaranteed on average for
exchangeable events (Vovk et al. 2005); under drift only `adaptive.adaptive_levels` keeps it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ares_resources.errors import BadInput, CorruptArtifact

METHODS = ("lac", "aps")


@dataclass(frozen=True)
class ConformalSets:
    """A fitted threshold: a direction is in the set if its score is at most `threshold`.

    `lac`: score 1 - p(direction) (Sadinle, Lei, Wasserman 2019).  `aps`: the probability of
    all directions at least as likely (Romano, Sesia, Candes 2020, without randomisation);
    its sets are never empty.  `independent` counts the fitted events that do not overlap in
    time (None: all of `events`).
    """

    method: str
    coverage: float
    threshold: float
    events: int
    independent: int | None = None

    def predict(self, probability: np.ndarray) -> np.ndarray:
        """Sets bool (n, 2): column 0 down, column 1 up."""
        sets = _direction_scores(self.method, probability) <= self.threshold
        if self.method == "aps":
            sets |= _likelier(probability)
        return sets

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; a threshold beyond every score is spelled as null."""
        return asdict(self) | {
            "threshold": self.threshold if math.isfinite(self.threshold) else None
        }


def fit_conformal(
    probability: np.ndarray,
    labels: np.ndarray,
    *,
    coverage: float,
    method: str = "lac",
    groups: np.ndarray | None = None,
) -> ConformalSets:
    """The threshold: the ceil((n + 1) coverage)-th smallest score of n calibration events.

    The events must not have trained the model or its calibrator.  With too few of them for
    the coverage the threshold is infinite: every set is full, the model always abstains.
    `groups` (n,), of `reliability.overlap_groups`, only counts the independent events.

    Raises
    ------
    BadInput
        Unknown method, coverage outside (0, 1), no event, or a value out of range.
    """
    if method not in METHODS:
        raise BadInput(f"conformal method {method!r}; allowed: {', '.join(METHODS)}")
    if not 0 < coverage < 1:
        raise BadInput(f"coverage = {coverage}; allowed: between 0 and 1")
    scores = true_scores(method, probability, labels)
    rank = math.ceil(round((len(scores) + 1) * coverage, 9))
    threshold = float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf
    independent = None if groups is None else len(np.unique(groups))
    return ConformalSets(method, coverage, threshold, len(scores), independent)


def conformal_from_dict(values: Mapping[str, Any]) -> ConformalSets:
    """The inverse of `ConformalSets.to_dict`; `CorruptArtifact` if it is not one."""
    try:
        threshold, independent = values["threshold"], values.get("independent")
        sets = ConformalSets(
            str(values["method"]),
            float(values["coverage"]),
            math.inf if threshold is None else float(threshold),
            int(values["events"]),
            None if independent is None else int(independent),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CorruptArtifact(f"not a conformal threshold: {error!r}") from error
    if sets.method not in METHODS:
        raise CorruptArtifact(f"not a conformal threshold: method {sets.method!r}")
    return sets


def true_scores(method: str, probability: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The nonconformity score of each event's true direction: float64 (n,)."""
    p, y = np.asarray(probability, np.float64), np.asarray(labels, np.float64)
    if p.shape != y.shape or p.ndim != 1 or not len(p):
        raise BadInput(f"probability {p.shape} and labels {y.shape}; allowed: one length, above 0")
    if not ((y == 0) | (y == 1)).all() or not ((p >= 0) & (p <= 1)).all():
        raise BadInput("labels must be 0 or 1 and probabilities in 0..1")
    return np.where(y == 1, *_direction_scores(method, p).T[::-1])


def conformal_report(sets: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Coverage, its standard error, mean size, and shares of empty, single and full sets.

    `abstention` is the share of sets that are not single; `accuracy_when_single` is
    absent when no set is single.
    """
    y = np.asarray(labels).astype(np.int64)
    if sets.shape != (len(y), 2) or not len(y):
        raise BadInput(f"sets {sets.shape} for {len(y)} labels; allowed: (n, 2), n above 0")
    covered, size = sets[np.arange(len(y)), y], sets.sum(axis=1)
    single = size == 1
    report = {
        "coverage": float(covered.mean()),
        "coverage_standard_error": float(np.sqrt(covered.mean() * (1 - covered.mean()) / len(y))),
        "mean_size": float(size.mean()),
        "empty": float((size == 0).mean()),
        "single": float(single.mean()),
        "full": float((size == 2).mean()),
        "abstention": float(1 - single.mean()),
    }
    if single.any():
        report["accuracy_when_single"] = float(covered[single].mean())
    return report


def _direction_scores(method: str, probability: np.ndarray) -> np.ndarray:
    """Scores of down and up, (n, 2)."""
    up = np.asarray(probability, dtype=np.float64)
    both = np.stack([1.0 - up, up], axis=1)
    if method == "lac":
        return 1.0 - both
    return np.where(_likelier(up), both, 1.0)


def _likelier(probability: np.ndarray) -> np.ndarray:
    up = np.asarray(probability, dtype=np.float64) >= 0.5
    return np.stack([~up, up], axis=1)
