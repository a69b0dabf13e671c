"""Calibrators: monotone maps from a raw probability to one that means what it says.

Belongs here: their fits, their arithmetic in plain numpy, and their JSON.  Does not belong
here: choosing among them (`calibration`) and measuring them (`reliability`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from ares_resources.errors import BadInput, CorruptArtifact

PROBABILITY_FLOOR = 1e-6
LARGEST_SLOPE = 20.0


class Calibrator(Protocol):
    """A fitted map; non-decreasing, from [0, 1] into (0, 1)."""

    @property
    def method(self) -> str:
        """One of `METHODS`."""

    def predict(self, probability: np.ndarray) -> np.ndarray:
        """Calibrated probabilities float64 (n,); NaN stays NaN."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values that `calibrator_from_dict` reads back exactly."""


@dataclass(frozen=True)
class IdentityCalibrator:
    """Leaves probabilities as they are, apart from keeping them off 0 and 1."""

    method: ClassVar[str] = "identity"

    def predict(self, probability: np.ndarray) -> np.ndarray:
        """See `Calibrator.predict`."""
        return _inside(probability)

    def to_dict(self) -> dict[str, Any]:
        """See `Calibrator.to_dict`."""
        return {"method": self.method}


@dataclass(frozen=True)
class PlattCalibrator:
    """sigmoid(slope * logit(p) + intercept), slope >= 0; source: Platt (1999), on logits."""

    method: ClassVar[str] = "platt"
    slope: float
    intercept: float

    def predict(self, probability: np.ndarray) -> np.ndarray:
        """See `Calibrator.predict`."""
        return _inside(_sigmoid(self.slope * _logit(probability) + self.intercept))

    def to_dict(self) -> dict[str, Any]:
        """See `Calibrator.to_dict`."""
        return {"method": self.method, "slope": self.slope, "intercept": self.intercept}


@dataclass(frozen=True)
class TemperatureCalibrator:
    """sigmoid(slope * logit(p)), slope = 1 / temperature >= 0; source: Guo et al. (2017)."""

    method: ClassVar[str] = "temperature"
    slope: float

    def predict(self, probability: np.ndarray) -> np.ndarray:
        """See `Calibrator.predict`."""
        return _inside(_sigmoid(self.slope * _logit(probability)))

    def to_dict(self) -> dict[str, Any]:
        """See `Calibrator.to_dict`."""
        return {"method": self.method, "slope": self.slope}


@dataclass(frozen=True)
class IsotonicCalibrator:
    """Linear interpolation between ascending knots; source: Zadrozny and Elkan (2002)."""

    method: ClassVar[str] = "isotonic"
    inputs: tuple[float, ...]
    outputs: tuple[float, ...]

    def predict(self, probability: np.ndarray) -> np.ndarray:
        """See `Calibrator.predict`."""
        values = np.asarray(probability, dtype=np.float64)
        return _inside(np.interp(values, self.inputs, self.outputs))

    def to_dict(self) -> dict[str, Any]:
        """See `Calibrator.to_dict`."""
        return {"method": self.method, "inputs": [*self.inputs], "outputs": [*self.outputs]}


def fit_calibrator(
    method: str, probability: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> Calibrator:
    """Fit one method by weighted log-loss (isotonic: by squared error) on n events.

    Raises
    ------
    BadInput
        Unknown method, no event, or values outside [0, 1].
    """
    if method not in _FITS:
        raise BadInput(f"calibration method {method!r}; allowed: {', '.join(METHODS)}")
    probability = np.asarray(probability, dtype=np.float64)
    wrong = np.flatnonzero(~((probability >= 0) & (probability <= 1)))
    if len(wrong) or not len(probability):
        value = f"[{wrong[0]}] = {probability[wrong[0]]}" if len(wrong) else "is empty"
        raise BadInput(f"probability {value}; allowed: at least one, all in 0..1")
    return _FITS[method](
        probability, np.asarray(labels, np.float64), np.asarray(weights, np.float64)
    )


def calibrator_from_dict(values: Mapping[str, Any]) -> Calibrator:
    """The inverse of `to_dict`.

    Raises
    ------
    CorruptArtifact
        The values do not describe a calibrator.
    """
    try:
        content = {key: value for key, value in values.items() if key != "method"}
        if values["method"] == IsotonicCalibrator.method:
            content = {key: _ascending(content[key]) for key in ("inputs", "outputs")}
        else:
            content = {key: float(value) for key, value in content.items()}
        return _CLASSES[values["method"]](**content)
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptArtifact(f"not a calibrator: {dict(values)!r:.200} ({error!r})") from error


def _ascending(values: Sequence[float]) -> tuple[float, ...]:
    knots = np.array(values, dtype=np.float64)
    if not len(knots) or not np.isfinite(knots).all() or (np.diff(knots) < 0).any():
        raise ValueError("knots must be finite and ascend")
    return tuple(knots.tolist())


def _fit_identity(p: np.ndarray, y: np.ndarray, w: np.ndarray) -> Calibrator:
    return IdentityCalibrator()


def _fit_platt(p: np.ndarray, y: np.ndarray, w: np.ndarray) -> Calibrator:
    slope, intercept = _fit_logistic(np.stack([_logit(p), np.ones(len(p))]), y, w)
    return PlattCalibrator(slope, intercept)


def _fit_temperature(p: np.ndarray, y: np.ndarray, w: np.ndarray) -> Calibrator:
    (slope,) = _fit_logistic(_logit(p)[None, :], y, w)
    return TemperatureCalibrator(slope)


def _fit_isotonic(p: np.ndarray, y: np.ndarray, w: np.ndarray) -> Calibrator:
    from sklearn.isotonic import IsotonicRegression

    # A run of equal labels at an end must not claim certainty: as if one event disagreed.
    margin = 1.0 / (len(p) + 2.0)
    fit = IsotonicRegression(y_min=margin, y_max=1.0 - margin, out_of_bounds="clip")
    fit.fit(p, y, sample_weight=w)
    return IsotonicCalibrator(
        tuple(fit.X_thresholds_.tolist()),
        tuple(np.maximum.accumulate(fit.y_thresholds_).tolist()),
    )


def _fit_logistic(terms: np.ndarray, y: np.ndarray, w: np.ndarray) -> tuple[float, ...]:
    """Coefficients (k,) of terms (k, n); the first, the slope, stays in 0..20."""
    from scipy.optimize import minimize

    share = w / w.sum()

    def loss(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        score = coefficients @ terms
        value = share @ (np.logaddexp(0.0, score) - y * score)
        return float(value), terms @ (share * (_sigmoid(score) - y))

    start = np.array([1.0, 0.0][: len(terms)])
    bounds = [(0.0, LARGEST_SLOPE), (-LARGEST_SLOPE, LARGEST_SLOPE)][: len(terms)]
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 500}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return tuple(float(value) for value in found.x)


def _inside(probability: np.ndarray) -> np.ndarray:
    values = np.asarray(probability, dtype=np.float64)
    return np.clip(values, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)


def _logit(probability: np.ndarray) -> np.ndarray:
    inside = _inside(probability)
    return np.log(inside) - np.log1p(-inside)


def _sigmoid(score: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-score))


_CLASSES: dict[str, Callable[..., Calibrator]] = {
    "identity": IdentityCalibrator,
    "platt": PlattCalibrator,
    "temperature": TemperatureCalibrator,
    "isotonic": IsotonicCalibrator,
}
_FITS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Calibrator]] = {
    "identity": _fit_identity,
    "temperature": _fit_temperature,
    "platt": _fit_platt,
    "isotonic": _fit_isotonic,
}
# From the fewest degrees of freedom to the most, the order in which ties are resolved.
METHODS: tuple[str, ...] = tuple(_FITS)
