"""Distributions of what could have happened with the same returns, or the same trades.

Belongs here: tables from resampled paths and shuffled trades.  Does not belong here: the
resampling itself (``bootstrap.py``) and stress that needs a backtest (``stress.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ares_assets.evidence.bootstrap import BootstrapPaths, bootstrap_paths
from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.performance import DAYS_A_YEAR, Floats, checked_returns

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_CHUNK_CELLS = 500_000


@dataclass(frozen=True)
class MonteCarloReport:
    """Quantiles of the paths' statistics, and the share of paths that went wrong.

    ``sharpe``, ``total_return`` and ``max_drawdown`` map "5%" and so on to values;
    ``ruin_share`` is the share of paths that lost ``ruin_drawdown`` of their highest equity,
    ``loss_share`` the share that ended below their start.
    """

    paths: int
    periods: int
    mean_block: float
    sharpe: dict[str, float]
    total_return: dict[str, float]
    max_drawdown: dict[str, float]
    ruin_drawdown: float
    ruin_share: float
    loss_share: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-able; what cannot be measured is None."""
        return jsonable(self)


def quantile_table(values: Floats) -> dict[str, float]:
    """``QUANTILES`` of the finite values by name, "5%" and so on; NaN where there are none."""
    finite = np.asarray(values, dtype=np.float64)
    finite = finite[np.isfinite(finite)]
    measured = np.quantile(finite, QUANTILES) if finite.size else np.full(len(QUANTILES), np.nan)
    return {f"{share:.0%}": float(value) for share, value in zip(QUANTILES, measured, strict=True)}


def monte_carlo(
    returns: Floats,
    *,
    paths: int,
    seed: int,
    ruin_drawdown: float,
    mean_block: float | None = None,
    periods: int | None = None,
    periods_a_year: float = DAYS_A_YEAR,
    threads: int = 2,
) -> MonteCarloReport:
    """Resample net returns per period (n,) by the stationary bootstrap and sum up the paths.

    Paths are as long as the sample, or ``periods`` long.  Finer periods than days see falls
    inside a day; set ``periods_a_year`` to match.  Other parameters and errors are those of
    ``bootstrap_paths``.
    """
    resampled = bootstrap_paths(
        returns,
        paths=paths,
        seed=seed,
        mean_block=mean_block,
        periods=periods,
        periods_a_year=periods_a_year,
        threads=threads,
    )
    return _summed_up(resampled, ruin_drawdown)


def _summed_up(resampled: BootstrapPaths, ruin_drawdown: float) -> MonteCarloReport:
    return MonteCarloReport(
        paths=resampled.sharpe.size,
        periods=resampled.periods,
        mean_block=resampled.mean_block,
        sharpe=quantile_table(resampled.sharpe),
        total_return=quantile_table(resampled.total_return),
        max_drawdown=quantile_table(resampled.max_drawdown),
        ruin_drawdown=ruin_drawdown,
        ruin_share=resampled.ruin_share(ruin_drawdown),
        loss_share=float(np.mean(resampled.total_return < 0.0)),
    )


def shuffled_drawdowns(trade_returns: Floats, *, paths: int, seed: int) -> np.ndarray:
    """Largest drawdown, (paths,), of the same trades in random order.

    Path risk only: every order ends at the same equity and has the same Sharpe ratio, so
    shuffling says nothing about luck.
    """
    trades = checked_returns(trade_returns, name="trade_returns")
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    growth = np.log1p(trades)
    worst = np.empty(paths)
    chunk = max(1, _CHUNK_CELLS // trades.size)
    for first in range(0, paths, chunk):
        rows = min(chunk, paths - first)
        orders = rng.permuted(np.broadcast_to(growth, (rows, trades.size)), axis=1)
        equity = np.cumsum(orders, axis=1)
        # The start is a peak too.
        peak = np.maximum(np.maximum.accumulate(equity, axis=1), 0.0)
        worst[first : first + rows] = np.max(peak - equity, axis=1)
    return -np.expm1(-worst)
