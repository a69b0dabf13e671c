"""Whether any of many models beats a benchmark, given that many were tried.

Belongs here: tests of whole families on losses: SPA, stepwise selection, model confidence sets,
and all three on a search's front.  Does not belong here: the bootstrap of a single
stream of returns (``bootstrap.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares_assets.evidence.jsonable import jsonable
from ares_resources.errors import BadInput

_FRONT_FIGURES = (
    "mean_block",
    "spa",
    "beats_no_trade",
    "confidence_set",
    "no_trade_possible",
    "confidence_set_p",
)


@dataclass(frozen=True)
class SuperiorAbility:
    """Hansen's three p-values of "no model beats the benchmark"; ``consistent`` is the one
    to use, the others bound it."""

    lower: float
    consistent: float
    upper: float
    models: int
    mean_block: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return jsonable(self)


def superior_predictive_ability(
    benchmark_losses: np.ndarray,
    model_losses: np.ndarray,
    *,
    seed: int | np.random.Generator | np.random.RandomState,
    mean_block: int | None = None,
    resamples: int = 1000,
) -> SuperiorAbility:
    """Test of superior predictive ability; smaller losses are better (returns: negate them).

    Parameters
    ----------
    benchmark_losses, model_losses
        Losses over the same periods, (T,) and (T, k).
    seed
        Integer, or a generator that is used up.
    mean_block
        Mean block of the stationary bootstrap, periods; None takes the root of T.

    Raises
    ------
    BadInput
        Shapes that do not match, fewer than three periods, or losses that are not finite.

    Hansen (2005), A Test for Superior Predictive Ability, JBES 23(4); computed by arch.
    """
    from arch.bootstrap import SPA

    benchmark, models = _checked_losses(benchmark_losses, model_losses)
    test = SPA(benchmark, models, block_size=mean_block, reps=resamples, seed=seed)
    test.compute()
    values = {str(name): float(value) for name, value in test.pvalues.items()}
    return SuperiorAbility(
        lower=values["lower"],
        consistent=values["consistent"],
        upper=values["upper"],
        models=models.shape[1],
        mean_block=float(test.block_size),
    )


def stepwise_superior(
    benchmark_losses: np.ndarray,
    model_losses: np.ndarray,
    *,
    seed: int,
    mean_block: int | None = None,
    level: float = 0.05,
    resamples: int = 1000,
) -> list[int]:
    """Columns of the models that beat the benchmark, the family-wise error held at ``level``.

    Parameters and errors as for :func:`superior_predictive_ability`, which only says whether
    there is any.  Romano & Wolf (2005), Stepwise multiple testing as formalized data snooping,
    Econometrica 73(4); computed by arch.
    """
    from arch.bootstrap import SPA

    benchmark, models = _checked_losses(benchmark_losses, model_losses)
    _check_level(level)
    test = SPA(benchmark, models, block_size=mean_block, reps=resamples, seed=seed)
    # arch.bootstrap.StepM takes these steps too, but fails where the last leaves no model.
    better: set[int] = set()
    while len(better) < models.shape[1]:
        test.subset(np.array([column not in better for column in range(models.shape[1])]))
        test.compute()
        found = {int(column) for column in test.better_models(level)}
        if not found:
            break
        better |= found
    return sorted(better)


def model_confidence_set(
    losses: np.ndarray,
    *,
    seed: int,
    mean_block: int | None = None,
    level: float = 0.05,
    resamples: int = 1000,
) -> np.ndarray:
    """Model confidence set p-value of each of k columns of losses (T, k), k of 2 or more.

    The set that holds the best model with confidence 1 - ``level`` are the columns whose
    p-value is above ``level``.  Hansen, Lunde & Nason (2011), The Model Confidence Set,
    Econometrica 79(2); computed by arch with the range statistic.
    """
    from arch.bootstrap import MCS

    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] < 2:
        raise BadInput(f"losses {values.shape}; needed: (T, k), k at least 2")
    _checked_losses(values[:, 0], values)
    _check_level(level)
    test = MCS(values, size=level, block_size=mean_block, reps=resamples, seed=seed)
    test.compute()
    return test.pvalues["Pvalue"].sort_index().to_numpy(np.float64)


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
    from ares_assets.evidence.bootstrap import optimal_mean_block

    return max(round(optimal_mean_block(column)) for column in matrix.T)


def _different(matrix: np.ndarray) -> list[int]:
    """Columns that vary, the first of those that are alike."""
    seen: dict[bytes, int] = {}
    for column in range(matrix.shape[1]):
        if np.ptp(matrix[:, column]) > 0.0:
            seen.setdefault(matrix[:, column].tobytes(), column)
    return sorted(seen.values())


def _checked_losses(
    benchmark_losses: np.ndarray, model_losses: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    benchmark = np.asarray(benchmark_losses, dtype=np.float64)
    models = np.asarray(model_losses, dtype=np.float64)
    if benchmark.ndim != 1 or models.ndim != 2 or len(benchmark) != len(models) or not models.size:
        raise BadInput(f"losses {benchmark.shape} and {models.shape}; needed: (T,) and (T, k)")
    if len(benchmark) < 3 or not (np.isfinite(benchmark).all() and np.isfinite(models).all()):
        raise BadInput(f"losses over {len(benchmark)} periods; needed: 3 or more, all finite")
    return benchmark, models


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise BadInput(f"level = {level}; allowed: between 0 and 1")
