"""Sample sizes against statsmodels, and stated days against simulated tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from statsmodels.stats.power import TTestIndPower

from ares_assets.evidence import power as p
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


def test_sentences_say_what_is_missing() -> None:
    assert "not positive" in p.describe_data_needed(-0.3, 60)
    lacking = p.describe_data_needed(2.0, 60)
    assert "60" in lacking
    assert f"{p.days_needed_sequentially(2.0):.0f} days" in lacking
    assert "would usually have settled" in p.describe_data_needed(9.0, 365)
    assert "too small" in p.describe_data_needed(0.01, 365)


def test_bad_inputs_are_refused() -> None:
    with pytest.raises(BadInput, match="effect"):
        p.sample_size_per_arm(0.0)
    with pytest.raises(BadInput, match="power"):
        p.days_needed(1.0, power=0.3)
