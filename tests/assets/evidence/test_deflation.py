"""What is left of a Sharpe ratio after many tries, and what choosing was worth."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from ares_assets.evidence import sharpe_tests as s
from ares_assets.evidence.deflation import deflation, overfitting
from ares_assets.evidence.performance import sharpe_ratio


def _daily(seed: int = 0, mean: float = 0.002, days: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 0.01, days)


def test_one_try_deflates_nothing_and_more_deflate_more() -> None:
    daily = _daily()
    found = [deflation(daily, trials=trials) for trials in (1, 10, 100)]
    assert found[0]["deflated_sharpe"] == found[0]["probabilistic_sharpe"]
    values = [one["deflated_sharpe"] for one in found]
    assert values == sorted(values, reverse=True)
    assert values[0] > values[2]
    assert {one["probabilistic_sharpe"] for one in found} == {values[0]}


def test_the_hurdle_is_that_of_the_formula() -> None:
    daily = _daily()
    found = deflation(daily, trials=20, annual_trial_variance=9.0)
    assert found["trial_variance"] == pytest.approx(9.0 / 365)
    expected = s.deflated_sharpe_ratio(s.sharpe_moments(daily), trials=20, trial_variance=9.0 / 365)
    assert found["deflated_sharpe"] == expected
    assert found["sharpe"] == sharpe_ratio(daily)


def test_tries_that_were_alike_count_as_worthless_ones_do() -> None:
    daily = _daily()
    alike = deflation(daily, trials=20, annual_trial_variance=1e-6)
    assert alike["trial_variance"] == pytest.approx(1.0 / 199)
    assert alike == deflation(daily, trials=20)


def test_the_days_needed_are_those_at_which_luck_alone_shows_as_much() -> None:
    found = deflation(_daily(), trials=50)
    years = found["backtest_days_needed"] / 365
    best = s.expected_maximum_of_normals(50) / math.sqrt(years)
    assert best == pytest.approx(found["sharpe"])
    assert deflation(-_daily(), trials=50)["backtest_days_needed"] is None


@pytest.mark.parametrize("daily", [[], [0.01], [0.0] * 30])
def test_what_does_not_vary_has_no_figures(daily: list[float]) -> None:
    found = deflation(daily, trials=3)
    assert found["days"] == len(daily)
    assert found["trials"] == 3
    assert found["deflated_sharpe"] is None
    json.dumps(found, allow_nan=False)


def test_sets_that_did_the_same_or_nothing_are_one_strategy() -> None:
    one = _daily(1)
    same = np.column_stack([one, one, np.zeros(200)])
    assert overfitting(same) == {
        "probability": None,
        "loss_probability": None,
        "strategies": 1,
        "days": 200,
    }
    assert overfitting(np.zeros((0, 3)))["probability"] is None
    two = overfitting(np.column_stack([same, _daily(2)]))
    assert two["strategies"] == 2
    assert 0.0 <= two["probability"] <= 1.0


def test_where_all_earn_the_best_is_chance_but_no_loss() -> None:
    """PBO alone would speak against a search whose every trial earns."""
    rng = np.random.default_rng(3)
    shared = rng.normal(0.004, 0.005, (200, 1))
    found = overfitting(shared + rng.normal(0.0, 0.001, (200, 30)))
    assert found["probability"] > 0.2
    assert found["loss_probability"] == 0.0
