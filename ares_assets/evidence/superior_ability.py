"""Whether any of many models beats a benchmark, given that many were tried (SPA).

Belongs here: Hansen's test on losses.  Does not belong here: the bootstrap of a single
stream of returns (``bootstrap.py``).
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

    benchmark = np.asarray(benchmark_losses, dtype=np.float64)
    models = np.asarray(model_losses, dtype=np.float64)
    if benchmark.ndim != 1 or models.ndim != 2 or len(benchmark) != len(models) or not models.size:
        raise BadInput(f"losses {benchmark.shape} and {models.shape}; needed: (T,) and (T, k)")
    if len(benchmark) < 3 or not (np.isfinite(benchmark).all() and np.isfinite(models).all()):
        raise BadInput(f"losses over {len(benchmark)} periods; needed: 3 or more, all finite")
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
