"""Spiegelhalter's test where labels overlap: its variance, its level, its power, its sign."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter
from scipy.special import ndtr
from scipy.stats import norm

from ares_assets.evidence.reliability import overlap_groups, spiegelhalter_p, spiegelhalter_z
from ares_resources.errors import BadInput

SEEDS = 200


def overlapping(seed, slope=1.0, events=1500, horizon=60, every=10, edge=0.1):
    """Will the path be higher in an hour?  Every ten minutes, with the exact probability.

    A known drift of half-life thirty minutes under noise of 1 a minute; `slope` 2 doubles the
    score, which is overconfidence.
    """
    draw = np.random.default_rng(seed)
    minutes, memory = events * every + horizon, 0.5 ** (1 / 30)
    noise = draw.standard_normal(minutes)
    drift = edge * lfilter([math.sqrt(1 - memory**2)], [1, -memory], noise)
    ahead = np.concatenate([[0.0], np.cumsum(drift)])
    path = ahead + np.concatenate([[0.0], np.cumsum(draw.standard_normal(minutes))])
    rows = np.arange(events) * every
    score = (ahead[rows + horizon] - ahead[rows]) / math.sqrt(horizon)
    labels = (path[rows + horizon] > path[rows]).astype(float)
    return ndtr(slope * score), labels, overlap_groups(rows, rows + horizon)


@pytest.mark.parametrize("edge", [0.03, 0.1, 0.3])
def test_calibrated_overlapping_labels_pass_in_nine_seeds_of_ten(edge):
    adjusted, independent = [], []
    for seed in range(SEEDS):
        p, y, groups = overlapping(seed, edge=edge)
        adjusted.append(spiegelhalter_p(p, y, groups) > 0.05)
        independent.append(spiegelhalter_p(p, y) > 0.05)
    assert 0.9 <= np.mean(adjusted) <= 0.995
    # As if labels that share their hour were separate observations: far too many alarms.
    assert np.mean(independent) < 0.87


def test_overconfidence_is_still_found():
    found = [spiegelhalter_z(*overlapping(seed, slope=2.0)) for seed in range(40)]
    assert min(found) > 2.5
    timid = [spiegelhalter_z(*overlapping(seed, slope=0.4, edge=0.3)) for seed in range(40)]
    assert max(timid) < -2.5


def test_p_is_uniform_for_shared_draws():
    """Events of a group that do share one draw: the model itself, so its level is exact."""
    values = []
    groups = np.repeat(np.arange(150), 5)
    for seed in range(600):
        draw = np.random.default_rng(seed)
        p = draw.uniform(0.1, 0.9, 750)
        values.append(spiegelhalter_p(p, (draw.random(150)[groups] < p).astype(float), groups))
    ranks = np.sort(values)
    assert abs(ranks - (np.arange(600) + 0.5) / 600).max() < 1.63 / math.sqrt(600)


def test_p_is_uniform_for_independent_draws():
    values = []
    for seed in range(600):
        draw = np.random.default_rng(seed)
        p = draw.uniform(0.1, 0.9, 300)
        values.append(spiegelhalter_p(p, (draw.random(300) < p).astype(float)))
    ranks = np.sort(values)
    assert abs(ranks - (np.arange(600) + 0.5) / 600).max() < 1.63 / math.sqrt(600)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9999), st.integers(2, 25), st.integers(1, 6))
def test_variance_is_the_double_sum(seed, count, groups):
    draw = np.random.default_rng(seed)
    p = draw.uniform(0, 1, count).round(2)
    y = draw.integers(0, 2, count).astype(float)
    members = draw.integers(0, groups, count)
    c = 1 - 2 * p
    variance = sum(
        c[i] * c[j] * (min(p[i], p[j]) - p[i] * p[j])
        for i, j in itertools.product(range(count), repeat=2)
        if members[i] == members[j]
    )
    found = spiegelhalter_z(p, y, members)
    if variance < 1e-9:
        assert math.isnan(found) or variance > 1e-25
        return
    assert found == pytest.approx((c @ (y - p)) / math.sqrt(variance), rel=1e-6)
    assert spiegelhalter_p(p, y, members) == pytest.approx(2 * norm.sf(abs(found)))


def test_by_hand():
    # c = (.6, -.6), residuals (.8, .2): .36 over sqrt(.36 .16 + .36 .16).
    p, y = np.array([0.2, 0.8]), np.array([1.0, 1.0])
    assert spiegelhalter_z(p, y) == pytest.approx(0.36 / math.sqrt(2 * 0.36 * 0.16))
    # One draw for both: covariance .2 - .16 = .04, weighted -.36, twice.
    together = 2 * 0.36 * 0.16 - 2 * 0.36 * 0.04
    assert spiegelhalter_z(p, y, np.array([7, 7])) == pytest.approx(0.36 / math.sqrt(together))
    assert math.isnan(spiegelhalter_p(np.full(5, 0.5), np.ones(5)))
    with pytest.raises(BadInput, match="3 groups for 2 events"):
        spiegelhalter_z(p, y, np.arange(3))
