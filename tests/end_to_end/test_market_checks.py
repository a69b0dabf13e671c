"""Bars that cannot be believed stop a training: which check, why, exit code 1, nothing made."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import dagster as dg
import pandas as pd
import pytest

from ares_jobs.cli_output import exit_code
from ares_jobs.runner import PartitionOutcome, TrainingRequest, train
from ares_resources.errors import EXIT_FAILED
from ares_resources.exchanges.simulated.exchange import SimulatedExchange
from ares_resources.home import Home
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import DAY_MS

CLOCK, SPIKE = 1_704_067_200_000, 1_703_000_000_000 // 60_000 * 60_000
SYMBOL = SymbolKey("ETHUSDT", "BINANCE")
OFFLINE = TrainingRequest(
    SYMBOL,
    ("bear",),
    mode="blank",
    overrides={"tracking": {"enabled": False}},
    as_of="2024-01-01T00:00:00Z",
    offline=True,
)
REASON = (
    "market_data: check bars_are_plausible failed: leaps of the price that the next bar undoes: 1, "
    "the first at 2023-12-19T15:33:00Z (checks.maximum_price_spikes: 0)"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Forty days of bars, of which one says four times the price: ingest lets one jump pass."""
    made = Home(tmp_path_factory.mktemp("spoiled"))
    pages = SimulatedExchange(as_of_ms=CLOCK).bars("ETHUSDT", "1m", CLOCK - 40 * DAY_MS, CLOCK)
    bars = pd.concat(list(pages), ignore_index=True)
    bars.loc[bars["timestamp"] == SPIKE, ["open", "high", "low", "close"]] *= 4
    Catalogue(made.catalogue).append(Series(SYMBOL, "bars", "1m"), bars, source="test")
    return made


def trained(home: Home, request: TrainingRequest) -> PartitionOutcome:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DAGSTER_HOME", raising=False)
        (outcome,) = train(request, home=home)
    return outcome


def tolerant(spikes: int) -> TrainingRequest:
    overrides = {**OFFLINE.overrides, "checks": {"maximum_price_spikes": spikes}}
    return replace(OFFLINE, overrides=overrides)


def test_a_spoiled_bar_stops_the_run_with_the_check_and_its_reason(home: Home) -> None:
    outcome = trained(home, OFFLINE)
    assert (outcome.status, outcome.reason) == ("failed", REASON)
    assert exit_code([outcome]) == EXIT_FAILED
    assert outcome.release is None
    assert sorted(path.name for path in home.artifacts.iterdir()) == ["market_data"]
    assert list(home.releases.iterdir()) == []


def test_the_run_is_failed_in_dagster_and_tells_every_check(home: Home) -> None:
    outcome = trained(home, OFFLINE)
    with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        assert outcome.run_id is not None
        run = instance.get_run_by_id(outcome.run_id)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.FAILURE
        records = instance.all_logs(
            outcome.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        )
        checks = [r.get_dagster_event().asset_check_evaluation_data for r in records]
    assert {c.check_name: c.passed for c in checks} == {
        "bars_have_schema": True,
        "bars_have_few_gaps": True,
        "bars_are_plausible": False,
        "bars_are_fresh": True,
    }


def test_the_command_says_so_in_one_line_and_ends_with_code_1(home: Home) -> None:
    environment = {**os.environ, "ARES_HOME": str(home.root)}
    environment.pop("DAGSTER_HOME", None)
    command = [sys.executable, "-m", "ares_jobs.cli", "blank", "ETHUSDT", "BINANCE", "--offline"]
    done = subprocess.run(
        [*command, "--as-of", "2024-01-01T00:00:00Z", "--regime", "bear", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == EXIT_FAILED, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["partitions"][0]["reason"] == REASON
    assert "Traceback" not in done.stderr


def test_other_tolerances_let_it_pass_and_the_first_ones_stop_it_again(home: Home) -> None:
    passed = trained(home, tolerant(1))
    assert passed.status != "failed"
    assert trained(home, tolerant(1)).reused
    again = trained(home, OFFLINE)
    assert (again.status, again.reason) == ("failed", REASON)
    assert trained(home, tolerant(2)).reason == passed.reason
