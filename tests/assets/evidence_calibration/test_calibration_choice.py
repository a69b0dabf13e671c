"""Choosing a calibrator: forward within the slice, explained, degraded when too small."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ares_assets.evidence.calibration import choose_calibrator, forward_calibrated
from ares_assets.evidence.calibrators import METHODS, IdentityCalibrator, fit_calibrator
from ares_assets.evidence.reliability import log_loss
from ares_resources.errors import BadInput


def slice_of(count=1500, slope=0.4, intercept=0.0, seed=1):
    draw = np.random.default_rng(seed)
    logit = draw.normal(0, 1.0, count)
    truth = 1 / (1 + np.exp(-(slope * logit + intercept)))
    labels = (draw.random(count) < truth).astype(float)
    rows = np.arange(count) * 10
    return 1 / (1 + np.exp(-logit)), labels, draw.uniform(0.5, 1.5, count), rows, rows + 25


def test_repairs_overconfidence_and_says_so():
    events = slice_of()
    found, report = choose_calibrator(*events, METHODS)
    assert report["method"] == found.method != "identity"
    assert report["degraded"] is None
    assert set(report["scores"]) == set(METHODS)
    assert report["scores"][found.method] == min(report["scores"].values())
    assert report["before"]["overconfidence"] > 0.05 > abs(report["after"]["overconfidence"])
    assert not report["before"]["ece_within_noise"]
    assert report["after"]["ece_within_noise"]
    assert report["after"]["log_loss"] < report["before"]["log_loss"]
    assert json.loads(json.dumps(report)) == report


def test_a_shift_needs_an_intercept():
    found, report = choose_calibrator(*slice_of(slope=1.0, intercept=0.7), METHODS)
    assert found.method in ("platt", "isotonic")
    assert report["scores"]["platt"] < report["scores"]["temperature"]


def test_calibrated_probabilities_are_left_nearly_alone():
    """Over several slices the forward choice costs little against doing nothing."""
    losses = []
    for seed in range(6):
        found, _ = choose_calibrator(*slice_of(slope=1.0, seed=seed), METHODS)
        p, y, w, _, _ = slice_of(5000, slope=1.0, seed=100 + seed)
        losses.append(log_loss(found.predict(p), y, w) - log_loss(p, y, w))
    assert max(losses) < 0.01
    assert np.mean(losses) < 0.003


def test_the_calibrator_is_refitted_on_the_whole_slice():
    events = slice_of()
    found, _ = choose_calibrator(*events, ["platt"])
    assert found == fit_calibrator("platt", *events[:3])


def test_forward_scores_use_earlier_known_labels_only():
    p, y, w, rows, t1_rows = slice_of(400)
    whole = forward_calibrated("platt", p, y, w, rows, t1_rows)
    assert np.isnan(whole[:160]).all()
    assert not np.isnan(whole[160:]).any()
    # Blocks of sixty from event 160: labels not known before event 220 cannot move 160..279.
    later = t1_rows >= rows[220]
    again = forward_calibrated("platt", p, np.where(later, 1 - y, y), w, rows, t1_rows)
    assert np.array_equal(again[160:280], whole[160:280])
    assert not np.array_equal(again[280:], whole[280:])


@pytest.mark.parametrize(("count", "words"), [(0, "0 calibration events"), (59, "59 calib")])
def test_a_small_slice_is_degraded(count, words):
    events = slice_of(max(count, 1))
    found, report = choose_calibrator(*(values[:count] for values in events), METHODS)
    assert isinstance(found, IdentityCalibrator)
    assert words in report["degraded"]
    assert report["method"] == "identity"
    assert report["before"] is None
    assert set(report) == set(choose_calibrator(*slice_of(), METHODS)[1])


def test_a_slice_of_one_class_is_degraded():
    p, _, w, rows, t1_rows = slice_of(200)
    for labels in (np.ones(200), (np.arange(200) < 5).astype(float)):
        found, report = choose_calibrator(p, labels, w, rows, t1_rows, METHODS)
        assert found.method == "identity"
        assert "labels are 1" in report["degraded"]
    late = (np.arange(200) >= 150).astype(float)
    found, report = choose_calibrator(p, late, w, rows, t1_rows, METHODS)
    assert found.method == "identity"
    assert "both classes" in report["degraded"]


def test_faults_are_named():
    events = slice_of(100)
    for methods in ([], ["platt", "spline"]):
        with pytest.raises(BadInput, match="calibration methods"):
            choose_calibrator(*events, methods)
    with pytest.raises(BadInput, match="99 probabilities"):
        choose_calibrator(events[0][:99], *events[1:], METHODS)


def test_order_of_methods_does_not_matter():
    events = slice_of(300)
    first = choose_calibrator(*events, METHODS)
    assert first == choose_calibrator(*events, METHODS[::-1])
