"""Fitting the regime-switching GARCH: which law makes the bars to fit on most likely.

Belongs here: the parameters, their priors and bounds, the search, and how far the evidence is
believed.  Does not belong here: the loops over bars (``switching_kernel``), naming, decoding.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ares_assets.market.regimes.base import STATES
from ares_assets.market.regimes.switching_law import (
    Array,
    SwitchingLaw,
    other_states,
    reordered,
)
from ares_resources.errors import BadInput
from ares_resources.settings import RegimeSettings

LOWER_POWERS = tuple(0.5**halvings for halvings in range(1, 9))
LEAST_SHARE = 0.02
LONGEST_DWELL_BARS = 150_000.0
START_DWELLS = 4.0  # times the shortest mean dwell
MOST_ITERATIONS = 200
# Where the search starts and how far it may go: round values (persistence .98, shock .1, a jump
# in about fifty bars, four times as wide), of no market and not of the simulator's.
START_DYNAMICS = (np.log(0.02), np.log(0.1), -4.0, np.log(3.0))
DYNAMICS_BOUNDS = (
    (np.log(1e-4), np.log(0.3)),  # 1 - persistence
    (np.log(3e-3), np.log(0.3)),  # shock
    (-8.0, 0.0),  # log odds of a jump
    (np.log(0.3), np.log(15.0)),  # how much wider than ordinary a jump is
)
LEVEL_REACH = 1.0  # of the log variance, from the mixture's
FUNDING_DEVIATION = (0.5, 1.5)


def fit_switching_law(
    returns: Array, funding: Array, *, level: Array, settings: RegimeSettings
) -> SwitchingLaw:
    """The most likely law, believed as far as its regimes last.

    On bars that follow the law all evidence is believed (``power`` 1).  Real bars follow none:
    volatility has a longer memory, and the likelihood then spends the states on minutes of
    bustle.  Evidence raised to a power below 1 is the known remedy (Miller and Dunson 2019,
    Robust Bayesian inference via coarsening); the power is halved until the regimes decided on
    these bars last ``settings.shortest_mean_dwell_bars`` on average, as long as that leaves
    each state :data:`LEAST_SHARE` of the bars.  A power that leaves it is preferred to one that
    does not, power 1 included; if none does, the law of power 1 stands.

    Parameters
    ----------
    returns, funding
        Standardised returns, and standardised rates where one is settled, else NaN, (n,).
    level
        Variances to start from, ascending, (3,).

    Raises
    ------
    BadInput
        If the search ends at no finite likelihood.
    """
    shortest = settings.shortest_mean_dwell_bars
    theta = _start(level, START_DWELLS * shortest)
    bounds = _bounds(theta, shortest)
    theta, believed = _search(theta, bounds, returns, funding, 1.0)
    stay, share = _stay_and_share(believed, returns, funding, settings)
    for power in LOWER_POWERS:
        if share >= LEAST_SHARE and stay >= shortest:
            break
        theta, law = _search(theta, bounds, returns, funding, power)
        longer, rest = _stay_and_share(law, returns, funding, settings)
        if rest >= LEAST_SHARE:
            believed, stay, share = law, longer, rest
        elif share >= LEAST_SHARE:
            break
    return reordered(believed, np.argsort(believed.level, kind="stable"))


def _stay_and_share(
    law: SwitchingLaw, returns: Array, funding: Array, settings: RegimeSettings
) -> tuple[float, float]:
    """Mean stay in a decided state, bars, and the share of the state that is held least."""
    from ares_assets.market.regimes.hysteresis_kernel import decide_with_hysteresis
    from ares_assets.market.regimes.switching_kernel import switching_filter

    filtered = switching_filter(
        returns,
        funding,
        law.level,
        law.dynamics,
        law.jumps,
        law.transition,
        law.funding_mean,
        law.funding_deviation,
        np.zeros(STATES),
        law.power,
    )
    start = int(filtered[0].argmax())
    held = decide_with_hysteresis(
        filtered, settings.enter_probability, settings.minimum_dwell_bars, start
    )
    switches = int((held[1:] != held[:-1]).sum())
    return len(held) / (switches + 1), float(np.bincount(held, minlength=STATES).min() / len(held))


def negative_posterior(
    theta: Array, returns: Array, funding: Array, power: float
) -> tuple[float, Array]:
    """Minus the log posterior per bar and its slope in the search's own coordinates, (17,).

    Priors are weak: one more exit of every kind, and funding means near the overall one.
    """
    from ares_assets.market.regimes.switching_likelihood_kernel import switching_likelihood

    law = _law(theta, power)
    value, moves, by_level, by_dynamics, by_jumps, by_mean, by_deviation = switching_likelihood(
        returns,
        funding,
        law.level,
        law.dynamics,
        law.jumps,
        law.transition,
        law.funding_mean,
        law.funding_deviation,
        power,
    )
    moves = moves + (1.0 - np.eye(STATES))
    leaving = moves.sum(axis=1) - np.diag(moves)
    first = np.array([moves[state, pair[0]] for state, pair in enumerate(other_states())])
    value += 2.0 * np.log(law.leave).sum()
    value += (np.log(law.first_exit) + np.log(1.0 - law.first_exit)).sum()
    value -= 0.5 * float((law.funding_mean**2).sum())
    odds = law.jump_probability * (1.0 - law.jump_probability)
    slope = np.concatenate(
        [
            by_level * law.level,
            [-by_dynamics[0] * (1.0 - law.persistence), by_dynamics[1] * law.shock],
            [by_jumps[0] * odds, by_jumps[1] * (law.jump_ratio - 1.0)],
            leaving - np.diag(moves) * law.leave / (1.0 - law.leave),
            first * (1.0 - law.first_exit) - (leaving - first) * law.first_exit,
            by_mean - law.funding_mean,
            [by_deviation * law.funding_deviation],
        ]
    )
    return -value / len(returns), -slope / len(returns)


def _law(theta: Array, power: float) -> SwitchingLaw:
    return SwitchingLaw(
        level=np.exp(theta[:3]),
        persistence=float(1.0 - np.exp(theta[3])),
        shock=float(np.exp(theta[4])),
        jump_probability=float(1.0 / (1.0 + np.exp(-theta[5]))),
        jump_ratio=float(1.0 + np.exp(theta[6])),
        leave=np.exp(theta[7:10]),
        first_exit=1.0 / (1.0 + np.exp(-theta[10:13])),
        funding_mean=theta[13:16].copy(),
        funding_deviation=float(np.exp(theta[16])),
        power=power,
    )


def _start(level: Array, dwell: float) -> Array:
    exits = np.full(STATES, -np.log(max(dwell, 2.0)))
    return np.concatenate(
        [np.log(level), START_DYNAMICS, exits, np.zeros(STATES), np.zeros(STATES), [0.0]]
    )


def _bounds(start: Array, shortest_dwell: float) -> list[tuple[float, float]]:
    soonest = -np.log(max(shortest_dwell, 2.0))
    latest = -np.log(max(LONGEST_DWELL_BARS, 16.0 * shortest_dwell))
    levels = [(value - LEVEL_REACH, value + LEVEL_REACH) for value in start[:STATES]]
    chain = [(latest, soonest)] * STATES + [(-4.0, 4.0)] * STATES
    low, high = (float(np.log(value)) for value in FUNDING_DEVIATION)
    return [*levels, *DYNAMICS_BOUNDS, *chain, *[(-3.0, 3.0)] * STATES, (low, high)]


def _search(
    start: Array, bounds: list[tuple[float, float]], returns: Array, funding: Array, power: float
) -> tuple[Array, SwitchingLaw]:
    """Where the search ends, and the law there."""
    from scipy.optimize import minimize
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # more threads would round the sums differently
        found = minimize(
            negative_posterior,
            start,
            args=(returns, funding, power),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": MOST_ITERATIONS, "maxcor": 20, "ftol": 1e-9, "gtol": 1e-5},
        )
    if not (np.isfinite(found.fun) and np.isfinite(found.x).all()):
        raise BadInput(f"regimes: filtered_hmm finds no finite likelihood on {len(returns)} bars")
    law = replace(_law(found.x, power), converged=bool(found.success), iterations=int(found.nit))
    return found.x, law
