"""How well decoded regimes agree with the true ones: pure measures on arrays.

Belongs here: the definitions of the regime benchmark's columns.  Does not belong here: markets,
algorithms, tables (``benchmarks.regimes``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

States = NDArray[np.integer]

STATES = 3
DAYS = 30


def confusion(decoded: States, truth: States) -> NDArray[np.int64]:
    """Bars by true (row) and decoded (column) state, (3, 3)."""
    counts = np.zeros((STATES, STATES), np.int64)
    np.add.at(counts, (truth, decoded), 1)
    return counts


def balanced_accuracy(decoded: States, truth: States) -> float:
    """Mean over the states that occur of the share of their bars that is decoded as they are."""
    counts = confusion(decoded, truth)
    bars = counts.sum(axis=1)
    occurs = bars > 0
    return float(np.mean(np.diag(counts)[occurs] / bars[occurs]))


def macro_f1(decoded: States, truth: States) -> float:
    """Mean over the states that occur of the harmonic mean of precision and recall."""
    counts = confusion(decoded, truth)
    bars = counts.sum(axis=1)
    both = bars + counts.sum(axis=0)
    occurs = bars > 0
    return float(np.mean(2 * np.diag(counts)[occurs] / both[occurs]))


def log_loss(probabilities: NDArray[np.float64], truth: States) -> float:
    """Mean of minus log of the probability (at least 1e-6) given to the true state, nats."""
    given = probabilities[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(given, 1e-6)).mean())


def named_wrongly(decoded: States, truth: States) -> bool:
    """Whether other names would agree with the truth better than the states' own."""
    rows, columns = linear_sum_assignment(-confusion(decoded, truth))
    return bool((rows != columns).any())


def switches_per_30_days(states: States, bars_a_day: int = 1_440) -> float:
    """Changes from one bar to the next, scaled to thirty days."""
    return float((states[1:] != states[:-1]).sum() / len(states) * bars_a_day * DAYS)


def detection_delays(decoded: States, truth: States) -> tuple[NDArray[np.int64], int]:
    """Bars from each true switch until the new state is decoded, and how many never are.

    A true switch at bar s to state k, whose stay ends before bar e, is detected at the first bar
    t in s..e-1 that is decoded k; its delay is t - s (0 where k was decoded at once, or already).
    It is missed if there is no such bar.
    """
    starts = np.flatnonzero(truth[1:] != truth[:-1]) + 1
    ends = np.append(starts[1:], len(truth))
    delays = []
    for start, end in zip(starts, ends, strict=True):
        hits = np.flatnonzero(decoded[start:end] == truth[start])
        if len(hits):
            delays.append(int(hits[0]))
    return np.array(delays, np.int64), len(starts) - len(delays)
