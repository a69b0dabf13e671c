"""What ``ares status`` tells of releases in rollout and of trainings that are asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ares_jobs.cli import run
from ares_jobs.status_releases import ReleaseStatus, releases, retrain_requests
from ares_resources.home import Home
from ares_resources.storage.retrain_requests import RetrainRequest, RetrainRequests
from tests.helpers.rolled import LIVE_FROM, Rolled, begun

ASKED = RetrainRequest(
    symbol="ETHUSDT.SIM",
    regime="bull",
    mode="blank",
    settings={},
    offline=False,
    kind="drift",
    reason="the target drifted",
    since_ms=LIVE_FROM,
    window_end_ms=LIVE_FROM,
    wait_ms=86_400_000,
    model_sha256="",
)


@pytest.fixture
def rolled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rolled:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    made = begun(tmp_path)
    made.home.create()
    return made


def test_a_rollout_is_told_at_its_stage_beside_what_serves_the_rest(rolled: Rolled) -> None:
    assert rolled.old is not None
    assert rolled.call("--feed", rolled.feed("a.csv", 0, 8)) == 0
    (row,) = releases(rolled.home)
    assert (row.partition, row.model) == ("bull|ETHUSDT.SIM", rolled.new.sha256)
    assert (row.rollout, row.stage) == ("running", 5.0)
    assert row.shares == {rolled.new.sha256: 0.05, rolled.old.sha256: pytest.approx(0.95)}
    assert row.reason == rolled.state()["plan"]["reason"]


def test_a_rollback_and_a_damaged_store_are_told(rolled: Rolled) -> None:
    assert rolled.old is not None
    assert rolled.call("--rollback", "by a test") == 3
    (row,) = releases(rolled.home)
    assert row == ReleaseStatus(
        "bull|ETHUSDT.SIM",
        rolled.new.sha256,
        "rolled back",
        0.0,
        {rolled.old.sha256: 1.0},
        "by hand: by a test",
    )
    (rolled.store.root / "released.json").write_text("{")
    (row,) = releases(rolled.home)
    assert row.rollout == "damaged"
    assert "is not JSON" in row.reason


def test_nothing_released_and_nothing_asked_for_is_nothing_told(tmp_path: Path) -> None:
    assert releases(Home(tmp_path)) == []
    assert retrain_requests(Home(tmp_path)) == ([], [])


def test_the_command_shows_both(rolled: Rolled, capsys: pytest.CaptureFixture[str]) -> None:
    asked = RetrainRequests(rolled.home)
    assert asked.ask(ASKED)
    assert asked.ask(replace(ASKED, regime="bear"))
    asked.settle([replace(ASKED, regime="bear").name])
    assert run(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (release,), (request,) = told["releases"], told["retrain_requests"]
    assert (release["model"], release["stage"]) == (rolled.new.sha256, 1.0)
    assert request == {
        "partition": "bull|ETHUSDT.SIM",
        "mode": "blank",
        "kind": "drift",
        "reason": "the target drifted",
        "after": "2024-01-02 00:00",
    }
    assert run(["status"]) == 0
    printed = " ".join(capsys.readouterr().out.replace("\u2502", " ").split())
    assert f"bull|ETHUSDT.SIM {rolled.new.sha256[:16]} running 1 %" in printed
    assert "2024-01-02 00:00 drift: the target drifted" in printed
