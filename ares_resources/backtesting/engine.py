"""Running backtests: one, one with its path, or many over the cores.

Belongs here: checks of the arrays and the calls of the compiled kernel.  Does not belong
here: the rules (``kernel_reference``), caching (``cached``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ares_resources.backtesting.market import MarketArrays, frozen_array
from ares_resources.backtesting.results import BacktestPath, BacktestResult, SweepResult
from ares_resources.backtesting.strategy import StrategyParameters, parameter_matrix
from ares_resources.errors import BadInput

_FIGURES = 6
_SETS_PER_TASK = 64
"""Sets that walk together: each reading of the bars from memory serves all of them."""

_TILE_ROWS = 8192
"""Bars that all sets of a task pass before any goes on; a multiple of the kernel's blocks."""

_NO_EQUITY, _NO_ROWS = np.empty(0), np.empty((6, 0), np.int64)
_NO_SLOTS = frozen_array(np.empty(0, np.int64), np.int64)


@dataclass(frozen=True, eq=False)
class Signals:
    """Probability and size beside a market, checked once, so that many sweeps can share them.

    Parameters
    ----------
    probability
        float64 ``(n,)``; NaN where there is no decision at the bar's close.
    size
        float64 ``(n,)``, share of equity, 0 or more; NaN or 0 means no decision.
    management
        int8 ``(n,)``, what each close tells an open position: -1 reduce and -2 leave longs, 1
        and 2 shorts, 0 nothing.  None, or 0 everywhere: positions run to their barriers.

    Raises
    ------
    BadInput
        If a shape differs from the market's, a size is negative or infinite, or a management
        signal is not one of the five.
    """

    market: MarketArrays
    probability: np.ndarray
    size: np.ndarray
    management: np.ndarray | None = None

    def __post_init__(self) -> None:
        from ares_resources.backtesting.kernel import first_bad_size

        for name in ("probability", "size"):
            values = frozen_array(getattr(self, name), np.float64)
            if values.shape != (len(self.market),):
                raise BadInput(f"{name} has shape {values.shape}, not ({len(self.market)},)")
            object.__setattr__(self, name, values)
        bad = first_bad_size(self.size)
        if bad >= 0:
            raise BadInput(f"size {self.size[bad]} in row {bad} must be finite and >= 0")
        object.__setattr__(self, "management", self._checked_management())

    @cached_property
    def arrays(self) -> tuple[np.ndarray, ...]:
        """What the kernel reads, in its order; extremes of blocks are computed once, here."""
        from ares_resources.backtesting.kernel import chance_extremes, order_extremes

        market, told = self.market, self.management
        orders = np.empty(0, np.int8) if told is None else told
        return (
            market.open,
            market.high,
            market.low,
            market.close,
            market.atr,
            market.funding_payment,
            # Read behind a gap alone: eight bytes a bar that most markets need not hold.
            market.slot if len(market.gap_rows) > 1 else _NO_SLOTS,
            market.day_end_rows,
            market.event_rows,
            market.gap_rows,
            market.gap_funding,
            *market.extremes,
            self.probability,
            self.size,
            *chance_extremes(self.probability, self.size, market.atr),
            *(frozen_array(one, np.int8) for one in (orders, *order_extremes(orders))),
        )

    def _checked_management(self) -> np.ndarray | None:
        if self.management is None:
            return None
        values = np.asarray(self.management)
        if values.shape != (len(self.market),):
            raise BadInput(f"management has shape {values.shape}, not ({len(self.market)},)")
        bad = ~np.isin(values, (-2, -1, 0, 1, 2))
        if bad.any():
            row = int(np.argmax(bad))
            raise BadInput(f"management {values[row]} in row {row} must be one of -2, -1, 0, 1, 2")
        # Nothing to act on is the same as no management, in speed and in the cache's key.
        return frozen_array(values.astype(np.int8), np.int8) if values.any() else None

    def rows(self, start: int, stop: int) -> Signals:
        """The same for the bars ``start <= row < stop``, without copying."""
        return Signals(
            self.market.rows(start, stop),
            self.probability[start:stop],
            self.size[start:stop],
            None if self.management is None else self.management[start:stop],
        )

    def sweep(
        self, parameters: Sequence[StrategyParameters], *, threads: int = 2, daily: bool = False
    ) -> SweepResult:
        """All parameter sets over the same bars; see :func:`backtest_sweep`."""
        if threads < 1:
            raise BadInput(f"threads {threads} must be at least 1")
        sets, days = len(parameters), len(self.market.day_end_rows)
        figures = np.empty((sets, _FIGURES))
        day_return = np.empty((sets, days) if daily else (0, 0))
        self._run(parameter_matrix(parameters), figures, day_return, threads)
        return SweepResult(
            total_return=figures[:, 0].copy(),
            sharpe=figures[:, 1].copy(),
            max_drawdown=figures[:, 2].copy(),
            turnover=figures[:, 3].copy(),
            trades=figures[:, 4].astype(np.int64),
            win_rate=figures[:, 5].copy(),
            bars=len(self.market),
            days=days,
            daily_return=day_return if daily else None,
        )

    def _run(
        self,
        matrix: np.ndarray,
        figures: np.ndarray,
        day_return: np.ndarray,
        threads: int,
        tile_rows: int = _TILE_ROWS,
    ) -> None:
        # Plain threads around a kernel that drops the GIL: no OpenMP pool to nest or to fork.
        from ares_resources.backtesting import kernel

        sweep: Any = kernel.sweep
        arrays, sets = self.arrays, len(matrix)
        together = max(1, min(_SETS_PER_TASK, math.ceil(sets / threads)))

        def task(first: int) -> None:
            stop = min(first + together, sets)
            nothing = (_NO_EQUITY, _NO_ROWS, _NO_EQUITY)
            sweep(*arrays, matrix, first, stop, tile_rows, figures, day_return, *nothing)

        starts = range(0, sets, together)
        if len(starts) <= 1:
            for first in starts:
                task(first)
            return
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(task, starts))


def backtest(
    market: MarketArrays,
    probability: np.ndarray,
    size: np.ndarray,
    parameters: StrategyParameters,
) -> BacktestResult:
    """Figures of one backtest (rules: ``kernel_reference``).

    Parameters
    ----------
    probability, size
        See :class:`Signals`.

    Raises
    ------
    BadInput
        If an array's shape or value is not usable.
    """
    return Signals(market, probability, size).sweep([parameters], threads=1).result(0)


def backtest_path(
    market: MarketArrays,
    probability: np.ndarray,
    size: np.ndarray,
    parameters: StrategyParameters,
    management: np.ndarray | None = None,
) -> BacktestPath:
    """One backtest with its equity at every close and its trades; same figures."""
    from ares_resources.backtesting import kernel

    sweep: Any = kernel.sweep
    signals = Signals(market, probability, size, management)
    rows, days = len(market), len(market.day_end_rows)
    figures, day_return, equity = np.empty((1, _FIGURES)), np.empty((1, days)), np.empty(rows)
    capacity = rows // 2 + 1
    trades, returns = np.empty((6, capacity), np.int64), np.empty(capacity)
    matrix = parameter_matrix([parameters])
    sweep(*signals.arrays, matrix, 0, 1, rows, figures, day_return, equity, trades, returns)
    count = int(figures[0, 4])
    net = np.zeros(rows)
    before = np.concatenate(([1.0], equity[:-1]))
    np.divide(equity, before, out=net, where=before > 0)
    net[before > 0] -= 1.0
    kept = trades[:, :count].copy()
    return BacktestPath(
        result=BacktestResult(
            total_return=float(figures[0, 0]),
            sharpe=float(figures[0, 1]),
            max_drawdown=float(figures[0, 2]),
            turnover=float(figures[0, 3]),
            trades=count,
            win_rate=float(figures[0, 5]),
            bars=rows,
            days=days,
        ),
        net_return=net,
        equity=equity,
        decision_row=kept[0],
        entry_row=kept[1],
        exit_row=kept[2],
        side=kept[3],
        exit_reason=kept[4],
        reduce_row=kept[5],
        trade_return=returns[:count].copy(),
    )


def backtest_sweep(
    market: MarketArrays,
    probability: np.ndarray,
    size: np.ndarray,
    parameters: Sequence[StrategyParameters],
    *,
    threads: int = 2,
    daily: bool = False,
) -> SweepResult:
    """Figures of many parameter sets over the same bars, which are never copied.

    Parameters
    ----------
    threads
        Cores to use; results and order do not depend on it.
    daily
        Also keep the daily net returns, float64 ``(sets, days)``.
    """
    return Signals(market, probability, size).sweep(parameters, threads=threads, daily=daily)
