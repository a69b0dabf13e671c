"""Whether a partition's probabilities and sets hold in the holdout.

Belongs here: the released model's calibrated probabilities and prediction sets, on its holdout
events.  Does not belong here: the measures (``evidence/holdout_calibration.py``), drift.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ares_assets.analyst.dataset import Examples
from ares_assets.evidence.calibration import conformal_probability
from ares_assets.evidence.calibrators import IdentityCalibrator
from ares_assets.evidence.conformal import conformal_from_dict, true_scores
from ares_assets.evidence.holdout_calibration import holdout_calibration
from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.reliability import overlap_groups
from ares_assets.release.holdout import FrozenResult, HoldoutCase, probability_at
from ares_assets.release.partition_model import PartitionModel


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
        known_before=threshold_scores(case.model, case.calibration),
        fitted_on=calibrator_events(case.model, case.calibration),
    )
    return jsonable(found)


def calibrator_events(model: PartitionModel, known: Examples) -> int | None:
    """How many independent events the calibrator was fitted on; None where it was not fitted."""
    if model.calibrator.method == IdentityCalibrator.method:
        return None
    return len(np.unique(overlap_groups(known.rows, known.t1_rows)))


def threshold_scores(model: PartitionModel, known: Examples) -> np.ndarray:
    """The scores that step 11 fitted the frozen threshold on, from the calibration slice, (k,).

    Their labels end before the holdout begins.  All of the slice made the threshold only where
    no calibrator could be judged on it.
    """
    sets = conformal_from_dict(model.conformal)
    if not len(known) or not sets.events:
        return np.empty(0)
    calibrated = conformal_probability(
        model.calibrator.method,
        model.analyst.probability(known.features),
        known.labels,
        known.weights,
        known.rows,
        known.t1_rows,
        forward=sets.events < len(known),
    )
    tested = ~np.isnan(calibrated)
    return true_scores(sets.method, calibrated[tested], known.labels[tested])
