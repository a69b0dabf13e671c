"""Net utility of trading policies, with errors that know that events overlap.

Belongs here: mean net return a signal under a policy, paired comparisons, and the choice of
the threshold.  Does not belong here: how sizes and probabilities come about.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput

NEVER = 1.0
QUANTILES = tuple(np.arange(0.1, 0.91, 0.1).round(1).tolist())


@dataclass(frozen=True)
class Utility:
    """What a policy brought: net returns on the account, fractions of equity."""

    events: int
    traded: int
    total: float
    mean: float
    standard_error: float

    def to_json(self) -> dict[str, float | int]:
        """Plain numbers for metadata and the release."""
        return asdict(self)


@dataclass(frozen=True)
class PairedGain:
    """Mean difference a signal between two policies on the same signals."""

    mean: float
    standard_error: float
    p_value: float

    def to_json(self) -> dict[str, float]:
        """Plain numbers for metadata and the release."""
        return asdict(self)


@dataclass(frozen=True)
class ThresholdChoice:
    """Take a signal where its take probability is ABOVE ``threshold``; 1 means never."""

    threshold: float
    utility: Utility
    reason: str


def mean_and_error(values: np.ndarray, row: np.ndarray, t1_row: np.ndarray) -> tuple[float, float]:
    """Mean of (n,) per-event values and its standard error under overlapping outcomes.

    The long-run variance is Newey and West's, with Bartlett weights over twice as many events
    as ever overlap one another.  ``row`` is ascending.

    Raises
    ------
    BadInput
        Fewer than two events.

    Source: Newey and West (1987), Econometrica 55.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.size < 2:
        raise BadInput(f"{x.size} events; a mean with an error needs at least 2")
    overlap = int(np.max(np.searchsorted(row, t1_row, side="right") - np.arange(x.size) - 1))
    lags = min(2 * max(overlap, 0), x.size - 1)
    centred = x - x.mean()
    variance = float(centred @ centred)
    for lag in range(1, lags + 1):
        weight = 1.0 - lag / (lags + 1.0)
        variance += 2.0 * weight * float(centred[lag:] @ centred[:-lag])
    return float(x.mean()), math.sqrt(max(variance, 0.0)) / x.size


def policy_utility(labels: pd.DataFrame, size: np.ndarray) -> Utility:
    """Utility of trading each of (n,) labelled signals in the given size; 0 is a skip."""
    stake = np.asarray(size, dtype=np.float64)
    brought = stake * labels["net_return"].to_numpy(np.float64)
    mean, error = mean_and_error(brought, *_span(labels))
    traded = int(np.count_nonzero(stake))
    return Utility(len(labels), traded, float(brought.sum()), mean, error)


def paired_gain(labels: pd.DataFrame, better: np.ndarray, base: np.ndarray) -> PairedGain:
    """Does ``better`` bring more than ``base`` a signal?  (n,) returns each.

    ``p_value`` is one-sided, normal: the chance of such a mean if the true gain were 0.
    """
    mean, error = mean_and_error(np.asarray(better) - np.asarray(base), *_span(labels))
    score = mean / error if error > 0.0 else (math.inf if mean > 0.0 else -math.inf)
    return PairedGain(mean, error, 0.5 * math.erfc(score / math.sqrt(2.0)))


def compare_policies(
    labels: pd.DataFrame,
    take_probability: np.ndarray,
    *,
    threshold: float,
    size: np.ndarray | None = None,
) -> dict[str, Utility]:
    """The tactician's utility beside those of always taking and of never trading."""
    stake = np.ones(len(labels)) if size is None else np.asarray(size, dtype=np.float64)
    taken = np.asarray(take_probability) > threshold
    return {
        "tactician": policy_utility(labels, np.where(taken, stake, 0.0)),
        "always_take": policy_utility(labels, stake),
        "never_trade": policy_utility(labels, np.zeros(len(labels))),
    }


def choose_threshold(
    labels: pd.DataFrame,
    take_probability: np.ndarray,
    *,
    size: np.ndarray | None = None,
    minimum_trades: int = 20,
    caution: float = 1.0,
) -> ThresholdChoice:
    """The threshold with the best cautious out-of-fold utility: mean - caution * error.

    Candidates are "take all" and the deciles of the probabilities.  Where none has a cautious
    utility above 0, the choice is never to trade, with the reason.
    """
    p = np.asarray(take_probability, dtype=np.float64)
    stake = np.ones(len(labels)) if size is None else np.asarray(size, dtype=np.float64)
    best: tuple[float, float, Utility] | None = None
    for threshold in sorted({0.0, *np.quantile(p, QUANTILES).tolist()}):
        utility = policy_utility(labels, np.where(p > threshold, stake, 0.0))
        cautious = utility.mean - caution * utility.standard_error
        if utility.traded >= minimum_trades and (best is None or cautious > best[0]):
            best = cautious, threshold, utility
    if best is not None and best[0] > 0.0:
        return ThresholdChoice(float(best[1]), best[2], "")
    never = policy_utility(labels, np.zeros(len(labels)))
    seen = "no threshold trades often enough" if best is None else f"best {best[0]:.2e} a signal"
    return ThresholdChoice(NEVER, never, f"never trade: no cautious utility above 0 ({seen})")


def _span(labels: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    return labels["row"].to_numpy(np.int64), labels["t1_row"].to_numpy(np.int64)
