"""Whether a partition's probabilities and sets hold in the holdout.

Belongs here: the released model's calibrated probabilities and prediction sets, on its holdout
events.  Does not belong here: the measures (``evidence/holdout_calibration.py``), drift.
"""

from __future__ import annotations

from typing import Any

from ares_assets.evidence.conformal import conformal_from_dict
from ares_assets.evidence.holdout_calibration import holdout_calibration
from ares_assets.evidence.jsonable import jsonable
from ares_assets.release.holdout import FrozenResult, HoldoutCase, probability_at


def judge_calibration(
    case: HoldoutCase, frozen: FrozenResult, *, bins: int, seed: int
) -> dict[str, Any]:
    """Reliability, coverage and both beside chance, of events that nothing was fitted on."""
    known = case.holdout
    found = holdout_calibration(
        probability_at(frozen.decisions, known.rows),
        known.labels,
        known.weights,
        known.rows,
        known.t1_rows,
        sets=conformal_from_dict(case.model.conformal),
        bins=bins,
        seed=seed,
    )
    return jsonable(found)
