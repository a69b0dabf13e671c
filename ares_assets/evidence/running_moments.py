"""Running mean, deviation and skewness of the blocks that a sequential test has seen.

Belongs here: what each look knows of the blocks before it, with Johnson's correction.  Does
not belong here: the bounds and decisions made of them (``sequential.py``).

Johnson (1978), Modified t tests and confidence intervals for asymmetrical populations, JASA 73.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SKEWNESS_CARE = 1.25
"""How much of Johnson's correction is taken, against the skewness that is not yet seen."""


@dataclass(frozen=True)
class RunningMoments:
    """Of the blocks up to each look in which anything differed, each (..., looks).

    Their number, mean and deviation (ddof 1, 0 where they never varied), and what skewness
    takes from a lower bound (0 or below) and gives to an upper one (0 or above).
    """

    blocks: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    shift_down: np.ndarray
    shift_up: np.ndarray


def running_moments(sums: np.ndarray) -> RunningMoments:
    """Moments of block sums along the last axis, (..., looks); a look sees its past alone."""
    differed = sums != 0.0
    blocks = np.cumsum(differed, axis=-1)
    n = np.maximum(blocks, 1)
    # Centred on the first that differed, so that nothing cancels where all are much alike.
    origin = np.zeros(1)
    if sums.shape[-1]:
        origin = np.take_along_axis(sums, np.argmax(differed, axis=-1)[..., None], axis=-1)
    centred = np.where(differed, sums - origin, 0.0)
    first, second, third = (np.cumsum(centred**power, axis=-1) / n for power in (1, 2, 3))
    mean = np.cumsum(sums, axis=-1) / n
    variance = np.maximum(second - first**2, 0.0) * n / np.maximum(n - 1, 1)
    variance = np.where(variance > 1e-24 + 1e-13 * mean**2, variance, 0.0)
    skewed = third - 3.0 * first * second + 2.0 * first**3
    held = np.where(variance > 0.0, variance, 1.0)
    # Johnson expands about a mean that is small beside the deviation; further out it runs wild.
    near = np.minimum(mean**2, 4.0 * held)
    shift = skewed / (6.0 * held * n) + skewed * near / (3.0 * held**2)
    shift = np.where(variance > 0.0, SKEWNESS_CARE * shift, 0.0)
    return RunningMoments(
        blocks, mean, np.sqrt(variance), np.minimum(shift, 0.0), np.maximum(shift, 0.0)
    )
