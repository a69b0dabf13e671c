"""Scores of predicted probabilities, and paired comparisons that respect overlap in time.

Belongs here: weighted log-loss and AUC, and gains per block of time.  Does not belong here:
calibration measures (`evidence/reliability`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from ares_resources.errors import BadInput

SMALLEST_BLOCK = 10
BLOCKS = (4, 20)


def event_log_loss(labels: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Log-loss of each event, nats, float64 (n,); probabilities are kept off 0 and 1."""
    labels = np.asarray(labels, dtype=np.float64)
    inside = np.clip(np.asarray(probability, dtype=np.float64), 1e-15, 1 - 1e-15)
    return -(labels * np.log(inside) + (1 - labels) * np.log1p(-inside))


def log_loss(labels: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> float:
    """Weighted mean log-loss in nats; ln 2 is what a coin scores.

    Raises
    ------
    BadInput
        No event, or no weight above zero.
    """
    _check_weights(weights)
    return float(np.average(event_log_loss(labels, probability), weights=weights))


def auc(labels: np.ndarray, probability: np.ndarray, weights: np.ndarray) -> float:
    """Weighted area under the ROC curve: P(p of a one > p of a zero), ties count half.

    NaN if one class has no weight.  Source: Fawcett (2006), An introduction to ROC analysis.
    """
    labels, weights = np.asarray(labels, float), np.asarray(weights, float)
    _, group = np.unique(np.asarray(probability, float), return_inverse=True)
    ones = np.bincount(group, weights=weights * labels)
    zeros = np.bincount(group, weights=weights * (1 - labels))
    if ones.sum() == 0 or zeros.sum() == 0:
        return float("nan")
    below = np.cumsum(zeros) - zeros
    return float((ones * (below + zeros / 2)).sum() / (ones.sum() * zeros.sum()))


@dataclass(frozen=True)
class BlockGain:
    """How much lower the candidate's log-loss is than the baseline's, judged over blocks.

    `gain` and `standard_error` in nats an event; `confidence` is the one-sided probability,
    by Student's t over the blocks, that the gain is above zero.
    """

    gain: float
    standard_error: float
    confidence: float
    blocks: int
    events: int

    def as_dict(self) -> dict[str, float | int]:
        """Plain values for a report."""
        return asdict(self)


def paired_block_gain(
    labels: np.ndarray,
    baseline: np.ndarray,
    candidate: np.ndarray,
    weights: np.ndarray,
    *,
    blocks: int | None = None,
) -> BlockGain:
    """Compare two predictions of the same n events, which must be in time order.

    Neighbouring labels overlap, so single events are not independent; contiguous blocks of
    events nearly are.  The error is that of a ratio estimate over blocks (clusters).
    Without `blocks`, one per ten events, at least 4 and at most 20.

    Raises
    ------
    BadInput
        Fewer than two blocks, fewer events than blocks, or no weight.
    """
    from scipy.stats import t as student

    weights = np.asarray(weights, dtype=np.float64)
    _check_weights(weights)
    count = block_count(len(weights)) if blocks is None else blocks
    if not 2 <= count <= len(weights):
        raise BadInput(f"blocks = {count} over {len(weights)} events; allowed: 2..events")
    difference = event_log_loss(labels, baseline) - event_log_loss(labels, candidate)
    weight, total = _block_sums(weights, count), _block_sums(weights * difference, count)
    gain = total.sum() / weight.sum()
    residual = total - gain * weight
    error = float(np.sqrt(count / (count - 1) * (residual**2).sum()) / weight.sum())
    confidence = student.cdf(gain / error, count - 1) if error > 0 else 0.5 + 0.5 * np.sign(gain)
    return BlockGain(float(gain), error, float(confidence), count, len(weights))


def block_count(events: int) -> int:
    """Blocks for so many events: one per ten, at least 4 and at most 20."""
    return int(np.clip(events // SMALLEST_BLOCK, *BLOCKS))


def _block_sums(values: np.ndarray, count: int) -> np.ndarray:
    return np.array([part.sum() for part in np.array_split(values, count)])


def _check_weights(weights: np.ndarray) -> None:
    total = float(np.sum(weights))
    if not total > 0:
        raise BadInput(f"weights sum to {total} over {len(weights)} events; allowed: above 0")
