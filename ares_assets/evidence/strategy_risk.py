"""How close a strategy of discrete bets stands to missing its Sharpe target.

Belongs here: the binary-bet formulas of López de Prado, Advances in Financial Machine
Learning, ch. 15.  Does not belong here: portfolio risk, drawdowns and ruin
(``monte_carlo.py``).

A bet wins ``profit`` (above 0) with probability ``precision`` and else loses: ``loss`` is
below 0.  ``bets_a_year`` is the frequency; Sharpe ratios are annual.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.performance import Floats, checked_returns
from ares_resources.errors import BadInput


def binary_sharpe(
    precision: float, bets_a_year: float, *, profit: float = 1.0, loss: float = -1.0
) -> float:
    """Annual Sharpe ratio of independent binary bets (AFML 15.3)."""
    spread = _spread(profit, loss)
    _check_precision(precision)
    deviation = spread * math.sqrt(precision * (1.0 - precision))
    return (spread * precision + loss) / deviation * math.sqrt(bets_a_year)


def implied_bets(
    precision: float, annual_sharpe: float, *, profit: float = 1.0, loss: float = -1.0
) -> float:
    """Bets a year needed for ``annual_sharpe``; infinite where a bet does not pay (AFML 15.3)."""
    spread = _spread(profit, loss)
    _check_precision(precision)
    edge = spread * precision + loss
    if edge <= 0.0:
        return math.inf
    return (annual_sharpe * spread / edge) ** 2 * precision * (1.0 - precision)


def implied_precision(
    bets_a_year: float, annual_sharpe: float, *, profit: float = 1.0, loss: float = -1.0
) -> float:
    """Precision needed for ``annual_sharpe`` at this frequency (AFML 15.3)."""
    spread = _spread(profit, loss)
    if not bets_a_year > 0.0:
        raise BadInput(f"bets_a_year = {bets_a_year}; needed: above 0")
    a = (bets_a_year + annual_sharpe**2) * spread**2
    b = (2.0 * bets_a_year * loss - annual_sharpe**2 * spread) * spread
    c = bets_a_year * loss**2
    root = math.sqrt(max(0.0, b * b - 4.0 * a * c))
    return (-b + math.copysign(root, annual_sharpe)) / (2.0 * a)


def probability_of_failure(
    trade_returns: Floats, bets_a_year: float, *, annual_sharpe: float, years: float = 2.0
) -> float:
    """Chance that over ``years`` the precision falls below what ``annual_sharpe`` needs.

    The wins among the future bets are binomial at the measured precision, which is what
    AFML 15.4 approximates by resampling trades.

    Raises
    ------
    BadInput
        The trades have no win or no loss: then the size of one side is unknown.
    """
    from scipy.stats import binom

    trades = checked_returns(trade_returns, name="trade_returns", at_least=2)
    wins, losses = trades[trades > 0.0], trades[trades <= 0.0]
    if wins.size == 0 or losses.size == 0 or losses.mean() == 0.0:
        raise BadInput(f"{wins.size} wins and {losses.size} losses; needed: some of each")
    needed = implied_precision(
        bets_a_year, annual_sharpe, profit=float(wins.mean()), loss=float(losses.mean())
    )
    bets = max(1, round(bets_a_year * years))
    return float(binom.cdf(math.ceil(needed * bets) - 1, bets, np.mean(trades > 0.0)))


def bet_report(
    trade_returns: Floats, bets_a_year: float, *, targets: Sequence[float] = (0.0, 1.0, 2.0)
) -> dict[str, Any]:
    """What the trades as binary bets say, JSON-able; None where a side has no trade.

    ``precision``, ``mean_win``, ``mean_loss``, ``bets_a_year``, ``binary_sharpe`` (annual) and,
    for each annual Sharpe ratio of ``targets``, the precision and bets a year it needs and the
    chance of missing it over two years.
    """
    trades = checked_returns(trade_returns, name="trade_returns", at_least=0)
    wins, losses = trades[trades > 0.0], trades[trades <= 0.0]
    known: dict[str, Any] = {"trades": trades.size, "bets_a_year": bets_a_year}
    if wins.size == 0 or losses.size == 0 or losses.mean() == 0.0:
        names = ("precision", "mean_win", "mean_loss", "binary_sharpe", "targets")
        return jsonable({**known, **dict.fromkeys(names)})
    precision = wins.size / trades.size
    sizes = {"profit": float(wins.mean()), "loss": float(losses.mean())}
    return jsonable(
        {
            **known,
            "precision": precision,
            "mean_win": sizes["profit"],
            "mean_loss": sizes["loss"],
            "binary_sharpe": binary_sharpe(precision, bets_a_year, **sizes),
            "targets": {
                f"{target:g}": {
                    "precision": implied_precision(bets_a_year, target, **sizes),
                    "bets_a_year": implied_bets(precision, target, **sizes),
                    "chance_of_missing": probability_of_failure(
                        trades, bets_a_year, annual_sharpe=target
                    ),
                }
                for target in targets
            },
        }
    )


def _spread(profit: float, loss: float) -> float:
    if not (profit > 0.0 > loss):
        raise BadInput(f"profit {profit} and loss {loss}; needed: profit above 0, loss below 0")
    return profit - loss


def _check_precision(precision: float) -> None:
    if not 0.0 < precision < 1.0:
        raise BadInput(f"precision = {precision}; allowed: between 0 and 1")
