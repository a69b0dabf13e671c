"""The stationary bootstrap: what else could have happened with the same returns.

Belongs here: resampling, block lengths and path statistics.  Does not belong here: the
compiled loop (``bootstrap_kernel.py``) and the tables made of its paths
(``monte_carlo.py``).

Politis & Romano (1994), The Stationary Bootstrap, JASA 89; block length by Politis & White
(2004) as corrected by Patton, Politis & White (2009).
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ares_assets.evidence.performance import DAYS_A_YEAR, Floats, checked_returns
from ares_resources.errors import BadInput

_TABLE_ROWS = 2_000_000


@dataclass(frozen=True)
class BootstrapPaths:
    """Statistics of resampled paths, float64 (paths,) each.

    ``sharpe`` is annualised (NaN where a path does not vary), ``total_return`` and
    ``max_drawdown`` are fractions of equity; ``mean_block`` and ``periods``, the length of
    every path, are in periods.
    """

    sharpe: np.ndarray
    total_return: np.ndarray
    max_drawdown: np.ndarray
    mean_block: float
    periods: int

    def ruin_share(self, drawdown: float) -> float:
        """Share of paths that at any time had lost ``drawdown`` of their highest equity."""
        if not 0.0 < drawdown < 1.0:
            raise BadInput(f"ruin drawdown = {drawdown}; allowed: between 0 and 1")
        return float(np.mean(self.max_drawdown >= drawdown))


def optimal_mean_block(returns: Floats) -> float:
    """Mean block length, periods (1 or more), that suits the returns' own dependence.

    The longer of what the returns and their absolute values ask for: drawdowns depend on
    volatility clustering, which the returns' autocorrelation does not show.  At most a third
    of the sample, so that paths stay mixtures.
    """
    from arch.bootstrap import optimal_block_length

    values = checked_returns(returns, at_least=2)
    if np.ptp(values) == 0.0 or values.size < 20:
        return 1.0
    both = [values] + ([np.abs(values)] if np.ptp(np.abs(values)) > 0.0 else [])
    lengths = [float(optimal_block_length(series)["stationary"].iloc[0]) for series in both]
    usable = [length for length in lengths if math.isfinite(length)]
    return float(min(max([1.0, *usable]), max(1.0, values.size / 3.0)))


def bootstrap_paths(
    returns: Floats,
    *,
    paths: int,
    seed: int,
    mean_block: float | None = None,
    periods: int | None = None,
    periods_a_year: float = DAYS_A_YEAR,
    threads: int = 2,
) -> BootstrapPaths:
    """Resample the returns ``paths`` times and measure each path.

    Parameters
    ----------
    returns
        Net simple returns per period, (n,), n from 2 to 2,000,000.
    paths
        Number of resamples.
    seed
        Root of the paths' random streams; the same for any ``threads``.
    mean_block
        Mean of the geometric block lengths, periods; None takes ``optimal_mean_block``.
    periods
        Length of each path, 2 to 2,000,000; None takes that of the sample, which is what the
        spread of a measured figure needs.  Ruin grows with time: give it a horizon.
    periods_a_year
        For annualising the Sharpe ratio.

    Raises
    ------
    BadInput
        Returns that cannot be compounded, or a parameter out of range.
    """
    values = checked_returns(returns, at_least=2)
    block = optimal_mean_block(values) if mean_block is None else float(mean_block)
    length = values.size if periods is None else int(periods)
    _check(values.size, block, paths, threads)
    if not 2 <= length <= _TABLE_ROWS:
        raise BadInput(f"paths of {periods} periods; allowed: 2 to {_TABLE_ROWS}")
    sums = _path_sums(values, block, length, paths, _seed_word(seed), threads)
    mean = sums[:, 0] / length
    variance = (sums[:, 1] - length * mean**2) / (length - 1)
    # Below this the spread is rounding of the prefix sums: the path holds one value only.
    flat = variance <= 1e-13 * np.mean(values**2)
    deviation = np.sqrt(np.where(flat, 1.0, variance))
    # Prefix sums are of returns around their mean; put it back.
    sharpe = (mean + values.mean()) / deviation * math.sqrt(periods_a_year)
    return BootstrapPaths(
        sharpe=np.where(flat, np.nan, sharpe),
        total_return=np.expm1(sums[:, 2]),
        max_drawdown=-np.expm1(-sums[:, 3]),
        mean_block=block,
        periods=length,
    )


def resample_indices(
    rows: int, *, mean_block: float, seed: int, path: int = 0, draws: int | None = None
) -> np.ndarray:
    """Row numbers (draws,) int64 of one stationary resample of ``rows`` rows."""
    draws = rows if draws is None else draws
    return resample_many(rows, mean_block=mean_block, seed=seed, paths=1, draws=draws, first=path)[
        0
    ]


def resample_many(
    rows: int, *, mean_block: float, seed: int, paths: int, draws: int, first: int = 0
) -> np.ndarray:
    """Row numbers (paths, draws) int64: resamples ``first``, ``first`` + 1, ... of the seed."""
    from ares_assets.evidence.bootstrap_kernel import draw_many

    _check(rows, mean_block, paths, 1)
    indices = np.empty((paths, draws), dtype=np.int64)
    draw_many(indices, rows, float(mean_block), _seed_word(seed), first)
    return indices


def _path_sums(
    values: np.ndarray, block: float, draws: int, paths: int, seed: np.uint64, threads: int
) -> np.ndarray:
    from ares_assets.evidence import bootstrap_kernel as kernel

    centred = values - values.mean()
    cumulated = np.zeros((values.size + 1, 4))
    for column, series in enumerate((centred, centred**2, np.log1p(values))):
        np.cumsum(series, out=cumulated[1:, column])
    points = cumulated.shape[0]
    # Allocated by numpy, which asks for huge pages: the lookups are random.
    table = np.empty(((points - 1).bit_length(), points, 3))
    kernel.fill_block_table(np.ascontiguousarray(cumulated[:, 2]), table)
    levels = kernel.level_map(points)
    result = np.empty((paths, 4))
    cuts = np.linspace(0, paths, threads + 1).astype(np.int64)

    def fill(part: int) -> None:
        first, last = int(cuts[part]), int(cuts[part + 1])
        kernel.path_statistics(cumulated, table, levels, block, draws, seed, first, last, result)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(fill, range(threads)))
    return result


def _seed_word(seed: int) -> np.uint64:
    return np.random.SeedSequence(seed).generate_state(1, np.uint64)[0]


def _check(rows: int, mean_block: float, paths: int, threads: int) -> None:
    if not 1 <= rows <= _TABLE_ROWS:
        raise BadInput(f"{rows} rows to resample; allowed: 1 to {_TABLE_ROWS}")
    if not (math.isfinite(mean_block) and mean_block >= 1.0):
        raise BadInput(f"mean_block = {mean_block}; needed: 1 or more periods")
    if paths < 1 or threads < 1:
        raise BadInput(f"paths = {paths}, threads = {threads}; needed: 1 or more of each")
