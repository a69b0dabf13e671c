"""Calibrators: monotone maps from a raw probability to one that means what it says.

Belongs here: their fits, their arithmetic in plain numpy, and their JSON.  Does not belong
here: choosing among them (`calibration`) and measuring them (`reliability`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from ares_assets.evidence.isotonic_calibrators import (
    IsotonicCalibrator,
    VennAbersCalibrator,
    fit_isotonic,
    fit_venn_abers,
    inside,
)
from ares_resources.errors import BadInput, CorruptArtifact

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
        return inside(probability)

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
        return inside(_sigmoid(self.slope * _logit(probability) + self.intercept))

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
        return inside(_sigmoid(self.slope * _logit(probability)))

    def to_dict(self) -> dict[str, Any]:
        """See `Calibrator.to_dict`."""
        return {"method": self.method, "slope": self.slope}


@dataclass(frozen=True)
class BetaCalibrator:
    """sigmoid(slope_low ln p - slope_high ln(1 - p) + intercept), both slopes >= 0.

    Source: Kull, Silva Filho, Flach (2017).  With equal slopes it is Platt's map; unequal ones
    bend the two ends apart.
    """

    method: ClassVar[str] = "beta"
    slope_low: float
    slope_high: float
    intercept: float

    def predict(self, probability: np.ndarray) -> np.ndarray:
        """See `Calibrator.predict`."""
        below, above = _beta_terms(probability)
        score = self.slope_low * below + self.slope_high * above + self.intercept
        return inside(_sigmoid(score))

    def to_dict(self) -> dict[str, Any]:
        """See `Calibrator.to_dict`."""
        slopes = {"slope_low": self.slope_low, "slope_high": self.slope_high}
        return {"method": self.method, **slopes, "intercept": self.intercept}


def fit_calibrator(
    method: str, probability: np.ndarray, labels: np.ndarray, weights: np.ndarray
) -> Calibrator:
    """Fit one method by weighted log-loss (isotonic and Venn-Abers: by squared error) on n events.

    Raises
    ------
    BadInput
        Unknown method, no event, values outside [0, 1], or no weight above 0.
    """
    if method not in _FITS:
        raise BadInput(f"calibration method {method!r}; allowed: {', '.join(METHODS)}")
    probability = np.asarray(probability, dtype=np.float64)
    wrong = np.flatnonzero(~((probability >= 0) & (probability <= 1)))
    if len(wrong) or not len(probability):
        value = f"[{wrong[0]}] = {probability[wrong[0]]}" if len(wrong) else "is empty"
        raise BadInput(f"probability {value}; allowed: at least one, all in 0..1")
    weights = np.asarray(weights, dtype=np.float64)
    if not weights.sum() > 0 or (weights < 0).any():
        raise BadInput(f"weights sum to {weights.sum()}; allowed: none negative, some above 0")
    return _FITS[method](probability, np.asarray(labels, np.float64), weights)


def calibrator_from_dict(values: Mapping[str, Any]) -> Calibrator:
    """The inverse of `to_dict`.

    Raises
    ------
    CorruptArtifact
        The values do not describe a calibrator.
    """
    try:
        content = {key: value for key, value in values.items() if key != "method"}
        if values["method"] in _KNOTS:
            return _with_knots(values["method"], content)
        numbers = {key: float(value) for key, value in content.items()}
        return _CLASSES[values["method"]](**numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptArtifact(f"not a calibrator: {dict(values)!r:.200} ({error!r})") from error


def _with_knots(method: str, content: Mapping[str, Any]) -> Calibrator:
    extra = _KNOTS[method]
    knots = {key: _ascending(values) for key, values in content.items()}
    found = _CLASSES[method](**knots)
    # Stored keys are sorted; told by the calibrator, places come before answers.
    told = (values for key, values in found.to_dict().items() if key != "method")
    places, *answers = (len(values) for values in told)
    if any(count != places + extra for count in answers) or places + extra < 1:
        raise ValueError(f"{answers} answers for {places} places")
    return found


def _ascending(values: Sequence[float]) -> tuple[float, ...]:
    knots = np.array(values, dtype=np.float64)
    if knots.ndim != 1 or not np.isfinite(knots).all() or (np.diff(knots) < 0).any():
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


def _fit_beta(p: np.ndarray, y: np.ndarray, w: np.ndarray) -> Calibrator:
    terms = np.stack([*_beta_terms(p), np.ones(len(p))])
    return BetaCalibrator(*_fit_logistic(terms, y, w, slopes=2))


def _fit_logistic(
    terms: np.ndarray, y: np.ndarray, w: np.ndarray, *, slopes: int = 1
) -> tuple[float, ...]:
    """Coefficients (k,) of terms (k, n); the first `slopes` of them stay in 0..20."""
    from scipy.optimize import minimize

    share = w / w.sum()

    def loss(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        score = coefficients @ terms
        value = share @ (np.logaddexp(0.0, score) - y * score)
        return float(value), terms @ (share * (_sigmoid(score) - y))

    start = np.array([1.0] * slopes + [0.0] * (len(terms) - slopes))
    bounds = [(0.0 if one else -LARGEST_SLOPE, LARGEST_SLOPE) for one in start]
    options = {"ftol": 1e-15, "gtol": 1e-10, "maxiter": 500}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    return tuple(float(value) for value in found.x)


def _logit(probability: np.ndarray) -> np.ndarray:
    below, above = _beta_terms(probability)
    return below + above


def _beta_terms(probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """ln p and -ln(1 - p), each (n,); both ascend with p."""
    kept = inside(probability)
    return np.log(kept), -np.log1p(-kept)


def _sigmoid(score: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-score))


_CLASSES: dict[str, Callable[..., Calibrator]] = {
    "identity": IdentityCalibrator,
    "platt": PlattCalibrator,
    "temperature": TemperatureCalibrator,
    "beta": BetaCalibrator,
    "isotonic": IsotonicCalibrator,
    "venn_abers": VennAbersCalibrator,
}
# Methods of ascending knots: how many more answers they have than places.
_KNOTS = {"isotonic": 0, "venn_abers": 1}
_FITS: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Calibrator]] = {
    "identity": _fit_identity,
    "temperature": _fit_temperature,
    "platt": _fit_platt,
    "beta": _fit_beta,
    "isotonic": fit_isotonic,
    "venn_abers": fit_venn_abers,
}
# From the fewest degrees of freedom to the most, the order in which ties are resolved.
METHODS: tuple[str, ...] = tuple(_FITS)
