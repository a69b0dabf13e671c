"""The schedule asks for trainings of what has new bars, and of nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from dagster._core.test_utils import create_run_for_test

from ares_assets.partitions import REGIMES, SYMBOLS
from ares_jobs.new_bars import NewBars, new_bars
from ares_jobs.schedules import enhanced_training_schedule
from ares_resources.errors import BadInput, ExchangeUnavailable
from ares_resources.exchanges import registry
from ares_resources.exchanges.simulated.exchange import CLOCK_MS
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.artifacts import ArtifactStore, Place
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.symbols import SymbolKey

MINUTE = 60_000
NOW_MS = 1_700_006_400_000
pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")


class FakeExchange:
    """An exchange whose bars end at a given time, or that is out of reach."""

    name = "BINANCE"

    def __init__(self, last_close_ms: int | None) -> None:
        self._end = last_close_ms

    def now_ms(self) -> int:
        return NOW_MS + 30_000

    def check_symbol(self, instrument: str) -> None:
        if self._end is None:
            raise ExchangeUnavailable("BINANCE: tried 2 times: connection refused")

    def bars(self, instrument: str, timeframe: str, start: int, end: int) -> Iterator[pd.DataFrame]:
        assert self._end is not None
        stamps = [t for t in range(start, end, MINUTE) if t + MINUTE <= self._end][:1000]
        yield pd.DataFrame({"timestamp": stamps})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("ARES_HOME", str(tmp_path))
    monkeypatch.delenv("ARES_SCHEDULE_CONFIG", raising=False)
    return Home(tmp_path)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as made:
        yield made


def exchange_ends_at(monkeypatch: pytest.MonkeyPatch, last_close_ms: int | None) -> None:
    def opened(name: str, **options: Any) -> FakeExchange:
        return FakeExchange(last_close_ms)

    monkeypatch.setattr(registry, "open_exchange", opened)


def trained_to(
    home: Home, end_ms: int, symbol: str = "ETHUSDT.BINANCE", mode: str = "full"
) -> None:
    """Leave behind what step 1 of a training leaves."""
    store = ArtifactStore(home.artifacts, home.runs)
    place = Place("market_data", SymbolKey.parse(symbol).folder, None)
    metadata = {"window_end_ms": end_ms, "timeframe": "1m"}
    artifact = store.publish(
        place, f"k{end_ms}", {"x": 1}, kind="report", inputs={}, metadata=metadata, degraded=[]
    )
    store.point(artifact, run_id="earlier", mode=mode)


def hold_bars_to(home: Home, end_ms: int) -> None:
    stamps = range(end_ms - 100 * MINUTE, end_ms, MINUTE)
    frame = pd.DataFrame({"timestamp": list(stamps)})
    for name, value in {"open": 10, "high": 11, "low": 9, "close": 10, "volume": 5}.items():
        frame[name] = float(value)
    series = Series(SymbolKey("ETHUSDT", "BINANCE"), "bars", "1m")
    Catalogue(home.catalogue).append(series, frame, source="file")


def found(home: Home, name: str = "ETHUSDT.BINANCE", **overrides: Any) -> NewBars | str:
    return new_bars(name, load_settings(overrides), home)


def tick(instance: dg.DagsterInstance, when: datetime) -> dg.ScheduleExecutionData:
    context = dg.build_schedule_context(instance=instance, scheduled_execution_time=when)
    return enhanced_training_schedule.evaluate_tick(context)


def test_a_symbol_never_trained_is_new_up_to_the_exchange_s_last_closed_bar(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange_ends_at(monkeypatch, NOW_MS)
    assert found(home) == NewBars(NOW_MS, offline=False)


@pytest.mark.parametrize(("behind", "is_new"), [(0, False), (1, True), (5_000, True)])
def test_only_bars_that_closed_after_the_last_training_are_new(
    home: Home, monkeypatch: pytest.MonkeyPatch, behind: int, is_new: bool
) -> None:
    exchange_ends_at(monkeypatch, NOW_MS)
    trained_to(home, NOW_MS - behind * MINUTE)
    assert isinstance(found(home), NewBars) is is_new


def test_an_exchange_without_newer_bars_has_nothing_new(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange_ends_at(monkeypatch, NOW_MS - 60 * MINUTE)
    trained_to(home, NOW_MS - 60 * MINUTE)
    assert found(home) == "no new bars (its exchange has no newer bar)"


def test_trainings_of_another_mode_or_timeframe_do_not_count(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange_ends_at(monkeypatch, NOW_MS)
    trained_to(home, NOW_MS, mode="blank")
    assert isinstance(found(home), NewBars)
    trained_to(home, NOW_MS)
    assert isinstance(found(home), str)
    assert isinstance(found(home, data={"timeframe": "5m"}), NewBars)


def test_out_of_reach_the_catalogue_decides(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange_ends_at(monkeypatch, None)
    assert "connection refused" in str(found(home))
    hold_bars_to(home, NOW_MS)
    assert found(home) == NewBars(NOW_MS, offline=True)
    trained_to(home, NOW_MS)
    assert isinstance(found(home), str)


def test_sim_is_due_only_once_until_its_clock_moves(home: Home) -> None:
    assert found(home, "ETHUSDT.SIM") == NewBars(CLOCK_MS, offline=False, own_clock=True)
    trained_to(home, CLOCK_MS, "ETHUSDT.SIM")
    assert found(home, "ETHUSDT.SIM") == "no new bars (its exchange has no newer bar)"
    trained_to(home, CLOCK_MS - MINUTE, "ETHUSDT.SIM")
    assert found(home, "ETHUSDT.SIM") == NewBars(CLOCK_MS, offline=False, own_clock=True)


@pytest.mark.parametrize(
    ("name", "word"),
    [("nonsense", "'nonsense'"), ("NOPE.SIM", "NOPE"), ("ETHUSDT.NOWHERE", "NOWHERE")],
)
def test_a_symbol_that_cannot_be_trained_is_passed_over_with_the_reason(
    home: Home, name: str, word: str
) -> None:
    reason = found(home, name)
    assert isinstance(reason, str)
    assert word.lower() in reason.lower()


def test_a_tick_asks_for_a_run_per_regime_of_each_due_symbol(
    home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange_ends_at(monkeypatch, NOW_MS)
    instance.add_dynamic_partitions(SYMBOLS, ["ETHUSDT.BINANCE", "nonsense"])
    requests = tick(instance, datetime.now(UTC)).run_requests
    assert requests is not None
    assert [r.tags["dagster/partition"] for r in requests] == [
        f"{regime}|ETHUSDT.BINANCE" for regime in REGIMES
    ]
    for request in requests:
        assert request.tags["ares/mode"] == "full"
        assert request.tags["ares/offline"] == "false"
        assert request.tags["ares/as_of"] == "2023-11-15T00:00:00Z"
        assert "ares/config" not in request.tags


def test_a_tick_without_registered_symbols_says_so(
    home: Home, instance: dg.DagsterInstance
) -> None:
    assert tick(instance, datetime.now(UTC)).skip_message == "no symbol is registered"


@pytest.mark.parametrize(("seconds", "due"), [(0, False), (3_500, False), (3_590, True)])
def test_the_interval_is_kept(
    home: Home,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    due: bool,
) -> None:
    exchange_ends_at(monkeypatch, NOW_MS)
    instance.add_dynamic_partitions(SYMBOLS, ["ETHUSDT.BINANCE"])
    tags = {"dagster/partition/symbol": "ETHUSDT.BINANCE"}
    create_run_for_test(instance, tags=tags, status=dg.DagsterRunStatus.FAILURE)
    outcome = tick(instance, datetime.now(UTC) + timedelta(seconds=seconds))
    assert bool(outcome.run_requests) is due
    assert due or "s ago" in (outcome.skip_message or "")


def test_a_symbol_in_training_is_left_alone_however_long_it_takes(
    home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange_ends_at(monkeypatch, NOW_MS)
    instance.add_dynamic_partitions(SYMBOLS, ["ETHUSDT.BINANCE"])
    tags = {"dagster/partition/symbol": "ETHUSDT.BINANCE"}
    create_run_for_test(instance, tags=tags, status=dg.DagsterRunStatus.STARTED)
    outcome = tick(instance, datetime.now(UTC) + timedelta(days=1))
    assert outcome.skip_message == "ETHUSDT.BINANCE: still in training"


def test_settings_of_a_file_give_interval_mode_and_configuration(
    home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    exchange_ends_at(monkeypatch, NOW_MS)
    instance.add_dynamic_partitions(SYMBOLS, ["ETHUSDT.BINANCE"])
    tree = {
        "enhanced_training_manager": {
            "enhanced_training_interval": 60,
            "blank_training_mode": True,
        }
    }
    (tmp_path / "schedule.yaml").write_text(json.dumps(tree))
    monkeypatch.setenv("ARES_SCHEDULE_CONFIG", str(tmp_path / "schedule.yaml"))
    tags = {"dagster/partition/symbol": "ETHUSDT.BINANCE"}
    create_run_for_test(instance, tags=tags, status=dg.DagsterRunStatus.SUCCESS)
    requests = tick(instance, datetime.now(UTC) + timedelta(seconds=61)).run_requests
    assert requests is not None
    assert requests[0].tags["ares/mode"] == "blank"
    assert json.loads(requests[0].tags["ares/config"]) == tree


def test_a_missing_settings_file_fails_the_tick_by_name(
    home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARES_SCHEDULE_CONFIG", "/nowhere/schedule.yaml")
    with pytest.raises(BadInput, match=r"schedule\.yaml"):
        enhanced_training_schedule(dg.build_schedule_context(instance=instance))


def test_settings_without_room_in_their_window_fail_the_tick_and_not_each_run(
    home: Home, instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "schedule.yaml"
    path.write_text("costs: {latency_bars: 1000000}\n")
    monkeypatch.setenv("ARES_SCHEDULE_CONFIG", str(path))
    with pytest.raises(BadInput, match=r"costs\.latency_bars up to "):
        enhanced_training_schedule(dg.build_schedule_context(instance=instance))


def test_nobody_trains_by_surprise() -> None:
    assert enhanced_training_schedule.default_status is dg.DefaultScheduleStatus.STOPPED
