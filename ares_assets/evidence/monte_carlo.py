"""Distributions of what could have happened, and what stress does to a strategy.

Belongs here: tables from resampled paths, shuffled trades, jittered parameters, dearer costs
and later fills.  Does not belong here: the resampling itself (``bootstrap.py``) and running a
backtest: the stress functions are given one as ``evaluate``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares_assets.evidence.bootstrap import BootstrapPaths, bootstrap_paths
from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.performance import DAYS_A_YEAR, Floats, checked_returns
from ares_resources.errors import BadInput

Parameters = dict[str, float | int]
Evaluate = Callable[[Parameters], Mapping[str, float]]
Row = dict[str, Any]

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


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
    periods_a_year: float = DAYS_A_YEAR,
    threads: int = 2,
) -> MonteCarloReport:
    """Resample net returns per period (n,) by the stationary bootstrap and sum up the paths.

    Finer periods than days see falls inside a day; set ``periods_a_year`` to match.  Other
    parameters and errors are those of ``bootstrap_paths``.
    """
    resampled = bootstrap_paths(
        returns,
        paths=paths,
        seed=seed,
        mean_block=mean_block,
        periods_a_year=periods_a_year,
        threads=threads,
    )
    return _summed_up(resampled, periods=len(returns), ruin_drawdown=ruin_drawdown)


def _summed_up(
    resampled: BootstrapPaths, *, periods: int, ruin_drawdown: float
) -> MonteCarloReport:
    return MonteCarloReport(
        paths=resampled.sharpe.size,
        periods=periods,
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
    for path in range(paths):
        equity = np.r_[0.0, np.cumsum(rng.permutation(growth))]
        worst[path] = np.max(np.maximum.accumulate(equity) - equity)
    return -np.expm1(-worst)


def parameter_jitter(
    evaluate: Evaluate,
    parameters: Mapping[str, float | int],
    *,
    names: Sequence[str],
    share: float,
    draws: int,
    seed: int,
) -> list[Row]:
    """Evaluate the parameters as they are, then ``draws`` times shaken.

    Each named parameter is multiplied by an own uniform factor in [1 - share, 1 + share];
    an integer is rounded, and stays an integer.

    Returns
    -------
    list
        Rows {"draw", "parameters", ...measured}; draw 0 is unshaken.
    """
    _check_names(names, parameters)
    if not 0.0 <= share < 1.0 or draws < 1:
        raise BadInput(f"share = {share}, draws = {draws}; allowed: share in [0, 1), draws >= 1")
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    factors = np.vstack(
        [np.ones(len(names)), 1.0 + share * rng.uniform(-1.0, 1.0, (draws, len(names)))]
    )
    return [
        _measured(evaluate, _scaled(parameters, names, row), {"draw": draw})
        for draw, row in enumerate(factors)
    ]


def cost_stress(
    evaluate: Evaluate,
    parameters: Mapping[str, float | int],
    *,
    names: Sequence[str] = ("fee", "slippage"),
    multiples: Sequence[float] = (1.0, 1.5, 2.0, 3.0),
) -> list[Row]:
    """Evaluate with every named cost times each multiple: rows {"multiple", ...measured}."""
    _check_names(names, parameters)
    return [
        _measured(
            evaluate, _scaled(parameters, names, [multiple] * len(names)), {"multiple": multiple}
        )
        for multiple in multiples
    ]


def latency_stress(
    evaluate: Evaluate,
    parameters: Mapping[str, float | int],
    *,
    name: str = "latency_bars",
    extra_bars: Sequence[int] = (0, 1, 2, 5),
) -> list[Row]:
    """Evaluate with fills that many bars later: rows {"extra_bars", ...measured}."""
    _check_names([name], parameters)
    return [
        _measured(evaluate, {**parameters, name: parameters[name] + extra}, {"extra_bars": extra})
        for extra in extra_bars
    ]


def stress_summary(rows: Sequence[Row], metric: str) -> dict[str, Any]:
    """What stress does to one metric: unstressed (first row), worst, median, share kept.

    ``share_kept`` is the median of the stressed rows over the unstressed value; None where
    that is not positive.
    """
    values = [row[metric] for row in rows]
    stressed = [value for value in values[1:] if value is not None]
    middle = float(np.median(stressed)) if stressed else math.nan
    base = values[0] if values[0] is not None else math.nan
    summary = {
        "metric": metric,
        "unstressed": base,
        "worst": min(stressed, default=math.nan),
        "median": middle,
        "share_kept": middle / base if base > 0.0 else math.nan,
        "unmeasured": len(values) - 1 - len(stressed),
    }
    return jsonable(summary)


def _scaled(
    parameters: Mapping[str, float | int], names: Sequence[str], factors: Sequence[float]
) -> Parameters:
    scaled = dict(parameters)
    for name, factor in zip(names, factors, strict=True):
        value = parameters[name]
        scaled[name] = round(value * factor) if isinstance(value, int) else value * float(factor)
    return scaled


def _measured(evaluate: Evaluate, parameters: Parameters, head: Row) -> Row:
    return jsonable({**head, "parameters": parameters, **evaluate(dict(parameters))})


def _check_names(names: Sequence[str], parameters: Mapping[str, float | int]) -> None:
    unknown = sorted(set(names) - set(parameters))
    if unknown or not names:
        raise BadInput(f"parameters to stress {list(names)}; allowed: {sorted(parameters)}")
