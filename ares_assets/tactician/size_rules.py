"""Which size rule: Kelly on average payoffs, or on a payoff line learnt from the size targets.

Belongs here: the size target, the line, and the comparison of both rules.  Does not belong
here: caps and brakes, which hold for either (``sizing.py``).

The size target of a signal is its net return in units of the volatility that was expected over
its horizon: what a unit of risk brought.  Its expectation given the take probability, a line m,
gives the growth-optimal stake for small bets, m / (E[target^2] * volatility): it shrinks where
volatility is high and where the take probability tells little.  Kelly on average payoffs knows
neither.  A target that named the best size with hindsight would only say "all or nothing".

Source: Thorp (2006), The Kelly criterion, section 7 (the continuous approximation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import Split
from ares_assets.tactician.sizing import Payoffs, average_payoffs, kelly_size, position_size
from ares_assets.tactician.utility import PairedGain, paired_gain
from ares_resources.settings import TacticianSettings

KELLY, LINE = "kelly", "payoff_line"
_LARGEST_LOSS = -0.99


@dataclass(frozen=True)
class PayoffLine:
    """Expected size target, ``intercept + slope * take probability``, and the mean square."""

    intercept: float
    slope: float
    mean_square: float


@dataclass(frozen=True)
class SizeRule:
    """The rule that was kept, its parameters for the release, and the evidence.

    ``stake`` are cross-fitted sizes under the caps, (n,): each fold's from the other folds.
    """

    parameters: dict[str, Any]
    gain: PairedGain
    stake: np.ndarray
    reason: str

    def to_json(self) -> dict[str, object]:
        """Plain values for metadata."""
        return {**self.parameters, "gain": asdict(self.gain), "reason": self.reason}


def size_target(net_return: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Net return per unit of the horizon's volatility, (n,); NaN where that is not known."""
    scale = np.asarray(move, dtype=np.float64)
    known = np.isfinite(scale) & (scale > 0.0)
    return np.divide(net_return, scale, out=np.full(scale.size, np.nan), where=known)


def fit_payoff_line(
    take_probability: np.ndarray, target: np.ndarray, weights: np.ndarray
) -> PayoffLine:
    """Weighted least squares; a slope below 0 is taken as 0: such a probability tells nothing."""
    known = np.isfinite(target) & (weights > 0.0)
    p, z, w = take_probability[known], target[known], weights[known]
    if z.size == 0:
        return PayoffLine(0.0, 0.0, 0.0)
    centre, mean = float(np.average(p, weights=w)), float(np.average(z, weights=w))
    spread = float(np.average((p - centre) ** 2, weights=w))
    joint = float(np.average((p - centre) * (z - mean), weights=w))
    slope = max(joint / spread, 0.0) if spread > 0.0 else 0.0
    return PayoffLine(mean - slope * centre, slope, float(np.average(z**2, weights=w)))


def line_stake(
    take_probability: np.ndarray, line: PayoffLine, move: np.ndarray, *, fraction: float
) -> np.ndarray:
    """Share of equity that a fraction of the line's growth-optimal stake is, (n,), 0 or more."""
    scale = line.mean_square * np.asarray(move, dtype=np.float64)
    expected = np.maximum(line.intercept + line.slope * np.asarray(take_probability), 0.0)
    stake = np.divide(expected, scale, out=np.zeros(scale.size), where=scale > 0.0)
    return fraction * np.nan_to_num(stake, nan=0.0)


def stakes(
    take_probability: np.ndarray, move: np.ndarray, rule: Mapping[str, Any], *, fraction: float
) -> np.ndarray:
    """What a released rule puts at stake before caps and brake, (n,)."""
    if rule["rule"] == LINE:
        return line_stake(take_probability, PayoffLine(**rule["line"]), move, fraction=fraction)
    return kelly_size(take_probability, Payoffs(**rule["payoffs"]), fraction=fraction)


def judge_size_rules(
    labels: pd.DataFrame,
    take_probability: np.ndarray,
    *,
    taken: np.ndarray,
    move: np.ndarray,
    annual_volatility: np.ndarray,
    splits: Sequence[Split],
    settings: TacticianSettings,
    confidence: float,
) -> SizeRule:
    """Kelly on average payoffs, unless the payoff line made the account grow faster, paired.

    Both rules are learnt on each fold's purged training part and judged on its test part by
    the log growth of an account that takes the ``taken`` signals in the sizes that the caps
    leave, net of all costs.

    Parameters
    ----------
    labels
        Meta-labels with ``size_target`` and ``weight``, (n, ...).
    take_probability
        The ensemble's out-of-fold take probability, (n,).
    move, annual_volatility
        Volatility over the horizon and over a year at each decision, fractions, (n,).
    """
    net = labels["net_return"].to_numpy(np.float64)
    sizes = {rule: np.zeros(len(labels)) for rule in (KELLY, LINE)}
    for train, test in splits:
        learnt = _learn(labels, take_probability, train)
        for rule, parameters in learnt.items():
            wanted = stakes(
                take_probability[test], move[test], parameters, fraction=settings.kelly_fraction
            )
            sizes[rule][test] = position_size(
                wanted,
                annual_volatility=annual_volatility[test],
                drawdown=0.0,
                settings=settings,
            )
    sizes = {rule: np.where(taken, size, 0.0) for rule, size in sizes.items()}
    growth = {r: np.log1p(np.maximum(size * net, _LARGEST_LOSS)) for r, size in sizes.items()}
    gain = paired_gain(labels, growth[LINE], growth[KELLY])
    kept = LINE if gain.mean > 0.0 and gain.p_value <= 1.0 - confidence else KELLY
    shown = f"the payoff line's gain is {gain.mean:.2e} a signal, p = {gain.p_value:.3f}"
    reason = f"{kept}: {shown}" if taken.any() else f"{kept}: no signal is taken"
    final = _learn(labels, take_probability, np.arange(len(labels)))[kept]
    return SizeRule(final, gain, sizes[kept], reason)


def _learn(
    labels: pd.DataFrame, take_probability: np.ndarray, rows: np.ndarray
) -> dict[str, dict[str, Any]]:
    part = labels.iloc[rows]
    payoffs = average_payoffs(part["net_return"].to_numpy(np.float64))
    line = fit_payoff_line(
        np.asarray(take_probability)[rows],
        part["size_target"].to_numpy(np.float64),
        part["weight"].to_numpy(np.float64),
    )
    return {
        KELLY: {"rule": KELLY, "payoffs": payoffs.to_json()},
        LINE: {"rule": LINE, "line": asdict(line)},
    }
