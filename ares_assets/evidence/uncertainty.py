"""From what the model does not know of a probability to what that leaves open of equity.

Belongs here: intervals of probabilities from prediction sets, and the band of equity that they
leave.  Does not belong here: fitting sets and intervals (``conformal.py``, ``calibrators.py``),
and which trade belongs to which decision (``release/claimed_equity.py``).

The band answers: had things come as the model says, with payoffs like these, what could the
account have become?  Equity outside it speaks against the probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares_assets.evidence.bootstrap import optimal_mean_block, resample_many
from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.performance import Floats, checked_returns
from ares_resources.errors import BadInput

_CHUNK_CELLS = 500_000
_CURVE_POINTS = 20


@dataclass(frozen=True)
class EquityBand:
    """Final equity (1 at the start), largest drawdown and the path between, as quantiles.

    ``low``, ``middle`` and ``high`` are the quantiles that ``coverage`` leaves out evenly, and
    the median.  ``pessimistic`` and ``optimistic`` are median final equity where every
    probability lies at that end of its interval.  ``curve`` has equity after ``after_trades``
    trades.  ``inside`` and ``rank`` (share of paths that end lower) are of the realised
    account, None where none was given.
    """

    trades: int
    paths: int
    coverage: float
    mean_chance: float
    mean_width: float
    low: float
    middle: float
    high: float
    drawdown: dict[str, float]
    loss_share: float
    pessimistic: float
    optimistic: float
    after_trades: list[int]
    curve: dict[str, list[float]]
    realised: float | None
    inside: bool | None
    rank: float | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return jsonable(self)


def set_intervals(
    probability: np.ndarray, single: np.ndarray, conformal: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities of "up" that a prediction set does not tell apart, (n,) low and high.

    A set of one direction keeps its own probability.  Any other set makes no statement: the
    events that it is given to are those with a probability between 1 - q and q, q being the
    conformal threshold, and within these it knows nothing better.

    Parameters
    ----------
    probability
        Calibrated probability of "up", (n,).
    single
        Whether the set holds exactly one direction, bool (n,).
    conformal
        ``method`` and ``threshold`` of the fitted sets (``ConformalSets.to_dict``).  Only of
        "lac" is the threshold one of probability; for another, or one beyond every score
        (None), the interval is all of 0 to 1.
    """
    p, alone = np.asarray(probability, dtype=np.float64), np.asarray(single, dtype=bool)
    if p.shape != alone.shape or p.ndim != 1 or not ((p >= 0.0) & (p <= 1.0)).all():
        raise BadInput(f"probabilities {p.shape} in 0..1 and sets {alone.shape} must match")
    threshold = conformal["threshold"] if conformal["method"] == "lac" else None
    reach = 1.0 if threshold is None else float(np.clip(threshold, 0.0, 1.0))
    low, high = min(reach, 1.0 - reach), max(reach, 1.0 - reach)
    # Hull: a probability is never outside its own interval.
    return (
        np.where(alone, p, np.minimum(p, low)),
        np.where(alone, p, np.maximum(p, high)),
    )


def equity_band(
    low: np.ndarray,
    high: np.ndarray,
    right: Floats,
    wrong: Floats,
    *,
    paths: int,
    seed: int,
    coverage: float = 0.9,
    realised: Floats | None = None,
) -> EquityBand:
    """The band of equity that intervals of probability leave open.

    A path draws one u for all its trades; trade i then proves right with probability
    low + u (high - low), and pays a return from the pool of trades that proved right, or from
    that of those that did not.  Within its pool the order is a stationary resample, so that
    large payoffs stay together.  One u a path, since calibration errs alike for all trades:
    drawn anew for each, the errors would average out, and an interval would be worth no more
    than its middle.

    Parameters
    ----------
    low, high
        Interval of the chance that each trade's direction proves right, (n,), in time order;
        equal where only chance is uncertain.
    right, wrong
        Net returns on equity of trades whose direction proved right, and wrong; each not empty.
        Pools of other trades give the stated coverage.  Those of the judged trades themselves
        hold the luck of payoff sizes already, so the band is a little wide.
    realised
        Net returns of the account itself, (n,), to place in the band.

    Raises
    ------
    BadInput
        Intervals that are not ordered in 0..1, an empty pool, a share or count out of range.
    """
    bottom, top = _checked_intervals(low, high)
    pools = tuple(
        np.log1p(checked_returns(pool, name=name))
        for pool, name in ((right, "right"), (wrong, "wrong"))
    )
    if paths < 1 or not 0.0 < coverage < 1.0:
        raise BadInput(f"paths = {paths}, coverage = {coverage}; needed: 1 or more, in (0, 1)")
    after = np.unique(np.linspace(1, bottom.size, _CURVE_POINTS).round().astype(np.int64))
    final, falls, curve, ends = _drawn(bottom, top, pools, paths, seed, after)
    shares = ((1.0 - coverage) / 2.0, 0.5, (1.0 + coverage) / 2.0)
    edges, bent = np.quantile(final, shares), np.quantile(curve, shares, axis=0)
    ended = None
    if realised is not None:
        ended = float(np.log1p(checked_returns(realised, name="realised")).sum())
    names = ("low", "middle", "high")
    return EquityBand(
        trades=bottom.size,
        paths=paths,
        coverage=coverage,
        mean_chance=float((bottom + top).mean() / 2.0),
        mean_width=float((top - bottom).mean()),
        **dict(zip(names, np.exp(edges).tolist(), strict=True)),
        drawdown=dict(zip(names, (-np.expm1(-np.quantile(falls, shares))).tolist(), strict=True)),
        loss_share=float(np.mean(final < 0.0)),
        pessimistic=float(np.exp(np.median(ends[:, 0]))),
        optimistic=float(np.exp(np.median(ends[:, 1]))),
        after_trades=after.tolist(),
        curve=dict(zip(names, np.exp(bent).tolist(), strict=True)),
        realised=None if ended is None else float(np.exp(ended)),
        inside=None if ended is None else bool(edges[0] <= ended <= edges[2]),
        rank=None if ended is None else float(np.mean(final < ended)),
    )


def _drawn(
    low: np.ndarray,
    high: np.ndarray,
    pools: tuple[np.ndarray, ...],
    paths: int,
    seed: int,
    after: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Per path: final log equity, deepest log fall, log equity ``after`` some trades, and final
    log equity with all probabilities at their low and at their high end, by the same numbers."""
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    blocks = [optimal_mean_block(np.expm1(pool)) if pool.size > 1 else 1.0 for pool in pools]
    trades = low.size
    final, falls, ends = np.empty(paths), np.empty(paths), np.empty((paths, 2))
    curve = np.empty((paths, after.size))
    chunk = max(1, _CHUNK_CELLS // trades)
    for first in range(0, paths, chunk):
        rows = min(chunk, paths - first)
        part = slice(first, first + rows)
        shared, chance = rng.random((rows, 1)), rng.random((rows, trades))
        paid = [
            pool[
                resample_many(
                    pool.size,
                    mean_block=block,
                    seed=seed + number,
                    paths=rows,
                    draws=trades,
                    first=first,
                )
            ]
            for number, (pool, block) in enumerate(zip(pools, blocks, strict=True))
        ]
        equity = np.cumsum(np.where(chance < low + shared * (high - low), *paid), axis=1)
        peak = np.maximum(np.maximum.accumulate(equity, axis=1), 0.0)
        final[part], falls[part] = equity[:, -1], np.max(peak - equity, axis=1)
        curve[part] = equity[:, after - 1]
        for column, end in enumerate((low, high)):
            ends[part, column] = np.where(chance < end, *paid).sum(axis=1)
    return final, falls, curve, ends


def _checked_intervals(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    bottom, top = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    if bottom.ndim != 1 or bottom.shape != top.shape or not bottom.size:
        raise BadInput(f"low {bottom.shape} and high {top.shape}; needed: (n,) each, n above 0")
    wrong = ~((bottom >= 0.0) & (bottom <= top) & (top <= 1.0))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise BadInput(
            f"interval {first} is {bottom[first]} to {top[first]}; needed: ascending, in 0..1"
        )
    return bottom, top
