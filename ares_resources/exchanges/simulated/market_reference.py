"""The plain twin of the market kernel: the published equations, one minute at a time.

Belongs here: the slow, readable form that tests hold the kernel against.  Nothing else calls
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple


class Minute(NamedTuple):
    """What one minute leaves behind."""

    regime: int
    signal: float
    simple_return: float
    variance: tuple[float, float, float]
    range_scale: float


def next_regime(uniform: float, law: Sequence[float]) -> int:
    """The regime that a uniform draw picks from its law (3,)."""
    return 0 if uniform < law[0] else 1 if uniform < law[0] + law[1] else 2


def next_variance(variance: float, e: float, intercept: float, constants: Sequence[float]) -> float:
    """One step of w + a min(e**2, 9 sigma2) + b sigma2 (Haas, Mittnik and Paolella 2004)."""
    arch, memory, cap = constants[:3]
    return intercept + arch * min(e * e, cap * variance) + memory * variance


def evolve_plainly(
    regime_uniform: Sequence[float],
    shock: Sequence[float],
    innovation: Sequence[float],
    shape: Sequence[float],
    start: Sequence[float],
    transition: Sequence[Sequence[float]],
    drift: Sequence[float],
    loading: Sequence[float],
    intercept: Sequence[float],
    variance_start: Sequence[float],
    range_start: float,
    constants: Sequence[float],
    break_minute: int,
) -> list[Minute]:
    """The same as ``market_kernel.evolve``, argument for argument, a :class:`Minute` each."""
    _, _, cap, rho, range_memory, moment = constants
    minutes: list[Minute] = []
    law, x, variance, spread = start, 0.0, list(variance_start), range_start
    for t, z in enumerate(shock):
        regime = next_regime(regime_uniform[t], law)
        mean = drift[regime] + (loading[regime] * x if t < break_minute else 0.0)
        e = mean + sqrt(variance[regime]) * z
        used, range_scale = tuple(variance), shape[t] * sqrt(spread)
        x = rho * x + sqrt(1.0 - rho * rho) * innovation[t]
        minutes.append(Minute(regime, x, shape[t] * e, used, range_scale))  # type: ignore[arg-type]
        variance = [
            next_variance(v, e, w, constants) for v, w in zip(variance, intercept, strict=True)
        ]
        spread = range_memory * spread + (1 - range_memory) * min(e * e, cap * spread) / moment
        law = transition[regime]
    return minutes
