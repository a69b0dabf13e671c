"""What step 13 keeps of the drift it found, beside requests that stand already."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from ares_assets.engine import Request, Work
from ares_assets.retraining import ask_for_retraining
from ares_assets.step13_walk_forward_validation import SPEC
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.artifacts import Artifact
from ares_resources.storage.retrain_requests import RetrainRequest, RetrainRequests
from ares_resources.symbols import SymbolKey
from ares_resources.workspace import Workspace

DAY_MS, ALARM_MS = 86_400_000, 1_700_006_400_000
END_MS = ALARM_MS + 10 * DAY_MS


def asked(root: Path, alarms: list[int], end_ms: int, **retrain: Any) -> str:
    home = Home(root)
    home.create()
    settings = load_settings({"retrain": retrain}, mode="blank")
    request = Request(SymbolKey("ETHUSDT", "SIM"), "bear", settings, None, False, "run")
    loss = {"alarms": list(range(len(alarms))), "false_alarm_share": 0.03, "known_at_ms": alarms}
    drift = {"loss": loss, "features": [], "holdout_start_ms": ALARM_MS - DAY_MS}
    artifact = SimpleNamespace(
        load=lambda: {"report.json": {"drift": drift}},
        metadata={"window_end_ms": end_ms},
        manifest={"inputs": {"final_parameters": f"{end_ms:064d}"}},
    )
    work = Work(SPEC, request, Workspace(home))
    return str(ask_for_retraining(work, cast(Artifact, artifact))["retrain"])


def kept(root: Path) -> list[RetrainRequest]:
    requests = RetrainRequests(Home(root)).pending()
    return sorted(requests, key=lambda request: request.window_end_ms)


def test_a_new_alarm_beside_an_answered_one_asks_again(tmp_path: Path) -> None:
    assert asked(tmp_path, [ALARM_MS], END_MS).startswith("requested: ")
    (first,) = kept(tmp_path)
    RetrainRequests(Home(tmp_path)).settle([first.name])
    later = END_MS + 20 * DAY_MS
    # The retraining still sees the first alarm, and nothing else.
    assert asked(tmp_path, [ALARM_MS], END_MS + DAY_MS).startswith("already requested: ")
    assert kept(tmp_path) == []
    told = asked(tmp_path, [ALARM_MS, END_MS + 5 * DAY_MS], later)
    assert told.startswith("requested: ")
    (second,) = kept(tmp_path)
    assert (second.since_ms, second.window_end_ms) == (END_MS + 5 * DAY_MS, later)
    again = asked(tmp_path, [ALARM_MS, END_MS + 5 * DAY_MS], later + DAY_MS)
    assert again.startswith("already requested: ")


def test_a_training_that_may_still_fail_settles_nothing(tmp_path: Path) -> None:
    """Steps 14 to 16 come after; whether it came to its end is seen by the sensor."""
    asked(tmp_path, [ALARM_MS], END_MS)
    assert asked(tmp_path, [], END_MS + DAY_MS) == "no drift asks for it"
    assert len(kept(tmp_path)) == 1


def test_switched_off_asks_for_nothing_and_leaves_what_waits_to_the_sensor(tmp_path: Path) -> None:
    asked(tmp_path, [ALARM_MS], END_MS)
    told = asked(tmp_path, [END_MS + 1], END_MS + DAY_MS, enabled=False)
    assert told == "switched off (retrain.enabled)"
    assert [request.window_end_ms for request in kept(tmp_path)] == [END_MS]
