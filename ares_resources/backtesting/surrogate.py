"""A Gaussian process for a few hundred noisy measurements in the unit cube.

Belongs here: fitting one function and predicting it, in numpy.  Does not belong here: what is
measured, and what the prediction is used for (``sampler``).

Matern 5/2 kernel with one length scale a coordinate and a nugget, found by maximum a posteriori
(Rasmussen & Williams 2006, chapters 4 and 5; priors as in Hvarfner et al. 2024, whose length
scales grow with the root of the dimension).  The signal's variance is profiled out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_ROOT5 = math.sqrt(5.0)
_LENGTH, _LENGTH_SPREAD = math.log(0.6), 1.0
_NUGGET, _NUGGET_SPREAD = math.log(3e-3), 2.0
_LEAST_NUGGET, _LEAST_VARIANCE = 1e-6, 1e-9
_BOUNDS = ((-4.0, 5.0), (math.log(_LEAST_NUGGET), 1.0))


@dataclass(frozen=True, eq=False)
class Shape:
    """What was fitted: length scales ``(d,)`` in unit coordinates, and nugget over signal."""

    lengths: np.ndarray
    nugget: float


@dataclass(frozen=True, eq=False)
class Prediction:
    """Mean and standard deviation ``(n,)``; the rest is what correlations are made of."""

    mean: np.ndarray
    deviation: np.ndarray
    points: np.ndarray
    known: np.ndarray
    left: np.ndarray

    def followed_by(self, other: Prediction) -> Prediction:
        """These points, then others."""
        return Prediction(
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.deviation, other.deviation]),
            np.concatenate([self.points, other.points]),
            np.concatenate([self.known, other.known], axis=1),
            np.concatenate([self.left, other.left]),
        )


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A fitted process; ``centre`` and ``signal`` are in the units of the measurements."""

    points: np.ndarray
    shape: Shape
    centre: float
    signal: float
    factor: np.ndarray
    weights: np.ndarray

    def predict(self, points: np.ndarray) -> Prediction:
        """What is believed of the function, without its noise, at these points."""
        from scipy.linalg import solve_triangular

        near = _matern(_distances(points, self.points, self.shape.lengths))
        known = solve_triangular(self.factor, near.T, lower=True, check_finite=False)
        left = np.maximum(1.0 - np.einsum("ij,ij->j", known, known), _LEAST_VARIANCE)
        mean = self.centre + near @ self.weights
        return Prediction(mean, np.sqrt(self.signal * left), points, known, left)

    def correlation(self, some: Prediction, one: Prediction) -> np.ndarray:
        """Correlation ``(n,)`` of what is believed at n points with that at a single one."""
        prior = _matern(_distances(some.points, one.points, self.shape.lengths))[:, 0]
        shared = prior - one.known[:, 0] @ some.known
        found: np.ndarray = shared / np.sqrt(some.left * one.left[0])
        return np.clip(found, -1.0, 1.0)

    def slope(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean ``(n,)`` and its gradient ``(n, d)``."""
        distance = _distances(points, self.points, self.shape.lengths)
        scaled = _ROOT5 * distance
        pull = (5.0 / 3.0) * (1.0 + scaled) * np.exp(-scaled) * self.weights
        inside = pull @ self.points - points * pull.sum(axis=1)[:, None]
        return self.centre + _matern(distance) @ self.weights, inside / self.shape.lengths**2


def fit_shape(points: np.ndarray, values: np.ndarray, steps: int = 25) -> Shape:
    """Length scales and nugget for measurements ``values (n,)`` at ``points (n, d)``."""
    from scipy.optimize import minimize

    dimensions = points.shape[1]
    prior = np.append(np.full(dimensions, _LENGTH + 0.5 * math.log(dimensions)), _NUGGET)
    spread = np.append(np.full(dimensions, _LENGTH_SPREAD), _NUGGET_SPREAD)
    bounds = [_BOUNDS[0]] * dimensions + [_BOUNDS[1]]
    loss = _loss_of(points, _standardised(values), prior, spread)
    found = minimize(
        loss, prior, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps}
    )
    return Shape(np.exp(found.x[:-1]), float(np.exp(found.x[-1])))


def fit(points: np.ndarray, values: np.ndarray, shape: Shape) -> Surrogate:
    """The process through these measurements."""
    from scipy.linalg import cho_solve, cholesky

    centre = float(values.mean())
    covariance = _matern(_distances(points, points, shape.lengths))
    covariance[np.diag_indices_from(covariance)] = 1.0 + shape.nugget
    factor = cholesky(covariance, lower=True, check_finite=False)
    weights = cho_solve((factor, True), values - centre, check_finite=False)
    signal = max(float((values - centre) @ weights) / len(values), 1e-12)
    return Surrogate(points, shape, centre, signal, factor, weights)


def _standardised(values: np.ndarray) -> np.ndarray:
    spread = float(values.std())
    return (values - values.mean()) / (spread if spread > 0 else 1.0)


def _distances(one: np.ndarray, other: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    a, b = one / lengths, other / lengths
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2.0 * (a @ b.T)
    return np.sqrt(np.maximum(squares, 0.0))


def _matern(distance: np.ndarray) -> np.ndarray:
    scaled = _ROOT5 * distance
    kernel: np.ndarray = (1.0 + scaled + scaled * scaled / 3.0) * np.exp(-scaled)
    return kernel


def _loss_of(
    points: np.ndarray, values: np.ndarray, prior: np.ndarray, spread: np.ndarray
) -> Callable[[np.ndarray], tuple[float, np.ndarray]]:
    """Minus the log posterior of log length scales and log nugget, with its gradient."""
    from scipy.linalg.lapack import dpotrf, dpotri

    count = len(values)
    diagonal = np.diag_indices(count)

    def loss(place: np.ndarray) -> tuple[float, np.ndarray]:
        lengths, nugget = np.exp(place[:-1]), math.exp(place[-1])
        distance = _distances(points, points, lengths)
        scaled = _ROOT5 * distance
        fall = np.exp(-scaled)
        covariance = (1.0 + scaled + scaled * scaled / 3.0) * fall
        covariance[diagonal] = 1.0 + nugget
        factor, failed = dpotrf(covariance, lower=1, clean=1)
        if failed:
            return 1e10, np.zeros_like(place)
        inverse = dpotri(factor, lower=1)[0]
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        weights = inverse @ values
        signal = max(float(values @ weights) / count, 1e-12)
        away = (place - prior) / spread
        value = 0.5 * count * math.log(signal) + np.log(factor[diagonal]).sum()
        # d/dtheta = half the trace of (inverse - weights weights' / signal) dK/dtheta.
        pull = inverse - np.outer(weights, weights) / signal
        slope = pull * (5.0 / 3.0) * (1.0 + scaled) * fall
        inside = slope.sum(axis=1) @ (points * points) - np.einsum(
            "ij,ij->j", points, slope @ points
        )
        gradient = np.append(inside / lengths**2, 0.5 * nugget * np.trace(pull))
        return value + 0.5 * float(away @ away), gradient + away / spread

    return loss
