"""Simulating a market: draws in, bars and the hidden truth out.  Pure; no clock, no disk.

Belongs here: the random streams, and the observables made of the kernel's path.  Does not
belong here: which symbol is which market, pages, timeframes, and what can be inferred.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput
from ares_resources.exchanges.simulated import recipe as law
from ares_resources.exchanges.simulated.recipe import MarketRecipe

STREAMS = ("regime", "jump", "shock", "innovation", "funding", "volume", "high", "low")
BAR_COLUMNS = ("timestamp", "open", "high", "low", "close", "volume", "taker_buy_share")


@dataclass(frozen=True)
class SimulatedMarket:
    """One simulated path of n minutes: what an exchange would publish, and what it hides.

    Published: ``timestamp`` (n,) int64 ms UTC of the open, ``open``, ``high``, ``low``,
    ``close``, ``volume``, ``taker_buy_share`` (n,) and the settlements ``funding_timestamp``,
    ``funding_rate`` (n // 480,).  A settlement stands at the close of the bar whose regime drew
    it.

    Hidden: ``regime`` (n,) int8 index into bull, bear, sideways; ``variance`` (n, 3) the three
    sigma2 of each minute before the intraday shape; ``shock`` z (n,).  Observable through the
    bars, but handy: ``innovation`` u, ``signal`` x (which moves the *next* minute), ``returns``
    r, ``range_scale`` h, each (n,).
    """

    recipe: MarketRecipe
    timestamp: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    taker_buy_share: np.ndarray
    funding_timestamp: np.ndarray
    funding_rate: np.ndarray
    regime: np.ndarray
    variance: np.ndarray
    shock: np.ndarray
    innovation: np.ndarray
    signal: np.ndarray
    returns: np.ndarray
    range_scale: np.ndarray

    def bars(self) -> pd.DataFrame:
        """The published minutes as a market frame."""
        return pd.DataFrame({name: getattr(self, name) for name in BAR_COLUMNS}, copy=False)

    def funding(self) -> pd.DataFrame:
        """The published settlements: ``timestamp`` and ``funding_rate``."""
        return pd.DataFrame(
            {"timestamp": self.funding_timestamp, "funding_rate": self.funding_rate}
        )


def simulate(
    recipe: MarketRecipe, *, seed: int, minutes: int, genesis_ms: int = law.GENESIS_MS
) -> SimulatedMarket:
    """Simulate ``minutes`` minutes of a market from its genesis.

    Each variable has its own random stream, drawn in order, so a longer simulation begins with
    the shorter one, bit for bit.  The law is that of a regime-switching GARCH without path
    dependence (Haas, Mittnik and Paolella 2004) with a planted signal.

    Parameters
    ----------
    recipe
        The market.
    seed
        Root of its streams; markets of one seed share their draws.
    minutes
        Length, at least 1.
    genesis_ms
        Open time of the first bar, ms UTC; a multiple of a day.

    Raises
    ------
    BadInput
        On a length, seed or genesis out of range.
    """
    _check(seed, minutes, genesis_ms)
    streams = _streams(seed)
    timestamp = genesis_ms + np.arange(minutes, dtype=np.int64) * law.MINUTE_MS
    shape = law.intraday_shape(timestamp)
    shock = draw_shock(streams["jump"], streams["shock"], minutes)
    innovation = streams["innovation"].standard_normal(minutes)
    path = _evolve(recipe, streams["regime"].random(minutes), shock, innovation, shape, genesis_ms)
    regime, signal, returns, variance, range_scale = path
    opens, close = _prices(returns, recipe.initial_price)
    high, low = _extremes(opens, close, range_scale, streams["high"], streams["low"])
    funding_timestamp, funding_rate = _funding(timestamp, regime, streams["funding"])
    return SimulatedMarket(
        recipe=recipe,
        timestamp=timestamp,
        open=opens,
        high=high,
        low=low,
        close=close,
        volume=_volume(returns, shape, streams["volume"]),
        taker_buy_share=_taker_buy_share(innovation),
        funding_timestamp=funding_timestamp,
        funding_rate=funding_rate,
        regime=regime,
        variance=variance,
        shock=shock,
        innovation=innovation,
        signal=signal,
        returns=returns,
        range_scale=range_scale,
    )


def wandering_interest(market: SimulatedMarket) -> tuple[np.ndarray, np.ndarray]:
    """Open interest at the close of each hour, contracts, made of the market's own taker flow.

    The log is a random walk of .02 an hour: what people bought on balance stays open.  Returns
    ``timestamp`` int64 ms and the interest, each (n // 60,).
    """
    hours = market.timestamp.size // 60
    flow = market.innovation[: hours * 60].reshape(hours, 60).sum(axis=1) / math.sqrt(60.0)
    timestamp = market.timestamp[0] + np.arange(1, hours + 1, dtype=np.int64) * 3_600_000
    return timestamp, 1e6 * np.exp(0.02 * np.cumsum(flow))


def _check(seed: int, minutes: int, genesis_ms: int) -> None:
    if minutes < 1:
        raise BadInput(f"minutes {minutes!r} to simulate: at least 1 is allowed")
    if seed < 0:
        raise BadInput(f"seed {seed!r} of a simulated market: 0 or more is allowed")
    if genesis_ms % (law.MINUTES_PER_DAY * law.MINUTE_MS):
        raise BadInput(f"genesis {genesis_ms!r} ms: a multiple of a day is allowed")


def _streams(seed: int) -> dict[str, np.random.Generator]:
    children = np.random.SeedSequence(seed).spawn(len(STREAMS))
    return {
        name: np.random.Generator(np.random.PCG64(child))
        for name, child in zip(STREAMS, children, strict=True)
    }


def draw_shock(jump: np.random.Generator, normal: np.random.Generator, minutes: int) -> np.ndarray:
    """z, (minutes,): unit variance, a normal of six times the scale with probability .003."""
    ordinary, jumping = law.shock_scales()
    scale = np.where(jump.random(minutes) < law.JUMP_PROBABILITY, jumping, ordinary)
    return scale * normal.standard_normal(minutes)


def kernel_constants() -> np.ndarray:
    """The constants of the recursions in the kernel's order, (6,)."""
    return np.array(
        [
            law.GARCH_SHOCK,
            law.GARCH_MEMORY,
            law.SHOCK_CAP,
            law.SIGNAL_PERSISTENCE,
            law.RANGE_MEMORY,
            law.capped_shock_moment(),
        ]
    )


def kernel_law(recipe: MarketRecipe, genesis_ms: int = law.GENESIS_MS) -> tuple:
    """What the kernel needs besides draws and shape, in its order."""
    start = law.stationary_distribution()
    variance_start = law.mean_volatility() ** 2
    return (
        start,
        law.transition_matrix(),
        recipe.drift,
        recipe.loading,
        law.variance_intercepts(),
        variance_start,
        float(start @ variance_start),
        kernel_constants(),
        recipe.break_minute(genesis_ms),
    )


def _evolve(
    recipe: MarketRecipe,
    regime_uniform: np.ndarray,
    shock: np.ndarray,
    innovation: np.ndarray,
    shape: np.ndarray,
    genesis_ms: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    from ares_resources.exchanges.simulated import market_kernel

    return market_kernel.evolve(
        regime_uniform, shock, innovation, shape, *kernel_law(recipe, genesis_ms)
    )


def _prices(returns: np.ndarray, initial_price: float) -> tuple[np.ndarray, np.ndarray]:
    from ares_resources.exchanges.simulated import market_kernel

    close = market_kernel.compound(returns, initial_price)
    return np.concatenate([[initial_price], close[:-1]]), close


def _extremes(
    opens: np.ndarray,
    close: np.ndarray,
    range_scale: np.ndarray,
    high_stream: np.random.Generator,
    low_stream: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """High and low of a Brownian bridge from open to close in log price, drawn separately."""
    start, end = np.log(opens), np.log(close)
    above = _bridge_reach(start, end, range_scale, high_stream)
    below = _bridge_reach(start, end, range_scale, low_stream)
    high = np.exp(0.5 * (start + end + above))
    low = np.exp(0.5 * (start + end - below))
    # The exponential of a logarithm can round past the price it came from.
    return np.maximum(high, np.maximum(opens, close)), np.minimum(low, np.minimum(opens, close))


def _bridge_reach(
    start: np.ndarray, end: np.ndarray, range_scale: np.ndarray, stream: np.random.Generator
) -> np.ndarray:
    uniform = 1.0 - stream.random(start.shape[0])  # in (0, 1]
    return np.sqrt((end - start) ** 2 - 2.0 * range_scale**2 * np.log(uniform))


def _volume(returns: np.ndarray, shape: np.ndarray, stream: np.random.Generator) -> np.ndarray:
    typical = float(np.sqrt(law.stationary_distribution() @ law.mean_volatility() ** 2))
    activity = law.VOLUME_FLOOR * shape + np.abs(returns) / typical
    noise = stream.standard_normal(returns.shape[0])
    return law.VOLUME_BASE * activity * np.exp(law.VOLUME_NOISE * noise)


def _taker_buy_share(innovation: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return ndtr(law.TAKER_LOADING * innovation)


def _funding(
    timestamp: np.ndarray, regime: np.ndarray, stream: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.arange(law.FUNDING_EVERY_MINUTES - 1, len(timestamp), law.FUNDING_EVERY_MINUTES)
    noise = stream.standard_normal(len(rows))
    rate = np.array(law.FUNDING_MEAN)[regime[rows]] + law.FUNDING_NOISE * noise
    return timestamp[rows] + law.MINUTE_MS, rate
