"""What ``ares status`` tells of runs that came to no end, beside what stands from earlier ones."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from ares_jobs.cli import run
from ares_jobs.cli_progress import PlainLines
from ares_jobs.runner import TrainingRequest, train
from ares_jobs.status import PartitionStatus, home_status
from ares_resources import progress
from ares_resources.exchanges.simulated.exchange import SimulatedExchange
from ares_resources.home import Home
from ares_resources.storage.artifacts import ArtifactStore
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import DAY_MS

from .conftest import REQUEST, Trained

BEAR = replace(REQUEST, regimes=("bear",))
CLOCK = 1_704_067_200_000
FULL = OSError(errno.ENOSPC, "Error writing bytes to file. Detail: No space left on device")


@pytest.fixture
def home(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A copy of the home of three trained regimes."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    copied = Home(tmp_path / "home")
    shutil.copytree(trained.home.root, copied.root)
    return copied


def fails_at(asset: str, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = ArtifactStore.publish

    def failing(self: ArtifactStore, place: Any, *arguments: Any, **options: Any) -> Any:
        if place.asset == asset:
            raise error
        return publish(self, place, *arguments, **options)

    monkeypatch.setattr(ArtifactStore, "publish", failing)


def row(home: Home, partition: str = "bear|ETHUSDT.SIM") -> PartitionStatus:
    (found,) = [r for r in home_status(home).partitions if r.partition == partition]
    return found


def test_a_full_disk_is_one_line_beside_what_stands_and_the_run_goes_on_after_it(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = row(home)
    assert before.last_attempt is not None
    assert before.last_attempt.status == "done"
    later = replace(BEAR, overrides={"seed": 8}, as_of="2023-12-30T00:00:00Z")
    with monkeypatch.context() as patch:
        fails_at("analyst_specialists", FULL, patch)
        (outcome,) = train(later, home=home)
    assert outcome.status == "failed"
    assert outcome.reason.startswith(f"analyst_specialists: the disk of the home {home.root} is")
    assert "MiB free); free some space, or point ARES_HOME" in outcome.reason
    assert "run the same command again" in outcome.reason
    assert "Errno" not in outcome.reason

    after = row(home)
    assert replace(after, last_attempt=before.last_attempt) == before
    assert after.last_attempt is not None
    assert (after.last_attempt.status, after.last_attempt.steps) == ("failed", 4)
    assert after.last_attempt.run_id == outcome.run_id
    told = f"analyst_specialists: the disk of the home {home.root} was full"
    assert after.last_attempt.reason == told
    for other in ("bull", "sideways"):
        attempt = row(home, f"{other}|ETHUSDT.SIM").last_attempt
        assert attempt is not None
        assert attempt.status == "done"

    monkeypatch.setenv("ARES_HOME", str(home.root))
    assert run(["status"]) == 0
    printed = " ".join(capsys.readouterr().out.replace("\u2502", " ").split())
    assert "last attempt 4/16 failed since then, 20" in printed
    assert run(["status", "--json"]) == 0
    partitions = json.loads(capsys.readouterr().out)["partitions"]
    assert [p["last_attempt"]["reason"] for p in partitions].count(told) == 1

    heard: list[str] = []
    with progress.listening(Heard(heard)):
        (again,) = train(later, home=home)
    assert again.status != "failed"
    assert heard[:5] == ["reused", "reused", "reused", "reused", "done"]
    assert row(home).until == "2023-12-30 00:00"


class Heard(PlainLines):
    """Outcomes of steps, in their order."""

    def __init__(self, heard: list[str]) -> None:
        super().__init__()
        self._heard = heard

    def step_ended(self, number: int, name: str, partition: str, outcome: str) -> None:
        """Keep it."""
        self._heard.append(outcome)
        assert number == len(self._heard), "steps are carried out in the order of their numbers"


def test_a_stopped_run_is_told_until_results_are_asked_for_that_stand(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        fails_at("market_regimes", DagsterExecutionInterruptedError(), patch)
        with pytest.raises(KeyboardInterrupt):
            train(replace(BEAR, overrides={"seed": 9}), home=home)
    attempt = row(home).last_attempt
    assert attempt is not None
    assert (attempt.status, attempt.steps) == ("stopped", 1)
    (again,) = train(BEAR, home=home)
    assert again.reused
    assert row(home).last_attempt is None


@pytest.mark.parametrize(
    ("still_from", "status", "steps", "reason"),
    [(0, "skipped", 2, "the price never moves"), (7_200, "failed", 1, "the price stands still")],
)
def test_a_partition_that_came_to_nothing_in_its_first_steps_is_listed_with_the_reason(
    still_from: int,
    status: str,
    steps: int,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    pages = SimulatedExchange(as_of_ms=CLOCK).bars("ETHUSDT", "1m", CLOCK - 10 * DAY_MS, CLOCK)
    bars = pd.concat(list(pages), ignore_index=True)
    bars.loc[still_from:, ["open", "high", "low", "close"]] = 2_000.0
    home, symbol = Home(tmp_path), SymbolKey("ETHUSDT", "BINANCE")
    home.create()
    Catalogue(home.catalogue).append(Series(symbol, "bars", "1m"), bars, source="test")
    request = TrainingRequest(
        symbol,
        ("bull", "bear"),
        mode="blank",
        overrides={"tracking": {"enabled": False}},
        as_of="2024-01-01T00:00:00Z",
        offline=True,
    )
    outcomes = train(request, home=home)
    assert [outcome.status for outcome in outcomes] == [status, status]
    rows = home_status(home).partitions
    # That bars do not move holds for every regime, asked for or not.
    listed = ["bull", "bear", "sideways"] if status == "skipped" else ["bull", "bear"]
    assert [r.partition for r in rows] == [f"{regime}|ETHUSDT.BINANCE" for regime in listed]
    for found in rows:
        assert (found.mode, found.status, found.steps) == ("blank", status, steps)
        assert reason in found.reason
