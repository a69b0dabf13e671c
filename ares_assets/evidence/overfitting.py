"""The probability that choosing the best backtest chose noise (PBO).

Belongs here: combinatorially symmetric cross-validation on a matrix of returns.  Does not
belong here: making the backtests.  PBO judges the act of choosing, not the chosen strategy:
it never decides a release alone.

Bailey, Borwein, López de Prado & Zhu (2017), The Probability of Backtest Overfitting,
Journal of Computational Finance 20(4).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares_assets.evidence.jsonable import jsonable
from ares_resources.errors import BadInput

_CHUNK_CELLS = 2_000_000


@dataclass(frozen=True)
class OverfittingReport:
    """What all symmetric splits say about choosing by in-sample Sharpe ratio.

    ``probability`` is PBO, the share of splits whose in-sample best is at or below the median
    out of sample; ``logits`` (splits,) the logit of its relative rank; ``loss_probability``
    the share in which it lost money out of sample; ``slope`` that of its out-of-sample on its
    in-sample Sharpe ratio (per observation), NaN where the latter does not vary.
    """

    probability: float
    loss_probability: float
    slope: float
    logits: np.ndarray
    strategies: int
    blocks: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-able summary, logits as quantiles."""
        quantiles = np.quantile(self.logits, (0.05, 0.25, 0.5, 0.75, 0.95))
        return jsonable(
            {
                "probability": self.probability,
                "loss_probability": self.loss_probability,
                "slope": self.slope,
                "splits": self.logits.size,
                "strategies": self.strategies,
                "blocks": self.blocks,
                "logit_quantiles": dict(
                    zip(("5%", "25%", "50%", "75%", "95%"), quantiles, strict=True)
                ),
            }
        )


def probability_of_overfitting(returns: np.ndarray, *, blocks: int = 16) -> OverfittingReport:
    """PBO of choosing one of N strategies by its in-sample Sharpe ratio.

    Parameters
    ----------
    returns
        Net returns per period, (T, N), T periods of N >= 2 strategies over the same time.
        A strategy that never trades in a part has Sharpe ratio 0 there.
    blocks
        Even number S of contiguous blocks; all S-choose-S/2 halves are in-sample once.

    Raises
    ------
    BadInput
        Wrong shape, non-finite returns, or S not an even number from 2 to T / 2.
    """
    matrix = _checked_matrix(returns, blocks)
    statistics = _block_statistics(matrix, blocks)
    splits = _symmetric_splits(blocks)
    chunk = max(1, _CHUNK_CELLS // matrix.shape[1])
    parts = [
        _judge(splits[first : first + chunk], *statistics)
        for first in range(0, splits.shape[0], chunk)
    ]
    rank, inside, outside, mean_outside = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    return OverfittingReport(
        probability=float(np.mean(rank <= 0.5)),
        loss_probability=float(np.mean(mean_outside < 0.0)),
        slope=float(np.polyfit(inside, outside, 1)[0]) if np.ptp(inside) > 1e-12 else float("nan"),
        logits=np.log(rank / (1.0 - rank)),
        strategies=matrix.shape[1],
        blocks=blocks,
    )


def _checked_matrix(returns: np.ndarray, blocks: int) -> np.ndarray:
    matrix = np.asarray(returns, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] < 2:
        raise BadInput(f"returns have shape {matrix.shape}; needed: (T, N), N at least 2")
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise BadInput(f"returns[{row}, {column}] = {matrix[row, column]}; needed: finite")
    if blocks % 2 or not 2 <= blocks <= matrix.shape[0] // 2 or blocks > 20:
        raise BadInput(
            f"blocks = {blocks}; needed: even, from 2 to {min(20, matrix.shape[0] // 2)}"
        )
    return matrix


def _block_statistics(matrix: np.ndarray, blocks: int) -> tuple[np.ndarray, ...]:
    """Per block: observations (S,), sums and squared sums (S, N) of returns around their mean."""
    centre = matrix.mean(axis=0)
    parts = np.array_split(matrix - centre, blocks)
    counts = np.array([part.shape[0] for part in parts], dtype=np.float64)
    sums = np.array([part.sum(axis=0) for part in parts])
    squares = np.array([np.einsum("ij,ij->j", part, part) for part in parts])
    return counts, sums, squares, centre


def _symmetric_splits(blocks: int) -> np.ndarray:
    """Indicator matrix (splits, S) of all halves."""
    chosen = np.array(list(itertools.combinations(range(blocks), blocks // 2)))
    indicator = np.zeros((chosen.shape[0], blocks))
    np.put_along_axis(indicator, chosen, 1.0, axis=1)
    return indicator


def _judge(
    inside: np.ndarray,
    counts: np.ndarray,
    sums: np.ndarray,
    squares: np.ndarray,
    centre: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Relative out-of-sample rank of each split's in-sample best, and its Sharpe ratios."""
    sharpe_inside, _ = _sharpe(inside, counts, sums, squares, centre)
    sharpe_outside, mean_outside = _sharpe(1.0 - inside, counts, sums, squares, centre)
    best = sharpe_inside.argmax(axis=1)
    row = np.arange(best.size)
    reached = sharpe_outside[row, best]
    below = (sharpe_outside < reached[:, None]).sum(axis=1)
    alike = (sharpe_outside == reached[:, None]).sum(axis=1)
    rank = (below + (alike + 1.0) / 2.0) / (centre.size + 1.0)
    return rank, sharpe_inside[row, best], reached, mean_outside[row, best]


def _sharpe(
    chosen: np.ndarray,
    counts: np.ndarray,
    sums: np.ndarray,
    squares: np.ndarray,
    centre: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    n = (chosen @ counts)[:, None]
    shift = (chosen @ sums) / n
    variance = (chosen @ squares) / n - shift**2
    mean = centre + shift
    # Below this the spread is rounding: the strategy did nothing in these blocks.
    idle = variance <= 1e-24 + 1e-14 * mean**2
    return np.where(idle, 0.0, mean / np.sqrt(np.where(idle, 1.0, variance))), mean
