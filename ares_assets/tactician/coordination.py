"""Timeframes side by side: how far they agree, and whether a slower one may object.

Belongs here: agreement of the timeframes' votes, and the rule that asks more of a trade which
the slowest timeframe's trend is against, with its evidence.  Does not belong here: features of
slower bars (``multi_timeframe.py``) and the members' weights (``tactician_ensemble.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ares_assets.analyst.scores import event_log_loss
from ares_assets.tactician.sizing import average_payoffs
from ares_assets.tactician.tactician_ensemble import TacticianEnsemble, take_with_band
from ares_assets.tactician.utility import NEVER, PairedGain, paired_gain
from ares_resources.timeframes import timeframe_ms

MARGIN = 0.05


@dataclass(frozen=True)
class Coordination:
    """Whether the slowest timeframe may object, on what evidence, and what is then taken.

    ``raised_by`` is how much more take probability a trade needs that it is against.
    """

    kept: bool
    timeframe: str
    raised_by: float
    gain: PairedGain | None
    taken: np.ndarray
    reason: str

    def to_json(self) -> dict[str, object]:
        """Plain values for metadata and the release."""
        return {
            "kept": self.kept,
            "timeframe": self.timeframe,
            "raised_by": self.raised_by,
            "gain": None if self.gain is None else asdict(self.gain),
            "reason": self.reason,
        }


def against_trade(features: Mapping[str, pd.DataFrame], timeframe: str) -> np.ndarray:
    """Whether a timeframe's trend runs against each trade, bool (n,); unknown is not against."""
    # The trend is stored in the direction of the trade (``timeframe_context``).
    return features[timeframe][f"trend_{timeframe}"].to_numpy(np.float64) < 0.0


def judge_coordination(
    labels: pd.DataFrame,
    features: Mapping[str, pd.DataFrame],
    ensemble: TacticianEnsemble,
    *,
    base_timeframe: str,
    confidence: float,
) -> Coordination:
    """Keep the slowest timeframe's objection only where it raised net returns, paired.

    A trade that it is against has to be :data:`MARGIN` above the threshold, or above the take
    probability at which average payoffs break even if that is higher (a tactician that takes
    all has a threshold of 0).  Nothing of this is searched, so that one comparison decides.
    """
    net = labels["net_return"].to_numpy(np.float64)
    raised_by = max(_break_even(net) - ensemble.threshold, 0.0) + MARGIN
    slower = sorted((t for t in features if t != base_timeframe), key=timeframe_ms)
    if not slower:
        return Coordination(False, "", raised_by, None, ensemble.taken, "one timeframe only")
    slowest = slower[-1]
    if ensemble.threshold >= NEVER:
        reason = "no objection needed: never trades"
        return Coordination(False, slowest, raised_by, None, ensemble.taken, reason)
    taken = take_with_band(
        ensemble.out_of_fold,
        threshold=ensemble.threshold,
        band=ensemble.band,
        raised_by=np.where(against_trade(features, slowest), raised_by, 0.0),
    )
    gain = paired_gain(labels, np.where(taken, net, 0.0), np.where(ensemble.taken, net, 0.0))
    kept = gain.mean > 0.0 and gain.p_value <= 1.0 - confidence
    shown = f"{slowest} against: gain {gain.mean:.2e} a signal, p = {gain.p_value:.3f}"
    reason = shown if kept else f"no objection: {shown}"
    return Coordination(kept, slowest, raised_by, gain, taken if kept else ensemble.taken, reason)


def _break_even(net_return: np.ndarray) -> float:
    payoffs = average_payoffs(net_return)
    total = payoffs.average_win + payoffs.average_loss
    return payoffs.average_loss / total if total > 0.0 else 1.0


def agreement(
    take: np.ndarray,
    votes: Mapping[str, np.ndarray],
    timeframes: Mapping[str, str],
    weights: Mapping[str, float],
) -> dict[str, dict[str, float | None]]:
    """How each timeframe votes, what it weighs and how far it agrees with the others.

    Parameters
    ----------
    take
        Labels, (n,).
    votes, timeframes, weights
        Member -> out-of-fold take probability (n,), its timeframe, and its weight.

    Returns
    -------
    Timeframe -> ``weight`` (sum over its members), ``log_loss`` of its members' mean vote, and
    ``agreement``, the correlation of that vote with the mean vote of the other timeframes (None
    where there is no other, or a vote never changes).
    """
    names = sorted({timeframes[name] for name in votes}, key=timeframe_ms)
    mean = {t: np.mean([votes[n] for n in sorted(votes) if timeframes[n] == t], 0) for t in names}
    shown: dict[str, dict[str, float | None]] = {}
    for name in names:
        others = [mean[other] for other in names if other != name]
        shown[name] = {
            "weight": float(sum(w for n, w in sorted(weights.items()) if timeframes[n] == name)),
            "log_loss": float(event_log_loss(take, mean[name]).mean()),
            "agreement": _correlation(mean[name], np.mean(others, 0)) if others else None,
        }
    return shown


def _correlation(left: np.ndarray, right: np.ndarray) -> float | None:
    if not (np.ptp(left) > 0.0 and np.ptp(right) > 0.0):
        return None
    return float(np.corrcoef(left, right)[0, 1])
