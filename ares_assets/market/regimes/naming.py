"""Which state is bull, which bear, which sideways.

Belongs here: naming states by what happened in them.  Does not belong here: finding them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]

PRIOR_STANDARD_ERRORS = 2.0


def drift_statistics(returns: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Weighted mean, variance and t-statistic of the mean return in each state, (K,) each.

    Parameters
    ----------
    returns
        Shape (n,).
    weights
        Probability of each state at each row, shape (n, K).
    """
    total = np.maximum(weights.sum(axis=0), 1e-12)
    mean = (returns[:, None] * weights).sum(axis=0) / total
    centred = (returns[:, None] - mean) ** 2
    variance = np.maximum((weights * centred).sum(axis=0) / total, 1e-300)
    return mean, variance, mean / np.sqrt(variance / total)


def funding_statistics(frame: pd.DataFrame, weights: Array) -> Array:
    """t-statistic of each state's mean settled funding rate against the overall mean, (K,).

    0 throughout where the frame has no funding, or none that varies.
    """
    states = weights.shape[1]
    if "funding_payment" not in frame.columns:
        return np.zeros(states)
    payment = frame["funding_payment"].to_numpy()
    settled = payment != 0
    if settled.sum() < states or np.ptp(payment[settled]) == 0:
        return np.zeros(states)
    rates = payment[settled]
    return drift_statistics(rates - rates.mean(), weights[settled])[2]


def order_by_name(direction: Array, volatility: Array) -> NDArray[np.int64]:
    """State numbers in the order bull, bear, sideways, for three states.

    The assignment with the highest sum of: direction for bull, minus direction for bear, and,
    worth :data:`PRIOR_STANDARD_ERRORS` of evidence, high volatility for bear and low for
    sideways.  So bull is the state that rises most, bear the one that falls most, sideways the
    one between, which has the smallest drift where bull rises and bear falls; and where the
    sample is too short to tell, falling markets are taken to be the wild ones and sideways
    markets the calm ones (the leverage effect: Black 1976).

    Parameters
    ----------
    direction
        Sum of the t-statistics of drift and funding in each state, shape (3,).  Those who are
        long pay funding when the market is bullish, so it says early what drift says late.
    volatility
        Log volatility of each state, shape (3,).
    """
    from scipy.optimize import linear_sum_assignment

    spread = max(float(volatility.std()), 1e-12)
    calm = -PRIOR_STANDARD_ERRORS * (volatility - volatility.mean()) / spread
    score = np.stack([direction, -direction - calm, calm])
    return linear_sum_assignment(score, maximize=True)[1].astype(np.int64)
