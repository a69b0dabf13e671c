"""The seeds' programmatic face: an async front on the same jobs that everything else runs.

Belongs here: ``EnhancedTrainingManager`` with its getters, history and results.  Does not
belong here: training (``runner.py``), the toolkit (``ares_resources/optimized_manager.py``).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from ares_jobs import runner
from ares_jobs.runner import PartitionOutcome, TrainingRequest
from ares_jobs.training_history import TrainingHistory, history_entry, partition_entry
from ares_jobs.training_input import read_training_input
from ares_resources.errors import AresError, BadInput, handle_specific_errors
from ares_resources.home import Home
from ares_resources.settings import Settings, load_settings

if TYPE_CHECKING:
    from ares_resources.backtesting.cached import CachedBacktester
    from ares_resources.backtesting.progressive import (
        Block,
        ProgressiveEvaluator,
        ProgressiveOutcome,
    )
    from ares_resources.backtesting.results import BacktestResult
    from ares_resources.memory import MemoryManager
    from ares_resources.optimized_manager import EnhancedTrainingManagerOptimized
    from ares_resources.storage.data_manager import MemoryEfficientDataManager

T = TypeVar("T")

# Dagster's in-process runs share the process' environment: one training at a time.
_ONE_AT_A_TIME = threading.Lock()
_DISK: dict[type[BaseException], tuple[type[AresError], str]] = {
    OSError: (AresError, "the home cannot be read or written")
}


class EnhancedTrainingManager:
    """Trains symbols on request; the event loop stays free meanwhile.

    Parameters
    ----------
    config
        The configuration tree, or part of it, with the seeds' names: such as
        ``{"enhanced_training_manager": {...}, "computational_optimization": {...}}``.
    home
        Where everything is kept; as ``ares`` finds it unless given.

    Raises
    ------
    BadInput
        For an unknown key or an unusable value, by name.
    """

    def __init__(
        self, config: Mapping[str, Any] | None = None, *, home: Home | None = None
    ) -> None:
        self._config = {} if config is None else config
        self.settings: Settings = load_settings(self._config)
        self.home = home or Home.find()
        maximum = self.settings.enhanced_training_manager.max_enhanced_training_history
        self._history = TrainingHistory(self.home, maximum)
        self._optimized: EnhancedTrainingManagerOptimized | None = None
        self._trained: tuple[TrainingRequest, list[PartitionOutcome]] | None = None
        self._attached = False

    @handle_specific_errors(_DISK, context="enhanced training manager initialization")
    async def initialize(self) -> bool:
        """Open the home and the toolkit; True.  Doing it again changes nothing."""
        if self._optimized is None:
            self._optimized = await asyncio.to_thread(self._open)
        return True

    @handle_specific_errors(_DISK, context="enhanced training")
    async def execute_enhanced_training(self, training_input: Mapping[str, Any]) -> bool:
        """Train a symbol: all regimes unless ``regimes`` names some.

        Parameters
        ----------
        training_input
            ``symbol`` and ``exchange``; may hold ``timeframe``, ``lookback_days``,
            ``regimes``, ``as_of``, ``offline`` and ``seed``.

        Returns
        -------
        True if every partition came to a verdict, releasing or not, or was skipped for a
        reason; False if one failed.  :meth:`get_enhanced_training_results` says which.

        Raises
        ------
        BadInput
            If the input cannot be used; nothing is trained or recorded then.
        AresError
            If the training could not be carried out; the history has the reason.
        """
        request = read_training_input(training_input, self._config, self.settings)
        outcomes = await asyncio.to_thread(self._train, request)
        await self.initialize()
        return all(outcome.status != "failed" for outcome in outcomes)

    async def execute_optimized_training(self, symbol: str, exchange: str, timeframe: str) -> bool:
        """The same training over the configured window; the toolkit is always at work in it."""
        given = {"symbol": symbol, "exchange": exchange, "timeframe": timeframe}
        return await self.execute_enhanced_training(given)

    def get_enhanced_training_history(self, limit: int | None = None) -> list[dict[str, Any]]:
        """The latest trainings of this home, oldest first, at most ``limit``.

        Each holds ``started``, ``seconds``, ``symbol``, ``exchange``, ``timeframe``, ``mode``,
        ``success``, ``partitions`` and, if it could not be carried out, ``error``.
        """
        if limit is not None and limit < 1:
            raise BadInput(f"limit {limit} is not usable; allowed: 1 or more")
        entries = self._history.entries()
        return entries if limit is None else entries[-limit:]

    def get_enhanced_training_results(self) -> dict[str, dict[str, Any]]:
        """Outcomes of this manager's last training by partition; empty before the first."""
        return {} if self._trained is None else {o.partition: asdict(o) for o in self._trained[1]}

    def get_cached_backtester(self) -> CachedBacktester:
        """The backtester of what was trained last: its bars and out-of-fold decisions.

        Raises
        ------
        BadInput
            If this manager has trained nothing yet that could be backtested.
        """
        return self._with_market().get_cached_backtester()

    def get_progressive_evaluator(self) -> ProgressiveEvaluator:
        """The evaluator over the purged blocks of what was trained last; BadInput before."""
        return self._with_market().get_progressive_evaluator()

    def get_memory_manager(self) -> MemoryManager:
        """The watch over this process' memory."""
        return self.get_optimized_manager().memory_manager

    def get_data_manager(self) -> MemoryEfficientDataManager:
        """The keeper of frames: Parquet copies, down-casting."""
        return self.get_optimized_manager().data_manager

    def get_optimized_manager(self) -> EnhancedTrainingManagerOptimized:
        """The toolkit as a whole.

        Raises
        ------
        BadInput
            Before :meth:`initialize`.
        """
        if self._optimized is None:
            raise BadInput("the training manager is not initialized; await initialize() first")
        return self._optimized

    def use_cached_backtesting(self, params: Mapping[str, Any]) -> BacktestResult:
        """Backtest one parameter set on what was trained last; it counts in the trial ledger."""
        return self._with_market().use_cached_backtesting(params)

    def use_progressive_evaluation(
        self, params: T, evaluator_func: Callable[[T, Block], float]
    ) -> ProgressiveOutcome:
        """Judge one parameter set block by block, stopping early where it is unpromising."""
        return self._with_market().use_progressive_evaluation(params, evaluator_func)

    def generate_cache_key(self, params: Any) -> str:
        """The key of parameters: the same for the same values, in any order and process."""
        from ares_resources.hashing import cache_key

        return cache_key(params)

    def attach_partition(self, regime: str) -> CachedBacktester:
        """Choose the regime of the last training that backtests are made on.

        Raises
        ------
        BadInput
            If this manager has not trained that regime as far as step 12.
        """
        from ares_jobs.training_market import trained_market

        request, outcome = self._outcome_of(regime)
        market = trained_market(request, regime, self.home, run_id=outcome.run_id)
        signals = market.signals
        made = self.get_optimized_manager().attach_market(
            signals.market,
            signals.probability,
            signals.size,
            study=market.study,
            management=signals.management,
        )
        self._attached = True
        return made

    def _open(self) -> EnhancedTrainingManagerOptimized:
        from ares_resources.optimized_manager import EnhancedTrainingManagerOptimized

        self.home.create()
        return EnhancedTrainingManagerOptimized(self.settings, self.home.root)

    def _train(self, request: TrainingRequest) -> list[PartitionOutcome]:
        """Train in this thread, and enter it into the history unless it was bad input."""
        with _ONE_AT_A_TIME:
            entry, started = history_entry(request), time.perf_counter()
            try:
                outcomes = runner.train(request, home=self.home)
            except BadInput:
                raise
            except Exception as error:
                entry["error"] = " ".join(str(error).split())
                self._record(entry, started)
                raise
            entry["success"] = all(outcome.status != "failed" for outcome in outcomes)
            entry["partitions"] = [partition_entry(outcome) for outcome in outcomes]
            self._record(entry, started)
            self._trained, self._attached = (request, outcomes), False
        return outcomes

    def _record(self, entry: dict[str, Any], started: float) -> None:
        self._history.append({**entry, "seconds": round(time.perf_counter() - started, 1)})

    def _outcome_of(self, regime: str) -> tuple[TrainingRequest, PartitionOutcome]:
        request, outcomes = self._trained or (None, [])
        for outcome in outcomes:
            if request is not None and outcome.partition == f"{regime}|{request.symbol}":
                return request, outcome
        trained = ", ".join(outcome.partition for outcome in outcomes) or "nothing yet"
        raise BadInput(f"regime {regime!r} was not trained by this manager; trained: {trained}")

    def _with_market(self) -> EnhancedTrainingManagerOptimized:
        """The toolkit with the first partition attached that came to a verdict."""
        optimized = self.get_optimized_manager()
        if self._attached or self._trained is None:
            return optimized
        for outcome in self._trained[1]:
            if outcome.release is not None:
                self.attach_partition(outcome.partition.split("|")[0])
                return optimized
        raise BadInput("no partition of the last training came to a verdict: nothing to backtest")
