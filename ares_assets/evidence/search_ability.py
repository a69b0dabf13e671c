"""What a search's trials can do against not trading, as a family.

Belongs here: which trials are judged, against what, and the figures to report.  Does not belong
here: the tests themselves (``superior_ability.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ares_assets.evidence.bootstrap import optimal_mean_block
from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.superior_ability import (
    SuperiorAbility,
    model_confidence_set,
    stepwise_superior,
    superior_predictive_ability,
)
from ares_resources.errors import BadInput

_FRONT_FIGURES = (
    "mean_block",
    "spa",
    "beats_no_trade",
    "confidence_set",
    "no_trade_possible",
    "confidence_set_p",
)


def judge_front(
    daily: np.ndarray,
    names: Sequence[str],
    *,
    seed: int,
    level: float = 0.05,
    resamples: int = 1000,
) -> dict[str, Any]:
    """Whether any parameter set of a front beats not trading, which do, and which may be best.

    Parameters
    ----------
    daily
        Net returns per day (T, k) of the front's parameter sets over the same days.
    names
        Name of each column; sets that did the same are judged once, under the first name.

    Returns
    -------
    JSON-able: ``models`` judged, ``days``, ``mean_block``, the three p-values of SPA against no
    trade, ``beats_no_trade`` (names, StepM), ``confidence_set`` (names, "no trade" among the
    candidates) and ``no_trade_possible``.  None where nothing on the front trades, or there are
    fewer than three days.
    """
    matrix = np.asarray(daily, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != len(names):
        raise BadInput(f"daily returns {matrix.shape} for {len(names)} names; needed: (T, k)")
    columns = _different(matrix) if len(matrix) >= 3 else []
    known: dict[str, Any] = {"models": len(columns), "days": len(matrix), "level": level}
    if not columns:
        return {**known, **dict.fromkeys(_FRONT_FIGURES)}
    losses, idle = -matrix[:, columns], np.zeros(len(matrix))
    block = _block_of(matrix[:, columns])
    options: dict[str, Any] = {"seed": seed, "mean_block": block, "resamples": resamples}
    ability = superior_predictive_ability(idle, losses, **options)
    better = stepwise_superior(idle, losses, level=level, **options)
    possible = model_confidence_set(np.column_stack([idle, losses]), level=level, **options)
    judged = [names[column] for column in columns]
    return jsonable(
        {
            **known,
            "mean_block": block,
            "spa": _p_values(ability),
            "beats_no_trade": [judged[column] for column in better],
            "confidence_set": [
                name for name, p in zip(judged, possible[1:], strict=True) if p > level
            ],
            "no_trade_possible": bool(possible[0] > level),
            "confidence_set_p": dict(zip(("no trade", *judged), possible.tolist(), strict=True)),
        }
    )


def judge_search(daily: np.ndarray, *, seed: int, resamples: int = 1000) -> dict[str, Any]:
    """SPA of every trial of a search (T, k) against not trading, JSON-able.

    The front was chosen from these, so a p-value over the front alone is too small: what was
    tried and left behind belongs to the family.  ``models`` judged, ``mean_block`` and ``spa``
    as in :func:`judge_front`.
    """
    matrix = np.asarray(daily, dtype=np.float64)
    columns = _different(matrix) if len(matrix) >= 3 else []
    if not columns:
        return {"models": 0, "mean_block": None, "spa": None}
    block = _block_of(matrix[:, columns])
    found = superior_predictive_ability(
        np.zeros(len(matrix)),
        -matrix[:, columns],
        seed=seed,
        mean_block=block,
        resamples=resamples,
    )
    return jsonable({"models": len(columns), "mean_block": block, "spa": _p_values(found)})


def _p_values(found: SuperiorAbility) -> dict[str, float]:
    return {name: getattr(found, name) for name in ("lower", "consistent", "upper")}


def _block_of(matrix: np.ndarray) -> int:
    """One length for all columns, that of the most dependent: too short a block finds too much."""
    return max(round(optimal_mean_block(column)) for column in matrix.T)


def _different(matrix: np.ndarray) -> list[int]:
    """Columns that vary, the first of those that are alike."""
    seen: dict[bytes, int] = {}
    for column in range(matrix.shape[1]):
        if np.ptp(matrix[:, column]) > 0.0:
            seen.setdefault(matrix[:, column].tobytes(), column)
    return sorted(seen.values())
