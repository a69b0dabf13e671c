"""Conformal sets: coverage on average, MAPIE as a cross-check, definitions by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from ares_assets.evidence.conformal import (
    METHODS,
    ConformalSets,
    conformal_from_dict,
    conformal_report,
    fit_conformal,
    true_scores,
)
from ares_resources.errors import BadInput, CorruptArtifact


def drawn(count, seed, spread=1.0):
    draw = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-draw.normal(0, spread, count)))
    return p, (draw.random(count) < p).astype(float)


@pytest.mark.parametrize("coverage", [0.6, 0.8, 0.9])
def test_coverage_is_exact_on_average(coverage):
    found = []
    for seed in range(300):
        p, y = drawn(299, seed)
        sets = fit_conformal(p[:199], y[:199], coverage=coverage).predict(p[199:])
        found.append(conformal_report(sets, y[199:])["coverage"])
    # With 199 calibration events coverage is ceil(200 c) / 200 exactly, for continuous scores.
    assert np.mean(found) == pytest.approx(coverage, abs=0.012)


@pytest.mark.parametrize("method", METHODS)
def test_coverage_holds_for_a_wrong_model(method):
    found = []
    for seed in range(150):
        p, y = drawn(400, seed)
        wrong = np.clip(p**3, 0, 1)
        sets = fit_conformal(wrong[:200], y[:200], coverage=0.8, method=method)
        found.append(conformal_report(sets.predict(wrong[200:]), y[200:])["coverage"])
    assert np.mean(found) > 0.79


@pytest.mark.parametrize("coverage", [0.7, 0.9])
def test_agrees_with_mapie(coverage):
    from mapie.classification import SplitConformalClassifier
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Passed(ClassifierMixin, BaseEstimator):
        """Its only feature is the probability."""

        def fit(self, x, y):
            self.classes_ = np.array([0, 1])
            return self

        def predict_proba(self, x):
            return np.stack([1 - x[:, 0], x[:, 0]], axis=1)

        def predict(self, x):
            return (x[:, 0] >= 0.5).astype(int)

    p, y = drawn(600, 3)
    known, fresh = p[:300, None], p[300:, None]
    reference = SplitConformalClassifier(
        Passed().fit(known, y[:300]),
        confidence_level=coverage,
        conformity_score="lac",
        prefit=True,
        random_state=1,
    ).conformalize(known, y[:300].astype(int))
    _, expected = reference.predict_set(fresh)
    ours = fit_conformal(p[:300], y[:300], coverage=coverage, method="lac")
    np.testing.assert_array_equal(ours.predict(p[300:]), expected[:, :, 0])


@pytest.mark.parametrize("coverage", [0.6, 0.75, 0.9])
def test_aps_agrees_with_its_definition(coverage):
    """Directions from the likeliest on, until their total passes the threshold (MAPIE has
    no APS for two classes)."""
    p, y = drawn(600, 3)
    ours = fit_conformal(p[:300], y[:300], coverage=coverage, method="aps")
    totals = []
    for up, label in zip(p[:300], y[:300], strict=True):
        order = [1, 0] if up >= 0.5 else [0, 1]
        mass = np.cumsum([(1 - up, up)[side] for side in order])
        totals.append(mass[order.index(int(label))])
    limit = sorted(totals)[math.ceil(301 * coverage) - 1]
    assert ours.threshold == pytest.approx(limit, abs=1e-12)
    for up, found in zip(p[300:], ours.predict(p[300:]), strict=True):
        both = limit > max(up, 1 - up) and limit >= 1 - 1e-12
        assert found.tolist() == ([True, True] if both else [up < 0.5, up >= 0.5])


def test_threshold_by_hand():
    p = np.array([0.9, 0.6, 0.3, 0.2])
    y = np.array([1, 1, 0, 1.0])
    np.testing.assert_allclose(true_scores("lac", p, y), [0.1, 0.4, 0.3, 0.8])
    np.testing.assert_allclose(true_scores("aps", p, y), [0.9, 0.6, 0.7, 1.0])
    # ceil(5 * .6) = 3rd smallest.
    assert fit_conformal(p, y, coverage=0.6).threshold == pytest.approx(0.4)
    sets = fit_conformal(p, y, coverage=0.6).predict(np.array([0.5, 0.7, 0.3]))
    assert sets.tolist() == [[False, False], [False, True], [True, False]]


def test_too_few_events_always_abstain():
    p, y = drawn(5, 1)
    sets = fit_conformal(p, y, coverage=0.9)
    assert math.isinf(sets.threshold)
    assert sets.predict(np.array([0.001, 0.999])).all()
    again = conformal_from_dict(json.loads(json.dumps(sets.to_dict(), allow_nan=False)))
    assert again == sets


def test_independent_events_are_counted_and_kept():
    p, y = drawn(40, 1)
    sets = fit_conformal(p, y, coverage=0.9, groups=np.arange(40) // 6)
    assert sets.independent == 7
    assert sets.threshold == fit_conformal(p, y, coverage=0.9).threshold
    assert conformal_from_dict(json.loads(json.dumps(sets.to_dict()))) == sets
    older = {key: value for key, value in sets.to_dict().items() if key != "independent"}
    assert conformal_from_dict(older).independent is None


def test_aps_sets_are_never_empty():
    sets = ConformalSets("aps", 0.5, 0.0, 10).predict(np.linspace(0, 1, 11))
    assert (sets.sum(axis=1) == 1).all()


def test_sets_grow_with_coverage():
    p, y = drawn(500, 4)
    sizes = [
        conformal_report(fit_conformal(p, y, coverage=c).predict(p), y)["mean_size"]
        for c in (0.6, 0.75, 0.9, 0.99)
    ]
    assert sizes == sorted(sizes)


def test_report_by_hand():
    sets = np.array([[1, 1], [0, 1], [1, 0], [0, 0]], dtype=bool)
    report = conformal_report(sets, np.array([1, 1, 1, 1]))
    assert report["coverage"] == 0.5
    assert report["mean_size"] == 1.0
    assert (report["empty"], report["single"], report["full"]) == (0.25, 0.5, 0.25)
    assert report["abstention"] == 0.5
    assert report["accuracy_when_single"] == 0.5
    assert "accuracy_when_single" not in conformal_report(sets[:1], np.array([1]))


def test_faults_are_named():
    p, y = drawn(10, 1)
    with pytest.raises(BadInput, match="'raps'; allowed: lac, aps"):
        fit_conformal(p, y, coverage=0.9, method="raps")
    with pytest.raises(BadInput, match=r"coverage = 1\.0"):
        fit_conformal(p, y, coverage=1.0)
    for labels in (y[:9], y + 0.5):
        with pytest.raises(BadInput, match="labels"):
            fit_conformal(p, labels, coverage=0.9)
    for values in ({}, [], {"method": "raps", "coverage": 0.9, "threshold": 1, "events": 3}):
        with pytest.raises(CorruptArtifact, match="not a conformal threshold"):
            conformal_from_dict(values)
