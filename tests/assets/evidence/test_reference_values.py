"""Every reference value of METHODS.md section 4, in its order.

One place to tick them off; the tests of each module go further.  Tolerances are what the source
printed, so that a wrong sign, factor or degree of freedom fails.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from ares_assets.evidence import sharpe_tests as s
from ares_assets.evidence.overfitting import probability_of_overfitting
from ares_assets.evidence.peeking import fixed_test_peeking_error
from ares_assets.evidence.power import sample_size_per_arm
from ares_assets.evidence.reliability import calibration_noise
from ares_assets.evidence.sequential import mixture_likelihood_ratio
from ares_assets.evidence.strategy_risk import binary_sharpe, implied_bets, implied_precision
from ares_assets.evidence.superior_ability import superior_predictive_ability

# --- Deflated Sharpe ratio (Bailey & López de Prado 2014): annual 2.5 over 1250 days.


def _deflated(trials: int, skew: float, kurtosis: float) -> float:
    moments = s.SharpeMoments(2.5 / math.sqrt(250), 1250, skew, kurtosis)
    return s.deflated_sharpe_ratio(moments, trials=trials, trial_variance=0.5 / 250)


def test_deflated_sharpe_hurdle() -> None:
    hurdle = s.expected_maximum_sharpe(100, trial_variance=0.5 / 250)
    assert hurdle == pytest.approx(0.1132, abs=5e-5)


@pytest.mark.parametrize(
    ("trials", "skew", "kurtosis", "expected"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_deflated_sharpe(trials: int, skew: float, kurtosis: float, expected: float) -> None:
    assert _deflated(trials, skew, kurtosis) == pytest.approx(expected, abs=5e-5)


# --- Probabilistic Sharpe ratio and minimum lengths.


@pytest.mark.parametrize(
    ("skew", "kurtosis", "expected"), [(0.0, 3.0, 0.982), (-2.448, 10.164, 0.913)]
)
def test_probabilistic_sharpe(skew: float, kurtosis: float, expected: float) -> None:
    moments = s.SharpeMoments(0.458, 24, skew, kurtosis)
    assert s.probabilistic_sharpe_ratio(moments) == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize(
    ("periods", "skew", "kurtosis", "years"),
    [(250, 0.0, 3.0, 2.73), (52, 0.0, 3.0, 2.83), (12, 0.0, 3.0, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_minimum_track_record(periods: int, skew: float, kurtosis: float, years: float) -> None:
    moments = s.SharpeMoments(2.0 / math.sqrt(periods), 0, skew, kurtosis)
    needed = s.minimum_track_record_length(moments, benchmark=1.0 / math.sqrt(periods))
    assert needed / periods == pytest.approx(years, abs=0.006)


@pytest.mark.parametrize(("trials", "years", "within"), [(45, 4.998, 5e-4), (7, 1.92, 5e-3)])
def test_minimum_backtest_length(trials: int, years: float, within: float) -> None:
    assert s.minimum_backtest_length(trials) == pytest.approx(years, abs=within)


# --- Uniqueness (AFML 4.5) and strategy risk (AFML 15).


def test_uniqueness_of_the_books_labels() -> None:
    from ares_assets.analyst.weights import average_uniqueness

    first, last = np.array([1, 3, 5]), np.array([3, 4, 6])
    assert average_uniqueness(first, last) == pytest.approx([5 / 6, 3 / 4, 1.0])
    draws = [([1], (5 / 14, 3 / 14, 6 / 14)), ([1, 2], (5 / 11, 3 / 11, 3 / 11))]
    for drawn, shares in draws:
        joined = [[*drawn, event] for event in range(3)]
        found = np.array([average_uniqueness(first[one], last[one])[-1] for one in joined])
        assert found / found.sum() == pytest.approx(shares)


def test_strategy_risk_needs_396_bets() -> None:
    assert implied_bets(0.55, 2.0) == pytest.approx(396.0, abs=0.05)
    assert binary_sharpe(0.55, 396.0) == pytest.approx(2.0, abs=1e-4)
    assert implied_precision(396.0, 2.0) == pytest.approx(0.55, abs=1e-4)


# --- Superior predictive ability: arch's own notebook.


def _notebook_losses(rng: np.random.RandomState, y: np.ndarray, factors: np.ndarray) -> np.ndarray:
    noisy = factors + rng.randn(1000, 3)
    beta = np.linalg.lstsq(noisy[:500], y[:500], rcond=None)[0]
    return (y[500:] - noisy[500:] @ beta) ** 2


def test_superior_predictive_ability_of_the_notebook() -> None:
    rng = np.random.RandomState(23456)
    seed = rng.randint(0, 2**31 - 1)
    factors = rng.randn(1000, 3)
    rng.randn(1000)  # the notebook draws noise that it never adds
    y = factors @ np.array([1.0, 0.5, 0.1])
    benchmark = _notebook_losses(rng, y, factors)
    models = np.column_stack([_notebook_losses(rng, y, factors) for _ in range(500)])
    found = superior_predictive_ability(benchmark, models, seed=np.random.RandomState(seed))
    assert (found.lower, found.consistent, found.upper) == pytest.approx((0.520, 0.723, 0.733))


# --- Probability of backtest overfitting: 1,000 days of 100 strategies, 16 blocks.


def _overfitting(seed: int, annual_sharpe: float = 0.0) -> float:
    sample = np.random.default_rng(seed).normal(0.0, 0.01, (1000, 100))
    sample[:, 0] += 0.01 * annual_sharpe / math.sqrt(252)
    return probability_of_overfitting(sample, blocks=16).probability


def test_overfitting_of_recentred_noise() -> None:
    sample = np.random.default_rng(0).normal(0.0, 0.01, (1000, 100))
    assert probability_of_overfitting(sample - sample.mean(axis=0)).probability == 1.0


def test_overfitting_of_nulls() -> None:
    """METHODS: about .52 with deviation .17, which is a sample's mean.

    The expectation is a half exactly: the halves are independent, so the chosen strategy's rank
    is uniform.  Sixty seeds have a standard error of .02.
    """
    values = np.array([_overfitting(seed) for seed in range(60)])
    assert values.mean() == pytest.approx(0.5, abs=0.062)
    assert 0.12 < values.std(ddof=1) < 0.22
    # Below .2 alone one null in forty would pass: of sixty, six or more once in 300 samples.
    assert np.sum(values < 0.2) <= 5


@pytest.mark.parametrize(
    ("annual_sharpe", "expected", "within"),
    [(1.0, 0.43, 0.06), (2.0, 0.17, 0.05), (3.0, 0.014, 0.013)],
)
def test_overfitting_of_one_true_strategy(
    annual_sharpe: float, expected: float, within: float
) -> None:
    values = [_overfitting(seed, annual_sharpe) for seed in range(80)]
    assert np.mean(values) == pytest.approx(expected, abs=within)


@pytest.mark.slow
def test_overfitting_of_nulls_in_full() -> None:
    """With how often a PBO below .2 alone would pass them: about one in forty (METHODS)."""
    values = np.array([_overfitting(seed) for seed in range(900)])
    assert values.mean() == pytest.approx(0.5, abs=0.016)
    assert values.std(ddof=1) == pytest.approx(0.165, abs=0.015)
    assert np.mean(values < 0.2) == pytest.approx(0.025, abs=0.015)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("annual_sharpe", "expected", "within"),
    [(1.0, 0.43, 0.04), (2.0, 0.17, 0.03), (3.0, 0.014, 0.01)],
)
def test_overfitting_of_one_true_strategy_in_full(
    annual_sharpe: float, expected: float, within: float
) -> None:
    values = [_overfitting(seed, annual_sharpe) for seed in range(200)]
    assert np.mean(values) == pytest.approx(expected, abs=within)


# --- Peeking, the mixture test, and power.


@pytest.mark.parametrize(
    ("looks", "expected"), [(2, 0.083), (5, 0.142), (10, 0.193), (50, 0.320), (100, 0.374)]
)
def test_peeking_at_a_fixed_test(looks: int, expected: float) -> None:
    assert fixed_test_peeking_error(looks, 0.05) == pytest.approx(expected, abs=1e-3)


def test_mixture_likelihood_ratio() -> None:
    ratio = mixture_likelihood_ratio(100, 0.5, variance=2.0, mixture_variance=1.0)
    assert ratio == pytest.approx(64.170, abs=5e-4)
    assert 1.0 / ratio == pytest.approx(0.01558, abs=5e-6)


def test_sample_size_per_arm() -> None:
    assert sample_size_per_arm(0.2, power=0.8) == pytest.approx(393.4, abs=0.05)


# --- Indicators and labels.

STOCKCHARTS_CLOSES = (
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826,
    45.8931, 46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439,
)  # fmt: skip


def _wilder(high: np.ndarray, low: np.ndarray, close: np.ndarray) -> np.ndarray:
    """Relative strength, directional index, difference and true range, (4, n)."""
    from ares_assets.analyst import recursive_kernel

    out, state = np.empty((4, close.size)), np.zeros(recursive_kernel.WILDER_STATE)
    recursive_kernel.wilder(high, low, close, 0, close.size, state, out)
    return out


def test_relative_strength_of_the_stockcharts_series() -> None:
    closes = np.array(STOCKCHARTS_CLOSES)
    found = _wilder(closes, closes, closes)[0, 14:]
    assert found == pytest.approx([70.53, 66.32, 66.55, 69.41, 66.36, 57.97], abs=0.006)


def test_directional_index_and_true_range_are_talibs() -> None:
    import talib

    rng = np.random.default_rng(3)
    close = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, 300)))
    high, low = close * (1.0 + rng.random(300) * 0.01), close * (1.0 - rng.random(300) * 0.01)
    found = _wilder(high, low, close)
    for row, theirs in ((1, talib.ADX(high, low, close, 14)), (3, talib.ATR(high, low, close, 14))):
        known = ~np.isnan(theirs)
        assert known.sum() > 250
        np.testing.assert_allclose(found[row, known], theirs[known], rtol=1e-10)


_QUIET = (100.0, 100.5, 99.5, 100.0)
_LABELS = {
    "upper first": ([_QUIET, (100, 102.5, 99.5, 101), _QUIET, _QUIET], (2, 1, "upper", 0.02)),
    "lower first": ([_QUIET, _QUIET, (100, 100.5, 98.5, 100), _QUIET], (3, 0, "lower", -0.01)),
    "time first": ([_QUIET] * 3 + [(100, 101, 99.5, 100.25)], (4, 1, "vertical", 0.0025)),
    "same-bar double touch": (
        [_QUIET, (100, 103, 98, 101), _QUIET, _QUIET],
        (2, 0, "lower", -0.01),
    ),
    "gap through the upper": ([_QUIET, (103, 104, 97, 98), _QUIET, _QUIET], (2, 1, "upper", 0.03)),
    "gap through the lower": ([_QUIET, (97, 104, 96, 98), _QUIET, _QUIET], (2, 0, "lower", -0.03)),
    "truncated end": ([_QUIET, (100, 150, 99.5, 100)], None),
}


@pytest.mark.parametrize("case", sorted(_LABELS))
def test_triple_barrier(case: str) -> None:
    import pandas as pd

    from ares_assets.analyst.labels import triple_barrier

    bars, expected = _LABELS[case]
    frame = pd.DataFrame([(100.0,) * 4, *bars], columns=["open", "high", "low", "close"])
    frame.insert(0, "timestamp", 1_609_459_200_000 + 60_000 * np.arange(len(frame)))
    found = triple_barrier(
        frame,
        np.array([0]),
        horizon_bars=4,
        upper_width=1.0,
        lower_width=0.5,
        volatility=np.full(len(frame), 0.01),
        timeframe_ms=60_000,
    )
    if expected is None:
        assert found.empty
        return
    (told,) = found.itertuples(index=False)
    assert tuple(told)[1:4] == expected[:3]
    assert tuple(told)[4] == pytest.approx(expected[3], abs=1e-12)


# --- Noise: of a calibration error, and of the best of a hundred.


@pytest.mark.parametrize(("count", "bins"), [(500, 10), (2000, 10), (2000, 20)])
def test_noise_floor_of_the_calibration_error(count: int, bins: int) -> None:
    p = np.random.default_rng(3).uniform(0.45, 0.55, count)
    floor = calibration_noise(p, np.ones(count), bins=bins, seed=1).mean()
    assert floor == pytest.approx(0.4 * math.sqrt(bins / count), rel=0.06)


def test_the_best_of_a_hundred_null_strategies() -> None:
    """PSR takes it for skill 99 times in 100, DSR in two of a thousand; over 3,000 families."""
    rng = np.random.default_rng(20_140_101)
    probable, deflated = [], []
    for _ in range(3000):
        sample = 0.01 * rng.standard_normal((250, 100), dtype=np.float32)
        sharpes = sample.mean(axis=0) / sample.std(axis=0, ddof=1)
        best = s.sharpe_moments(sample[:, sharpes.argmax()])
        variance = float(sharpes.var(ddof=1))
        probable.append(s.probabilistic_sharpe_ratio(best) > 0.95)
        deflated.append(s.deflated_sharpe_ratio(best, trials=100, trial_variance=variance) > 0.95)
    assert 0.985 < np.mean(probable) < 0.997
    # Two of a thousand: six of 3,000, of which a right test shows none once in 400 samples.
    assert 1 <= np.sum(deflated) <= 15
