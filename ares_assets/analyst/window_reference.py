"""Plain twins of ``window_kernel``: each window looked at anew, in exact or textbook steps.

Belongs here: the oracle of tests.  Does not belong here: anything that a step calls.
"""

from __future__ import annotations

import math

import numpy as np

Array = np.ndarray


def _windows(values: Array, span: int) -> list[Array]:
    return [values[max(0, row - span + 1) : row + 1] for row in range(len(values))]


def rolling_sums(values: Array, span: int) -> Array:
    """Correctly rounded sum of each column over the window, shape of ``values``."""
    return np.array(
        [
            [math.fsum(window) for window in _windows(column, span)]
            for column in np.atleast_2d(values.T)
        ]
    ).T


def rolling_extremes(high: Array, low: Array, span: int) -> tuple[Array, Array]:
    """Highest high and lowest low."""
    highest = np.array([window.max() for window in _windows(high, span)])
    return highest, np.array([window.min() for window in _windows(low, span)])


def rolling_score(values: Array, span: int) -> tuple[Array, Array]:
    """Mean of the known values and standard score of the last; NaN where that is NaN."""
    means, scores = [], []
    for window in _windows(values, span):
        known = window[~np.isnan(window)]
        if np.isnan(window[-1]):
            means.append(math.nan)
            scores.append(math.nan)
            continue
        mean = math.fsum(known) / len(known)
        spread = math.sqrt(math.fsum((known - mean) ** 2) / len(known))
        means.append(mean)
        scores.append(0.0 if known.min() == known.max() else (window[-1] - mean) / spread)
    return np.array(means), np.array(scores)


def rolling_line(values: Array, span: int) -> tuple[Array, Array]:
    """Slope and explained share by ``numpy.polyfit``'s textbook formula, full windows only."""
    slopes, fits = np.full(len(values), np.nan), np.full(len(values), np.nan)
    rows = np.arange(span) - (span - 1) / 2
    for row in range(span - 1, len(values)):
        window = values[row - span + 1 : row + 1]
        distances = window - math.fsum(window) / span
        slope = math.fsum(rows * distances) / math.fsum(rows * rows)
        spread = math.fsum(distances * distances)
        flat = window.min() == window.max()
        slopes[row] = 0.0 if flat else slope
        fits[row] = 0.0 if flat else slope * slope * math.fsum(rows * rows) / spread
    return slopes, fits
