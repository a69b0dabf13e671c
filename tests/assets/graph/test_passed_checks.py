"""The memory of checks: only what passed, under these tolerances, is not judged again."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares_assets.check_list import CHECKS
from ares_assets.passed_checks import remember, unpassed
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.artifacts import Artifact, ArtifactStore, Place

SETTINGS = load_settings()
OF_REGIMES = [check for check in CHECKS if check.asset == "market_regimes" and check.blocking]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.create()
    return made


def artifact(home: Home, key: str = "a1") -> Artifact:
    store = ArtifactStore(home.artifacts, home.runs)
    place = Place("market_regimes", "ETHUSDT.SIM", None)
    return store.publish(
        place, key, {"x.json": {}}, kind="bundle", inputs={}, metadata={}, degraded=[]
    )


def test_what_was_never_judged_has_not_passed(home: Home) -> None:
    assert unpassed(home, artifact(home), SETTINGS) == [check.name for check in OF_REGIMES]


def test_a_result_passes_check_by_check(home: Home) -> None:
    made = artifact(home)
    for left, check in reversed(list(enumerate(OF_REGIMES))):
        remember(home, made, check, SETTINGS, True)
        assert unpassed(home, made, SETTINGS) == [c.name for c in OF_REGIMES[:left]]


def passed(home: Home, made: Artifact) -> None:
    for check in OF_REGIMES:
        remember(home, made, check, SETTINGS, True)
    assert unpassed(home, made, SETTINGS) == []


def test_another_result_and_other_tolerances_are_judged_anew(home: Home) -> None:
    made = artifact(home)
    passed(home, made)
    assert len(unpassed(home, artifact(home, "b2"), SETTINGS)) == len(OF_REGIMES)
    stricter = load_settings({"checks": {"maximum_gap_hours": 1}})
    assert len(unpassed(home, made, stricter)) == len(OF_REGIMES)
    elsewhere = load_settings({"gate": {"minimum_trades": 99}})
    assert unpassed(home, made, elsewhere) == []


def test_a_failure_is_not_forgotten_for_an_earlier_success(home: Home) -> None:
    made = artifact(home)
    passed(home, made)
    remember(home, made, OF_REGIMES[0], SETTINGS, False)
    assert unpassed(home, made, SETTINGS) == [OF_REGIMES[0].name]


def test_marks_of_results_that_are_gone_are_removed(home: Home) -> None:
    old = artifact(home, "a1")
    passed(home, old)
    for path in old.folder.iterdir():
        path.unlink()
    old.folder.rmdir()
    passed(home, artifact(home, "b2"))
    marks = [path.name for path in (home.checks / "market_regimes").rglob("*-*")]
    assert {name.split("-")[0] for name in marks if name[0] in "ab"} == {"b2"}
