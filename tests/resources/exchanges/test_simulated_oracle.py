"""The oracle is the truth: plain twins, no future, nothing hidden, and calibrated."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ares_resources.errors import BadInput
from ares_resources.exchanges.simulated import recipe as law
from ares_resources.exchanges.simulated.market import SimulatedMarket, simulate
from ares_resources.exchanges.simulated.oracle import (
    OracleBelief,
    funding_at_close,
    information_coefficient_to_auc,
    oracle_filter,
    oracle_forecast,
)
from ares_resources.exchanges.simulated.oracle_reference import (
    filter_plainly,
    forecast_plainly,
    shock_density,
)
from ares_resources.exchanges.simulated.symbols import LABORATORY

BREAK_MINUTE = 3_000
RECIPE = dataclasses.replace(
    LABORATORY["FLIP"], break_ms=law.GENESIS_MS + BREAK_MINUTE * law.MINUTE_MS
)


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    return simulate(RECIPE, seed=2, minutes=5_000)


@pytest.fixture(scope="module")
def belief(market: SimulatedMarket) -> OracleBelief:
    return oracle_filter(RECIPE, market.bars(), market.funding())


def test_signal_and_variances_are_those_of_the_hidden_path(
    market: SimulatedMarket, belief: OracleBelief
) -> None:
    np.testing.assert_allclose(belief.signal, market.signal, atol=1e-11)
    np.testing.assert_allclose(belief.next_variance[:-1], market.variance[1:], rtol=1e-8)


def test_filter_equals_its_plain_twin(market: SimulatedMarket, belief: OracleBelief) -> None:
    e = (market.close / market.open - 1.0) / law.intraday_shape(market.timestamp)
    before = np.concatenate([[0.0], market.signal[:-1]])
    settled = funding_at_close(market.timestamp, market.funding())
    assert np.isfinite(settled).sum() == 5_000 // 480
    posterior, variance = filter_plainly(RECIPE, e, before, settled, BREAK_MINUTE)
    np.testing.assert_allclose(belief.probability, posterior, atol=1e-10)
    np.testing.assert_allclose(belief.next_variance, variance, rtol=1e-12)


@pytest.mark.parametrize("horizon", [1, 60, 1_500])
def test_forecast_equals_its_plain_twin_across_the_break(
    horizon: int, belief: OracleBelief
) -> None:
    forecast = oracle_forecast(RECIPE, belief, horizon=horizon)
    for row in (0, 1_439, 2_939, 2_940, 2_970, 2_998, 2_999, 3_000, 4_999):
        expected, variance = forecast_plainly(
            RECIPE,
            int(belief.timestamp[row]) + law.MINUTE_MS,
            belief.probability[row],
            float(belief.signal[row]),
            belief.next_variance[row],
            horizon,
        )
        assert forecast.expected[row] == pytest.approx(expected, rel=1e-9, abs=1e-15)
        assert forecast.variance[row] == pytest.approx(variance, rel=1e-9)
        assert forecast.score[row] == pytest.approx(expected / variance**0.5, rel=1e-9)


@pytest.mark.parametrize("cut", [1, 481, 1_234, 4_999])
def test_belief_does_not_change_when_the_future_is_cut(
    cut: int, market: SimulatedMarket, belief: OracleBelief
) -> None:
    part = oracle_filter(RECIPE, market.bars().iloc[:cut], market.funding())
    assert np.array_equal(part.probability, belief.probability[:cut])
    assert np.array_equal(part.next_variance, belief.next_variance[:cut])
    forecast = oracle_forecast(RECIPE, part, horizon=60)
    whole = oracle_forecast(RECIPE, belief, horizon=60)
    assert np.array_equal(forecast.expected, whole.expected[:cut])
    assert np.array_equal(forecast.variance, whole.variance[:cut])


def test_density_is_one_and_of_unit_variance() -> None:
    z = np.linspace(-60, 60, 240_001)
    density = np.array([shock_density(value) for value in z])
    step = z[1] - z[0]
    assert density.sum() * step == pytest.approx(1.0, abs=1e-9)
    assert (density * z**2).sum() * step == pytest.approx(1.0, abs=1e-9)


def test_probabilities_mean_what_they_say() -> None:
    """In each tenth of p the regime holds that often: within 4 errors of about 400 spells."""
    recipe = LABORATORY["FLIP"]
    market = simulate(recipe, seed=12, minutes=2 * 525_600)
    belief = oracle_filter(recipe, market.bars(), market.funding())
    np.testing.assert_allclose(belief.probability.sum(axis=1), 1.0, atol=1e-12)
    for state in range(3):
        p, truth = belief.probability[:, state], market.regime == state
        tenth = np.minimum((p * 10).astype(int), 9)
        for k in range(10):
            inside = tenth == k
            assert truth[inside].mean() == pytest.approx(p[inside].mean(), abs=0.07), (state, k)


def test_extreme_returns_leave_a_proper_belief(market: SimulatedMarket) -> None:
    bars = market.bars().iloc[:50].copy()
    bars.loc[20, "close"] = bars.loc[20, "open"] * 1.9
    belief = oracle_filter(RECIPE, bars, market.funding())
    np.testing.assert_allclose(belief.probability.sum(axis=1), 1.0, atol=1e-12)
    assert belief.probability[20].argmax() == 1  # only the wildest regime explains it


def test_a_late_start_is_forgotten_within_a_day() -> None:
    recipe = LABORATORY["FLIP"]
    market = simulate(recipe, seed=7, minutes=20 * 1_440)
    whole = oracle_filter(recipe, market.bars(), market.funding())
    late = oracle_filter(recipe, market.bars().iloc[5 * 1_440 :], market.funding())
    gap = np.abs(late.probability - whole.probability[5 * 1_440 :]).max(axis=1)
    assert gap[2 * 1_440 :].max() < 1e-3
    assert gap[:60].max() > 1e-3


def test_null_forecast_is_zero_and_edge_scales_the_forecast() -> None:
    recipe = LABORATORY["NULL"]
    market = simulate(recipe, seed=1, minutes=3_000)
    belief = oracle_filter(recipe, market.bars(), market.funding())
    assert not oracle_forecast(recipe, belief, horizon=60).expected.any()
    flat = dataclasses.replace(LABORATORY["FLIP"], daily_drift=(0.0, 0.0, 0.0))
    half = dataclasses.replace(flat, edge=0.5)
    whole = oracle_forecast(flat, belief, horizon=60).expected
    np.testing.assert_allclose(
        oracle_forecast(half, belief, horizon=60).expected, 0.5 * whole, rtol=1e-12
    )


def test_forecast_is_unbiased_for_what_comes() -> None:
    """The slope of R on E is 1: about 8 760 independent hours a year, IC .14, so +- .05 each."""
    slopes = []
    for seed in range(4):
        market = simulate(LABORATORY["FLIP"], seed=seed, minutes=525_600)
        belief = oracle_filter(market.recipe, market.bars(), market.funding())
        forecast = oracle_forecast(market.recipe, belief, horizon=60)
        total = np.concatenate([[0.0], np.cumsum(market.returns)])
        ahead = total[61:] - total[1:-60]
        x = (forecast.expected / np.sqrt(forecast.variance))[:-60]
        y = ahead / np.sqrt(forecast.variance[:-60])
        slopes.append(x @ y / (x @ x))
    assert np.mean(slopes) == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize(
    ("correlation", "auc"), [(0.0, 0.5), (1.0, 1.0), (-1.0, 0.0), (0.145, 0.56539)]
)
def test_correlation_to_auc(correlation: float, auc: float) -> None:
    assert information_coefficient_to_auc(correlation) == pytest.approx(auc, abs=5e-6)


def test_correlation_to_auc_holds_for_normals() -> None:
    rng = np.random.default_rng(3)
    score = rng.standard_normal(200_000)
    outcome = 0.3 * score + np.sqrt(1 - 0.09) * rng.standard_normal(200_000)
    ranks = pd.Series(score).rank().to_numpy()
    up = outcome > 0
    counted = (ranks[up].sum() - up.sum() * (up.sum() + 1) / 2) / (up.sum() * (~up).sum())
    assert information_coefficient_to_auc(0.3) == pytest.approx(counted, abs=0.005)


def test_what_cannot_be_used_is_named(market: SimulatedMarket, belief: OracleBelief) -> None:
    bars = market.bars()
    with pytest.raises(BadInput, match="without a gap"):
        oracle_filter(RECIPE, bars.drop(index=7), market.funding())
    with pytest.raises(BadInput, match="0 bars"):
        oracle_filter(RECIPE, bars.iloc[:0], market.funding())
    with pytest.raises(BadInput, match="horizon 0"):
        oracle_forecast(RECIPE, belief, horizon=0)
    with pytest.raises(BadInput, match=r"1\.5"):
        information_coefficient_to_auc(1.5)
