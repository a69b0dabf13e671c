"""Out-of-fold predictions: what leaks, what does not, and the baselines beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ares_assets.analyst.baselines import base_rate_out_of_fold
from ares_assets.analyst.cross_validation import CombinatorialPurged, PurgedForward, PurgedKFold
from ares_assets.analyst.dataset import Examples, MarketExamples
from ares_assets.analyst.experts import EXPERT_KINDS, get_expert
from ares_assets.analyst.out_of_fold import fold_seed, out_of_fold
from ares_assets.analyst.scores import auc, log_loss
from ares_resources.errors import BadInput, PartitionSkipped


def predict(made, *, kind="linear", splitter, parameters=None, seed=3, member=None, **changed):
    return out_of_fold(
        get_expert(kind),
        replace(made, **changed).known(member),
        splitter=splitter,
        parameters=parameters or {},
        seed=seed,
        threads=2,
    )


@pytest.mark.parametrize("kind", EXPERT_KINDS)
def test_equals_fitting_each_fold_by_hand(kind, make_events):
    made = make_events(240)
    found = predict(made, kind=kind, splitter=PurgedKFold(3, 20))
    for fold, (train, test) in enumerate(PurgedKFold(3, 20).split(made.rows, made.t1_rows)):
        model = get_expert(kind).fit(
            made.features.iloc[train],
            made.labels[train],
            made.weights[train],
            parameters={},
            seed=fold_seed(3, fold),
            threads=2,
        )
        assert np.array_equal(found[test], model.probability(made.features.iloc[test]))


@pytest.mark.parametrize("kind", EXPERT_KINDS)
def test_shuffled_labels_give_chance(kind, make_events):
    made = make_events(900, strength=2.0)
    labels = np.random.default_rng(4).permutation(made.labels)
    found = predict(made, kind=kind, splitter=PurgedKFold(4, 10), labels=labels)
    # Standard deviation of a chance AUC with 450 of each class: .019.
    assert abs(auc(labels, found, np.ones(900)) - 0.5) < 0.065
    honest = predict(made, kind=kind, splitter=PurgedKFold(4, 10))
    assert auc(made.labels, honest, made.weights) > 0.75


@pytest.mark.parametrize("kind", EXPERT_KINDS)
def test_a_planted_leak_is_visible(kind, make_events):
    made = make_events(400, strength=0.0)
    leaking = made.features.assign(leak=made.labels)
    clean = predict(made, kind=kind, splitter=PurgedKFold(4, 10))
    leaked = predict(made, kind=kind, splitter=PurgedKFold(4, 10), features=leaking)
    assert auc(made.labels, leaked, made.weights) > 0.9
    assert abs(auc(made.labels, clean, made.weights) - 0.5) < 0.1


def test_unpurged_folds_leak_through_overlapping_labels():
    """A random walk's overlapping labels: the time alone gives them away to neighbours."""
    generator = np.random.default_rng(11)
    bars, horizon = 6000, 400
    walk = np.cumsum(generator.normal(size=bars + horizon))
    rows = np.arange(0, bars, 10)
    labels = (walk[rows + horizon] > walk[rows]).astype(np.float64)
    features = pd.DataFrame({"time": rows.astype(float)})
    # Small folds, so that each test event has close neighbours on both sides.
    splitter = PurgedKFold(40)
    parameters = {"trees": 40, "learning_rate": 0.1, "leaves": 16, "leaf_penalty": 1.0}
    parameters |= {"leaf_share": 0.01, "feature_share": 1.0, "row_share": 0.95}

    def area(t1_rows):
        everything = Examples(features, labels, np.ones(len(rows)), rows, t1_rows, rows)
        found = out_of_fold(
            get_expert("gradient_boosting"),
            MarketExamples(everything, np.ones(len(rows), bool)),
            splitter=splitter,
            parameters=parameters,
            seed=1,
            threads=1,
        )
        return auc(labels, found, np.ones(len(rows)))

    unpurged, purged = area(rows), area(rows + horizon)
    assert unpurged > 0.8
    assert purged < 0.6


def test_forward_predictions_do_not_know_the_future(make_events):
    made = make_events(400)
    splitter = PurgedForward(4, 0.5)
    whole = predict(made, splitter=splitter)
    assert np.isnan(whole[:200]).all()
    assert not np.isnan(whole[200:]).any()
    # Blocks of fifty: replacing everything from event 300 on leaves the blocks before it.
    changed = made.features.copy()
    changed.iloc[300:] = 99.0
    labels = np.where(np.arange(400) >= 300, 1 - made.labels, made.labels)
    again = predict(made, splitter=splitter, features=changed, labels=labels)
    assert np.array_equal(again[200:300], whole[200:300])
    assert not np.array_equal(again[350:], whole[350:])


def test_combinatorial_predictions_are_averaged(make_events):
    made = make_events(240)
    splitter = CombinatorialPurged(4, 2)
    found = predict(made, splitter=splitter)
    first = [
        get_expert("linear")
        .fit(
            made.features.iloc[train],
            made.labels[train],
            made.weights[train],
            parameters={},
            seed=0,
            threads=1,
        )
        .probability(made.features.iloc[[0]])[0]
        for train, test in splitter.split(made.rows, made.t1_rows)
        if test[0] == 0
    ]
    assert len(first) == 3
    assert found[0] == pytest.approx(np.mean(first), rel=1e-12)


def test_an_untrainable_fold_is_named(make_events):
    made = make_events(100)
    labels = np.concatenate([np.zeros(50), made.labels[50:]])
    with pytest.raises(PartitionSkipped, match=r"linear expert, fold 1: .* training labels"):
        predict(made, splitter=PurgedKFold(2, 10), labels=labels)


def test_base_rate_is_that_of_the_training_part(make_events):
    made = make_events(300)
    found = base_rate_out_of_fold(
        made.labels, made.weights, made.rows, made.t1_rows, splitter=PurgedKFold(3, 20)
    )
    for train, test in PurgedKFold(3, 20).split(made.rows, made.t1_rows):
        expected = (made.labels * made.weights)[train].sum() / made.weights[train].sum()
        np.testing.assert_allclose(found[test], expected, rtol=1e-12)
    forward = base_rate_out_of_fold(
        made.labels, made.weights, made.rows, made.t1_rows, splitter=PurgedForward(2, 0.5)
    )
    assert np.isnan(forward[:150]).all()


def pooled(made, member, splitter, labels=None):
    return out_of_fold(
        get_expert("linear"),
        replace(made, labels=made.labels if labels is None else labels).known(member),
        splitter=splitter,
        parameters={},
        seed=1,
        threads=1,
        scope="market",
    )


def test_pooled_baseline_learns_from_the_other_regimes(make_events):
    made = make_events(1000, width=20, strength=0.8)
    member = np.arange(1000) // 50 % 5 == 0
    splitter = PurgedKFold(4, 20)
    found = pooled(made, member, splitter)
    own = predict(made, splitter=splitter, member=member)
    y, w = made.labels[member], made.weights[member]
    assert found.shape == (200,)
    assert log_loss(y, found, w) < log_loss(y, own, w)


@pytest.mark.parametrize("splitter", [PurgedKFold(4, 40), PurgedForward(3, 0.4, 40)])
def test_pooled_baseline_never_trains_across_the_tested_time(splitter, make_events):
    """Labels of any regime inside a tested stretch cannot move that stretch's predictions."""
    made = make_events(600)
    member = np.arange(600) // 20 % 2 == 0
    own = np.flatnonzero(member)
    whole = pooled(made, member, splitter)
    for _, test in splitter.split(made.rows[own], made.t1_rows[own]):
        first, last = made.rows[own[test[0]]], made.t1_rows[own[test]].max() + 40
        meets = (made.t1_rows >= first) & (made.rows <= last)
        if isinstance(splitter, PurgedForward):
            meets |= made.rows > last
        again = pooled(made, member, splitter, np.where(meets, 1 - made.labels, made.labels))
        assert np.array_equal(again[test], whole[test])
        changed = pooled(made, member, splitter, np.where(meets, made.labels, 1 - made.labels))
        assert not np.array_equal(changed[test], whole[test])


def test_pooled_baseline_needs_a_mask(make_events):
    made = make_events(60)
    for member in (np.ones(60), np.ones(59, bool)):
        with pytest.raises(BadInput, match="member"):
            pooled(made, member, PurgedKFold(2))
