"""Weights of labels whose spans overlap.

Belongs here: concurrency and average uniqueness.  Does not belong here: balancing classes,
decay by age, or anything an expert does with the weights.

Source: López de Prado, Advances in Financial Machine Learning (2018), chapter 4.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares_resources.errors import BadInput


def average_uniqueness(
    first_rows: NDArray[np.int64], last_rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Average uniqueness of each label, in (0, 1]; AFML 4.3-4.4.

    A label that spans bars ``first..last`` (inclusive) has, on each bar, the uniqueness
    1 / (labels on that bar); this is its mean over the span.

    Raises
    ------
    BadInput
        If a span ends before it begins, or begins before row 0.
    """
    from ares_assets.analyst.weights_kernel import average_uniqueness as kernel

    first, last = _checked_spans(first_rows, last_rows)
    if len(first) == 0:
        return np.empty(0)
    origin = first.min()
    return kernel(first - origin, last - origin, int(last.max() - origin) + 1)


def uniqueness_weights(
    rows: NDArray[np.int64], last_rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Sample weights: average uniqueness, scaled to mean 1.

    A label is at work from the bar after its decision (the entry) to ``last_row``.

    Parameters
    ----------
    rows, last_rows
        Decision row and the last row of the label's window, shape (m,).  The row at which the
        label became known would do for labels of fixed length only: it depends on the outcome,
        and weights that do are not weights but a selection.

    Raises
    ------
    BadInput
        If a label ends before its entry.
    """
    uniqueness = average_uniqueness(np.asarray(rows) + 1, np.asarray(last_rows))
    return uniqueness / uniqueness.mean() if len(uniqueness) else uniqueness


def _checked_spans(
    first_rows: NDArray[np.int64], last_rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first = np.asarray(first_rows, dtype=np.int64)
    last = np.asarray(last_rows, dtype=np.int64)
    wrong = np.flatnonzero((last < first) | (first < 0))
    if len(wrong):
        event = int(wrong[0])
        raise BadInput(
            f"label {event} spans rows {first[event]}..{last[event]}; "
            "a span begins at row 0 or later and ends no earlier than it begins"
        )
    return first, last
