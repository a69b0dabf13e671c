"""Sample sizes against statsmodels, and stated days against simulated tests."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from statsmodels.stats.power import TTestIndPower

from ares_assets.evidence import power as p
from ares_assets.evidence.looks import crossings
from ares_assets.evidence.sequential import always_valid_test
from ares_resources.errors import BadInput


def test_reference_sample_size() -> None:
    assert p.sample_size_per_arm(0.2) == pytest.approx(393.4, abs=0.05)


@pytest.mark.parametrize("effect", [0.1, 0.5, -0.8])
@pytest.mark.parametrize("wanted", [0.8, 0.95])
@pytest.mark.parametrize("two_sided", [True, False])
def test_sample_sizes_agree_with_statsmodels(effect: float, wanted: float, two_sided: bool) -> None:
    theirs = TTestIndPower().solve_power(
        abs(effect), power=wanted, alpha=0.05, alternative="two-sided" if two_sided else "larger"
    )
    ours = p.sample_size_per_arm(effect, power=wanted, two_sided=two_sided)
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_huge_effects_still_need_a_few() -> None:
    assert 2.0 <= p.sample_size_per_arm(20.0) <= 4.0


def test_days_for_one_look() -> None:
    assert p.days_needed(1.0) == pytest.approx((1.6449 + 0.8416) ** 2 * 365, rel=1e-4)
    assert p.days_needed(0.0) == math.inf
    assert p.days_needed(2.0) == pytest.approx(p.days_needed(1.0) / 4)


@pytest.mark.parametrize("sharpe", [3.0, 6.0])
def test_sequential_days_decide_as_often_as_said(sharpe: float) -> None:
    days = int(p.days_needed_sequentially(sharpe))
    assert days > p.days_needed(sharpe)
    decided = [
        always_valid_test(
            np.random.default_rng([seed, 3]).normal(sharpe / math.sqrt(365), 1.0, days)
        ).decision
        == "better"
        for seed in range(300)
    ]
    assert 0.75 <= np.mean(decided) <= 0.93


@pytest.mark.parametrize("days", [30, 73, 110])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_the_detectable_sharpe_is_found_that_often(days: int, power: float) -> None:
    sharpe = p.detectable_sharpe(days, power=power)
    rng = np.random.default_rng([days, 5])
    better, _ = crossings(rng.normal(sharpe / math.sqrt(365), 1.0, (3000, days)))
    assert power - 0.04 <= better.mean() <= power + 0.09


def test_nothing_is_detectable_before_the_first_look() -> None:
    assert p.detectable_sharpe(19.9) == math.inf
    assert p.days_needed_sequentially(50.0) == 20.0
    assert p.days_needed_sequentially(1e-3) == math.inf


def test_detectable_sharpes_and_days_are_each_others_inverse() -> None:
    for days in (40, 73, 400):
        sharpe = p.detectable_sharpe(days, level=0.02)
        assert p.days_needed_sequentially(sharpe * 1.001, level=0.02) == days


def test_the_window_is_counted_from_the_holdouts_share() -> None:
    assert p.window_days(73, 0.2) == 365
    assert p.window_days(20, 0.3) == 67
    assert p.window_days(math.inf, 0.2) == math.inf
    with pytest.raises(BadInput, match="holdout_share"):
        p.window_days(20, 0.0)


def test_power_is_told_from_lengths_and_volatility_alone() -> None:
    told = p.power_analysis(
        73, holdout_share=0.2, target_volatility=0.2, market_volatility=0.7, level=0.05
    )
    json.dumps(told, allow_nan=False)
    assert told["window_days"] == 365
    assert told["first_look_window_days"] == 100
    found = told["detectable"]["80%"]
    assert found["annual_sharpe"] == p.detectable_sharpe(73)
    assert found["annual_return"] == pytest.approx(0.2 * found["annual_sharpe"])
    assert found["annual_sharpe"] < told["detectable"]["90%"]["annual_sharpe"]
    two = next(row for row in told["needed"] if row["annual_sharpe"] == 2.0)
    assert two["days_80%"] == p.days_needed_sequentially(2.0)
    assert two["window_days_90%"] == math.ceil(
        p.days_needed_sequentially(2.0, power=0.9) / 0.2 - 1e-9
    )
    # Paired days are worth two of arms apart, and one look at the end the least of all.
    assert two["separate_arms_days_80%"] == pytest.approx(2 * two["one_look_days_80%"], rel=0.01)
    assert two["one_look_days_80%"] < two["days_80%"]


def test_a_month_can_settle_nothing_and_says_so() -> None:
    told = p.power_analysis(6, holdout_share=0.2, target_volatility=0.2, market_volatility=None)
    assert told["detectable"]["90%"] == {"annual_sharpe": None, "annual_return": None}
    assert "no verdict is possible before 20 days of holdout" in told["in_words"]


def test_sentences_say_what_is_missing() -> None:
    assert "not positive" in p.describe_data_needed(-0.3, 60)
    lacking = p.describe_data_needed(2.0, 60)
    assert "60" in lacking
    assert f"{p.days_needed_sequentially(2.0):.0f} days" in lacking
    assert "would usually have settled" in p.describe_data_needed(9.0, 365)
    assert "too small" in p.describe_data_needed(0.01, 365)
    assert "no difference could be measured" in p.describe_data_needed(None, 6)
    for sharpe in (-0.3, 2.0, 9.0, 0.01, None):
        told = p.describe_data_needed(sharpe, 60, level=0.02, holdout_share=0.25)
        assert re.search(r"\d+ days of holdout \(a window of \d+ days\)", told)


def test_bad_inputs_are_refused() -> None:
    with pytest.raises(BadInput, match="effect"):
        p.sample_size_per_arm(0.0)
    with pytest.raises(BadInput, match="power"):
        p.days_needed(1.0, power=0.3)
