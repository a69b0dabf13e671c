"""Calibrators: fits against references, monotone maps, exact JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.evidence.calibrators import (
    METHODS,
    BetaCalibrator,
    PlattCalibrator,
    TemperatureCalibrator,
    calibrator_from_dict,
    fit_calibrator,
)
from ares_assets.evidence.reliability import log_loss
from ares_resources.errors import BadInput, CorruptArtifact

each_method = pytest.mark.parametrize("method", METHODS)


def drawn(count=800, slope=0.5, intercept=0.2, seed=1):
    """Overconfident probabilities: the truth's logit is slope * logit(p) + intercept."""
    draw = np.random.default_rng(seed)
    logit = draw.normal(0, 1.0, count)
    truth = 1 / (1 + np.exp(-(slope * logit + intercept)))
    labels = (draw.random(count) < truth).astype(float)
    return 1 / (1 + np.exp(-logit)), labels, draw.uniform(0.5, 1.5, count), truth


def test_platt_agrees_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    p, y, w, _ = drawn()
    logit = np.log(p / (1 - p))[:, None]
    reference = LogisticRegression(C=np.inf, tol=1e-10).fit(logit, y, sample_weight=w)
    found = fit_calibrator("platt", p, y, w)
    np.testing.assert_allclose(found.predict(p), reference.predict_proba(logit)[:, 1], atol=1e-6)


def test_temperature_agrees_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    p, y, w, _ = drawn()
    logit = np.log(p / (1 - p))[:, None]
    reference = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10)
    reference.fit(logit, y, sample_weight=w)
    found = fit_calibrator("temperature", p, y, w)
    np.testing.assert_allclose(found.predict(p), reference.predict_proba(logit)[:, 1], atol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (1.4, 0.3), (0.3, 1.4)])
@pytest.mark.parametrize("spread", [1.0, 0.15])
def test_beta_agrees_with_scikit_learn(low, high, spread):
    """Also where all probabilities are near 1/2, and both terms nearly the same."""
    from sklearn.linear_model import LogisticRegression

    draw = np.random.default_rng(4)
    p = 1 / (1 + np.exp(-draw.normal(0, spread, 3000)))
    truth = 1 / (1 + np.exp(-(low * np.log(p) - high * np.log1p(-p) + 0.3)))
    y, w = (draw.random(3000) < truth).astype(float), draw.uniform(0.5, 1.5, 3000)
    terms = np.stack([np.log(p), -np.log1p(-p)], axis=1)
    reference = LogisticRegression(C=np.inf, tol=1e-12, max_iter=9999, solver="newton-cg")
    reference.fit(terms, y, sample_weight=w)
    found = fit_calibrator("beta", p, y, w)
    assert isinstance(found, BetaCalibrator)
    if reference.coef_.min() >= 0:
        expected = reference.predict_proba(terms)[:, 1]
    else:  # Kull et al.: a slope that would fall below 0 is 0, and the rest is fitted anew.
        kept = int(reference.coef_[0].argmax())
        reference.fit(terms[:, [kept]], y, sample_weight=w)
        expected = reference.predict_proba(terms[:, [kept]])[:, 1]
        assert (found.slope_low, found.slope_high)[1 - kept] == 0
    np.testing.assert_allclose(found.predict(p), expected, atol=1e-6)


def test_beta_by_hand():
    found = BetaCalibrator(slope_low=2.0, slope_high=1.0, intercept=0.5)
    # p^2 / (1 - p) e^.5 are the odds.
    odds = 0.3**2 / 0.7 * np.exp(0.5)
    assert found.predict(np.array([0.3]))[0] == pytest.approx(odds / (1 + odds))


def test_beta_finds_a_known_distortion_that_platt_cannot():
    draw = np.random.default_rng(5)
    p = draw.uniform(0.02, 0.98, 60_000)
    truth = 1 / (1 + np.exp(-(1.5 * np.log(p) - 0.5 * np.log1p(-p) + 0.2)))
    y, w = (draw.random(60_000) < truth).astype(float), np.ones(60_000)
    found = fit_calibrator("beta", p, y, w)
    assert isinstance(found, BetaCalibrator)
    assert (found.slope_low, found.slope_high, found.intercept) == pytest.approx(
        (1.5, 0.5, 0.2), abs=0.05
    )
    assert np.abs(found.predict(p) - truth).max() < 0.01
    assert np.abs(fit_calibrator("platt", p, y, w).predict(p) - truth).max() > 0.03


def test_isotonic_agrees_with_scikit_learn():
    from sklearn.isotonic import IsotonicRegression

    p, y, w, _ = drawn(3000)
    margin = 1 / 3002
    reference = IsotonicRegression(out_of_bounds="clip").fit(p, y, sample_weight=w)
    expected = np.clip(reference.predict(p), margin, 1 - margin)
    np.testing.assert_allclose(fit_calibrator("isotonic", p, y, w).predict(p), expected)


def test_parameters_of_a_known_distortion_are_found():
    p, y, w, truth = drawn(60_000)
    platt = fit_calibrator("platt", p, y, w)
    assert isinstance(platt, PlattCalibrator)
    assert (platt.slope, platt.intercept) == pytest.approx((0.5, 0.2), abs=0.03)
    for method in ("platt", "isotonic"):
        found = fit_calibrator(method, p, y, w).predict(p)
        assert np.abs(found - truth).mean() < 0.02
        assert log_loss(found, y, w) < log_loss(p, y, w) - 0.01


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(METHODS), st.integers(0, 5000), st.integers(2, 80), st.floats(-2, 2))
def test_maps_are_monotone_and_inside_zero_and_one(method, seed, count, slope):
    draw = np.random.default_rng(seed)
    p = draw.uniform(0, 1, count)
    y = (draw.random(count) < np.clip(0.5 + slope * (p - 0.5), 0, 1)).astype(float)
    found = fit_calibrator(method, p, y, draw.uniform(0.1, 2, count))
    grid = np.linspace(0, 1, 301)
    mapped = found.predict(grid)
    assert (np.diff(mapped) >= 0).all()
    assert (mapped > 0).all()
    assert (mapped < 1).all()
    again = calibrator_from_dict(json.loads(json.dumps(found.to_dict(), sort_keys=True)))
    assert again == found
    assert np.array_equal(again.predict(grid), mapped)


@each_method
def test_a_reversed_model_is_not_flipped(method):
    """Where the model is wrong side up, the honest answer is to say nothing."""
    p, y, w, _ = drawn(2000, slope=-1.0, intercept=0.0)
    found = fit_calibrator(method, p, y, w).predict(np.array([0.1, 0.9]))
    assert found[0] <= found[1]
    if method != "identity":
        assert found[1] - found[0] < 0.05


@each_method
def test_one_class_is_borne_without_certainty(method):
    found = fit_calibrator(method, np.linspace(0.3, 0.7, 20), np.ones(20), np.ones(20))
    mapped = found.predict(np.array([0.0, 0.3, 0.5, 0.7, 1.0, np.nan]))
    assert np.isnan(mapped[5])
    assert ((mapped[:5] > 0) & (mapped[:5] < 1)).all()


def test_temperature_keeps_the_side():
    p, y, w, _ = drawn()
    found = fit_calibrator("temperature", p, y, w)
    assert isinstance(found, TemperatureCalibrator)
    assert found.predict(np.array([0.5]))[0] == pytest.approx(0.5)
    assert found.slope < 1


def test_faults_are_named():
    p, y, w, _ = drawn(20)
    with pytest.raises(BadInput, match="'spline'; allowed: identity"):
        fit_calibrator("spline", p, y, w)
    with pytest.raises(BadInput, match=r"probability \[3\] = nan"):
        fit_calibrator("platt", np.where(np.arange(20) == 3, np.nan, p), y, w)
    with pytest.raises(BadInput, match="is empty"):
        fit_calibrator("platt", p[:0], y[:0], w[:0])
    for weights in (0 * w, np.where(np.arange(20) == 3, -1.0, w)):
        with pytest.raises(BadInput, match="weights sum to"):
            fit_calibrator("venn_abers", p, y, weights)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"method": "spline"},
        {"method": "beta", "slope_low": 1.0, "intercept": 0.0},
        {"method": "platt", "slope": 1.0},
        {"method": "temperature", "slope": "x"},
        {"method": "isotonic", "inputs": [0.2, 0.1], "outputs": [0.1, 0.2]},
        {"method": "isotonic", "inputs": [], "outputs": []},
        {"method": "isotonic", "inputs": [0.2, 0.3], "outputs": [0.1, 0.2, 0.3]},
        {"method": "isotonic", "inputs": [0.2, 0.3]},
        {"method": "venn_abers", "scores": [0.5], "low": [0.1, 0.2], "high": [0.3]},
        {"method": "venn_abers", "scores": [0.5], "low": [0.1, 0.2], "high": [0.9, 0.4]},
        {"method": "venn_abers", "scores": [0.5], "low": [0.1, None], "high": [0.3, 0.4]},
        {"method": "identity", "extra": 1},
    ],
)
def test_values_that_describe_no_calibrator_are_refused(values):
    with pytest.raises(CorruptArtifact, match="not a calibrator"):
        calibrator_from_dict(values)
