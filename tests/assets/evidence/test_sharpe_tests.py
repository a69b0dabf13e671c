"""PSR, MinTRL, DSR and MinBTL against the papers' own examples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ares_assets.evidence import sharpe_tests as s
from ares_resources.errors import BadInput


def _daily_example(*, trials: float, skew: float = -3.0, kurtosis: float = 10.0) -> float:
    moments = s.SharpeMoments(2.5 / math.sqrt(250), 1250, skew, kurtosis)
    return s.deflated_sharpe_ratio(moments, trials=trials, trial_variance=0.5 / 250)


def test_deflated_sharpe_paper_example() -> None:
    hurdle = s.expected_maximum_sharpe(100, trial_variance=0.5 / 250)
    assert hurdle == pytest.approx(0.1132, abs=5e-5)
    assert _daily_example(trials=100) == pytest.approx(0.9004, abs=5e-5)
    assert _daily_example(trials=46) == pytest.approx(0.9505, abs=5e-5)
    assert _daily_example(trials=88, skew=0.0, kurtosis=3.0) == pytest.approx(0.9505, abs=5e-5)


def test_probabilistic_sharpe_paper_example() -> None:
    assert s.probabilistic_sharpe_ratio(s.SharpeMoments(0.458, 24)) == pytest.approx(
        0.982, abs=5e-4
    )
    fat = s.SharpeMoments(0.458, 24, skew=-2.448, kurtosis=10.164)
    assert s.probabilistic_sharpe_ratio(fat) == pytest.approx(0.913, abs=5e-4)


@pytest.mark.parametrize(
    ("periods", "skew", "kurtosis", "years"),
    [(250, 0, 3, 2.73), (52, 0, 3, 2.83), (12, 0, 3, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_minimum_track_record_paper_example(
    periods: int, skew: float, kurtosis: float, years: float
) -> None:
    moments = s.SharpeMoments(2 / math.sqrt(periods), 0, skew, kurtosis)
    needed = s.minimum_track_record_length(moments, benchmark=1 / math.sqrt(periods))
    assert needed / periods == pytest.approx(years, abs=0.006)


def test_minimum_track_record_is_where_psr_reaches_confidence() -> None:
    moments = s.SharpeMoments(0.1, 0, -0.5, 6.0)
    needed = s.minimum_track_record_length(moments, confidence=0.9)
    reached = s.SharpeMoments(0.1, round(needed), -0.5, 6.0)
    assert s.probabilistic_sharpe_ratio(reached) == pytest.approx(0.9, abs=1e-3)
    assert s.minimum_track_record_length(s.SharpeMoments(-0.1, 10)) == math.inf


def test_minimum_backtest_length() -> None:
    assert s.minimum_backtest_length(45) == pytest.approx(4.998, abs=1e-3)
    assert s.minimum_backtest_length(7) == pytest.approx(1.92, abs=5e-3)


def test_one_trial_deflates_nothing() -> None:
    moments = s.SharpeMoments(0.1, 200)
    assert s.deflated_sharpe_ratio(moments, trials=1, trial_variance=0.01) == (
        s.probabilistic_sharpe_ratio(moments)
    )


def test_moments_of_a_sample_agree_with_scipy() -> None:
    from scipy.stats import kurtosis, skew

    x = np.random.default_rng(0).gamma(2.0, 0.01, 500) - 0.018
    moments = s.sharpe_moments(x)
    assert moments.skew == pytest.approx(skew(x))
    assert moments.kurtosis == pytest.approx(kurtosis(x, fisher=False))
    assert moments.sharpe == pytest.approx(x.mean() / x.std(ddof=1))


def test_standard_error_is_that_of_simulated_sharpe_ratios() -> None:
    """Skewed returns: a wrong sign of the skew term misses the spread by a third."""
    rng = np.random.default_rng(1)
    samples = 0.5 - rng.exponential(1.0, (20_000, 250)) + 1.0
    measured = samples.mean(axis=1) / samples.std(axis=1, ddof=1)
    law = s.SharpeMoments(0.5, 250, skew=-2.0, kurtosis=9.0)
    assert measured.std() == pytest.approx(math.sqrt(law.variance_factor / 249), rel=0.03)


def test_bad_inputs_are_named() -> None:
    with pytest.raises(BadInput, match="variation"):
        s.sharpe_moments(np.zeros(5))
    with pytest.raises(BadInput, match="trials = 0"):
        s.expected_maximum_of_normals(0)
    with pytest.raises(BadInput, match="confidence"):
        s.minimum_track_record_length(s.SharpeMoments(0.1, 10), confidence=1.0)
    with pytest.raises(BadInput, match="no distribution"):
        s.probabilistic_sharpe_ratio(s.SharpeMoments(1.0, 10, skew=3.0, kurtosis=1.0))
