"""``ares status`` and ``ares rollout`` of what is damaged, and of words with brackets in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ares_jobs.cli import run
from ares_jobs.cli_output import show_findings, show_outcomes
from ares_jobs.doctor import Finding
from ares_jobs.runner import PartitionOutcome
from ares_jobs.status_releases import releases
from ares_resources.storage.artifacts import Artifact, ArtifactStore
from tests.helpers.rolled import LIVE_FROM, Rolled, begun
from tests.helpers.step_results import result_of_each_step

WORDS = "see [/x] and [JIRA-7] :fire:"
NO_PLAN = {"plan": [1], "level": 0.05, "live_from_ms": 1, "seen_rows": 0, "stage_row": 0}


@pytest.fixture
def rolled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rolled:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    made = begun(tmp_path)
    made.home.create()
    return made


def flat(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, without the frames and folds of tables."""
    return " ".join(capsys.readouterr().out.replace("\u2502", " ").split())


def spoil(rolled: Rolled, how: str) -> None:
    root = rolled.kept().root
    if how == "torn plan":
        (root / "rollout.json").write_text("{")
    elif how == "no plan":
        (root / "rollout.json").write_text(json.dumps(NO_PLAN))
    elif how == "lost plan":
        (root / "rollout.json").unlink()
        (root / "live.parquet").unlink()
    else:
        (root / "live.parquet").unlink()


@pytest.mark.parametrize("how", ["torn plan", "no plan", "lost plan", "lost results"])
def test_a_damaged_plan_hides_neither_version_nor_shares(
    rolled: Rolled, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rolled.old is not None
    assert rolled.call("--feed", rolled.feed("a.csv", 0, 8)) == 0
    spoil(rolled, how)
    (row,) = releases(rolled.home)
    assert (row.model, row.rollout, row.stage) == (rolled.new.sha256, "damaged", 5.0)
    assert row.shares == {rolled.new.sha256: 0.05, rolled.old.sha256: pytest.approx(0.95)}
    assert "rollout.json" in row.reason
    capsys.readouterr()
    assert run(["status"]) == 0
    printed = flat(capsys)
    assert f"5% {rolled.new.sha256[:16]}" in printed
    assert "not traded" not in printed


def published(rolled: Rolled) -> Artifact:
    """All sixteen steps' results, with the verdict to promote."""
    told = {"window_end_ms": LIVE_FROM, "verdict": "promote", "reason": "x"}
    found = result_of_each_step(rolled.home, {**told, "judged_against": "none"})
    store = ArtifactStore(rolled.home.artifacts, rolled.home.runs)
    for artifact in found.values():
        store.point(artifact, run_id=None, mode="blank")
    return found["model_release"]


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_damaged_release_is_told_and_the_rest_of_the_status_stands(
    rolled: Rolled, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    published(rolled)
    (rolled.store.root / "released.json").write_text(text)
    capsys.readouterr()
    assert run(["status", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (part,), (release,) = told["partitions"], told["releases"]
    assert (part["status"], part["steps"]) == ("damaged", 16)
    assert (release["rollout"], release["stage"], release["shares"]) == ("damaged", None, None)
    for reason in (part["reason"], release["reason"]):
        assert reason.endswith("restore a copy of it")
        assert "remove" not in reason
    assert run(["status"]) == 0
    printed = flat(capsys)
    assert "unknown damaged unknown unknown" in printed
    assert "not traded" not in printed


def test_words_with_brackets_are_printed_as_they_are(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    published(rolled)
    assert rolled.call("--rollback", WORDS) == 3
    assert WORDS in flat(capsys)
    assert run(["status"]) == 0
    printed = flat(capsys)
    assert all(word in printed for word in WORDS.split())
    gate = [{"name": "[/x]", "measured": None, "requirement": "[/y]"}]
    rows: list[dict[str, Any]] = [{**row, "passed": False, "required": True} for row in gate]
    outcome = PartitionOutcome(
        *("bull|ETHUSDT.SIM", "rolled back", WORDS, None, True, [], {}),
        {"registered": "away [/x]", "bundle": "/a[/b]", "live": False, "withdrawn": WORDS},
        gate=rows,
        warnings=["weak [/w]"],
    )
    show_outcomes([outcome], as_json=False)
    printed = flat(capsys)
    assert printed.count(WORDS) == 2
    for part in ("[/x] not measurable required: [/y]", "/a[/b] away [/x]", "warning: weak [/w]"):
        assert part in printed
    show_findings([Finding("home [/x]", True, "/a[/b]")], as_json=False)
    assert "ok home [/x]: /a[/b]" in flat(capsys)


@pytest.mark.parametrize("how", ["torn plan", "torn release"])
def test_a_damaged_partition_hides_no_other_and_is_named(
    rolled: Rolled, how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = begun(tmp_path, regime="sideways")
    if how == "torn plan":
        spoil(rolled, how)
    else:
        (rolled.store.root / "released.json").write_text("{")
    assert rolled.call("--json") == 1
    told = json.loads(capsys.readouterr().out)
    bull, sideways = told["rollouts"]
    assert told["exit_code"] == 1
    assert (bull["partition"], bull["status"]) == ("bull|ETHUSDT.SIM", "damaged")
    assert bull["note"].startswith("bull|ETHUSDT.SIM: ")
    served = rolled.store.shares() if how == "torn plan" else None
    assert bull["shares"] == served
    assert (sideways["model"], sideways["status"]) == (other.new.sha256, "running")
    assert rolled.call() == 1
    printed = flat(capsys)
    assert "bull|ETHUSDT.SIM: damaged" in printed
    assert "sideways|ETHUSDT.SIM: running" in printed
    assert rolled.call("--regime", "sideways") == 0
    capsys.readouterr()
    # Asked for by name it is an error, as it is to whoever feeds it.
    for options in (
        ["--regime", "bull"],
        ["--regime", "bull", "--feed", rolled.feed("a.csv", 0, 8)],
    ):
        assert rolled.call(*options) == 1
        assert "bull|ETHUSDT.SIM: " in capsys.readouterr().err
