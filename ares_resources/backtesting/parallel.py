"""Many parameter sets over the cores.

Belongs here: the seeds' name for it and its budget of threads.  Does not belong here: the
sweep itself (``engine``), which shares the bars between threads instead of copying them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ares_resources.backtesting.cached import Parameters, as_parameters
from ares_resources.backtesting.engine import Signals
from ares_resources.backtesting.market import MarketArrays
from ares_resources.backtesting.results import BacktestResult, SweepResult
from ares_resources.errors import BadInput


class ParallelBacktester:
    """Backtests of one market and one signal on several cores, without a cache.

    Parameters
    ----------
    market, probability, size, management
        See :class:`ares_resources.backtesting.Signals`; checked once, never copied.
    max_workers
        Threads to use, at least 1; never more than the machine has are used.  Results and
        their order are the same for every number.
    """

    def __init__(
        self,
        market: MarketArrays,
        probability: np.ndarray,
        size: np.ndarray,
        *,
        max_workers: int = 2,
        management: np.ndarray | None = None,
    ) -> None:
        if max_workers < 1:
            raise BadInput(f"max_workers {max_workers} must be at least 1")
        self.signals = Signals(market, probability, size, management)
        self.threads = min(max_workers, os.cpu_count() or 1)

    def evaluate_many(self, parameters: Sequence[Parameters]) -> list[BacktestResult]:
        """Results in the order of the parameters."""
        return self.sweep(parameters).results()

    def sweep(self, parameters: Sequence[Parameters], *, daily: bool = False) -> SweepResult:
        """The same as arrays; ``daily`` keeps the daily returns as well."""
        sets = [as_parameters(one) for one in parameters]
        return self.signals.sweep(sets, threads=self.threads, daily=daily)
