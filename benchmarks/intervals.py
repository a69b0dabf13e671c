"""AUC and log-loss with intervals that respect dependence: a stationary bootstrap over days.

Belongs here: resampling days and summing up.  Does not belong here: models, and which events.

Politis and Romano (1994), The Stationary Bootstrap: runs of whole days, of geometric length,
drawn with the product's own kernel.  Every model is scored on the same resamples, so that
differences are paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares_assets.analyst.scores import event_log_loss
from ares_assets.evidence.bootstrap import resample_indices
from ares_resources.timeframes import DAY_MS

MEAN_BLOCK_DAYS = 5.0
LEVEL = 0.95


@dataclass(frozen=True)
class Resamples:
    """How often each day occurs in each resample, (resamples, days), and each event's day (n,)."""

    counts: np.ndarray
    day: np.ndarray


def resamples(
    timestamps: np.ndarray, *, count: int, seed: int, mean_block: float = MEAN_BLOCK_DAYS
) -> Resamples:
    """Stationary resamples of the UTC days that have an event; the first one is the sample.

    Parameters
    ----------
    timestamps
        Of the n events, ms UTC, ascending.
    mean_block
        Mean length of a block, days.
    """
    _, day = np.unique(timestamps // DAY_MS, return_inverse=True)
    days = int(day[-1]) + 1
    counts = np.ones((count + 1, days))
    for path in range(count):
        drawn = resample_indices(days, mean_block=mean_block, seed=seed, path=path)
        counts[path + 1] = np.bincount(drawn, minlength=days)
    return Resamples(counts, day)


def log_losses(
    labels: np.ndarray, probability: np.ndarray, weights: np.ndarray, drawn: Resamples
) -> np.ndarray:
    """Weighted mean log-loss, nats, of each resample, (resamples + 1,)."""
    loss = weights * event_log_loss(labels, probability)
    days = drawn.counts.shape[1]
    total = drawn.counts @ np.bincount(drawn.day, loss, days)
    return total / (drawn.counts @ np.bincount(drawn.day, weights, days))


def areas(
    labels: np.ndarray, probability: np.ndarray, weights: np.ndarray, drawn: Resamples
) -> np.ndarray:
    """Weighted AUC of each resample, ties counting half, (resamples + 1,)."""
    order = np.argsort(probability, kind="stable")
    starts = np.flatnonzero(np.diff(probability[order], prepend=-np.inf))
    day, ones = drawn.day[order], (weights * labels)[order]
    zeros = (weights * (1 - labels))[order]
    found = np.empty(len(drawn.counts))
    for number, times in enumerate(drawn.counts):
        often = times[day]
        up = np.add.reduceat(ones * often, starts)
        down = np.add.reduceat(zeros * often, starts)
        below = np.cumsum(down) - down
        found[number] = (up * (below + down / 2)).sum() / (up.sum() * down.sum())
    return found


def interval(values: np.ndarray, level: float = LEVEL) -> dict[str, float]:
    """The sample's value (the first) and the percentile interval of the others."""
    tail = (1 - level) / 2
    low, high = np.quantile(values[1:], [tail, 1 - tail])
    return {
        "value": round(float(values[0]), 5),
        "low": round(float(low), 5),
        "high": round(float(high), 5),
    }
