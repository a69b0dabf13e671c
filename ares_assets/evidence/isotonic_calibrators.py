"""Calibrators without a formula: isotonic steps, and the pair of them that Venn-Abers needs.

Belongs here: the fits, the arithmetic and the JSON values of these two.  Does not belong here:
calibrators with a formula and how a method is named (`calibrators`), choosing (`calibration`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

PROBABILITY_FLOOR = 1e-6


def inside(probability: np.ndarray) -> np.ndarray:
    """Probabilities kept `PROBABILITY_FLOOR` off 0 and 1; NaN stays NaN."""
    values = np.asarray(probability, dtype=np.float64)
    return np.clip(values, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)


@dataclass(frozen=True)
class IsotonicCalibrator:
    """Linear interpolation between ascending knots; source: Zadrozny and Elkan (2002)."""

    method: ClassVar[str] = "isotonic"
    inputs: tuple[float, ...]
    outputs: tuple[float, ...]

    def predict(self, probability: np.ndarray) -> np.ndarray:
        """See `calibrators.Calibrator.predict`."""
        values = np.asarray(probability, dtype=np.float64)
        return inside(np.interp(values, self.inputs, self.outputs))

    def to_dict(self) -> dict[str, Any]:
        """See `calibrators.Calibrator.to_dict`."""
        return {"method": self.method, "inputs": [*self.inputs], "outputs": [*self.outputs]}


@dataclass(frozen=True)
class VennAbersCalibrator:
    """Inductive Venn-Abers: what isotonic regression would say were the new label 0, and 1.

    Source: Vovk, Petej, Fedorova (2015), algorithms 1-6; one of both answers is calibrated
    whatever the law of the events.  `scores` (k,) ascend; `low` and `high` (k + 1,) are the
    answers before, between and behind them.  `low[i]` holds from `scores[i - 1]` on and
    `high[i]` up to `scores[i]`, since a new event joins those of its own score.
    """

    method: ClassVar[str] = "venn_abers"
    scores: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def predict_interval(self, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The two answers p0 <= p1, float64 (n,) each; NaN stays NaN."""
        values = np.asarray(probability, dtype=np.float64)
        p0 = np.array(self.low)[np.searchsorted(self.scores, values, side="right")]
        p1 = np.array(self.high)[np.searchsorted(self.scores, values, side="left")]
        unknown = np.isnan(values)
        return np.where(unknown, np.nan, p0), np.where(unknown, np.nan, p1)

    def predict(self, probability: np.ndarray) -> np.ndarray:
        """One probability, p1 / (1 - p0 + p1): the least log-loss regret against both."""
        p0, p1 = self.predict_interval(probability)
        # Spelled so that rounding cannot break the order of two probabilities.
        return inside(1.0 / (1.0 + (1.0 - p0) / p1))

    def to_dict(self) -> dict[str, Any]:
        """See `calibrators.Calibrator.to_dict`."""
        knots = {"scores": [*self.scores], "low": [*self.low], "high": [*self.high]}
        return {"method": self.method, **knots}


def fit_isotonic(p: np.ndarray, y: np.ndarray, w: np.ndarray) -> IsotonicCalibrator:
    """Weighted least squares among the ascending maps, all arrays (n,)."""
    from sklearn.isotonic import IsotonicRegression

    # A run of equal labels at an end must not claim certainty: as if one event disagreed.
    margin = 1.0 / (len(p) + 2.0)
    fit = IsotonicRegression(y_min=margin, y_max=1.0 - margin, out_of_bounds="clip")
    fit.fit(p, y, sample_weight=w)
    return IsotonicCalibrator(
        tuple(fit.X_thresholds_.tolist()),
        tuple(np.maximum.accumulate(fit.y_thresholds_).tolist()),
    )


def fit_venn_abers(p: np.ndarray, y: np.ndarray, w: np.ndarray) -> VennAbersCalibrator:
    """The answers at every score, all arrays (n,); the new event weighs the mean of `w`.

    The interval is as wide as independent events would make it: labels that overlap in time
    know less than their number says, so p1 - p0 is then a lower limit of the doubt.
    """
    used = w > 0
    scores, place = np.unique(p[used], return_inverse=True)
    weight, ones = np.bincount(place, w[used]), np.bincount(place, (w * y)[used])
    new = float(w[used].mean())
    high = _answers_if_one(weight, ones, new)
    # Labels and order both turned round, a new 0 is a new 1.
    low = 1.0 - _answers_if_one(weight[::-1], (weight - ones)[::-1], new)[::-1]
    moves = (np.diff(low) > 0) | (np.diff(high) > 0)
    kept = np.append(moves, True)
    return VennAbersCalibrator(
        tuple(scores[moves].tolist()), tuple(low[kept].tolist()), tuple(high[kept].tolist())
    )


def _answers_if_one(weight: np.ndarray, ones: np.ndarray, new: float) -> np.ndarray:
    """Isotonic value of a new 1 put before each of k scores, or behind all: (k + 1,).

    On the diagram of cumulated ones over cumulated weight the value is the slope of the
    greatest convex minorant over the new event's stretch, which leads from a point before it,
    moved back by the event, to a point behind it.  As the event goes up the scores, the left
    end changes only where the point that joins lies below the present line.
    """
    x, y = (np.concatenate([[0.0], np.cumsum(values)]) for values in (weight, ones))
    answers, slope, left = np.empty(len(x)), 0.0, 0
    for place in range(len(x)):
        line = y[left] + slope * (x[place] - x[left])
        if place == 0 or y[place] < line:
            left = place
            slope = float(((y[place:] - y[left] + new) / (x[place:] - x[left] + new)).min())
        answers[place] = slope
    return np.minimum(np.maximum.accumulate(answers), 1.0)
