"""The kernels of the regime algorithms against plain twins, slopes and brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from helpers.prefix import assert_prefix_invariant

from ares_assets.market.regimes import kernels_reference, switching_fit
from ares_assets.market.regimes.jump_kernel import accumulated_costs, cheapest_path
from ares_assets.market.regimes.switching_fit import fit_switching_law, negative_posterior
from ares_assets.market.regimes.switching_kernel import switching_filter
from ares_assets.market.regimes.switching_law import SwitchingLaw, reordered
from ares_assets.market.regimes.switching_likelihood_kernel import switching_likelihood
from ares_resources.errors import BadInput
from ares_resources.settings import RegimeSettings

THETA = np.concatenate(
    [
        [-0.5, 0.3, 1.2, np.log(0.05), np.log(0.08), -3.0, np.log(2.5)],
        [-3.0, -2.5, -3.5, 0.3, -0.6, 0.9, 0.4, -0.7, 0.1, -0.2],
    ]
)


def observed(rows: int = 300) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(8)
    returns = generator.standard_t(3, rows)
    returns[7] = 0.0
    returns[50] = 40.0  # far beyond the cap
    funding = np.where(np.arange(rows) % 20 == 19, generator.standard_normal(rows), np.nan)
    return returns, funding


def law(power: float = 1.0) -> SwitchingLaw:
    return switching_fit._law(THETA, power)


def arguments(of: SwitchingLaw) -> tuple:
    chain = (of.transition, of.funding_mean, of.funding_deviation)
    return (of.level, of.dynamics, of.jumps, *chain)


@pytest.mark.parametrize("power", [1.0, 0.25])
def test_switching_filter_is_its_twin(power):
    drift = np.array([0.05, -0.08, 0.0])
    given = (*observed(), *arguments(law()), drift, power)
    filtered = switching_filter(*given)
    np.testing.assert_allclose(filtered, kernels_reference.switching_filter(*given), atol=1e-12)
    np.testing.assert_allclose(filtered.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("power", [1.0, 0.25])
def test_switching_likelihood_is_its_twin(power):
    given = (*observed(), *arguments(law()), power)
    expected = kernels_reference.switching_log_likelihood(*given)
    assert switching_likelihood(*given)[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("power", [1.0, 0.25])
@pytest.mark.parametrize("parameter", range(len(THETA)))
def test_slopes_are_those_of_the_posterior(parameter, power):
    returns, funding = observed()
    step = np.zeros(len(THETA))
    step[parameter] = 1e-5
    up, down = (negative_posterior(THETA + s, returns, funding, power)[0] for s in (step, -step))
    slope = negative_posterior(THETA, returns, funding, power)[1][parameter]
    assert slope == pytest.approx((up - down) / 2e-5, rel=1e-4, abs=1e-7)


def test_reordering_a_law_renames_its_states_and_nothing_else():
    order = np.array([2, 0, 1])
    whole, turned = law(), reordered(law(), order)
    np.testing.assert_allclose(turned.transition, whole.transition[np.ix_(order, order)])
    np.testing.assert_allclose(whole.transition.sum(axis=1), 1)
    drift = np.zeros(3)
    before = switching_filter(*observed(), *arguments(whole), drift, 1.0)
    after = switching_filter(*observed(), *arguments(turned), drift, 1.0)
    np.testing.assert_allclose(after, before[:, order], atol=1e-12)


def test_a_known_law_is_found_again():
    truth = law()
    truth = SwitchingLaw(**{**vars(truth), "leave": np.full(3, 1 / 800)})
    returns, funding, _ = drawn(truth, 60_000)
    settings = RegimeSettings(shortest_mean_dwell_bars=200)
    found = fit_switching_law(returns, funding, level=np.array([0.3, 1.0, 3.0]), settings=settings)
    assert found.power == 1
    np.testing.assert_allclose(np.log(found.level), np.log(truth.level), atol=0.2)
    np.testing.assert_allclose(found.dynamics, truth.dynamics, atol=0.02)
    np.testing.assert_allclose(found.jumps, truth.jumps, rtol=0.2)
    np.testing.assert_allclose(found.funding_mean, truth.funding_mean, atol=0.15)
    np.testing.assert_allclose(np.log(found.leave), np.log(truth.leave), atol=0.5)


def drawn(of: SwitchingLaw, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns, rates (every 50 bars) and states drawn from the law, straight from its words."""
    generator = np.random.default_rng(12)
    ordinary = 1 / np.sqrt(1 + of.jump_probability * (of.jump_ratio**2 - 1))
    variance, state = of.level.copy(), 0
    returns, funding, states = np.empty(rows), np.full(rows, np.nan), np.empty(rows, int)
    for t in range(rows):
        state = generator.choice(3, p=of.transition[state])
        wide = of.jump_ratio if generator.random() < of.jump_probability else 1.0
        shock = ordinary * wide * generator.standard_normal()
        returns[t], states[t] = np.sqrt(variance[state]) * shock, state
        if t % 50 == 49:
            noise = of.funding_deviation * generator.standard_normal()
            funding[t] = of.funding_mean[state] + noise
        seen = np.minimum(returns[t] ** 2, 9 * variance)
        rest = (of.persistence - of.shock) * variance
        variance = of.level * (1 - of.persistence) + of.shock * seen + rest
    return returns, funding, states


def test_a_fit_says_how_its_search_ended(monkeypatch):
    returns, funding, _ = drawn(law(), 3_000)
    settings, level = RegimeSettings(), np.array([0.3, 1.0, 3.0])
    whole = fit_switching_law(returns, funding, level=level, settings=settings)
    assert whole.converged
    assert 2 < whole.iterations < switching_fit.MOST_ITERATIONS
    monkeypatch.setattr(switching_fit, "MOST_ITERATIONS", 2)
    stopped = fit_switching_law(returns, funding, level=level, settings=settings)
    assert (stopped.converged, stopped.iterations) == (False, 2)


def test_a_fit_without_a_finite_likelihood_is_refused():
    returns, funding = observed()
    returns[100] = np.nan
    with pytest.raises(BadInput, match="no finite likelihood on 300 bars"):
        fit_switching_law(
            returns, funding, level=np.array([0.3, 1.0, 3.0]), settings=RegimeSettings()
        )


@pytest.mark.parametrize(
    ("stays_and_shares", "power"),
    [
        ([(9e9, 0.1)], 1.0),
        ([(9e9, 0.01), (9e9, 0.1)], 0.5),  # power 1 must leave each state its bars as well
        ([(9, 0.01), (9, 0.1), (9, 0.01)], 0.5),
        ([(9, 0.1), (9, 0.1), (9e9, 0.1)], 0.25),
        ([(9e9, 0.01)] * 9, 1.0),
        ([(9, 0.1)] * 9, 1 / 256),
    ],
)
def test_evidence_is_believed_as_far_as_regimes_last_and_keep_bars(
    monkeypatch, stays_and_shares, power
):
    answers = iter(stays_and_shares)
    monkeypatch.setattr(switching_fit, "_stay_and_share", lambda *_: next(answers))
    monkeypatch.setattr(
        switching_fit, "_search", lambda *given: (THETA, switching_fit._law(THETA, given[-1]))
    )
    found = fit_switching_law(
        *observed(), level=np.array([0.3, 1.0, 3.0]), settings=RegimeSettings()
    )
    assert found.power == power
    assert next(answers, None) is None


def test_bars_that_follow_no_law_are_believed_less():
    generator = np.random.default_rng(3)
    # Bustle that comes and goes within an hour, on top of levels that last a week.
    hours = np.repeat(np.exp(0.9 * generator.standard_normal(1_500)), 40)
    weeks = np.repeat(generator.choice([0.5, 1.0, 2.0], 15), 4_000)
    returns = hours * weeks * generator.standard_normal(60_000)
    settings = RegimeSettings(shortest_mean_dwell_bars=720)
    level = np.array([0.3, 1.0, 4.0]) * returns.var()
    found = fit_switching_law(returns, np.full(60_000, np.nan), level=level, settings=settings)
    assert found.power < 1


@pytest.mark.parametrize("weight", [1.0, 0.1])
def test_accumulated_costs_are_their_twin(weight):
    generator = np.random.default_rng(5)
    features, centres = generator.standard_normal((200, 2)), generator.standard_normal((3, 2))
    np.testing.assert_allclose(
        accumulated_costs(features, centres, 0.7, weight),
        kernels_reference.accumulated_costs(features, centres, 0.7, weight),
        atol=1e-10,
    )


@pytest.mark.parametrize("penalty", [0.05, 0.5, 3.0])
def test_no_path_is_cheaper_than_the_cheapest(penalty):
    generator = np.random.default_rng(6)
    features, centres = generator.standard_normal((7, 1)), np.array([[-1.0], [0.0], [1.0]])
    found = kernels_reference.path_cost(
        features, centres, penalty, tuple(cheapest_path(features, centres, penalty))
    )
    every = (
        kernels_reference.path_cost(features, centres, penalty, path)
        for path in product(range(3), repeat=7)
    )
    assert found == pytest.approx(min(every))


def test_the_cheapest_path_looks_ahead_and_the_costs_do_not():
    features = np.random.default_rng(9).standard_normal((300, 1)).cumsum(axis=0) / 5
    centres = np.array([[-1.0], [0.0], [1.0]])
    assert_prefix_invariant(
        lambda frame: accumulated_costs(frame.to_numpy(), centres, 1.0, 1.0)[:, 0],
        _frame(features),
        range(1, 300, 7),
    )
    with pytest.raises(AssertionError, match="saw the future"):
        assert_prefix_invariant(
            lambda frame: cheapest_path(frame.to_numpy(), centres, 1.0),
            _frame(features),
            range(1, 300),
        )


def _frame(features: np.ndarray):
    import pandas as pd

    return pd.DataFrame({"feature": features[:, 0]})
