"""How large: fractional Kelly under a volatility target, a ceiling and a drawdown brake.

Belongs here: pure, vectorised size rules.  Does not belong here: whether to trade at all
(``utility.py``), which size rule is better (``size_rules.py``), when to leave (``positions.py``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from ares_resources.errors import BadInput
from ares_resources.settings import TacticianSettings


@dataclass(frozen=True)
class Payoffs:
    """Average net win and average net loss of acting, positive fractions of the notional."""

    average_win: float
    average_loss: float

    def to_json(self) -> dict[str, float]:
        """Plain numbers for the release."""
        return asdict(self)


def average_payoffs(net_return: np.ndarray) -> Payoffs:
    """Average win and loss of past signals, (n,) net returns.

    Where nothing ever won the average win is 0, and every size 0; where nothing ever lost,
    the loss is taken to be as large as the win, since an unseen loss is not a small one.
    """
    values = np.asarray(net_return, dtype=np.float64)
    wins, losses = values[values > 0.0], -values[values < 0.0]
    win = float(wins.mean()) if wins.size else 0.0
    return Payoffs(average_win=win, average_loss=float(losses.mean()) if losses.size else win)


def kelly_size(probability: np.ndarray, payoffs: Payoffs, *, fraction: float) -> np.ndarray:
    """Share of equity, (n,), that a fraction of Kelly's rule would put at stake; 0 without edge.

    For a bet that gains w with probability p and loses l else, log growth is largest at
    p / l - (1 - p) / w.  NaN probabilities give 0.

    Source: Kelly (1956); Thorp (2006), The Kelly criterion, section 7.
    """
    p = np.asarray(probability, dtype=np.float64)
    if payoffs.average_win <= 0.0 or payoffs.average_loss <= 0.0:
        return np.zeros_like(p)
    edge = p / payoffs.average_loss - (1.0 - p) / payoffs.average_win
    return fraction * np.maximum(np.nan_to_num(edge, nan=0.0), 0.0)


def volatility_cap(
    annual_volatility: np.ndarray, *, target_volatility: float, maximum_position: float
) -> np.ndarray:
    """Largest size at which the position's annual volatility stays at the target, (n,).

    Where the volatility is unknown or not positive the cap is 0: a risk that cannot be
    measured is not taken.
    """
    scale = np.asarray(annual_volatility, dtype=np.float64)
    known = np.isfinite(scale) & (scale > 0.0)
    cap = np.zeros_like(scale)
    cap[known] = np.minimum(target_volatility / scale[known], maximum_position)
    return cap


def drawdown_brake(drawdown: np.ndarray | float, *, brake: float) -> np.ndarray:
    """Factor in [0, 1] that falls linearly from 1 without drawdown to 0 at ``brake``."""
    return np.clip(1.0 - np.asarray(drawdown, dtype=np.float64) / brake, 0.0, 1.0)


def position_size(
    stake: np.ndarray,
    *,
    annual_volatility: np.ndarray,
    drawdown: np.ndarray | float,
    settings: TacticianSettings,
) -> np.ndarray:
    """Size of each signal, shares of equity in [0, ``maximum_position``], (n,).

    Parameters
    ----------
    stake
        What the size rule would put at stake, shares of equity, (n,), 0 or more.
    annual_volatility
        Annualised volatility of the instrument at the decision, fractions, (n,).
    drawdown
        Current drawdown of the account, a fraction >= 0, scalar or (n,).
    """
    cap = volatility_cap(
        annual_volatility,
        target_volatility=settings.target_volatility,
        maximum_position=settings.maximum_position,
    )
    return np.minimum(stake, cap) * drawdown_brake(drawdown, brake=settings.drawdown_brake)


def braked_sizes(
    size: np.ndarray,
    net_return: np.ndarray,
    row: np.ndarray,
    exit_row: np.ndarray,
    *,
    brake: float,
) -> np.ndarray:
    """Sizes after the drawdown brake, each seeing only trades that had ended before it, (n,).

    Equity starts at 1 and takes each trade's ``size * net_return`` when its ``exit_row`` has
    closed; open trades are not marked.  One position at a time, as the backtest has it: a signal
    inside the window of the trade before it gets a size, but adds nothing to the account.
    ``row`` must be ascending.
    """
    if np.any(np.diff(row) < 0):
        raise BadInput("rows must ascend for the drawdown brake")
    braked = np.zeros(len(size), dtype=np.float64)
    equity = peak = 1.0
    held = -1
    for i in range(len(size)):
        if held >= 0 and exit_row[held] < row[i]:
            equity *= max(1.0 + braked[held] * net_return[held], 0.0)
            peak = max(peak, equity)
            held = -1
        braked[i] = size[i] * float(drawdown_brake(1.0 - equity / peak, brake=brake))
        if held < 0 and braked[i] > 0.0:
            held = i
    return braked
