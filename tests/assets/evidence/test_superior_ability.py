"""SPA on the recipe of arch's notebook, and on models that are really better."""

from __future__ import annotations

import numpy as np
import pytest

from ares_assets.evidence.superior_ability import superior_predictive_ability
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
