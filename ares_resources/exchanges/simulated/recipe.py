"""The recipe of a simulated market: every constant of its law, and what follows from them.

Belongs here: numbers, and the closed forms derived from them alone.  Does not belong here:
random draws, bars, symbols.  Regimes are in the order bull, bear, sideways throughout.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

MINUTE_MS: Final = 60_000
MINUTES_PER_DAY: Final = 1_440
MINUTES_PER_YEAR: Final = 525_600
GENESIS_MS: Final = (
    1_609_459_200_000  # 2021-01-01T00:00:00Z, on the grid of every timeframe but the week
)

REGIMES: Final = ("bull", "bear", "sideways")
ANNUAL_VOLATILITY: Final = (0.52, 0.95, 0.36)
DAILY_DRIFT: Final = (0.012, -0.018, 0.0)
MEAN_DWELL_MINUTES: Final = (2_880.0, 1_920.0, 2_880.0)
EXITS: Final = ((0.0, 0.35, 0.65), (0.40, 0.0, 0.60), (0.55, 0.45, 0.0))

GARCH_SHOCK: Final = 0.045
GARCH_MEMORY: Final = 0.947
SHOCK_CAP: Final = 9.0  # squared standard deviations; without it kurtosis is in the hundreds
JUMP_PROBABILITY: Final = 0.003
JUMP_SCALE: Final = 6.0

SIGNAL_HALFLIFE_MINUTES: Final = 30.0
SIGNAL_PERSISTENCE: Final = 0.5 ** (1.0 / SIGNAL_HALFLIFE_MINUTES)
TAKER_LOADING: Final = 0.35  # taker-buy share = Phi(TAKER_LOADING * u)

FUNDING_EVERY_MINUTES: Final = 480
FUNDING_MEAN: Final = (2.2e-4, -0.6e-4, 0.8e-4)
FUNDING_NOISE: Final = 1.6e-4

# Half-life of the past variance that widens a bar's high and low, and the law of volume: the
# only constants here that no learner can gain from, since they carry nothing about the future.
RANGE_HALFLIFE_MINUTES: Final = 60.0
RANGE_MEMORY: Final = 0.5 ** (1.0 / RANGE_HALFLIFE_MINUTES)
VOLUME_BASE: Final = 250.0
VOLUME_FLOOR: Final = 0.4
VOLUME_NOISE: Final = 0.5

FLIP: Final = (0.035, 0.035, -0.035)
CONSISTENT: Final = (0.03, 0.03, 0.03)
NOTHING: Final = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class MarketRecipe:
    """What one market plants on top of the law that all of them share.

    Attributes
    ----------
    name
        How people call it.
    signal
        Loading b of the next minute's return on the published signal x, a regime each, in
        units of that regime's mean volatility.
    edge
        Scales ``signal``; 1 is the market as published, 0 leaves drift alone.
    daily_drift
        Drift mu, fraction a day, a regime each.
    break_ms
        Open time (ms UTC) of the first bar whose return no longer loads on x; None: never.
    initial_price
        Open of the first bar.
    """

    name: str
    signal: tuple[float, float, float] = FLIP
    edge: float = 1.0
    daily_drift: tuple[float, float, float] = DAILY_DRIFT
    break_ms: int | None = None
    initial_price: float = 2_000.0

    @property
    def loading(self) -> np.ndarray:
        """b sbar, return a minute per unit of x, shape (3,), before the break."""
        return self.edge * np.array(self.signal) * mean_volatility()

    @property
    def drift(self) -> np.ndarray:
        """mu, return a minute, shape (3,)."""
        return np.array(self.daily_drift) / MINUTES_PER_DAY

    def break_minute(self, genesis_ms: int = GENESIS_MS) -> int:
        """Minutes from the genesis to the break; past any simulation where there is none."""
        if self.break_ms is None:
            return np.iinfo(np.int64).max
        return (self.break_ms - genesis_ms) // MINUTE_MS


def mean_volatility() -> np.ndarray:
    """sbar, standard deviation of a minute's return, shape (3,)."""
    return np.array(ANNUAL_VOLATILITY) / math.sqrt(MINUTES_PER_YEAR)


def transition_matrix() -> np.ndarray:
    """P of the regime chain for one minute, rows from, columns to, shape (3, 3)."""
    leave = 1.0 / np.array(MEAN_DWELL_MINUTES)
    return np.diag(1.0 - leave) + leave[:, None] * np.array(EXITS)


def stationary_distribution() -> np.ndarray:
    """Long-run share of time in each regime, shape (3,): the solution of p P = p, sum p = 1."""
    equations = np.vstack([transition_matrix().T - np.eye(3), np.ones(3)])
    return np.linalg.lstsq(equations, np.array([0.0, 0.0, 0.0, 1.0]), rcond=None)[0]


def shock_scales() -> tuple[float, float]:
    """Standard deviations of z without and with a jump, such that E z**2 = 1."""
    ordinary = 1.0 / math.sqrt(1.0 + JUMP_PROBABILITY * (JUMP_SCALE**2 - 1.0))
    return ordinary, JUMP_SCALE * ordinary


def capped_shock_moment() -> float:
    """m = E[min(z**2, SHOCK_CAP)], from the normal partial moments of both components."""
    ordinary, jump = (_capped_normal_moment(scale) for scale in shock_scales())
    return (1.0 - JUMP_PROBABILITY) * ordinary + JUMP_PROBABILITY * jump


def _capped_normal_moment(scale: float) -> float:
    limit = math.sqrt(SHOCK_CAP) / scale
    inside = math.erf(limit / math.sqrt(2.0))
    density = math.exp(-0.5 * limit * limit) / math.sqrt(2.0 * math.pi)
    return scale * scale * (inside - 2.0 * limit * density) + SHOCK_CAP * (1.0 - inside)


def variance_persistence() -> float:
    """How much of a variance's distance from its mean is left after a minute."""
    return GARCH_SHOCK * capped_shock_moment() + GARCH_MEMORY


def variance_intercepts() -> np.ndarray:
    """w of the variance recursions, shape (3,), such that E sigma**2 = sbar**2."""
    return mean_volatility() ** 2 * (1.0 - variance_persistence())


@lru_cache(maxsize=1)
def _intraday_shape() -> np.ndarray:
    minute = np.arange(MINUTES_PER_DAY)
    day = 2.0 * np.pi / MINUTES_PER_DAY
    log_shape = 0.35 * np.sin(day * (minute - 510)) + 0.15 * np.sin(2 * day * (minute - 780))
    shape = np.exp(log_shape)
    shape /= np.sqrt(np.mean(shape**2))
    shape.setflags(write=False)
    return shape


def intraday_shape(timestamp: np.ndarray) -> np.ndarray:
    """s, the volatility multiple of the minute that opens at ``timestamp`` (ms UTC), E s**2 = 1."""
    minute = (np.asarray(timestamp, dtype=np.int64) // MINUTE_MS) % MINUTES_PER_DAY
    return _intraday_shape()[minute]
