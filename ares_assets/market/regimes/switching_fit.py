"""Fitting the regime-switching GARCH: which law makes the bars to fit on most likely.

Belongs here: the parameters, their priors and bounds, the search, and how far the evidence is
believed.  Does not belong here: the loops over bars (``switching_kernel``), naming, decoding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ares_resources.settings import RegimeSettings

Array = NDArray[np.float64]

STATES = 3
LEAST_POWER = 1.0 / 256.0
LEAST_SHARE = 0.02
LONGEST_DWELL_BARS = 150_000.0
START_DWELLS = 4.0  # times the shortest mean dwell
# Where the search starts and how far it may go: a volatility that forgets in about an hour, as
# minutes of every liquid market do, and a jump now and then.
START_DYNAMICS = (np.log(0.02), np.log(0.045), -4.0, np.log(3.0))
DYNAMICS_BOUNDS = (
    (np.log(1e-4), np.log(0.3)),  # 1 - persistence
    (np.log(3e-3), np.log(0.3)),  # shock
    (-8.0, 0.0),  # log odds of a jump
    (np.log(0.3), np.log(15.0)),  # how much wider than ordinary a jump is
)
LEVEL_REACH = 1.0  # of the log variance, from the mixture's
FUNDING_DEVIATION = (0.5, 1.5)


@dataclass(frozen=True)
class SwitchingLaw:
    """The law's numbers, in units of the standardised return and the standardised rate.

    ``level`` (3,) variance each state's recursion leans to; ``persistence``, ``shock``;
    ``jump_probability``, ``jump_ratio``; ``leave`` (3,) chance a bar to leave; ``first_exit``
    (3,) share of the exits that go to the first of the two other states; ``funding_mean`` (3,),
    ``funding_deviation``; ``power`` to which a bar's evidence counts.
    """

    level: Array
    persistence: float
    shock: float
    jump_probability: float
    jump_ratio: float
    leave: Array
    first_exit: Array
    funding_mean: Array
    funding_deviation: float
    power: float

    @property
    def dynamics(self) -> Array:
        return np.array([self.persistence, self.shock])

    @property
    def jumps(self) -> Array:
        return np.array([self.jump_probability, self.jump_ratio])

    @property
    def transition(self) -> Array:
        """Chance to go from row to column a bar, (3, 3)."""
        matrix = np.diag(1.0 - self.leave)
        for state, (first, second) in enumerate(_others()):
            matrix[state, first] = self.leave[state] * self.first_exit[state]
            matrix[state, second] = self.leave[state] * (1.0 - self.first_exit[state])
        return matrix


def fit_switching_law(
    returns: Array, funding: Array, *, level: Array, settings: RegimeSettings
) -> SwitchingLaw:
    """The most likely law, believed as far as its regimes last.

    On bars that follow the law all evidence is believed (``power`` 1).  Real bars follow none:
    volatility has a longer memory, and the likelihood then spends the states on minutes of
    bustle.  Evidence raised to a power below 1 is the known remedy (Miller and Dunson 2019,
    Robust Bayesian inference via coarsening); the power is halved until the regimes decided on
    these bars last ``settings.shortest_mean_dwell_bars`` on average, as long as that leaves
    each state :data:`LEAST_SHARE` of the bars.

    Parameters
    ----------
    returns, funding
        Standardised returns, and standardised rates where one is settled, else NaN, (n,).
    level
        Variances to start from, ascending, (3,).
    """
    shortest = settings.shortest_mean_dwell_bars
    theta = _start(level, START_DWELLS * shortest)
    bounds = _bounds(theta, shortest)
    believed = None
    power = 1.0
    while power >= LEAST_POWER:
        theta = _search(theta, bounds, returns, funding, power)
        law = _law(theta, power)
        stay, share = _stay_and_share(law, returns, funding, settings)
        if believed is not None and share < LEAST_SHARE:
            break
        believed = law
        if stay >= shortest:
            break
        power /= 2.0
    assert believed is not None
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
    first = np.array([moves[state, pair[0]] for state, pair in enumerate(_others())])
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


def _others() -> tuple[tuple[int, int], ...]:
    return ((1, 2), (0, 2), (0, 1))


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
) -> Array:
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
            options={"maxiter": 80, "maxcor": 20, "ftol": 1e-9, "gtol": 1e-5},
        )
    return found.x


def reordered(law: SwitchingLaw, order: NDArray[np.int64]) -> SwitchingLaw:
    """The same law with state ``order[i]`` at place i."""
    moves = law.transition[np.ix_(order, order)]
    leave = law.leave[order]
    first = np.array([moves[state, pair[0]] for state, pair in enumerate(_others())]) / leave
    return replace(
        law,
        level=law.level[order],
        leave=leave,
        first_exit=first,
        funding_mean=law.funding_mean[order],
    )
