"""How a stream of net returns performed: ratios, drawdowns, turnover.

Belongs here: the figures of one realised stream of returns and the step from bars to days.
Does not belong here: whether a figure is luck (``sharpe_tests.py``, ``overfitting.py``,
``bootstrap.py``), and running a strategy (``ares_resources.backtesting``).

Returns are simple net returns per period; crypto trades every day, so a year has 365 days.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ares_assets.evidence.jsonable import jsonable
from ares_resources.errors import BadInput

DAYS_A_YEAR = 365
DAY_MS = 86_400_000

Floats = np.ndarray | Sequence[float]


def checked_returns(returns: Floats, *, name: str = "returns", at_least: int = 1) -> np.ndarray:
    """The returns as float64 (n,), refused where they cannot be compounded.

    Raises
    ------
    BadInput
        Not one-dimensional, fewer than ``at_least``, not finite, or a loss of all and more.
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1 or values.size < at_least:
        raise BadInput(f"{name} has shape {values.shape}; needed: ({at_least} or more,)")
    bad = ~(np.isfinite(values) & (values > -1.0))
    if bad.any():
        first = int(np.argmax(bad))
        raise BadInput(f"{name}[{first}] = {values[first]}; allowed: finite and above -1")
    return values


def aggregate_returns(
    returns: Floats, timestamps: np.ndarray, *, period_ms: int = DAY_MS
) -> tuple[np.ndarray, np.ndarray]:
    """Compound per-bar returns into UTC days, or other periods counted from the epoch.

    Parameters
    ----------
    returns
        Net simple returns per bar, (n,).
    timestamps
        Bar opens, int64 milliseconds UTC, ascending, (n,).  A bar belongs to the period it
        opens in.
    period_ms
        Length of a period, milliseconds.

    Returns
    -------
    (starts, returns)
        Periods with at least one bar: their start (int64 ms) and compounded return, (m,).
        A period without bars is absent, never filled.
    """
    values = checked_returns(returns)
    stamps = np.asarray(timestamps, dtype=np.int64)
    if stamps.shape != values.shape:
        raise BadInput(f"timestamps have shape {stamps.shape}; needed: {values.shape}")
    if np.any(np.diff(stamps) <= 0):
        raise BadInput("timestamps do not ascend; needed: sorted and unique")
    period = stamps // period_ms
    first = np.flatnonzero(np.r_[True, np.diff(period) != 0])
    return period[first] * period_ms, np.multiply.reduceat(1.0 + values, first) - 1.0


def sharpe_ratio(returns: Floats, *, periods_a_year: float = DAYS_A_YEAR) -> float:
    """Mean over standard deviation (ddof 1), annualised; NaN without variation (Sharpe 1994)."""
    values = checked_returns(returns)
    if values.size < 2 or np.ptp(values) == 0.0:
        return math.nan
    return float(values.mean() / values.std(ddof=1) * math.sqrt(periods_a_year))


def sortino_ratio(returns: Floats, *, periods_a_year: float = DAYS_A_YEAR) -> float:
    """Mean over downside deviation below zero, annualised; NaN without a losing period."""
    values = checked_returns(returns)
    downside = math.sqrt(float(np.mean(np.minimum(values, 0.0) ** 2)))
    if downside == 0.0:
        return math.nan
    return float(values.mean() / downside * math.sqrt(periods_a_year))


def equity_curve(returns: Floats) -> np.ndarray:
    """Equity after each period, starting from 1 before the first, (n + 1,)."""
    return np.r_[1.0, np.cumprod(1.0 + checked_returns(returns))]


def drawdowns(returns: Floats) -> np.ndarray:
    """Share lost from the highest equity so far, in [0, 1), after each period, (n + 1,)."""
    equity = equity_curve(returns)
    return 1.0 - equity / np.maximum.accumulate(equity)


def max_drawdown(returns: Floats) -> float:
    """The largest of ``drawdowns``: a positive share, 0.2 for a fall of 20 %."""
    return float(drawdowns(returns).max())


def total_return(returns: Floats) -> float:
    """Compounded return over all periods, a fraction."""
    return float(equity_curve(returns)[-1] - 1.0)


def annual_growth(returns: Floats, *, periods_a_year: float = DAYS_A_YEAR) -> float:
    """Compound annual growth rate (CAGR), a fraction."""
    values = checked_returns(returns)
    growth = float(np.sum(np.log1p(values))) * periods_a_year / values.size
    return math.expm1(growth) if growth < 700.0 else math.inf


def calmar_ratio(returns: Floats, *, periods_a_year: float = DAYS_A_YEAR) -> float:
    """Annual growth over the largest drawdown; NaN where equity never fell."""
    fall = max_drawdown(returns)
    if fall == 0.0:
        return math.nan
    return annual_growth(returns, periods_a_year=periods_a_year) / fall


def annual_volatility(returns: Floats, *, periods_a_year: float = DAYS_A_YEAR) -> float:
    """Standard deviation (ddof 1) times the root of periods a year; NaN below two periods."""
    values = checked_returns(returns)
    return float(values.std(ddof=1) * math.sqrt(periods_a_year)) if values.size > 1 else math.nan


def daily_turnover(position: Floats, timestamps: np.ndarray) -> float:
    """Equity traded per day with bars: sum of |change of position|, entering from flat.

    ``position`` is the signed share of equity held in each bar, (n,); ``timestamps`` the bar
    opens, int64 ms, (n,).
    """
    held = np.asarray(position, dtype=np.float64)
    stamps = np.asarray(timestamps, dtype=np.int64)
    if held.ndim != 1 or held.shape != stamps.shape or held.size == 0:
        raise BadInput(f"position {held.shape} and timestamps {stamps.shape} must match, not empty")
    days = np.unique(stamps // DAY_MS).size
    return float(np.abs(np.diff(held, prepend=0.0)).sum() / days)


def trade_statistics(trade_returns: Floats) -> dict[str, Any]:
    """Count, hit rate, mean, mean win and loss, and profit factor of closed trades' returns."""
    trades = checked_returns(trade_returns, name="trade_returns", at_least=0)
    wins, losses = trades[trades > 0.0], trades[trades < 0.0]
    return jsonable(
        {
            "trades": trades.size,
            "hit_rate": wins.size / trades.size if trades.size else None,
            "mean_trade": trades.mean() if trades.size else None,
            "mean_win": wins.mean() if wins.size else None,
            "mean_loss": losses.mean() if losses.size else None,
            "profit_factor": wins.sum() / -losses.sum() if losses.size else None,
        }
    )


def performance_report(
    returns: Floats,
    timestamps: np.ndarray,
    *,
    position: Floats | None = None,
    trade_returns: Floats | None = None,
) -> dict[str, Any]:
    """The figures of per-bar net returns, JSON-able; what cannot be measured is None.

    Ratios are of daily returns, annualised on 365 days; the largest drawdown is measured on
    every bar, so that a fall inside a day is not hidden.
    """
    _, daily = aggregate_returns(returns, timestamps)
    report = {
        "days": daily.size,
        "bars": len(np.asarray(returns)),
        "total_return": total_return(daily),
        "annual_growth": annual_growth(daily),
        "annual_volatility": annual_volatility(daily),
        "sharpe": sharpe_ratio(daily),
        "sortino": sortino_ratio(daily),
        "max_drawdown": max_drawdown(returns),
        "calmar": calmar_ratio(daily),
    }
    if position is not None:
        report["daily_turnover"] = daily_turnover(position, timestamps)
    if trade_returns is not None:
        report |= trade_statistics(trade_returns)
    return jsonable(report)
