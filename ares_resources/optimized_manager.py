"""The toolkit as one object, built from the settings.

Belongs here: making each tool with the settings' budgets, in the home's folders, and the
seeds' names for using them.  Does not belong here: what the tools do, and the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from ares_resources.backtesting.cached import CachedBacktester, Parameters
from ares_resources.backtesting.ledger import TrialLedger
from ares_resources.backtesting.market import MarketArrays
from ares_resources.backtesting.parallel import ParallelBacktester
from ares_resources.backtesting.progressive import (
    Block,
    ProgressiveEvaluator,
    ProgressiveOutcome,
    purged_blocks,
)
from ares_resources.backtesting.recorded import RecordedEvaluator
from ares_resources.backtesting.results import BacktestResult
from ares_resources.backtesting.trial_records import TrialRecords
from ares_resources.errors import BadInput
from ares_resources.hashing import cache_key
from ares_resources.home import Home
from ares_resources.incremental import IncrementalTrainer, Learner
from ares_resources.memory import MemoryManager
from ares_resources.settings import Settings
from ares_resources.storage.data_manager import LoadReport, MemoryEfficientDataManager
from ares_resources.streaming import StreamingDataProcessor

if TYPE_CHECKING:
    from ares_resources.backtesting.sampler import AdaptiveSampler

UNNAMED = "unnamed"
"""The study of looks for which nobody named one."""

T = TypeVar("T")
Data = TypeVar("Data")
Model = TypeVar("Model")


class EnhancedTrainingManagerOptimized:
    """Every tool of the toolkit, with the switches and budgets of the settings.

    Parameters
    ----------
    settings
        The configuration; ``enable_*`` and the groups of ``computational_optimization``
        both have to allow a tool.
    home
        The home's root: cache and trial ledger are the ones that the pipeline uses.
    """

    def __init__(self, settings: Settings, home: Path) -> None:
        self.settings, self.home = settings, Home(Path(home))
        manager, budget = settings.enhanced_training_manager, settings.computational_optimization
        self._caching = manager.enable_caching and budget.caching.enabled
        self._parallel = manager.enable_parallelization and budget.parallelization.enabled
        self._stopping = manager.enable_early_stopping and budget.early_stopping.enabled
        watching = manager.enable_memory_management and budget.memory_management.enabled
        self.memory_manager = MemoryManager(budget.memory_management.memory_threshold, watching)
        self.streaming_processor = StreamingDataProcessor()
        self.data_manager = MemoryEfficientDataManager(
            self.home.cache / "csv", streaming=self.streaming_processor
        )
        self.ledger = TrialLedger(self.home.ledger)
        self._backtester: CachedBacktester | None = None
        self._evaluator: ProgressiveEvaluator | None = None
        self._study = UNNAMED

    @property
    def threads(self) -> int:
        """Threads for sweeps: the settings' own, or 1 where parallel work is switched off."""
        workers = self.settings.computational_optimization.parallelization.max_workers
        return min(self.settings.threads, workers) if self._parallel else 1

    def attach_market(
        self,
        market: MarketArrays,
        probability: np.ndarray,
        size: np.ndarray,
        *,
        study: str,
        blocks: int = 8,
        management: np.ndarray | None = None,
    ) -> CachedBacktester:
        """Say which bars and signals are backtested from here on.

        ``study`` is the name under which every look counts in the trial ledger.  The bars
        are also cut into purged blocks, one label horizon apart, for early stopping.
        """
        self._backtester = self.cached_backtester(
            market, probability, size, study=study, management=management
        )
        horizon = self.settings.labels.horizon_bars
        cut = purged_blocks(len(market), blocks=blocks, purge_rows=horizon)
        self._study = study
        self._evaluator = self.progressive_evaluator(cut, data=self._backtester.data_fingerprint)
        return self._backtester

    def cached_backtester(
        self,
        market: MarketArrays,
        probability: np.ndarray,
        size: np.ndarray,
        *,
        study: str,
        management: np.ndarray | None = None,
    ) -> CachedBacktester:
        """A backtester on the home's cache and ledger, watched by the memory manager."""
        made = CachedBacktester(
            self.home.cache / "backtests",
            market=market,
            probability=probability,
            size=size,
            management=management,
            max_cache_size=self.settings.computational_optimization.caching.max_cache_size,
            ledger=self.ledger,
            study=study,
            threads=self.threads,
            enabled=self._caching,
        )
        self.memory_manager.register(f"backtests of {study}", made.clear_memory)
        return made

    def parallel_backtester(
        self,
        market: MarketArrays,
        probability: np.ndarray,
        size: np.ndarray,
        *,
        management: np.ndarray | None = None,
        study: str | None = None,
    ) -> ParallelBacktester:
        """A backtester without cache on the settings' number of threads.

        Its looks count in the ledger under ``study``: that of the attached market where none
        is given, else :data:`UNNAMED`.
        """
        return ParallelBacktester(
            market,
            probability,
            size,
            max_workers=self.threads,
            management=management,
            ledger=self.ledger,
            study=study or self._study,
        )

    def progressive_evaluator(
        self, blocks: tuple[Block, ...], *, study: str | None = None, data: str = ""
    ) -> ProgressiveEvaluator:
        """Successive halving; an audit where early stopping is switched off.

        Candidates count in the ledger under ``study``, as in :meth:`parallel_backtester`, on the
        data with the fingerprint ``data``.
        """
        records = TrialRecords(self.ledger, study or self._study)
        return RecordedEvaluator(blocks, records=records, data=data, enabled=self._stopping)

    def incremental_trainer(
        self, learner: Learner[Data, Model], **options: Any
    ) -> IncrementalTrainer[Data, Model]:
        """Refits of this learner with the settings' trees and tolerance."""
        settings = self.settings.validation
        chosen = {
            "extra_trees": settings.incremental_trees,
            "tolerance": settings.incremental_tolerance,
            **options,
        }
        return IncrementalTrainer(learner, **chosen)

    def adaptive_sampler(self) -> AdaptiveSampler:
        """An Optuna sampler with the settings' seed."""
        from ares_resources.backtesting.sampler import AdaptiveSampler

        return AdaptiveSampler(self.settings.seed)

    def get_cached_backtester(self) -> CachedBacktester:
        """The backtester of the attached market.

        Raises
        ------
        BadInput
            If no market is attached.
        """
        if self._backtester is None:
            raise BadInput("no market is attached; call attach_market first")
        return self._backtester

    def get_progressive_evaluator(self) -> ProgressiveEvaluator:
        """The evaluator over the blocks of the attached market; BadInput without one."""
        if self._evaluator is None:
            raise BadInput("no market is attached; call attach_market first")
        return self._evaluator

    def use_cached_backtesting(self, params: Parameters) -> BacktestResult:
        """The backtest of one parameter set on the attached market, cached."""
        return self.get_cached_backtester().evaluate(params)

    def use_progressive_evaluation(
        self, params: T, evaluator_func: Callable[[T, Block], float]
    ) -> ProgressiveOutcome:
        """Judge one parameter set block by block against those judged before it."""
        return self.get_progressive_evaluator().evaluate(params, evaluator_func)

    def generate_cache_key(self, params: Mapping[str, Any] | Any) -> str:
        """The cache key of a result where a market is attached, else of the parameters."""
        if self._backtester is None:
            return cache_key(params)
        return self._backtester.generate_cache_key(params)

    def load_and_optimize_data(self, csv_path: Path) -> tuple[pd.DataFrame, LoadReport]:
        """A CSV file through its Parquet copy, down-cast within the tolerance."""
        frame, report = self.data_manager.load_or_convert(csv_path)
        return self.data_manager.optimize_dataframe(frame)[0], report

    def statistics(self) -> dict[str, float | int]:
        """Cache, ledger and memory figures for a step's metadata."""
        cache = self._backtester.statistics() if self._backtester else {}
        trials = {"trials_in_ledger": self.ledger.count()}
        return {**cache, **trials, **self.memory_manager.figures()}
