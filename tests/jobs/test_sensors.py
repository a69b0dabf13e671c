"""Sensors as Dagster evaluates them, over a graph of one small asset."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from ares_assets.partitions import REGIMES, SYMBOLS, partitions
from ares_jobs.jobs import JOBS
from ares_jobs.sensors import inbox_mode, inbox_sensor, reaper_sensor
from ares_resources.errors import BadInput
from ares_resources.home import Home

# Dagster's own tags of two-dimensional partitions do not please its check of tag names.
pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")

HEADER = "timestamp,open,high,low,close,volume\n"
START_MS = 1_700_006_400_000


@dg.asset(partitions_def=partitions)
def trained() -> None:
    """Stands for the sixteen steps."""


DEFINITIONS = dg.Definitions(
    assets=[trained], jobs=list(JOBS.values()), sensors=[inbox_sensor, reaper_sensor]
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("ARES_HOME", str(tmp_path))
    monkeypatch.delenv("ARES_INBOX_MODE", raising=False)
    made = Home(tmp_path)
    made.inbox.mkdir()
    return made


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def drop(home: Home, name: str, bars: int, *, minutes: int = 1, first: int = 0) -> None:
    path = home.inbox / "BINANCE" / "ETHUSDT" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    stamps = (START_MS + k * minutes * 60_000 for k in range(first, first + bars))
    path.write_text(HEADER + "".join(f"{s},10,11,9,10.{s // 60_000 % 9},5\n" for s in stamps))
    os.utime(path, (time.time() - 60,) * 2)


def tick(
    instance: dg.DagsterInstance, cursor: str | None = None
) -> tuple[list[dg.RunRequest], list[str], str | None, str]:
    """Requests, symbols to register, the next cursor, and the skip message."""
    context = dg.build_sensor_context(
        instance=instance, definitions=DEFINITIONS, cursor=cursor, sensor_name="inbox_sensor"
    )
    data = inbox_sensor.evaluate_tick(context)
    symbols = [
        key for request in data.dynamic_partitions_requests for key in request.partition_keys
    ]
    return list(data.run_requests or []), symbols, data.cursor, data.skip_message or ""


def test_a_file_registers_its_symbol_and_asks_for_a_run_per_regime(
    home: Home, instance: dg.DagsterInstance
) -> None:
    drop(home, "bars.csv", 120)
    requests, symbols, cursor, _ = tick(instance)
    assert symbols == ["ETHUSDT.BINANCE"]
    assert [request.job_name for request in requests] == ["full_training"] * 3
    tags = [dict(request.tags) for request in requests]
    assert [t["dagster/partition"] for t in tags] == [f"{r}|ETHUSDT.BINANCE" for r in REGIMES]
    for own, regime in zip(tags, REGIMES, strict=True):
        assert own["dagster/partition/regime"] == regime
        assert own["dagster/partition/symbol"] == "ETHUSDT.BINANCE"
        assert own["ares/mode"] == "full"
        assert own["ares/offline"] == "true"
        assert own["ares/as_of"] == "2023-11-15T02:00:00Z"
        assert "ares/config" not in own
    assert len({request.run_key for request in requests}) == 3
    assert tick(instance, cursor)[0] == []


def test_a_tick_that_was_lost_is_repeated_under_the_same_run_keys(
    home: Home, instance: dg.DagsterInstance
) -> None:
    drop(home, "bars.csv", 120)
    lost, _, _, _ = tick(instance)
    again, _, cursor, _ = tick(instance)
    assert [r.run_key for r in again] == [r.run_key for r in lost]
    assert tick(instance, cursor)[0] == []


def test_new_bars_of_a_known_symbol_have_new_run_keys(
    home: Home, instance: dg.DagsterInstance
) -> None:
    drop(home, "a.csv", 120)
    first, _, cursor, _ = tick(instance)
    drop(home, "b.csv", 60, first=120)
    second, _, cursor, _ = tick(instance, cursor)
    drop(home, "c.csv", 120)
    third, _, _, message = tick(instance, cursor)
    assert len(second) == 3
    assert not {r.run_key for r in first} & {r.run_key for r in second}
    assert third == []
    assert "c.csv: 0 bars added" in message


def test_bars_of_another_timeframe_carry_it_in_the_run_s_configuration(
    home: Home, instance: dg.DagsterInstance
) -> None:
    drop(home, "hours.csv", 60, minutes=60)
    requests, *_ = tick(instance)
    assert json.loads(requests[0].tags["ares/config"]) == {"data": {"timeframe": "1h"}}


def test_the_mode_of_inbox_runs_is_chosen_by_the_environment(
    home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARES_INBOX_MODE", "blank")
    drop(home, "bars.csv", 120)
    requests, *_ = tick(instance)
    assert {(r.job_name, r.tags["ares/mode"]) for r in requests} == {("blank_training", "blank")}


def test_an_unknown_mode_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match=r"ARES_INBOX_MODE='light'.*allowed: full, blank"):
        inbox_mode({"ARES_INBOX_MODE": "light"})


def test_a_bad_file_fails_no_tick(home: Home, instance: dg.DagsterInstance) -> None:
    path = home.inbox / "BINANCE" / "ETHUSDT" / "bad.csv"
    path.parent.mkdir(parents=True)
    path.write_text("")
    os.utime(path, (time.time() - 60,) * 2)
    requests, _, cursor, message = tick(instance)
    assert requests == []
    assert message.startswith("rejected BINANCE/ETHUSDT/bad.csv: ")
    assert (home.inbox / "rejected" / "bad.csv").is_file()
    assert "nothing new" in tick(instance, cursor)[3]


def test_an_empty_inbox_is_skipped_with_its_place(home: Home, instance: dg.DagsterInstance) -> None:
    assert str(home.inbox) in tick(instance)[3]


def test_the_requested_runs_can_be_run(home: Home, instance: dg.DagsterInstance) -> None:
    drop(home, "bars.csv", 120)
    requests, symbols, _, _ = tick(instance)
    instance.add_dynamic_partitions(SYMBOLS, symbols)
    job = DEFINITIONS.resolve_job_def(requests[0].job_name or "")
    assert job.execute_in_process(instance=instance, tags=dict(requests[0].tags)).success
    event = instance.get_latest_materialization_event(dg.AssetKey("trained"))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.partition == "bull|ETHUSDT.BINANCE"


def test_both_sensors_run_unless_stopped_and_are_quick() -> None:
    assert inbox_sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert reaper_sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert inbox_sensor.minimum_interval_seconds == 5


def test_the_reaper_s_round_says_that_all_is_well(home: Home, instance: dg.DagsterInstance) -> None:
    context = dg.build_sensor_context(instance=instance, definitions=DEFINITIONS)
    data = reaper_sensor.evaluate_tick(context)
    assert data.skip_message == "every unfinished run has a living process"
