"""The bundle gives each tool the settings' switches and budgets."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from toolkit_markets import random_market

from ares_resources.backtesting import StrategyParameters, backtest
from ares_resources.backtesting.ledger import TrialLedger
from ares_resources.errors import BadInput
from ares_resources.hashing import cache_key
from ares_resources.home import Home
from ares_resources.optimized_manager import EnhancedTrainingManagerOptimized
from ares_resources.settings import load_settings

MARKET, PROBABILITY, SIZE = random_market(5, 900)
PARAMETERS = StrategyParameters(0.6, 0.4, 2.0, 3.0, 10, 4e-4, 1e-4)


def manager(home, **overrides) -> EnhancedTrainingManagerOptimized:
    return EnhancedTrainingManagerOptimized(load_settings(overrides), home)


def test_cached_backtesting_is_shared_counted_and_survives_the_process(tmp_path):
    first = manager(tmp_path)
    first.attach_market(MARKET, PROBABILITY, SIZE, study="s")
    expected = backtest(MARKET, PROBABILITY, SIZE, PARAMETERS)
    assert first.use_cached_backtesting(PARAMETERS) == expected
    second = manager(tmp_path)
    second.attach_market(MARKET, PROBABILITY, SIZE, study="s")
    assert second.use_cached_backtesting(PARAMETERS) == expected
    figures = second.statistics()
    assert (figures["hits"], figures["misses"], figures["trials_in_ledger"]) == (1, 0, 1)
    assert figures["memory_rss_mib"] > 0
    assert TrialLedger(Home(tmp_path).ledger).count() == 1
    assert second.generate_cache_key(PARAMETERS) == first.generate_cache_key(PARAMETERS)


def test_switches_are_honoured(tmp_path):
    off = manager(
        tmp_path,
        enhanced_training_manager={
            "enable_caching": False,
            "enable_parallelization": False,
            "enable_early_stopping": False,
            "enable_memory_management": False,
        },
    )
    backtester = off.attach_market(MARKET, PROBABILITY, SIZE, study="s")
    backtester.evaluate_many([PARAMETERS])
    backtester.evaluate_many([PARAMETERS])
    assert backtester.misses == 2
    assert not (tmp_path / "cache" / "backtests").exists()
    assert off.threads == 1
    assert not off.get_progressive_evaluator().enabled
    assert not off.memory_manager.enabled


def test_budgets_are_honoured(tmp_path):
    small = manager(
        tmp_path,
        threads=2,
        computational_optimization={
            "caching": {"max_cache_size": 2},
            "parallelization": {"max_workers": 1},
            "memory_management": {"memory_threshold": 0.5},
        },
    )
    backtester = small.attach_market(MARKET, PROBABILITY, SIZE, study="s")
    sets = [StrategyParameters(0.6, 0.4, 2.0, 3.0, bars, 0, 0) for bars in range(1, 6)]
    backtester.evaluate_many(sets)
    assert (tmp_path / "cache" / "backtests" / "results-1.slots").stat().st_size == 32 + 2 * 120
    assert small.threads == 1
    assert small.memory_manager.threshold == 0.5


def test_memory_pressure_empties_the_backtesters_memory(tmp_path):
    tools = manager(tmp_path)
    backtester = tools.attach_market(MARKET, PROBABILITY, SIZE, study="s")
    backtester.evaluate(PARAMETERS)
    assert backtester._memory
    tools.memory_manager.free_caches()
    assert not backtester._memory


def test_progressive_evaluation_goes_over_purged_blocks(tmp_path):
    tools = manager(tmp_path, labels={"horizon_bars": 20})
    tools.attach_market(MARKET, PROBABILITY, SIZE, study="s", blocks=4)
    seen = []
    outcome = tools.use_progressive_evaluation(1.0, lambda p, block: seen.append(block) or p)
    assert not outcome.stopped
    ordered = sorted(seen, key=lambda block: block.start)
    assert [block.start for block in ordered] == [0, 225, 450, 675]
    assert [block.stop for block in ordered] == [205, 430, 655, 900]


def test_the_other_tools_carry_seed_and_folders(tmp_path):
    tools = manager(tmp_path, seed=11)
    assert isinstance(tools.adaptive_sampler(), optuna.samplers.BaseSampler)
    trainer = tools.incremental_trainer(learner := object(), extra_trees=5)
    assert (trainer.learner, trainer.extra_trees) == (learner, 5)
    assert trainer.tolerance == tools.settings.validation.incremental_tolerance
    parallel = tools.parallel_backtester(MARKET, PROBABILITY, SIZE)
    assert parallel.evaluate_many([PARAMETERS]) == [backtest(MARKET, PROBABILITY, SIZE, PARAMETERS)]
    path = tmp_path / "bars.csv"
    path.write_text("timestamp,close\n1,0.1\n2,0.2\n")
    frame, report = tools.load_and_optimize_data(path)
    assert frame["timestamp"].dtype == np.int64
    assert frame["close"].dtype == np.float32
    assert report.path.is_relative_to(tmp_path)


def test_without_a_market_it_says_so(tmp_path):
    tools = manager(tmp_path)
    for call in (tools.get_cached_backtester, tools.get_progressive_evaluator):
        with pytest.raises(BadInput, match="no market is attached"):
            call()
    assert tools.generate_cache_key({"a": 1}) == cache_key({"a": 1})
