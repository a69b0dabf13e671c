"""Venn-Abers: MAPIE, the definition by refitting, validity, and its JSON."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from ares_assets.evidence.calibrators import calibrator_from_dict, fit_calibrator
from ares_assets.evidence.isotonic_calibrators import VennAbersCalibrator
from ares_assets.evidence.reliability import log_loss


def drawn(count=800, slope=0.5, intercept=0.2, seed=1):
    draw = np.random.default_rng(seed)
    logit = draw.normal(0, 1.0, count)
    truth = 1 / (1 + np.exp(-(slope * logit + intercept)))
    return 1 / (1 + np.exp(-logit)), (draw.random(count) < truth).astype(float)


def fitted(p, y, w=None):
    found = fit_calibrator("venn_abers", p, y, np.ones(len(p)) if w is None else w)
    assert isinstance(found, VennAbersCalibrator)
    return found


def by_definition(p, y, w, value):
    """Isotonic regression of all events and the new one, once as 0 and once as 1."""
    answers = []
    for label in (0.0, 1.0):
        fit = IsotonicRegression().fit(
            np.append(p, value), np.append(y, label), sample_weight=np.append(w, w.mean())
        )
        answers.append(fit.predict([value])[0])
    return answers


@pytest.mark.parametrize("decimals", [12, 2])
def test_agrees_with_mapie(decimals):
    from mapie._venn_abers import VennAbers

    p, y = drawn(1000)
    p = p.round(decimals)
    # MAPIE keeps a stale slope behind the last score; the definition below covers that stretch.
    grid = np.sort(np.concatenate([p, np.random.default_rng(2).uniform(0, p.max(), 500)]))
    reference = VennAbers()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        reference.fit(np.stack([1 - p, p], axis=1), y)
    both, interval = reference.predict_proba(np.stack([1 - grid, grid], axis=1))
    found = fitted(p, y)
    low, high = found.predict_interval(grid)
    np.testing.assert_allclose(low, interval[:, 0], atol=1e-9)
    np.testing.assert_allclose(high, interval[:, 1], atol=1e-9)
    np.testing.assert_allclose(found.predict(grid), both[:, 1], atol=1e-9)


def test_agrees_with_mapies_public_calibrator():
    from mapie.calibration import VennAbersCalibrator as Reference
    from sklearn.linear_model import LogisticRegression

    p, y = drawn(700, seed=9)
    x = np.log(p / (1 - p))[:, None]
    model = LogisticRegression().fit(x[:200], y[:200])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = Reference(estimator=model, cv="prefit").fit(x[200:600], y[200:600])
        expected = reference.predict_proba(x[600:])[:, 1]
    raw = model.predict_proba(x)[:, 1]
    found = fitted(raw[200:600], y[200:600]).predict(raw[600:])
    np.testing.assert_allclose(found, expected, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 40), st.booleans(), st.booleans())
def test_is_what_refitting_with_the_new_event_says(seed, count, ties, weighted):
    draw = np.random.default_rng(seed)
    p = draw.uniform(0.1, 0.9, count)
    if ties:
        p = p.round(1)
    y = (draw.random(count) < p).astype(float)
    w = draw.uniform(0.2, 3.0, count) if weighted else np.ones(count)
    found = fitted(p, y, w)
    for value in np.concatenate([[0.0, 1.0], p[:5], draw.uniform(0, 1, 5)]):
        low, high = found.predict_interval(np.array([value]))
        expected = by_definition(p, y, w, value)
        np.testing.assert_allclose([low[0], high[0]], expected, atol=1e-9)


def test_one_probability_by_hand():
    # One event .5 -> 1: below it a new 0 is 0 and a new 1 is 1; above it a new 0 pools to 1/2.
    found = fitted(np.array([0.5]), np.array([1.0]))
    low, high = found.predict_interval(np.array([0.4, 0.5, 0.6]))
    assert low.tolist() == [0.0, 0.5, 0.5]
    assert high.tolist() == [1.0, 1.0, 1.0]
    # p1 / (1 - p0 + p1): 1 / 2 and 1 / 1.5.
    np.testing.assert_allclose(found.predict(np.array([0.4, 0.6])), [1 / 2, 2 / 3])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 9999), st.integers(1, 300))
def test_the_probability_lies_within_its_ordered_interval(seed, count):
    draw = np.random.default_rng(seed)
    p = draw.uniform(0, 1, count)
    found = fitted(p, (draw.random(count) < p).astype(float), draw.uniform(0.1, 2, count))
    grid = np.linspace(0, 1, 401)
    low, high = found.predict_interval(grid)
    assert (low < high).all()
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) >= 0).all()
    one = found.predict(grid)
    assert ((one >= low) & (one <= high)).all()


def test_one_of_both_answers_is_calibrated():
    """Validity: with the true label's answer q, labels among events of one answer average q.

    Over many draws the mean of (label - its own answer) is 0, within any range of answers,
    for a model as wrong as can be; either answer alone is off.
    """
    gaps, low_gaps, high_gaps = [], [], []
    for seed in range(1500):
        p, y = drawn(31, slope=-0.5, intercept=0.4, seed=seed)
        low, high = fitted(p[:30], y[:30]).predict_interval(p[30:])
        gaps.append(y[30] - (high if y[30] else low)[0])
        low_gaps.append(y[30] - low[0])
        high_gaps.append(y[30] - high[0])
    noise = np.std(gaps) / np.sqrt(len(gaps))
    assert abs(np.mean(gaps)) < 3 * noise
    assert np.mean(low_gaps) > 3 * noise
    assert np.mean(high_gaps) < -3 * noise


def test_intervals_narrow_with_events():
    widths = []
    for count in (50, 500, 5000):
        low, high = fitted(*drawn(count)).predict_interval(np.linspace(0.3, 0.7, 50))
        widths.append((high - low).mean())
    assert widths[0] > 2 * widths[1] > 4 * widths[2]


def test_a_known_distortion_is_repaired():
    p, y = drawn(20_000)
    fresh, labels = drawn(20_000, seed=2)
    w = np.ones(20_000)
    found = fitted(p, y).predict(fresh)
    assert log_loss(found, labels, w) < log_loss(fresh, labels, w) - 0.01


def test_scale_of_weights_does_not_matter_and_weightless_events_do_not_count():
    p, y = drawn(200)
    w = np.random.default_rng(3).uniform(0.5, 1.5, 200)
    grid = np.linspace(0, 1, 99)
    np.testing.assert_allclose(fitted(p, y, w).predict(grid), fitted(p, y, 7 * w).predict(grid))
    mask = np.arange(200) < 150
    assert fitted(p, y, np.where(mask, w, 0.0)) == fitted(p[mask], y[mask], w[mask])


def test_json_keeps_every_bit_and_only_the_knots_that_matter():
    p, y = drawn(2000)
    found = fitted(p, y)
    assert len(found.scores) < 300
    again = calibrator_from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert again == found
    assert isinstance(again, VennAbersCalibrator)
    low, high = again.predict_interval(np.array([0.5, np.nan]))
    assert np.isnan([low[1], high[1], again.predict(np.array([np.nan]))[0]]).all()
    assert not np.isnan([low[0], high[0]]).any()
