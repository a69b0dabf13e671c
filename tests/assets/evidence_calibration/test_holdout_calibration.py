"""The holdout's calibration report: what it says of good, bold and stale models."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import norm

from ares_assets.evidence.conformal import ConformalSets, fit_conformal, true_scores
from ares_assets.evidence.coverage import banded_report
from ares_assets.evidence.holdout_calibration import holdout_calibration
from ares_assets.evidence.reliability import overlap_groups, reliability_report
from ares_resources.errors import BadInput


def events(seed, count=1200, every=10, horizon=25):
    draw = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-draw.normal(0, 1.0, count)))
    rows = np.arange(count) * every
    return p, (draw.random(count) < p).astype(float), np.ones(count), rows, rows + horizon


def sets_of(seed, count=300):
    p, y, *_ = events(seed + 10_000, count)
    return fit_conformal(p, y, coverage=0.8)


def bold(p):
    return 1 / (1 + ((1 - p) / p) ** 3)


def test_is_made_of_the_measures_it_names():
    p, y, w, rows, t1_rows = events(1)
    sets = sets_of(1)
    report = holdout_calibration(p, y, w, rows, t1_rows, sets=sets, bins=10, seed=3)
    groups = overlap_groups(rows, t1_rows)
    measures = reliability_report(p, y, w, bins=10, seed=3, groups=groups)
    assert {name: report[name] for name in measures} == measures
    assert report["conformal"] == banded_report(sets, p, y, groups)
    assert report["independent_events"] == report["conformal"]["judged_independent"] == 400
    assert report["adaptive"]["within_bound"]
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    again = holdout_calibration(p, y, w, rows, t1_rows, sets=sets, bins=10, seed=3, groups=groups)
    assert again == report


def test_adaptive_sets_begin_with_the_frozen_threshold_at_the_first_event():
    p, y, w, rows, t1_rows = events(1)
    before_p, before_y, *_ = events(10_001, 300)
    known = true_scores("lac", before_p, before_y)
    where = {"sets": sets_of(1), "bins": 10, "seed": 3}
    adaptive = holdout_calibration(p, y, w, rows, t1_rows, **where, known_before=known)["adaptive"]
    assert adaptive["threshold_first"] == sets_of(1).threshold
    assert (adaptive["known_before"], adaptive["judged"]) == (300, len(p))


def test_a_calibrated_model_holds_and_a_bold_or_stale_one_does_not():
    good, loud, stale = [], [], []
    for seed in range(40):
        p, y, w, rows, t1_rows = events(seed)
        where = {"sets": sets_of(seed), "bins": 10, "seed": seed}
        good.append(holdout_calibration(p, y, w, rows, t1_rows, **where))
        loud.append(holdout_calibration(bold(p), y, w, rows, t1_rows, **where))
        coin = np.random.default_rng(seed).integers(0, 2, len(p)).astype(float)
        stale.append(holdout_calibration(p, coin, w, rows, t1_rows, **where))
    assert np.mean([report["probabilities_hold"] for report in good]) >= 0.9
    assert np.mean([report["coverage_holds"] for report in good]) >= 0.9
    assert not any(report["probabilities_hold"] for report in loud + stale)
    assert min(report["spiegelhalter_z"] for report in loud) > 2
    assert not any(report["coverage_holds"] or report["holds"] for report in stale)


def test_the_calibrator_s_own_error_is_allowed_for():
    p, y, w, rows, t1_rows = events(5)
    where = {"sets": sets_of(1), "bins": 10, "seed": 1}
    exact = holdout_calibration(bold(p), y, w, rows, t1_rows, **where)
    assert exact["spiegelhalter_p_fitted"] == exact["spiegelhalter_p"]
    fitted = holdout_calibration(bold(p), y, w, rows, t1_rows, **where, fitted_on=100)
    assert fitted["independent_events"] == 400
    z = fitted["spiegelhalter_z"] / np.sqrt(1 + 400 / 100)
    assert fitted["spiegelhalter_p_fitted"] == pytest.approx(2 * norm.sf(z))
    assert fitted["ece_noise_95_fitted"] == pytest.approx(exact["ece_noise_95"] * np.sqrt(5))
    assert fitted["probabilities_hold"] is False, "no slice of a hundred explains this much"
    mild = np.clip(0.5 + 1.2 * (p - 0.5), 0.01, 0.99)
    answers = [
        holdout_calibration(mild, y, w, rows, t1_rows, **where, fitted_on=events)[
            "probabilities_hold"
        ]
        for events in (None, 100)
    ]
    assert answers == [False, True]
    with pytest.raises(BadInput, match="fitted_on = 0"):
        holdout_calibration(p, y, w, rows, t1_rows, **where, fitted_on=0)


def test_both_answers_are_needed():
    p, y, w, rows, t1_rows = events(2)
    narrow = ConformalSets("lac", 0.8, 0.3, 300)
    report = holdout_calibration(p, y, w, rows, t1_rows, sets=narrow, bins=10, seed=1)
    assert (report["probabilities_hold"], report["coverage_holds"]) == (True, False)
    assert report["holds"] is False
    wide = ConformalSets("lac", 0.8, 2.0, 300)
    report = holdout_calibration(p, y, w, rows, t1_rows, sets=wide, bins=10, seed=1)
    assert report["coverage_holds"] is report["holds"] is True
    assert report["conformal"]["coverage_within_band"] is False


def test_without_events_nothing_is_said():
    none = np.zeros(0)
    report = holdout_calibration(none, none, none, none, none, sets=sets_of(1), bins=10, seed=1)
    assert report == {
        "events": 0,
        "probabilities_hold": None,
        "coverage_holds": None,
        "holds": None,
    }


def test_flat_probabilities_have_no_spiegelhalter():
    _, y, w, rows, t1_rows = events(3)
    flat = np.full(len(y), 0.5)
    report = holdout_calibration(flat, y, w, rows, t1_rows, sets=sets_of(1), bins=10, seed=1)
    assert report["spiegelhalter_p"] is None
    assert report["probabilities_hold"] is True


def test_faults_are_named():
    p, y, w, rows, t1_rows = events(1)
    with pytest.raises(BadInput, match="arrays of"):
        holdout_calibration(p, y[1:], w, rows, t1_rows, sets=sets_of(1), bins=10, seed=1)
