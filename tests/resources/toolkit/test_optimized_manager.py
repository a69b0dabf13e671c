"""The bundle gives each tool the settings' switches and budgets."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import optuna
import pytest
from toolkit_markets import random_market

from ares_resources.backtesting import StrategyParameters, backtest
from ares_resources.backtesting.ledger import TrialLedger
from ares_resources.backtesting.progressive import purged_blocks, sharpe_by_block
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


def sets(count: int) -> list[StrategyParameters]:
    return [StrategyParameters(0.6, 0.4, 2.0, 3.0, 1 + bars, 4e-4, 1e-4) for bars in range(count)]


def states(tools: EnhancedTrainingManagerOptimized, study: str) -> dict[str, int]:
    return dict(Counter(entry.state for entry in tools.ledger.entries(study)))


def test_every_way_of_looking_counts_once_with_its_state(tmp_path):
    tools = manager(tmp_path, labels={"horizon_bars": 20})
    tools.attach_market(MARKET, PROBABILITY, SIZE, study="s", blocks=9)
    judge = sharpe_by_block(tools.get_cached_backtester().signals, threads=1)
    for _ in range(2):
        report = tools.get_progressive_evaluator().evaluate_many(sets(90), judge)
        expected = dict(Counter(report.states))
        assert expected["pruned"] >= 60
        assert states(tools, "s") == expected
    one_by_one = [
        tools.use_progressive_evaluation(value, lambda v, block: v) for value in range(20)
    ]
    pruned = sum(outcome.stopped for outcome in one_by_one)
    told = {"pruned": expected["pruned"] + pruned, "complete": expected["complete"] + 20 - pruned}
    assert states(tools, "s") == told
    tools.parallel_backtester(MARKET, PROBABILITY, SIZE).evaluate_many(sets(50))
    tools.get_cached_backtester().evaluate_many(sets(50))
    assert states(tools, "s") == {**told, "complete": told["complete"] + 50}
    assert tools.statistics()["trials_in_ledger"] == 90 + 20 + 50
    assert tools.ledger.sharpes("s").size == 50


@pytest.mark.parametrize(
    ("error", "state"), [(ValueError("singular"), "failed"), (KeyboardInterrupt(), "killed")]
)
def test_candidates_that_came_to_no_end_count(tmp_path, error, state):
    tools = manager(tmp_path)
    tools.attach_market(MARKET, PROBABILITY, SIZE, study="s")

    def ending(*_: object) -> float:
        raise error

    with pytest.raises(type(error)):
        tools.use_progressive_evaluation(1.0, ending)
    with pytest.raises(type(error)):
        tools.get_progressive_evaluator().evaluate_many([2.0, 3.0], ending)
    assert states(tools, "s") == {state: 3}
    assert math.isnan(tools.use_progressive_evaluation(4.0, lambda v, b: math.nan).score)
    tools.use_progressive_evaluation(1.0, lambda v, b: v)
    assert states(tools, "s")["complete"] == 1
    assert tools.ledger.count() == 4


def test_another_score_of_a_candidate_is_another_trial(tmp_path):
    tools = manager(tmp_path)
    tools.attach_market(MARKET, PROBABILITY, SIZE, study="s")
    for factor in (1.0, 2.0, 2.0, 1.0):
        tools.use_progressive_evaluation(1.0, lambda v, b, by=factor: v * by)
    assert states(tools, "s") == {"complete": 2}


def test_looks_without_a_study_have_one_of_their_own(tmp_path):
    tools = manager(tmp_path)
    tools.parallel_backtester(MARKET, PROBABILITY, SIZE).evaluate_many(sets(2))
    blocks = purged_blocks(len(MARKET), blocks=4, purge_rows=5)
    tools.progressive_evaluator(blocks).evaluate(1.0, lambda v, b: v)
    tools.parallel_backtester(MARKET, PROBABILITY, SIZE, study="mine").evaluate_many(sets(1))
    assert tools.ledger.studies() == {"mine": 1, "unnamed": 3}


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
