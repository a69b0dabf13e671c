"""Calibration measures against plain code, scikit-learn, and their own distribution."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.evidence.reliability import (
    brier_score,
    calibration_noise,
    expected_calibration_error,
    log_loss,
    overconfidence,
    overlap_groups,
    reliability_report,
    reliability_table,
    spiegelhalter_z,
)
from ares_resources.errors import BadInput


def calibrated(count, seed, low=0.2, high=0.8):
    draw = np.random.default_rng(seed)
    p = draw.uniform(low, high, count)
    return p, (draw.random(count) < p).astype(float)


def test_ece_by_plain_code():
    p, y = calibrated(1000, 1)
    w = np.random.default_rng(2).uniform(0.5, 1.5, 1000)
    expected = (
        sum(abs((w * (y - p))[part].sum()) for part in np.array_split(np.argsort(p), 10)) / w.sum()
    )
    assert expected_calibration_error(p, y, w, bins=10) == pytest.approx(expected, rel=1e-9)


def test_ece_by_hand_and_with_ties():
    p = np.array([0.2, 0.2, 0.2, 0.2, 0.8, 0.8])
    y = np.array([0, 0, 0, 1, 1, 1.0])
    # Two distinct values, two bins: 4 * |.25 - .2| + 2 * |1 - .8|, over 6.
    assert expected_calibration_error(p, y, np.ones(6), bins=5) == pytest.approx(0.1)
    table = reliability_table(p, y, np.ones(6), bins=5)
    assert [row["observed"] for row in table] == pytest.approx([0.25, 1.0])
    assert [row["predicted"] for row in table] == pytest.approx([0.2, 0.8])
    assert sum(row["weight"] for row in table) == pytest.approx(1.0)
    constant = np.full(6, 0.4)
    assert expected_calibration_error(constant, y, np.ones(6), bins=5) == pytest.approx(0.1)


@pytest.mark.parametrize(("count", "bins"), [(500, 10), (2000, 10), (2000, 20)])
def test_noise_floor_is_about_the_known_rule(count, bins):
    p, _ = calibrated(count, 3, 0.45, 0.55)
    floor = calibration_noise(p, np.ones(count), bins=bins, seed=1).mean()
    assert floor == pytest.approx(0.4 * np.sqrt(bins / count), rel=0.06)


def test_calibrated_forecasts_are_within_noise_about_as_often_as_promised():
    within = []
    for seed in range(120):
        p, y = calibrated(300, seed)
        error = expected_calibration_error(p, y, np.ones(300), bins=10)
        noise = calibration_noise(p, np.ones(300), bins=10, seed=seed, simulations=200)
        within.append(error <= np.quantile(noise, 0.95))
    assert 0.89 < np.mean(within) <= 1.0


def test_overlap_raises_the_floor():
    """Ten events that share their label are one observation."""
    p = np.repeat(calibrated(100, 5)[0], 10)
    single = calibration_noise(p, np.ones(1000), bins=5, seed=1).mean()
    groups = np.repeat(np.arange(100), 10)
    shared = calibration_noise(p, np.ones(1000), bins=5, seed=1, groups=groups).mean()
    alone = calibration_noise(p[::10], np.ones(100), bins=5, seed=1).mean()
    assert shared == pytest.approx(alone, rel=0.1)
    assert shared > 2.5 * single


def test_groups_by_hand():
    rows = np.array([0, 5, 10, 20, 21, 40])
    assert overlap_groups(rows, rows + 10).tolist() == [0, 0, 0, 1, 1, 2]
    assert overlap_groups(rows, rows).tolist() == [0, 1, 2, 3, 4, 5]
    assert len(overlap_groups(rows[:0], rows[:0])) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.integers(2, 200))
def test_agree_with_scikit_learn(seed, count):
    p, y = calibrated(count, seed)
    w = np.random.default_rng(seed).uniform(0.1, 2, count)
    y[:2] = (0.0, 1.0)
    assert log_loss(p, y, w) == pytest.approx(sklearn.metrics.log_loss(y, p, sample_weight=w))
    expected = sklearn.metrics.brier_score_loss(y, p, sample_weight=w)
    assert brier_score(p, y, w) == pytest.approx(expected)


def test_spiegelhalter_is_standard_normal_when_calibrated():
    found = np.array([spiegelhalter_z(*calibrated(400, seed)) for seed in range(600)])
    assert abs(found.mean()) < 0.15
    assert 0.9 < found.std() < 1.1
    p, y = calibrated(2000, 1, 0.05, 0.95)
    logit = np.log(p / (1 - p))
    assert spiegelhalter_z(1 / (1 + np.exp(-2 * logit)), y) > 5
    assert spiegelhalter_z(1 / (1 + np.exp(-0.5 * logit)), y) < -5
    assert np.isnan(spiegelhalter_z(np.full(9, 0.5), np.ones(9)))


def test_overconfidence_by_hand():
    p = np.array([0.9, 0.9, 0.1, 0.5])
    y = np.array([1, 0, 0, 1.0])
    # Confidence (.9 + .9 + .9 + .5) / 4 = .8, accuracy (1 + 0 + 1 + .5) / 4 = .625.
    assert overconfidence(p, y, np.ones(4)) == pytest.approx(0.175)


def test_report_is_json_and_repeats():
    p, y = calibrated(200, 7)
    report = reliability_report(p, y, np.ones(200), bins=10, seed=3)
    assert json.loads(json.dumps(report)) == report
    assert report == reliability_report(p, y, np.ones(200), bins=10, seed=3)
    assert report["ece_noise_floor"] < report["ece_noise_95"]
    flat = reliability_report(np.full(50, 0.5), y[:50], np.ones(50), bins=10, seed=3)
    assert flat["spiegelhalter_z"] is None


def test_faults_are_named():
    p, y = calibrated(10, 1)
    with pytest.raises(BadInput, match="one length"):
        brier_score(p, y[:9], np.ones(10))
    with pytest.raises(BadInput, match=r"all in 0\.\.1"):
        log_loss(p + 1, y, np.ones(10))
    with pytest.raises(BadInput, match="weights sum to 0"):
        log_loss(p, y, np.zeros(10))
    with pytest.raises(BadInput, match="bins = 0"):
        expected_calibration_error(p, y, np.ones(10), bins=0)
