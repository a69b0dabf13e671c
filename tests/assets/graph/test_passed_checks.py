"""The memory of checks: only what passed, under these tolerances, is not judged again."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares_assets.check_list import CHECKS, CheckSpec
from ares_assets.passed_checks import forget, hindrance, remember, unpassed
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.artifacts import Artifact, ArtifactStore, Place
from tests.helpers.step_results import result_of_each_step

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


def chain(home: Home) -> dict[str, Artifact]:
    """A result of each step, made from those before it, with all its checks passed."""
    found = result_of_each_step(home)
    for check in CHECKS:
        remember(home, found[check.asset], check, SETTINGS, True)
    return found


def test_nothing_hinders_what_has_passed_all_checks_of_all_steps(home: Home) -> None:
    assert hindrance(home, chain(home), SETTINGS) is None


@pytest.mark.parametrize("check", [c for c in CHECKS if c.blocking], ids=lambda c: c.name)
def test_each_blocking_check_hinders_what_comes_of_its_asset(home: Home, check: CheckSpec) -> None:
    found = chain(home)
    remember(home, found[check.asset], check, SETTINGS, False)
    told = hindrance(home, found, SETTINGS)
    assert told == f"{check.asset} has not passed its check {check.name}"


def test_a_check_that_only_warns_hinders_nothing(home: Home) -> None:
    found = chain(home)
    for check in CHECKS:
        if not check.blocking:
            remember(home, found[check.asset], check, SETTINGS, False)
    assert hindrance(home, found, SETTINGS) is None


def test_a_step_that_is_missing_or_of_other_inputs_hinders(home: Home) -> None:
    found = chain(home)
    del found["walk_forward_report"]
    assert hindrance(home, found, SETTINGS) == "there is no walk_forward_report"
    found = chain(home)
    other = ArtifactStore(home.artifacts, home.runs).publish(
        found["market_data"].place,
        "b2",
        {"x.json": {"other": "bars"}},
        kind="bundle",
        inputs={},
        metadata={},
        degraded=[],
    )
    for check in CHECKS:
        if check.asset == "market_data":
            remember(home, other, check, SETTINGS, True)
    told = hindrance(home, {**found, "market_data": other}, SETTINGS)
    assert told == "market_regimes was made from another market_data than the one that stands"


def test_a_release_that_is_made_again_has_its_checks_before_it(home: Home) -> None:
    found = chain(home)
    forget(home, found["model_release"])
    of_the_release = [c.name for c in CHECKS if c.asset == "model_release" and c.blocking]
    assert unpassed(home, found["model_release"], SETTINGS) == of_the_release
    assert hindrance(home, found, SETTINGS) is not None
    del found["model_release"]
    assert [unpassed(home, artifact, SETTINGS) for artifact in found.values()] == [[]] * 15
