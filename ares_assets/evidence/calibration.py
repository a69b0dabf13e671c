"""Choosing a calibrator on the calibration slice, honestly and with its evidence.

Belongs here: the purged forward comparison of methods and the report.  Does not belong
here: the methods (`calibrators`), the measures (`reliability`), prediction sets (`conformal`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ares_assets.analyst.cross_validation import PurgedForward, PurgedKFold, check_events
from ares_assets.evidence.calibrators import (
    METHODS,
    Calibrator,
    IdentityCalibrator,
    fit_calibrator,
)
from ares_assets.evidence.reliability import log_loss, overlap_groups, reliability_report
from ares_resources.errors import BadInput

MINIMUM_EVENTS = 60
MINIMUM_PER_CLASS = 10
FORWARD_FOLDS = 4
FORWARD_START = 0.4


def choose_calibrator(
    probability: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
    methods: Sequence[str],
    *,
    bins: int = 10,
    seed: int = 0,
) -> tuple[Calibrator, dict[str, Any]]:
    """The method of least purged forward log-loss within the slice, refitted on all of it.

    All arrays (n,) in time order.  Each method is fitted on the earlier events only, four
    times, and judged on the next ones; a tie goes to the method with fewer parameters.
    A slice too small to judge on gives the identity and `degraded` with the reason.

    Returns
    -------
    The calibrator, and a JSON-able report: `method`, `degraded` (None or the reason),
    `events`, `scores` (forward log-loss by method, nats), `forward_events`, and
    `before` / `after`, the `reliability_report` of the forward events without and with the
    chosen method (None when degraded).

    Raises
    ------
    BadInput
        Lengths disagree, no or unknown methods, values out of range.
    """
    _check_methods(methods)
    p, y, w = (np.asarray(values, np.float64) for values in (probability, labels, weights))
    rows, t1_rows = check_events(rows, t1_rows)
    if not len(p) == len(y) == len(w) == len(rows):
        raise BadInput(
            f"{len(p)} probabilities, {len(y)} labels, {len(w)} weights, {len(rows)} rows"
        )
    reason = _too_few(y)
    forward = {} if reason else _forward_all(p, y, w, rows, t1_rows, methods)
    if not forward:
        reason = reason or "purging leaves a fold of the slice without both classes"
        return IdentityCalibrator(), _degraded_report(reason, len(p))
    tested = ~np.isnan(next(iter(forward.values())))
    scores = {
        name: log_loss(values[tested], y[tested], w[tested]) for name, values in forward.items()
    }
    method = min(scores, key=lambda name: (scores[name], METHODS.index(name)))

    def report(values: np.ndarray) -> dict[str, Any]:
        groups = overlap_groups(rows[tested], t1_rows[tested])
        return reliability_report(
            values[tested], y[tested], w[tested], bins=bins, seed=seed, groups=groups
        )

    return fit_calibrator(method, p, y, w), {
        "method": method,
        "degraded": None,
        "events": len(p),
        "forward_events": int(tested.sum()),
        "scores": scores,
        "before": report(p),
        "after": report(forward[method]),
    }


def forward_calibrated(
    method: str,
    probability: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
) -> np.ndarray | None:
    """Probabilities float64 (n,), each calibrated on purged earlier events only.

    NaN for the first part, which nothing earlier calibrates.  None if some fold cannot be
    fitted.  Conformal thresholds should be fitted on these: on the events that fitted the
    calibrator they would be too tight.
    """
    calibrated = np.full(len(probability), np.nan)
    splitter = PurgedForward(FORWARD_FOLDS, FORWARD_START)
    for train, test in splitter.split(rows, t1_rows):
        if method != IdentityCalibrator.method and _one_class(labels[train], weights[train]):
            return None
        fitted = (
            IdentityCalibrator()
            if method == IdentityCalibrator.method
            else fit_calibrator(method, probability[train], labels[train], weights[train])
        )
        calibrated[test] = fitted.predict(probability[test])
    return calibrated


def conformal_probability(
    method: str,
    probability: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
    *,
    forward: bool,
) -> np.ndarray:
    """The slice's probabilities on which a threshold is fitted, float64 (n,): NaN fits nothing.

    Those of `forward_calibrated`; as they are where `forward` is False, since nothing could be
    judged on the slice, or where some fold cannot be fitted.
    """
    arrays = (probability, labels, weights, rows, t1_rows)
    found = forward_calibrated(method, *arrays) if forward else None
    return probability if found is None else found


def cross_calibrated(
    probability: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
    *,
    splitter: PurgedKFold,
) -> np.ndarray:
    """Each event's probability calibrated (Platt) on the purged folds it is not in, (n,).

    A fold whose purged rest has one class keeps its probabilities as they are.
    """
    p, y, w = (np.asarray(values, np.float64) for values in (probability, labels, weights))
    calibrated = IdentityCalibrator().predict(p)
    for train, test in splitter.split(rows, t1_rows):
        if len(train) and not _one_class(y[train], w[train]):
            fitted = fit_calibrator("platt", p[train], y[train], w[train])
            calibrated[test] = fitted.predict(p[test])
    return calibrated


def _forward_all(
    p: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
    methods: Sequence[str],
) -> dict[str, np.ndarray]:
    """Forward probabilities by method; empty if a fold cannot be fitted."""
    found: dict[str, np.ndarray] = {}
    for method in sorted(set(methods), key=METHODS.index):
        calibrated = forward_calibrated(method, p, y, w, rows, t1_rows)
        if calibrated is None:
            return {}
        found[method] = calibrated
    return found


def _check_methods(methods: Sequence[str]) -> None:
    unknown = [name for name in methods if name not in METHODS]
    if unknown or not methods:
        named = repr(unknown[0]) if unknown else "none given"
        raise BadInput(f"calibration methods: {named}; allowed: some of {', '.join(METHODS)}")


def _too_few(y: np.ndarray) -> str | None:
    ones = int(y.sum())
    if len(y) < MINIMUM_EVENTS:
        return f"{len(y)} calibration events; at least {MINIMUM_EVENTS} are needed"
    if min(ones, len(y) - ones) < MINIMUM_PER_CLASS:
        return f"{ones} of {len(y)} calibration labels are 1; {MINIMUM_PER_CLASS} of each needed"
    return None


def _one_class(y: np.ndarray, w: np.ndarray) -> bool:
    weighted = y[w > 0]
    return len(weighted) == 0 or bool((weighted == weighted[0]).all())


def _degraded_report(reason: str, events: int) -> dict[str, Any]:
    return {
        "method": IdentityCalibrator.method,
        "degraded": reason,
        "events": events,
        "forward_events": 0,
        "scores": {},
        "before": None,
        "after": None,
    }
