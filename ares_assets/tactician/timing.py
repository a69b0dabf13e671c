"""Now or later: a classifier of "waiting pays more", kept only where it has proved itself.

Belongs here: training and judging the wait classifier.  Does not belong here: whether to
take a signal at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import Split
from ares_assets.tactician.specialists import BinaryModel, check_enough, train_binary
from ares_assets.tactician.utility import PairedGain, paired_gain

KIND = "linear"
WAIT_ABOVE = 0.5


@dataclass(frozen=True)
class Timing:
    """The wait classifier, or the finding that entering now is as good."""

    kept: bool
    model: BinaryModel
    gain: PairedGain
    reason: str

    def to_json(self) -> dict[str, object]:
        """Plain values for metadata and the release."""
        return {
            "kept": self.kept,
            "kind": self.model.fitted.kind,
            "features": list(self.model.fitted.features),
            "wait_above": WAIT_ABOVE,
            "gain": self.gain.to_json(),
            "reason": self.reason,
        }


def train_timing(
    labels: pd.DataFrame,
    features: pd.DataFrame,
    weights: np.ndarray,
    *,
    taken: np.ndarray,
    splits: Sequence[Split],
    confidence: float,
    seed: int,
    threads: int = 2,
) -> Timing:
    """Train the wait classifier and test what it would have brought, out of fold.

    Parameters
    ----------
    labels, features, weights
        Meta-labels with ``wait``, (n, k) features and (n,) uniqueness weights.
    taken
        Which signals the take tactician acts on, bool (n,); only they can gain by waiting.
    confidence
        One-sided confidence that the paired gain a signal must reach, e.g. 0.9.

    Raises
    ------
    PartitionSkipped
        Too few signals.
    """
    check_enough(labels)
    wait = labels["wait"].to_numpy(np.int64)
    model = train_binary(
        features, wait, weights, kind=KIND, splits=splits, seed=seed, threads=threads
    )
    now = np.where(taken, labels["net_return"].to_numpy(np.float64), 0.0)
    later = np.where(taken, labels["delayed_net_return"].to_numpy(np.float64), 0.0)
    timed = np.where(model.out_of_fold > WAIT_ABOVE, later, now)
    gain = paired_gain(labels, timed, now)
    kept = gain.mean > 0.0 and gain.p_value <= 1.0 - confidence
    shown = f"gain {gain.mean:.2e} a signal, p = {gain.p_value:.3f}"
    reason = "; ".join((shown if kept else f"enter now: {shown}", *model.degraded))
    return Timing(kept, model, gain, reason)
