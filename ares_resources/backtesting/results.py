"""What a backtest returns.

Belongs here: results as frozen dataclasses of numbers and arrays.  Does not belong here:
computing them (``kernel``), storing them (``cached``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ENGINE_VERSION = "3"
"""Part of every cache key: raise it whenever a result of the kernel changes."""

EXIT_STOP, EXIT_TARGET, EXIT_TIME, EXIT_END, EXIT_RUIN, EXIT_SIGNAL = 1, 2, 3, 4, 5, 6
EXIT_NAMES = {
    EXIT_STOP: "stop",
    EXIT_TARGET: "target",
    EXIT_TIME: "time",
    EXIT_END: "end",
    EXIT_RUIN: "ruin",
    EXIT_SIGNAL: "signal",
}


@dataclass(frozen=True)
class BacktestResult:
    """Figures of one backtest, net of fees, slippage and funding; equity starts at 1.

    ``total_return`` and ``max_drawdown`` are fractions; the drawdown is taken on every close.
    ``sharpe`` is annualised on 365 days from daily returns (UTC days with bars, last close to
    last close, sample standard deviation) and 0.0 where fewer than two days, or no variation,
    leave it undefined.  ``turnover`` sums traded notional, entry and exit, as a share of the
    equity at the trade's entry.  ``win_rate`` is the share of trades with a positive net
    return, 0.0 without trades.  ``bars`` and ``days`` are what was evaluated.
    """

    total_return: float
    sharpe: float
    max_drawdown: float
    turnover: float
    trades: int
    win_rate: float
    bars: int
    days: int


@dataclass(frozen=True, eq=False)
class BacktestPath:
    """One backtest bar by bar and trade by trade.

    ``net_return`` and ``equity`` are float64 ``(n,)``, at each bar's close.  The trade arrays
    share one length: rows (int64) of decision, entry and exit, ``side`` (+1, -1),
    ``trade_return`` (net, as a share of the account's equity at entry, so that the product of
    ``1 + trade_return`` is the final equity), ``exit_reason`` (see ``EXIT_NAMES``) and
    ``reduce_row`` (int64, the row at whose open half was sold; -1: never).
    """

    result: BacktestResult
    net_return: np.ndarray
    equity: np.ndarray
    decision_row: np.ndarray
    entry_row: np.ndarray
    exit_row: np.ndarray
    side: np.ndarray
    trade_return: np.ndarray
    exit_reason: np.ndarray
    reduce_row: np.ndarray


@dataclass(frozen=True, eq=False)
class SweepResult:
    """Figures of many backtests as arrays ``(sets,)``, in the order of the parameters.

    ``daily_return`` is float64 ``(sets, days)`` when it was asked for, else None.
    """

    total_return: np.ndarray
    sharpe: np.ndarray
    max_drawdown: np.ndarray
    turnover: np.ndarray
    trades: np.ndarray
    win_rate: np.ndarray
    bars: int
    days: int
    daily_return: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.sharpe)

    def result(self, index: int) -> BacktestResult:
        """The figures of one parameter set."""
        return BacktestResult(
            total_return=float(self.total_return[index]),
            sharpe=float(self.sharpe[index]),
            max_drawdown=float(self.max_drawdown[index]),
            turnover=float(self.turnover[index]),
            trades=int(self.trades[index]),
            win_rate=float(self.win_rate[index]),
            bars=self.bars,
            days=self.days,
        )

    def results(self) -> list[BacktestResult]:
        """All of them, in order."""
        return [self.result(index) for index in range(len(self))]
