"""The seeds' face: what it takes, what it refuses, what it remembers."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ares_jobs import EnhancedTrainingManager, runner, training_market
from ares_jobs.runner import PartitionOutcome, TrainingRequest
from ares_jobs.training_market import TrainedMarket
from ares_resources.errors import AresError, BadInput, CorruptArtifact, ExchangeUnavailable
from ares_resources.home import Home

SEEDS_CONFIG: dict[str, Any] = {
    "enhanced_training_manager": {
        "enhanced_training_interval": 3600,
        "max_enhanced_training_history": 100,
        "blank_training_mode": False,
        "max_trials": 200,
        "n_trials": 100,
        "lookback_days": 30,
        "enable_caching": True,
        "enable_parallelization": True,
        "enable_early_stopping": True,
        "enable_memory_management": True,
    },
    "computational_optimization": {
        "caching": {"enabled": True, "max_cache_size": 1000},
        "parallelization": {"enabled": True, "max_workers": 8},
        "early_stopping": {"enabled": True, "patience": 10},
        "memory_management": {"enabled": True, "memory_threshold": 0.8},
    },
}
SEEDS_INPUT = {"symbol": "ETHUSDT", "exchange": "SIM", "timeframe": "1m", "lookback_days": 30}
BLANK = {"enhanced_training_manager": {"blank_training_mode": True}}
PARAMETERS = {
    "enter_long": 0.6,
    "enter_short": 0.4,
    "stop_width": 2.0,
    "target_width": 3.0,
    "time_stop_bars": 10,
    "fee": 4e-4,
    "slippage": 1e-4,
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def outcome(regime: str, status: str = "insufficient evidence") -> PartitionOutcome:
    release = None if status in ("skipped", "failed") else {"version": "1"}
    partition = f"{regime}|ETHUSDT.SIM"
    return PartitionOutcome(partition, status, "why", "run-1", False, [], {"a/b": 1.0}, release)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[TrainingRequest]:
    """The requests that reached the runner, whose work is left out."""
    requests: list[TrainingRequest] = []

    def train(request: TrainingRequest, *, home: Home) -> list[PartitionOutcome]:
        requests.append(request)
        return [outcome(regime) for regime in request.regimes]

    monkeypatch.setattr(runner, "train", train)
    return requests


def train_with(monkeypatch: pytest.MonkeyPatch, result: Callable[[], Any]) -> None:
    def train(request: TrainingRequest, *, home: Home) -> Any:
        return result()

    monkeypatch.setattr(runner, "train", train)


def execute(manager: EnhancedTrainingManager, given: dict[str, Any] | None = None) -> bool:
    return asyncio.run(manager.execute_enhanced_training(given or SEEDS_INPUT))


def test_the_seeds_usage_example_runs(home: Home, trained: list[TrainingRequest]) -> None:
    async def example() -> bool:
        manager = EnhancedTrainingManager(SEEDS_CONFIG, home=home)
        await manager.initialize()
        return await manager.execute_enhanced_training(SEEDS_INPUT)

    assert asyncio.run(example()) is True
    (request,) = trained
    assert (str(request.symbol), request.mode) == ("ETHUSDT.SIM", "full")
    assert request.regimes == ("bull", "bear", "sideways")
    settings = runner.request_settings(request)
    assert (settings.data.timeframe, settings.lookback_days) == ("1m", 30)
    assert (settings.max_trials, settings.n_trials) == (200, 100)


def test_it_trains_without_being_initialized_first(
    home: Home, trained: list[TrainingRequest]
) -> None:
    assert execute(EnhancedTrainingManager(home=home))
    assert len(trained) == 1


def test_the_home_is_found_as_everything_else_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARES_HOME", str(tmp_path))
    assert EnhancedTrainingManager().home.root == tmp_path.resolve()


def test_blank_mode_takes_the_window_asked_for(home: Home, trained: list[TrainingRequest]) -> None:
    execute(EnhancedTrainingManager(BLANK, home=home), {**SEEDS_INPUT, "lookback_days": 12})
    settings = runner.request_settings(trained[0])
    assert (settings.mode, settings.lookback_days, settings.max_trials) == ("blank", 12, 3)


def test_what_is_not_asked_for_comes_from_the_configuration(
    home: Home, trained: list[TrainingRequest]
) -> None:
    config = {"seed": 11, "data": {"timeframe": "5m"}, **BLANK}
    manager = EnhancedTrainingManager(config, home=home)
    execute(manager, {"symbol": "ETHUSDT", "exchange": "SIM", "regimes": ["bear"], "seed": None})
    settings = runner.request_settings(trained[0])
    assert (settings.seed, settings.data.timeframe, settings.lookback_days) == (11, "5m", 30)
    assert trained[0].regimes == ("bear",)
    assert config == {"seed": 11, "data": {"timeframe": "5m"}, **BLANK}


def test_optimized_training_is_the_same_training(
    home: Home, trained: list[TrainingRequest]
) -> None:
    manager = EnhancedTrainingManager(home=home)
    assert asyncio.run(manager.execute_optimized_training("ETHUSDT", "SIM", "5m"))
    assert runner.request_settings(trained[0]).data.timeframe == "5m"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"symbol": None}, "lacks 'symbol'"),
        ({"exchange": None}, "lacks 'exchange'"),
        ({"timeframes": "1m"}, "'timeframes'; did you mean 'timeframe'"),
        ({"symbol": "ethusdt"}, "'ethusdt'"),
        ({"symbol": 7}, "symbol 7"),
        ({"timeframe": "7m"}, "7m"),
        ({"lookback_days": -1}, "lookback_days"),
        ({"lookback_days": "many"}, "'many'"),
        ({"regimes": "bull"}, "'bull' is not a list"),
        ({"regimes": ["bul"]}, "'bul'"),
        ({"as_of": 2024}, "as_of 2024"),
        ({"offline": "yes"}, "offline 'yes'"),
    ],
)
def test_input_that_cannot_be_used_is_named_and_nothing_is_written(
    home: Home, trained: list[TrainingRequest], change: dict[str, Any], words: str
) -> None:
    manager = EnhancedTrainingManager(home=home)
    with pytest.raises(BadInput) as refused:
        execute(manager, {**SEEDS_INPUT, **change})
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert trained == []
    assert not home.root.exists()


@pytest.mark.parametrize(
    ("instrument", "exchange"), [("NOSUCH", "SIM"), ("ETHUSDT", "NOSUCHEXCHANGE")]
)
def test_an_unknown_market_is_refused_by_the_real_runner_and_nothing_is_written(
    home: Home, instrument: str, exchange: str
) -> None:
    manager = EnhancedTrainingManager(home=home)
    with pytest.raises(BadInput, match="NOSUCH"):
        execute(manager, {**SEEDS_INPUT, "symbol": instrument, "exchange": exchange})
    assert not home.root.exists()


def test_a_misspelt_configuration_key_is_refused_at_once(home: Home) -> None:
    with pytest.raises(BadInput, match="did you mean 'max_trials'"):
        EnhancedTrainingManager({"enhanced_training_manager": {"max_trails": 3}}, home=home)


@pytest.mark.parametrize(
    ("statuses", "success"),
    [
        (["released", "kept", "insufficient evidence"], True),
        (["released", "skipped", "skipped"], True),
        (["released", "failed", "kept"], False),
    ],
)
def test_only_a_failed_partition_makes_a_training_fail(
    home: Home, monkeypatch: pytest.MonkeyPatch, statuses: list[str], success: bool
) -> None:
    pairs = zip(("bull", "bear", "sideways"), statuses, strict=True)
    outcomes = [outcome(regime, status) for regime, status in pairs]
    train_with(monkeypatch, lambda: outcomes)
    manager = EnhancedTrainingManager(home=home)
    assert manager.get_enhanced_training_results() == {}
    assert execute(manager) is success
    results = manager.get_enhanced_training_results()
    assert [one["status"] for one in results.values()] == statuses
    (entry,) = manager.get_enhanced_training_history()
    assert entry["success"] is success
    assert [one["status"] for one in entry["partitions"]] == statuses


def test_a_training_that_could_not_be_carried_out_is_in_the_history(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise ExchangeUnavailable("BINANCE: tried 6 times:\nno route")

    train_with(monkeypatch, away)
    manager = EnhancedTrainingManager(home=home)
    with pytest.raises(ExchangeUnavailable):
        execute(manager)
    (entry,) = manager.get_enhanced_training_history()
    assert entry["success"] is False
    assert entry["error"] == "BINANCE: tried 6 times: no route"


def test_a_full_disk_is_a_typed_error_that_keeps_its_cause(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    train_with(monkeypatch, full)
    with pytest.raises(AresError, match="No space left on device") as raised:
        execute(EnhancedTrainingManager(home=home))
    assert isinstance(raised.value.__cause__, OSError)


def test_the_history_is_bounded_persistent_and_shared(
    home: Home, trained: list[TrainingRequest]
) -> None:
    config = {"enhanced_training_manager": {"max_enhanced_training_history": 3}}
    first = EnhancedTrainingManager(config, home=home)
    for days in range(1, 6):
        execute(first, {**SEEDS_INPUT, "timeframe": "1m" if days < 5 else "5m"})
    second = EnhancedTrainingManager(home=home)
    history = second.get_enhanced_training_history()
    assert [entry["timeframe"] for entry in history] == ["1m", "1m", "5m"]
    assert second.get_enhanced_training_history(limit=1) == history[-1:]
    assert history[0]["symbol"] == "ETHUSDT"
    assert {"started", "seconds", "exchange", "mode", "partitions"} <= set(history[0])
    with pytest.raises(BadInput, match="limit 0"):
        second.get_enhanced_training_history(limit=0)


def test_a_damaged_history_is_said_and_not_overwritten(
    home: Home, trained: list[TrainingRequest]
) -> None:
    home.root.mkdir()
    path = home.root / "training_history.jsonl"
    path.write_text('{"success": tr')
    manager = EnhancedTrainingManager(home=home)
    with pytest.raises(CorruptArtifact, match="line 1"):
        manager.get_enhanced_training_history()
    with pytest.raises(CorruptArtifact):
        execute(manager)
    assert path.read_text() == '{"success": tr'


def test_the_event_loop_stays_free_and_trainings_take_turns(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def slow() -> list[PartitionOutcome]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.2)
        with lock:
            running -= 1
        return [outcome("bull")]

    async def both() -> int:
        manager, ticks = EnhancedTrainingManager(home=home), 0
        work = asyncio.gather(*(manager.execute_enhanced_training(SEEDS_INPUT) for _ in range(2)))
        while not work.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert await work == [True, True]
        return ticks

    train_with(monkeypatch, slow)
    assert asyncio.run(both()) > 10
    assert most == 1


def test_getters_hand_out_the_one_toolkit(home: Home) -> None:
    manager = EnhancedTrainingManager(SEEDS_CONFIG, home=home)
    with pytest.raises(BadInput, match="initialize"):
        manager.get_optimized_manager()
    assert asyncio.run(manager.initialize()) is True
    toolkit = manager.get_optimized_manager()
    assert asyncio.run(manager.initialize()) is True
    assert manager.get_optimized_manager() is toolkit
    assert manager.get_memory_manager() is toolkit.memory_manager
    assert manager.get_data_manager() is toolkit.data_manager
    assert toolkit.ledger.path == home.ledger


def test_cache_keys_depend_on_values_alone(home: Home) -> None:
    manager = EnhancedTrainingManager(home=home)
    one = manager.generate_cache_key({"a": 1, "b": {"c": [1.5, None]}})
    assert one == manager.generate_cache_key({"b": {"c": [1.5, None]}, "a": 1})
    assert one != manager.generate_cache_key({"a": 1, "b": {"c": [1.5, 0]}})


def test_backtests_before_any_training_say_what_is_missing(home: Home) -> None:
    manager = EnhancedTrainingManager(home=home)
    asyncio.run(manager.initialize())
    for use in (
        manager.get_cached_backtester,
        manager.get_progressive_evaluator,
        lambda: manager.use_cached_backtesting(PARAMETERS),
        lambda: manager.use_progressive_evaluation(1, lambda p, block: 0.0),
    ):
        with pytest.raises(BadInput, match="no market"):
            use()
    with pytest.raises(BadInput, match=r"'bull' was not trained.*nothing yet"):
        manager.attach_partition("bull")


def test_after_a_training_backtests_run_on_its_first_verdict_and_count_as_trials(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached = small_market(monkeypatch)
    outcomes = [outcome("bull", "skipped"), outcome("bear"), outcome("sideways")]
    train_with(monkeypatch, lambda: outcomes)
    manager = EnhancedTrainingManager(BLANK, home=home)
    execute(manager)
    result = manager.use_cached_backtesting(PARAMETERS)
    assert attached == ["bear"]
    assert manager.use_cached_backtesting(PARAMETERS) == result
    assert manager.get_cached_backtester().hits == 1
    assert manager.get_optimized_manager().ledger.count() == 1
    judged = manager.use_progressive_evaluation(1.0, lambda value, block: value)
    assert judged.score == 1.0
    manager.attach_partition("sideways")
    assert attached == ["bear", "sideways"]


def test_a_training_without_any_verdict_leaves_nothing_to_backtest(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_with(monkeypatch, lambda: [outcome("bull", "skipped")])
    manager = EnhancedTrainingManager(home=home)
    execute(manager)
    with pytest.raises(BadInput, match="nothing to backtest"):
        manager.get_cached_backtester()


def small_market(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let every partition have the same short market; returns the regimes asked for."""
    import numpy as np

    from ares_resources.backtesting.engine import Signals
    from ares_resources.backtesting.market import MarketArrays

    random, rows = np.random.default_rng(3), 1200
    close = 100 * np.exp(np.cumsum(random.normal(0, 1e-3, rows)))
    opens = np.r_[100.0, close[:-1]]
    market = MarketArrays(
        timestamp=1_700_006_400_000 + np.arange(rows) * 60_000,
        open=opens,
        high=np.maximum(opens, close) * 1.0005,
        low=np.minimum(opens, close) * 0.9995,
        close=close,
        atr=np.full(rows, 0.1),
        funding_payment=np.zeros(rows),
    )
    signals = Signals(market, random.uniform(0.3, 0.7, rows), np.ones(rows))
    asked: list[str] = []

    def market_of(request: Any, regime: str, home: Home, *, run_id: Any) -> TrainedMarket:
        asked.append(regime)
        return TrainedMarket(signals, f"{request.symbol}/{regime}/parameters")

    monkeypatch.setattr(training_market, "trained_market", market_of)
    return asked


@pytest.mark.slow
def test_the_seeds_usage_example_trains_for_real(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARES_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))

    async def example() -> tuple[EnhancedTrainingManager, bool]:
        manager = EnhancedTrainingManager(BLANK)
        await manager.initialize()
        return manager, await manager.execute_enhanced_training(SEEDS_INPUT)

    manager, success = asyncio.run(example())
    results = manager.get_enhanced_training_results()
    assert success, {name: one["reason"] for name, one in results.items()}
    assert len(results) == 3
    trials = manager.get_optimized_manager().ledger.count()
    result = manager.use_cached_backtesting(PARAMETERS)
    assert result.bars > 1000
    assert manager.get_optimized_manager().ledger.count() == trials + 1
    history = (tmp_path / "training_history.jsonl").read_text().splitlines()
    assert json.loads(history[0])["success"] is True
