"""Whether frozen probabilities and sets still mean what they say on bars nobody fitted on.

Belongs here: one report about the holdout's events, from plain arrays.  Does not belong here:
reading the holdout (step 13), the measures (`reliability`, `coverage`, `adaptive`), the gate.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ares_assets.evidence.adaptive import adaptive_report
from ares_assets.evidence.conformal import ConformalSets, true_scores
from ares_assets.evidence.coverage import banded_report
from ares_assets.evidence.reliability import overlap_groups, reliability_report
from ares_resources.errors import BadInput

DOUBTFUL = 0.05


def holdout_calibration(
    probability: np.ndarray,
    labels: np.ndarray,
    weights: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
    *,
    sets: ConformalSets,
    bins: int,
    seed: int,
    groups: np.ndarray | None = None,
    known_before: np.ndarray | None = None,
    fitted_on: int | None = None,
) -> dict[str, Any]:
    """Calibration and coverage of n labelled events that fitted nothing.

    All arrays (n,) in time order; `probability` calibrated, up; `rows` and `t1_rows` the
    events' bars and those at which their labels are known.  `groups` counts what overlaps as
    one observation; None makes them with `overlap_groups`.  `known_before` (k,) are the scores
    that the frozen threshold was fitted on, all known before the first event.  `fitted_on` counts
    the independent events that the calibrator was fitted on, None where it was not fitted.

    Returns
    -------
    Plain values for JSON: those of `reliability_report` (ECE, its noise floor and 95 % limit,
    Brier score and log-loss, Spiegelhalter's z and p, overconfidence, the table);
    `spiegelhalter_p_fitted` and `ece_noise_95_fitted`, p and limit with the calibrator's own error
    allowed for; `conformal`, a `banded_report` of the frozen threshold; `adaptive`, of
    `adaptive_report`: sets that begin with the frozen threshold and whose level then learns; and
    three answers, None where nothing can be said: `probabilities_hold` (ECE within that limit and
    that p at least .05), `coverage_holds` (not under its band), and `holds`, both of them.
    Without events: `events` 0 and the answers None.

    Raises
    ------
    BadInput
        Lengths disagree, or values out of range.
    """
    counts = {len(values) for values in (probability, labels, weights, rows, t1_rows)}
    if len(counts) != 1:
        raise BadInput(f"arrays of {sorted(counts)} events; allowed: one length")
    unknown = {"probabilities_hold": None, "coverage_holds": None, "holds": None}
    if counts == {0}:
        return {"events": 0, **unknown}
    shared = overlap_groups(rows, t1_rows) if groups is None else groups
    report = reliability_report(probability, labels, weights, bins=bins, seed=seed, groups=shared)
    conformal = banded_report(sets, probability, labels, shared)
    scores = true_scores(sets.method, probability, labels)
    z, error = report["spiegelhalter_z"], fit_error(report["independent_events"], fitted_on)
    p = None if report["spiegelhalter_p"] is None else fitted_p(z, error)
    limit = report["ece_noise_95"] * math.sqrt(1.0 + error)
    probabilities = bool(report["ece"] <= limit) and (p is None or p >= DOUBTFUL)
    # Sets that are wider than they need be are no false claim.
    covered = bool(conformal["coverage"] >= conformal["coverage_low"])
    return {
        **report,
        "spiegelhalter_p_fitted": p,
        "ece_noise_95_fitted": limit,
        "conformal": conformal,
        "adaptive": adaptive_report(
            scores, rows, t1_rows, coverage=sets.coverage, known_before=known_before
        ),
        "probabilities_hold": probabilities,
        "coverage_holds": covered,
        "holds": probabilities and covered,
    }


def fit_error(judged: int, fitted_on: int | None) -> float:
    """What fitting on `fitted_on` independent events adds to the variance 1 of judging `judged`.

    A calibrator errs by itself: to first order its slope makes the variance of Spiegelhalter's z
    1 + judged / fitted_on.  None takes probabilities as exact claims.
    """
    if fitted_on is not None and fitted_on < 1:
        raise BadInput(f"fitted_on = {fitted_on}; allowed: 1 or more, or None")
    return 0.0 if fitted_on is None else judged / fitted_on


def fitted_p(z: float, error: float) -> float:
    """Two-sided p-value of a z whose variance under calibration is 1 + `error`."""
    return math.erfc(abs(z) / math.sqrt(2.0 * (1.0 + error)))
