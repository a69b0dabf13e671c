"""Greedy ensembles: never worse than the best member, diverse, and explained."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ares_assets.analyst.ensemble import combine, q_statistic, select_ensemble
from ares_assets.analyst.scores import log_loss
from ares_resources.errors import BadInput, PartitionSkipped


def crowd(count=2000, noise=(0.5, 0.5, 0.5), seed=1):
    """Members that see the truth's logit through independent noise of these sizes."""
    draw = np.random.default_rng(seed)
    logit = draw.normal(0, 0.7, count)
    labels = (draw.random(count) < 1 / (1 + np.exp(-logit))).astype(float)
    names = ("linear", "forest", "catboost", "gradient_boosting")
    members = {
        name: 1 / (1 + np.exp(-(logit + draw.normal(0, size, count))))
        for name, size in zip(names, noise, strict=False)
    }
    rows = np.arange(count) * 10
    return members, labels, draw.uniform(0.5, 1.5, count), rows, rows + 30


def test_independent_members_beat_the_best_one():
    members, labels, weights, rows, t1_rows = crowd()
    found = select_ensemble(members, labels, weights, rows, t1_rows)
    assert sum(found.weights.values()) == pytest.approx(1.0)
    assert set(found.weights) == set(members)
    best = found.member_scores[found.best_member]["log_loss"]
    assert found.log_loss < found.cross_fitted_log_loss < best
    assert found.fallback is None
    vote = combine(members, found.weights)
    assert log_loss(labels, vote, weights) == pytest.approx(found.log_loss, rel=1e-12)


def test_greedy_choice_by_hand():
    """Four rounds replayed step by step with the plainest code."""
    members, labels, weights, rows, t1_rows = crowd(300, (0.3, 1.0, 1.5))
    found = select_ensemble(members, labels, weights, rows, t1_rows, rounds=4, tolerance=9.0)
    drawn, losses = [], []
    for _ in range(4):
        options = {
            name: log_loss(labels, np.mean([members[m] for m in [*drawn, name]], axis=0), weights)
            for name in sorted(members)
        }
        drawn.append(min(options, key=options.get))
        losses.append(options[drawn[-1]])
    best = drawn[: int(np.argmin(losses)) + 1]
    expected = {name: best.count(name) / len(best) for name in set(best)}
    assert found.weights == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(8))
def test_never_worse_than_the_best_member(seed):
    sizes = np.random.default_rng(seed).uniform(0.1, 4.0, 4)
    members, labels, weights, rows, t1_rows = crowd(200, sizes, seed)
    found = select_ensemble(members, labels, weights, rows, t1_rows, tolerance=0.001)
    best = min(scores["log_loss"] for scores in found.member_scores.values())
    assert found.log_loss <= best + 0.001
    if found.fallback:
        assert found.weights == {found.best_member: 1.0}


def test_a_vote_that_does_not_hold_up_falls_back_to_the_best_member():
    members, labels, weights, rows, t1_rows = crowd(400, (0.5, 0.5))
    # Each of two members knows half of the time: weights chosen on other time mislead.
    early = np.arange(400) < 200
    sharp = np.where(labels == 1, 0.9, 0.1)
    members = {
        "early": np.where(early, sharp, 1 - sharp),
        "late": np.where(early, 1 - sharp, sharp),
        "steady": np.full(400, 0.5),
    }
    found = select_ensemble(members, labels, weights, rows, t1_rows, maximum_q=1.0)
    assert found.fallback == "steady"
    assert found.weights == {"steady": 1.0}
    assert found.cross_fitted_log_loss > np.log(2)


def test_twins_are_refused_and_linear_stays():
    members, labels, weights, rows, t1_rows = crowd(600, (0.9, 0.5))
    members["forest_twin"] = members["forest"] * 0.999
    members["linear_twin"] = members["linear"] * 0.999
    found = select_ensemble(members, labels, weights, rows, t1_rows, maximum_q=0.99)
    assert set(found.refused) == {"linear_twin", "forest_twin"} or set(found.refused) == {
        "linear_twin",
        "forest",
    }
    assert "with linear" in found.refused["linear_twin"]
    assert "linear" not in found.refused


def test_q_statistic_by_hand():
    labels = np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=float)
    weights = np.ones(8)
    first = np.array([0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9])  # right: 3 + 3
    second = np.array([0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9])  # right: 2 + 2
    # Both 4, neither 2, only the first 2, only the second 0: (8 - 0) / (8 + 0).
    assert q_statistic(first, second, labels, weights) == 1.0
    third = np.array([0.9, 0.1, 0.9, 0.9, 0.1, 0.9, 0.1, 0.1])  # wrong where first is right
    # Both 4, neither 0, only the first 2, only the third 2: (0 - 4) / (0 + 4).
    assert q_statistic(first, third, labels, weights) == -1.0
    fourth = np.array([0.9, 0.9, 0.1, 0.1, 0.1, 0.9, 0.1, 0.9])
    # Both 4 (0, 1, 4, 6), neither 2 (3, 7), only first 2 (2, 5), only fourth 0: 1.0 again.
    assert q_statistic(first, fourth, labels, weights) == 1.0
    weights[2] = 3.0
    fifth = np.array([0.9, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.9])
    # right: 0, 3, 4, 5, 6; both 0, 4, 5, 6 = 4; neither 7 = 1; first only 1, 2 = 4; fifth only 3.
    assert q_statistic(first, fifth, labels, weights) == pytest.approx((4 - 4) / (4 + 4))


def test_events_that_a_member_skips_are_left_out():
    members, labels, weights, rows, t1_rows = crowd(300)
    members["forest"] = np.where(np.arange(300) < 100, np.nan, members["forest"])
    found = select_ensemble(members, labels, weights, rows, t1_rows)
    assert found.events == 200
    tail = {name: vote[100:] for name, vote in members.items()}
    same = select_ensemble(tail, labels[100:], weights[100:], rows[100:], t1_rows[100:])
    assert found == same
    members["forest"] = np.full(300, np.nan)
    with pytest.raises(PartitionSkipped, match="0 events"):
        select_ensemble(members, labels, weights, rows, t1_rows)


def test_order_of_members_does_not_matter_and_the_report_is_json():
    members, labels, weights, rows, t1_rows = crowd(300)
    found = select_ensemble(members, labels, weights, rows, t1_rows)
    turned = select_ensemble(dict(reversed(members.items())), labels, weights, rows, t1_rows)
    assert json.dumps(found.as_dict()) == json.dumps(turned.as_dict())


def test_combine_is_a_weighted_mean_and_names_faults():
    members = {"b": np.array([0.2, 0.4]), "a": np.array([0.6, 0.8]), "c": np.array([9.0, 9.0])}
    np.testing.assert_allclose(combine(members, {"a": 1.0, "b": 3.0, "c": 0.0}), [0.3, 0.5])
    with pytest.raises(BadInput, match="'d' is missing; given: a, b, c"):
        combine(members, {"a": 0.5, "d": 0.5})
    for weights in ({}, {"a": 0.0}, {"a": 1.5, "b": -0.5}):
        with pytest.raises(BadInput, match="ensemble weights"):
            combine(members, weights)


def test_bad_settings_are_named():
    members, labels, weights, rows, t1_rows = crowd(100)
    with pytest.raises(BadInput, match="rounds = 0"):
        select_ensemble(members, labels, weights, rows, t1_rows, rounds=0)
    with pytest.raises(BadInput, match="at least one member"):
        select_ensemble({}, labels, weights, rows, t1_rows)
    with pytest.raises(BadInput, match="'linear' of shape"):
        select_ensemble({"linear": labels[:9]}, labels, weights, rows, t1_rows)
