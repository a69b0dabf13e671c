"""How well decoded regimes agree with the true ones: pure measures on arrays.

Belongs here: the definitions of the regime benchmark's columns.  Does not belong here: markets,
algorithms, tables (``benchmarks.regimes``).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

States = NDArray[np.integer]

STATES = 3
DAYS = 30
HOLD_BARS = 60  # minutes: how long a state must be decoded for a switch to be detected


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


def detection_delays(
    decoded: States, truth: States, hold: int = HOLD_BARS
) -> tuple[NDArray[np.int64], int]:
    """Bars from each true switch until the new state is decoded to stay, and how many never are.

    A true switch at bar s to state k, whose stay ends before bar e, is detected at the first bar
    t in s..e-1 from which the decoded state is k for ``hold`` bars (an hour of minutes) or, if
    that is sooner, until the stay ends: on all of t..min(t + hold, e)-1.  Its delay is t - s, 0
    where k was decoded already and stays so.  It is missed if there is no such bar.  The last
    stay, which the end of the bars cuts off, is left out (censored), and so is the first, whose
    switch was not seen.
    """
    starts = np.flatnonzero(truth[1:] != truth[:-1]) + 1
    until = _ends_of_runs(decoded)
    delays = []
    for start, end in pairwise(starts):
        bars = np.arange(start, end)
        stays = until[start:end] >= np.minimum(bars + hold, end)
        hits = np.flatnonzero(stays & (decoded[start:end] == truth[start]))
        if len(hits):
            delays.append(int(hits[0]))
    return np.array(delays, np.int64), max(len(starts) - 1, 0) - len(delays)


def false_alarms_per_30_days(
    decoded: States, truth: States, bars_a_day: int = 1_440, near: int = HOLD_BARS
) -> float:
    """Decoded switches into a state that is not the true one nearby, scaled to thirty days.

    A decoded switch at bar t into state k is a false alarm if the true state is k on none of the
    bars t-near..t+near (an hour of minutes each way).
    """
    into = np.flatnonzero(decoded[1:] != decoded[:-1]) + 1
    alarms = sum(bool((truth[max(t - near, 0) : t + near + 1] != decoded[t]).all()) for t in into)
    return float(alarms / len(decoded) * bars_a_day * DAYS)


def _ends_of_runs(states: States) -> NDArray[np.int64]:
    """For each bar the first later bar of another state, or the number of bars, (n,)."""
    changes = np.append(np.flatnonzero(states[1:] != states[:-1]) + 1, len(states))
    return changes[np.searchsorted(changes, np.arange(len(states)), side="right")]
