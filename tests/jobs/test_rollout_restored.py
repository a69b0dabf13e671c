"""A version that a rollback restored is fed and guarded again, with its own results alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.rolled import Rolled, followed


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Rolled, Rolled]:
    """The first serves all again, the second was taken back after eight days by its losses."""
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    first, second = followed(tmp_path)
    bad = second.feed("bad.csv", 40, 8, challenger_return=np.full(8, -0.05))
    assert second.call("--feed", bad) == 3
    assert first.live() == first.new.sha256
    return first, second


def _of(rolled: Rolled, days: int) -> dict[str, list[str]]:
    return {"model": [rolled.new.sha256[:12]] * days}


def test_it_is_fed_and_taken_back_by_its_own_guardrail(both: tuple[Rolled, Rolled]) -> None:
    first, _ = both
    # The days on which it served beside the other are its own too.
    assert first.call("--feed", first.feed("on.csv", 40, 10, **_of(first, 10))) == 0
    assert first.state()["seen_rows"] == 50
    assert first.live() == first.new.sha256
    fall = {"challenger_return": np.full(8, -0.04), **_of(first, 8)}
    assert first.call("--feed", first.feed("fall.csv", 50, 8, **fall)) == 3
    assert first.live() is None
    assert "drawdown" in str(first.store.withdrawn(first.new.sha256))


def test_rows_that_do_not_say_whose_they_are_are_not_taken_and_it_is_said(
    both: tuple[Rolled, Rolled], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = both
    capsys.readouterr()
    for columns in ({}, _of(second, 9)):
        assert first.call("--feed", first.feed("later.csv", 48, 9, **columns)) == 2
        printed = capsys.readouterr().err
        assert "is not taken" in printed
        assert f"{first.new.sha256} serves again" in printed
        assert printed.count("\n") == 1
    assert (first.state()["seen_rows"], second.state()["seen_rows"]) == (40, 8)
    # What took the second back may come again: nothing of it is lost.
    assert first.call("--feed", first.folder / "bad.csv") == 3
    assert first.live() == first.new.sha256


def test_with_nothing_live_a_feed_is_not_taken(
    both: tuple[Rolled, Rolled], capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = both
    assert first.call("--rollback", "halt") == 3
    capsys.readouterr()
    assert first.call("--feed", first.feed("later.csv", 48, 9, **_of(first, 9))) == 2
    assert "nothing is live that could be fed" in capsys.readouterr().err
    assert first.state()["seen_rows"] == 40


def test_both_are_shown(both: tuple[Rolled, Rolled], capsys: pytest.CaptureFixture[str]) -> None:
    first, second = both
    capsys.readouterr()
    assert first.call("--json") == 3
    told = json.loads(capsys.readouterr().out)["rollouts"]
    assert [(view["model"], view["status"], view["stage"]) for view in told] == [
        (second.new.sha256, "rolled_back", 0.0),
        (first.new.sha256, "completed", 100.0),
    ]


def test_damage_of_the_withdrawn_one_does_not_stop_the_live_one(
    both: tuple[Rolled, Rolled],
) -> None:
    first, second = both
    (second.kept().root / "live.parquet").unlink()
    assert first.call() == 3
    assert first.call("--feed", first.feed("on.csv", 48, 10, **_of(first, 10))) == 0
    assert first.state()["seen_rows"] == 50


def test_a_plan_that_had_decided_on_its_end_ends_as_soon_as_it_serves_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    first, second = followed(tmp_path)
    # Killed before the release moved; the second was promoted meanwhile.
    state = first.state()
    first.kept().write({**state, "plan": {**state["plan"], "status": "rolled_back", "reason": "x"}})
    assert second.call("--rollback", "halt") == 3
    assert second.call() == 3
    assert first.live() is None
    assert first.store.withdrawn(first.new.sha256) == "x"


def test_a_partial_share_without_its_plan_is_damage_and_not_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    _, second = followed(tmp_path)
    (second.kept().root / "rollout.json").unlink()
    capsys.readouterr()
    assert second.call() == 1
    assert "serves 1%" in capsys.readouterr().out
    assert second.call("--feed", second.feed("a.csv", 40, 8)) == 1


def test_a_growing_log_keeps_the_rival_that_it_once_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    first, second = followed(tmp_path, alone=False)
    assert second.call("--rollback", "halt") == 3
    parts = [pd.read_csv(first.folder / f"first{step}.csv") for step in range(5)]
    later = pd.read_csv(first.feed("later.csv", 40, 8, champion_return=np.zeros(8)))
    log = pd.concat([*parts, later]).assign(model=first.new.sha256)
    assert log["champion_return"].ne(0.0).any()
    log.to_csv(first.folder / "log.csv", index=False)
    assert first.call("--feed", first.folder / "log.csv") == 0
    assert first.state()["seen_rows"] == 48
    # From now on nothing serves beside it.
    capsys.readouterr()
    other = first.feed("other.csv", 48, 2, champion_return=[0.01, 0.0], **_of(first, 2))
    assert first.call("--feed", other) == 2
    assert "champion_return in row 1 is 0.01" in capsys.readouterr().err
