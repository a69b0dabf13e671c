"""What follows from drift: whether a partition should be trained anew, and why.

Belongs here: the rule.  Does not belong here: measuring drift (``drift.py``,
``loss_drift.py``), keeping requests (``ares_resources/storage/retrain_requests.py``) and
starting runs (``ares_jobs``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ares_resources.errors import BadInput


@dataclass(frozen=True)
class RetrainReason:
    """Why to train anew; ``since_ms`` is when the change was known that no request answered."""

    kind: str
    words: str
    since_ms: int


def retrain_reason(
    drift: Mapping[str, Any], *, feature_share: float, answered_ms: int | None = None
) -> RetrainReason | None:
    """The reason to train anew in a report of ``measure_drift``; None where there is none.

    Parameters
    ----------
    drift
        ``loss`` with ``alarms``, ``false_alarm_share`` and ``known_at_ms``; ``features`` with
        ``drifted``; ``holdout_start_ms``.
    feature_share
        Share of the features that must have drifted, in (0, 1].
    answered_ms
        Latest window end of the requests that there were, None without one: alarms known by then
        are answered.  The first later one counts; without one the last, so that it is told that
        nothing new has happened.

    A loss that rose comes first: it has a time, and it is what costs.  Any alarm is a reason:
    the detector is only as loud as keeps driftless streams from alarming (``loss_drift.py``).
    """
    if not 0.0 < feature_share <= 1.0:
        raise BadInput(f"feature_share = {feature_share}; allowed: above 0, to 1")
    known = _unanswered(drift["loss"]["known_at_ms"], answered_ms)
    loss, features = {**drift["loss"], "known_at_ms": known}, drift["features"]
    if loss["alarms"]:
        since = int(loss["known_at_ms"][0])
        at = datetime.fromtimestamp(since / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        words = (
            f"the model's loss rose against the base rate's, known by {at}; "
            f"{loss['false_alarm_share']:.1%} of driftless streams raise any alarm"
        )
        return RetrainReason("loss", words, since)
    drifted = sum(bool(row["drifted"]) for row in features)
    if features and drifted >= feature_share * len(features):
        words = (
            f"{drifted} of {len(features)} features are further from their past than it ever "
            f"was from itself; {feature_share:.0%} ask for a retraining"
        )
        return RetrainReason("features", words, int(drift["holdout_start_ms"]))
    return None


def _unanswered(known_at_ms: Sequence[int], answered_ms: int | None) -> list[int]:
    """The alarms, ascending, that came after what was answered; the last where none did."""
    known = sorted(known_at_ms)
    return [at for at in known if answered_ms is None or at > answered_ms] or known[-1:]
