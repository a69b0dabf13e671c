"""Whether the world of the holdout is still the one that a partition's model was trained in.

Belongs here: the model's losses before and in the holdout as one stream, and its features on
both sides.  Does not belong here: the distances and alarms themselves (``evidence/``), and
what follows from them (``evidence/drift_response.py``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ares_assets.analyst.cross_validation import PurgedKFold
from ares_assets.analyst.dataset import Examples
from ares_assets.analyst.scores import event_log_loss
from ares_assets.evidence.calibrators import IdentityCalibrator, fit_calibrator
from ares_assets.evidence.drift import feature_drift
from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.loss_drift import (
    LossStream,
    loss_stream,
    paired_losses,
    prequential_drift,
)
from ares_assets.release.holdout import FrozenResult, HoldoutCase, probability_at
from ares_assets.release.partition_model import PartitionModel
from ares_resources.timeframes import timeframe_ms

_FOLDS = 5


def measure_drift(
    case: HoldoutCase, frozen: FrozenResult, *, seed: int, level: float
) -> dict[str, Any]:
    """Drift of the features against the past, and of the frozen model's loss over time.

    ``loss`` is a ``PrequentialDrift`` of blocks of the holdout, with ``known_at_ms`` for each
    alarm: the close of the bar by which the labels that raised it were over.  ``level`` is the
    largest share of driftless streams that may alarm.
    """
    known = case.holdout
    predicted = probability_at(frozen.decisions, known.rows)
    watched = holdout_losses(case, frozen)
    before = calibration_losses(case.model, case.calibration, base_rate(case.development.own))
    found = prequential_drift(watched.loss, reference=before.loss, seed=seed, level=level)
    stamps = case.frame["timestamp"].to_numpy()
    step = timeframe_ms(case.model.settings.timeframe)
    names = case.model.analyst.feature_names()
    return jsonable(
        {
            "features": feature_drift(case.past.own.features[names], known.features[names]),
            "loss": {
                **found.as_dict(),
                "known_at_ms": [int(stamps[watched.known_row[a]]) + step for a in found.alarms],
            },
            "holdout_start_ms": int(stamps[case.first_row]),
            "mean_loss": float(watched.loss.mean()) if len(watched.loss) else None,
            "mean_loss_before": float(before.loss.mean()) if len(before.loss) else None,
            "mean_log_loss": float(event_log_loss(known.labels, predicted).mean()),
        }
    )


def holdout_losses(case: HoldoutCase, frozen: FrozenResult) -> LossStream:
    """Losses of the frozen model's decisions in the holdout, each once its label is over."""
    known = case.holdout
    predicted = probability_at(frozen.decisions, known.rows)
    return _stream(paired_losses(predicted, known.labels, base_rate(case.development.own)), known)


def base_rate(known: Examples) -> float:
    """The weighted share of upper labels."""
    return float(np.average(known.labels, weights=known.weights))


def calibration_losses(model: PartitionModel, known: Examples, base: float) -> LossStream:
    """Losses of the calibration slice, as the model will make them in the holdout.

    No analyst has seen the slice; its calibrator has, so each fifth is calibrated by one of
    the same method that was fitted on the purged rest.  All of it is known before the holdout.
    """
    if not len(known):
        return LossStream(np.empty(0), np.empty(0, np.int64))
    raw = model.analyst.probability(known.features)
    return _stream(
        paired_losses(refolded(model.calibrator.method, raw, known), known.labels, base), known
    )


def refolded(method: str, raw: np.ndarray, known: Examples) -> np.ndarray:
    """Each event's probability by a calibrator of the folds it is not in, (n,).

    A fold whose purged rest is empty or of one class keeps its probabilities as they are.
    """
    calibrated = IdentityCalibrator().predict(raw)
    if method == IdentityCalibrator.method or len(known) < _FOLDS:
        return calibrated
    for train, test in PurgedKFold(_FOLDS).split(known.rows, known.t1_rows):
        if np.unique(known.labels[train][known.weights[train] > 0]).size == 2:
            fitted = fit_calibrator(method, raw[train], known.labels[train], known.weights[train])
            calibrated[test] = fitted.predict(raw[test])
    return calibrated


def _stream(losses: np.ndarray, known: Examples) -> LossStream:
    return loss_stream(losses, known.rows, known.t1_rows)
