"""What stress does to a strategy: jittered parameters, dearer costs, later fills.

Belongs here: which points to evaluate and what to make of them.  Does not belong here: running
a backtest: every function is given one as ``evaluate``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ares_assets.evidence.jsonable import jsonable
from ares_resources.errors import BadInput

Parameters = dict[str, float | int]
Evaluate = Callable[[Parameters], Mapping[str, float]]
Row = dict[str, Any]


def parameter_jitter(
    evaluate: Evaluate,
    parameters: Mapping[str, float | int],
    *,
    names: Sequence[str],
    share: float,
    draws: int,
    seed: int,
    spans: Mapping[str, float] | None = None,
) -> list[Row]:
    """Evaluate the parameters as they are, then ``draws`` times shaken.

    Each named parameter is multiplied by an own uniform factor in [1 - share, 1 + share];
    an integer is rounded, and stays an integer.  One named in ``spans`` is moved by up to
    ``share`` of its span instead, either way, and mirrored at 0: a factor would never shake a
    value of 0, and hardly one near it.

    Returns
    -------
    list
        Rows {"draw", "parameters", ...measured}; draw 0 is unshaken.
    """
    _check_names(names, parameters)
    if not 0.0 <= share < 1.0 or draws < 1:
        raise BadInput(f"share = {share}, draws = {draws}; allowed: share in [0, 1), draws >= 1")
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    moves = share * np.vstack([np.zeros(len(names)), rng.uniform(-1.0, 1.0, (draws, len(names)))])
    return [
        _measured(evaluate, _shaken(parameters, names, row, spans or {}), {"draw": draw})
        for draw, row in enumerate(moves)
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


def break_even_multiple(
    profit: Callable[[float], float], *, upper: float, tolerance: float = 0.01
) -> float:
    """The multiple of all costs at which the profit is gone; 0 where nothing pays even free.

    ``upper`` where it still earns at that multiple.  By bisection: ``profit`` of a multiple is
    taken to fall, so of several crossings one is found.

    Raises
    ------
    BadInput
        ``upper`` or ``tolerance`` is not above 0.
    """
    if not (0.0 < upper < math.inf and tolerance > 0.0):
        raise BadInput(f"upper = {upper}, tolerance = {tolerance}; needed: above 0")
    if profit(0.0) <= 0.0:
        return 0.0
    if profit(upper) > 0.0:
        return upper
    low, high = 0.0, upper
    while high - low > tolerance:
        middle = (low + high) / 2.0
        low, high = (middle, high) if profit(middle) > 0.0 else (low, middle)
    return (low + high) / 2.0


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


def _shaken(
    parameters: Mapping[str, float | int],
    names: Sequence[str],
    moves: Sequence[float],
    spans: Mapping[str, float],
) -> Parameters:
    shaken = dict(parameters)
    for name, move in zip(names, moves, strict=True):
        value = parameters[name]
        if name in spans:
            shaken[name] = abs(value + float(move) * spans[name])
        elif isinstance(value, int):
            shaken[name] = round(value * (1.0 + move))
        else:
            shaken[name] = value * (1.0 + float(move))
    return shaken


def _measured(evaluate: Evaluate, parameters: Parameters, head: Row) -> Row:
    return jsonable({**head, "parameters": parameters, **evaluate(dict(parameters))})


def _check_names(names: Sequence[str], parameters: Mapping[str, float | int]) -> None:
    unknown = sorted(set(names) - set(parameters))
    if unknown or not names:
        raise BadInput(f"parameters to stress {list(names)}; allowed: {sorted(parameters)}")
