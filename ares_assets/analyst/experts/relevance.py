"""Automatic relevance determination: a linear regression that learns how much to shrink.

Belongs here: the fixed-point iteration on sufficient statistics, with coefficients in groups
that share a prior variance.  Does not belong here: features, regimes, probabilities.

scikit-learn's ``ARDRegression`` has neither weights nor groups; without either both give the
same (a test).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Coefficients whose prior variance has fallen below its inverse are zero.
PRUNED_ABOVE = 1e5
_START = 1e3


@dataclass(frozen=True)
class Relevance:
    """``coefficient`` (m,), the groups' prior ``precision`` (inf where pruned), and the rest."""

    coefficient: np.ndarray
    precision: np.ndarray
    noise_variance: float
    iterations: int
    converged: bool


def relevance_determination(
    gram: np.ndarray,
    moment: np.ndarray,
    energy: float,
    effective: float,
    groups: np.ndarray,
    *,
    iterations: int = 200,
    tolerance: float = 1e-3,
) -> Relevance:
    """Coefficients under Gaussian priors whose variances maximise the evidence.

    Parameters
    ----------
    gram, moment, energy
        A' W A (m, m), A' W t (m,) and t' W t of the design A, targets t and weights W; the
        columns of A and t are expected to have a scale near one.
    effective
        Number of independent observations, the sum of W.
    groups
        Group of each column, int (m,), from 0 without holes; a group shares one prior variance.
    iterations, tolerance
        Most iterations, and the change of every log precision below which it has converged.

    Source: MacKay (1992), Bayesian interpolation; Tipping (2001), Sparse Bayesian learning.
    """
    precision = np.full(int(groups.max()) + 1, _START)
    noise = max(energy / max(effective, 1.0), np.finfo(float).tiny)
    coefficient = np.zeros(len(moment))
    for done in range(1, iterations + 1):
        alive = np.flatnonzero(precision[groups] < PRUNED_ABOVE)
        coefficient = np.zeros(len(moment))
        if not alive.size:
            break
        members = groups[alive]
        inner, outer = gram[np.ix_(alive, alive)], moment[alive]
        covariance = np.linalg.inv(inner / noise + np.diag(precision[members]))
        found = covariance @ outer / noise
        coefficient[alive] = found
        determined = 1.0 - precision[members] * np.diag(covariance)
        by_group = np.bincount(members, weights=determined, minlength=len(precision))
        size = np.bincount(members, weights=found**2, minlength=len(precision))
        fresh = np.where(size > 0, np.maximum(by_group, 1e-12) / np.maximum(size, 1e-300), np.inf)
        change = np.abs(np.log(fresh[np.unique(members)] / precision[np.unique(members)]))
        precision = fresh
        residual = energy - 2.0 * found @ outer + found @ inner @ found
        noise = max(residual / max(effective - determined.sum(), 1.0), np.finfo(float).tiny)
        if change[fresh[np.unique(members)] < PRUNED_ABOVE].max(initial=0.0) < tolerance:
            return Relevance(coefficient, _shown(precision), float(noise), done, True)
    return Relevance(
        coefficient, _shown(precision), float(noise), iterations, not coefficient.any()
    )


def _shown(precision: np.ndarray) -> np.ndarray:
    return np.where(precision < PRUNED_ABOVE, precision, np.inf)
