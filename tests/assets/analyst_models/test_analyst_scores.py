"""Weighted scores against scikit-learn, and paired gains against known noise."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.analyst.scores import auc, block_count, log_loss, paired_block_gain
from ares_resources.errors import BadInput


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(10, 200), st.integers(1, 20))
def test_agree_with_scikit_learn(seed, count, levels):
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, count).astype(float)
    labels[:2] = (0.0, 1.0)
    probability = draw.integers(1, levels + 1, count) / (levels + 1)
    weights = draw.uniform(0.1, 3.0, count)
    expected = sklearn.metrics.roc_auc_score(labels, probability, sample_weight=weights)
    assert auc(labels, probability, weights) == pytest.approx(expected, abs=1e-12)
    expected = sklearn.metrics.log_loss(labels, probability, sample_weight=weights)
    assert log_loss(labels, probability, weights) == pytest.approx(expected, rel=1e-10)


def test_one_class_has_no_auc():
    assert np.isnan(auc(np.ones(5), np.linspace(0, 1, 5), np.ones(5)))


def test_weightless_events_are_refused():
    with pytest.raises(BadInput, match="weights sum to"):
        log_loss(np.ones(3), np.full(3, 0.5), np.zeros(3))


def made(count, better, seed):
    draw = np.random.default_rng(seed)
    truth = draw.uniform(0.3, 0.7, count)
    labels = (draw.random(count) < truth).astype(float)
    base = np.clip(truth + draw.normal(0, 0.1, count), 0.05, 0.95)
    other = truth if better else np.clip(truth + draw.normal(0, 0.1, count), 0.05, 0.95)
    return labels, base, other, draw.uniform(0.5, 1.5, count)


def test_gain_is_the_difference_of_log_losses():
    labels, base, other, weights = made(500, True, 1)
    gain = paired_block_gain(labels, base, other, weights)
    expected = log_loss(labels, base, weights) - log_loss(labels, other, weights)
    assert gain.gain == pytest.approx(expected, rel=1e-9)
    assert gain.blocks == 20
    assert gain.confidence > 0.95


def test_confidence_of_equals_is_uniform():
    """Two equally good predictors: 10 % of the comparisons exceed 90 % confidence."""
    found = [paired_block_gain(*made(200, False, seed)).confidence for seed in range(400)]
    assert 0.06 < np.mean(np.array(found) > 0.9) < 0.14
    assert 0.06 < np.mean(np.array(found) < 0.1) < 0.14


def test_equal_predictions_prove_nothing():
    labels, base, _, weights = made(100, False, 3)
    gain = paired_block_gain(labels, base, base, weights)
    assert (gain.gain, gain.confidence) == (0.0, 0.5)


def test_blocks_for_so_many_events():
    assert [block_count(n) for n in (10, 55, 120, 5000)] == [4, 5, 12, 20]
    labels, base, other, weights = made(30, False, 3)
    with pytest.raises(BadInput, match="blocks = 1"):
        paired_block_gain(labels, base, other, weights, blocks=1)


def test_overlap_widens_the_error():
    """Repeating each event ten times in a row adds no information, and blocks see that."""
    labels, base, other, weights = made(200, True, 5)
    single = paired_block_gain(labels, base, other, weights)
    repeated = paired_block_gain(*(np.repeat(x, 10) for x in (labels, base, other, weights)))
    assert repeated.gain == pytest.approx(single.gain, rel=1e-9)
    assert repeated.standard_error == pytest.approx(single.standard_error, rel=1e-9)
