"""Whether any of many models beats a benchmark, given that many were tried.

Belongs here: tests of whole families on losses: SPA, stepwise selection, model confidence sets.
Does not belong here: what they say of a search (``search_ability.py``), and the bootstrap of a
single stream of returns (``bootstrap.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ares_assets.evidence.jsonable import jsonable
from ares_resources.errors import BadInput


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
