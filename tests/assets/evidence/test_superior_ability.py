"""Tests of families: arch's notebook and StepM, models that are really better, and nulls."""

from __future__ import annotations

import numpy as np
import pytest

from ares_assets.evidence.superior_ability import (
    model_confidence_set,
    stepwise_superior,
    superior_predictive_ability,
)
from ares_resources.errors import BadInput


def _losses(rng: np.random.RandomState, y: np.ndarray, factors: np.ndarray) -> np.ndarray:
    noisy = factors + rng.randn(1000, 3)
    beta = np.linalg.lstsq(noisy[:500], y[:500], rcond=None)[0]
    return (y[500:] - noisy[500:] @ beta) ** 2


def test_reference_values_of_the_notebook() -> None:
    rng = np.random.RandomState(23456)
    seed = rng.randint(0, 2**31 - 1)
    factors = rng.randn(1000, 3)
    rng.randn(1000)  # the notebook draws noise that it never adds
    y = factors @ np.array([1.0, 0.5, 0.1])
    benchmark = _losses(rng, y, factors)
    models = np.column_stack([_losses(rng, y, factors) for _ in range(500)])
    test = superior_predictive_ability(benchmark, models, seed=np.random.RandomState(seed))
    assert (test.lower, test.consistent, test.upper) == pytest.approx((0.520, 0.723, 0.733))


def test_a_better_model_is_found_and_worse_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    benchmark = rng.normal(1.0, 0.2, 400)
    worse = rng.normal(1.1, 0.2, (400, 20))
    better = np.column_stack([worse, rng.normal(0.9, 0.2, 400)])
    assert superior_predictive_ability(benchmark, better, seed=1, mean_block=1).consistent < 0.01
    assert superior_predictive_ability(benchmark, worse, seed=1, mean_block=1).consistent > 0.5


def test_mismatched_losses_are_refused() -> None:
    with pytest.raises(BadInput, match="needed"):
        superior_predictive_ability(np.ones(5), np.ones((6, 2)), seed=1)


def _family(seed: int = 0, *, good: int, bad: int, days: int = 300) -> np.ndarray:
    """Losses of models over a benchmark of zeros: the first ``good`` columns earn."""
    rng = np.random.default_rng(seed)
    means = np.r_[np.full(good, -0.4), np.full(bad, 0.0)]
    return rng.normal(means, 1.0, (days, good + bad))


def test_stepwise_selection_is_archs() -> None:
    from arch.bootstrap import StepM

    for seed in range(5):
        losses = _family(seed, good=3, bad=5)
        theirs = StepM(np.zeros(300), losses, block_size=2, reps=300, seed=seed)
        theirs.compute()
        ours = stepwise_superior(np.zeros(300), losses, mean_block=2, resamples=300, seed=seed)
        assert ours == theirs.superior_models
        assert {0, 1, 2} <= set(ours)


def test_stepwise_selection_ends_where_every_model_is_better() -> None:
    """arch's own StepM fails here: its second step empties the set."""
    losses = _family(good=6, bad=0) * np.linspace(1.0, 6.0, 6)
    losses[:, 5] += 1.0
    assert set(stepwise_superior(np.zeros(300), losses, mean_block=1, seed=1)) >= {0, 1, 2}
    strong = _family(good=4, bad=0) - np.array([0.0, 1.0, 2.0, 3.0])
    assert stepwise_superior(np.zeros(300), strong, mean_block=1, seed=1) == [0, 1, 2, 3]


def test_stepwise_selection_seldom_errs_on_families_of_nulls() -> None:
    hits = [
        bool(
            stepwise_superior(
                np.zeros(120),
                _family(seed, good=0, bad=10, days=120),
                mean_block=1,
                resamples=200,
                seed=seed,
            )
        )
        for seed in range(120)
    ]
    assert np.mean(hits) <= 0.05 + 2 * 0.02


def test_the_confidence_set_drops_what_is_worse_and_keeps_the_best() -> None:
    losses = np.random.default_rng(1).normal([0.0, 0.0, 0.6], 1.0, (300, 3))
    p = model_confidence_set(losses, mean_block=1, seed=1)
    assert p.shape == (3,)
    assert p[:2].max() == 1.0
    assert p[:2].min() > 0.05
    assert p[2] < 0.01
    turned = model_confidence_set(losses[:, ::-1], mean_block=1, seed=1)
    assert turned[0] < 0.01


def test_wrong_levels_and_single_models_are_refused() -> None:
    with pytest.raises(BadInput, match="level"):
        stepwise_superior(np.zeros(30), np.ones((30, 2)), seed=1, level=1.0)
    with pytest.raises(BadInput, match="at least 2"):
        model_confidence_set(np.zeros((30, 1)), seed=1)
