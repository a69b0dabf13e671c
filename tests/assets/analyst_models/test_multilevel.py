"""The multilevel expert: what regimes share, what they do not, and how much is believed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from ares_assets.analyst.experts import get_expert
from ares_assets.analyst.experts.base import REGIME_COLUMNS
from ares_assets.analyst.experts.relevance import relevance_determination
from ares_assets.analyst.scores import log_loss
from ares_resources.errors import BadInput

SHARE = np.eye(3)[np.repeat([0, 1, 2], 500)]


def drawn(slopes, *, seed=1, share=SHARE, width=12, intercepts=(0.0, 0.0, 0.0)):
    """Features, labels and the true probability: feature 0 has a slope of its own a regime."""
    generator = np.random.default_rng(seed)
    matrix = generator.normal(size=(len(share), width))
    truth = expit(share @ np.array(intercepts) + (share @ np.array(slopes)) * matrix[:, 0])
    labels = (generator.random(len(share)) < truth).astype(np.float64)
    features = pd.DataFrame(matrix, columns=[f"feature_{i}" for i in range(width)])
    features[list(REGIME_COLUMNS)] = share
    return features, labels, truth


def fit(features, labels, weights=None, **parameters):
    given = np.ones(len(labels)) if weights is None else weights
    return get_expert("multilevel").fit(
        features, labels, given, parameters=parameters, seed=0, threads=2
    )


def test_a_feature_that_works_alike_is_shared():
    features, labels, _ = drawn((0.8, 0.8, 0.8))
    model = fit(features, labels)
    assert model.shared[0] > 0.25
    assert np.abs(model.deviation[:, 0]).max() < 0.1
    assert (model.shared[1:] == 0).sum() > 7


def test_a_feature_whose_sign_turns_is_learnt_by_each():
    features, labels, truth = drawn((0.8, 0.8, -0.8))
    model = fit(features, labels)
    slopes = model.shared[0] + model.deviation[:, 0]
    assert slopes[0] > 0.2
    assert slopes[1] > 0.2
    assert slopes[2] < -0.2
    one = np.ones(len(labels))
    # The probabilities come near the truth's own loss, far below a coin's.
    assert log_loss(labels, model.probability(features), one) < log_loss(labels, truth, one) + 0.01


def test_regimes_lend_each_other_events():
    """Where all work alike, a regime with few events is predicted better than by itself alone."""
    share = np.eye(3)[np.repeat([0, 1, 2], [60, 700, 700])]
    gains = []
    for seed in range(12):
        features, labels, _ = drawn((0.6, 0.6, 0.6), seed=seed, share=share)
        fresh, later, _ = drawn((0.6, 0.6, 0.6), seed=100 + seed)
        few, judged = share[:, 0] == 1, SHARE[:, 0] == 1
        model = fit(features, labels)
        alone = get_expert("linear").fit(
            features[few], labels[few], np.ones(60), parameters={}, seed=0, threads=1
        )
        one = np.ones(int(judged.sum()))
        gains.append(
            log_loss(later[judged], alone.probability(fresh[judged]), one)
            - log_loss(later[judged], model.probability(fresh[judged]), one)
        )
    assert np.mean(gains) > 0.01
    assert sum(gain > 0 for gain in gains) >= 11


def test_nothing_to_find_leaves_the_base_rate():
    features, labels, _ = drawn((0.0, 0.0, 0.0), seed=5, intercepts=(0.4, 0.4, 0.4))
    found = fit(features, labels).probability(features)
    assert np.std(found) < 0.03
    assert np.mean(found) == pytest.approx(labels.mean(), abs=0.03)


@pytest.mark.parametrize("rate", [0.05, 0.3, 0.9])
def test_rare_classes_keep_their_base_rate(rate):
    """Asymmetric barriers make one class rare; noise must not pull the answer towards a half."""
    generator = np.random.default_rng(8)
    features, _, _ = drawn((0.0, 0.0, 0.0), seed=6)
    labels = (generator.random(len(features)) < rate).astype(float)
    found = fit(features, labels).probability(features)
    assert found.mean() == pytest.approx(labels.mean(), abs=0.01)
    one = np.ones(len(labels))
    even = np.full(len(labels), labels.mean())
    assert log_loss(labels, found, one) < log_loss(labels, even, one) + 1e-3


def test_soft_routing_mixes_and_hard_routing_takes_the_likeliest():
    features, labels, _ = drawn((0.8, 0.8, -0.8))
    torn = features.iloc[:1].assign(p_bull=0.55, p_bear=0.0, p_sideways=0.45, feature_0=2.0)
    sure = torn.assign(p_bull=1.0, p_sideways=0.0)
    soft, hard = fit(features, labels), fit(features, labels, soft=0)
    assert soft.probability(torn)[0] < soft.probability(sure)[0] - 0.1
    assert hard.probability(torn)[0] == hard.probability(sure)[0]
    unknown = features.iloc[:1].assign(p_bull=np.nan, p_bear=np.nan, p_sideways=np.nan)
    thirds = features.iloc[:1].assign(
        **{f"p_{name}": 1 / 3 for name in ("bull", "bear", "sideways")}
    )
    assert soft.probability(unknown)[0] == soft.probability(thirds)[0]
    # Where nothing is likeliest, hard routing must not take the first by name.
    assert (
        hard.probability(unknown)[0]
        != hard.probability(sure.assign(feature_0=unknown["feature_0"]))[0]
    )


def test_fewer_independent_events_are_believed_less():
    features, labels, _ = drawn((0.4, 0.4, 0.4), seed=3)
    spread = [
        np.std(fit(features, labels, np.full(1500, u)).probability(features)) for u in (1, 0.05)
    ]
    assert spread[1] < spread[0]


def test_the_regimes_must_be_known():
    features, labels, _ = drawn((0.4, 0.4, 0.4))
    with pytest.raises(BadInput, match="'p_bear' is missing"):
        fit(features.drop(columns="p_bear"), labels)


def test_relevance_agrees_with_scikit_learn():
    from sklearn.linear_model import ARDRegression

    generator = np.random.default_rng(2)
    design = generator.normal(size=(400, 6))
    target = design @ np.array([1.0, -0.5, 0.2, 0.0, 0.0, 0.0]) + generator.normal(size=400)
    found = relevance_determination(
        design.T @ design,
        design.T @ target,
        float(target @ target),
        400.0,
        np.arange(6),
        iterations=5000,
        tolerance=1e-8,
    )
    reference = ARDRegression(
        fit_intercept=False,
        max_iter=5000,
        tol=1e-10,
        threshold_lambda=1e5,
        alpha_1=0,
        alpha_2=0,
        lambda_1=0,
        lambda_2=0,
    ).fit(design, target)
    np.testing.assert_allclose(found.coefficient, reference.coef_, atol=2e-3)
    assert found.noise_variance == pytest.approx(1 / reference.alpha_, rel=1e-2)
    assert found.converged


def test_a_group_shares_one_prior():
    generator = np.random.default_rng(4)
    design = generator.normal(size=(300, 4))
    target = design @ np.array([0.5, 0.5, 0.0, 0.0]) + generator.normal(size=300)
    groups = np.array([0, 0, 1, 1])
    found = relevance_determination(
        design.T @ design, design.T @ target, float(target @ target), 300.0, groups
    )
    assert found.precision.shape == (2,)
    assert found.precision[0] < found.precision[1]
    assert found.coefficient[:2] == pytest.approx([0.5, 0.5], abs=0.15)
