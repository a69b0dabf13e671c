"""A rollout under kills at every write, under two processes at once, and its alias in MLflow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults.kills import die_at
from helpers.rolled import Rolled, begun

from ares_resources.settings import load_settings
from ares_resources.storage.rollouts import RolloutStore


def _told(rolled: Rolled) -> dict[str, Any]:
    """All that a rollout leaves behind, but for when."""
    pointer = json.loads((rolled.store.root / "released.json").read_text())
    live = RolloutStore(rolled.store.root, rolled.new.sha256).live()
    return {"pointer": pointer, "state": rolled.state(), "live": live.to_dict("list")}


def _feeds(rolled: Rolled, *, harmful: bool) -> list[Path]:
    first = rolled.feed("first.csv", 0, 8)
    columns = {"challenger_return": np.full(8, -0.05)} if harmful else {}
    return [first, rolled.feed("second.csv", 8, 8, **columns)]


def _unhurt(folder: Path, monkeypatch: pytest.MonkeyPatch, *, harmful: bool) -> dict[str, Any]:
    monkeypatch.setenv("ARES_HOME", str(folder / "home"))
    folder.mkdir()
    rolled = begun(folder)
    for path in _feeds(rolled, harmful=harmful):
        rolled.call("--feed", path)
    return _told(rolled)


@pytest.mark.parametrize("harmful", [False, True])
def test_killed_at_any_write_the_same_feed_again_ends_as_if_never_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harmful: bool
) -> None:
    wanted = _unhurt(tmp_path / "unhurt", monkeypatch, harmful=harmful)
    kills = 0
    for operation in range(40):
        folder = tmp_path / str(operation)
        folder.mkdir()
        monkeypatch.setenv("ARES_HOME", str(folder / "home"))
        rolled = begun(folder)
        first, second = _feeds(rolled, harmful=harmful)
        assert rolled.call("--feed", first) == 0
        before = rolled.store.shares()

        def feed(rolled: Rolled = rolled, path: Path = second) -> int:
            return rolled.call("--feed", path)

        death = die_at(operation, feed, lambda: None)
        shares = rolled.store.shares()
        # Old or new, never anything between: no stage is skipped, no share is lost.
        assert shares in (
            before,
            *([] if harmful else [{**_shared(rolled, 0.2)}]),
            _all_old(rolled),
        )
        stored = len(RolloutStore(rolled.store.root, rolled.new.sha256).live()) == 16
        if stored and operation % 2:
            # A mere look finishes what was begun.
            rolled.call()
            assert _told(rolled) == wanted
        code = feed()
        assert code == (3 if harmful else 0)
        assert _told(rolled) == wanted
        if not death.killed:
            break
        kills += 1
    assert kills >= 6


def _shared(rolled: Rolled, share: float) -> dict[str, float]:
    assert rolled.old is not None
    return {rolled.new.sha256: share, rolled.old.sha256: 1.0 - share}


def _all_old(rolled: Rolled) -> dict[str, float]:
    assert rolled.old is not None
    return {rolled.old.sha256: 1.0}


def test_killed_while_taken_back_the_next_look_finishes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished = 0
    for operation in range(20):
        folder = tmp_path / str(operation)
        folder.mkdir()
        monkeypatch.setenv("ARES_HOME", str(folder / "home"))
        rolled = begun(folder)
        death = die_at(operation, lambda r=rolled: r.call("--rollback", "now"), lambda: None)  # type: ignore[misc]
        if not death.killed:
            assert death.returned == 3
            break
        decided = rolled.store.withdrawn(rolled.new.sha256) is not None
        assert rolled.call() == (3 if decided else 0)
        assert (rolled.live() == rolled.new.sha256) == (not decided)
        assert (rolled.state()["plan"]["status"] == "rolled_back") == decided
        finished += decided
    assert finished >= 2


def test_two_processes_with_the_same_feed_make_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    rolled = begun(tmp_path)
    path = rolled.feed("a.csv", 0, 8)
    command = [sys.executable, "-m", "ares_jobs.cli", "rollout", "ETHUSDT", "SIM", "--json"]
    running = [
        subprocess.Popen([*command, "--feed", str(path)], stdout=subprocess.PIPE) for _ in range(2)
    ]
    told = [json.loads(process.communicate(timeout=120)[0]) for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert sorted(one["rollouts"][0]["new_rows"] for one in told) == [0, 8]
    assert rolled.store.shares()[rolled.new.sha256] == 0.05
    assert len(rolled.state()["plan"]["history"]) == 1


def test_the_registrys_alias_follows_a_rollback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ares_resources.tracking import RELEASED, _client, move_alias, register, registry_identity

    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    rolled = begun(tmp_path)
    assert rolled.old is not None
    settings, name = load_settings({}), "ares-ETHUSDT.SIM-bull"
    for release in (rolled.old, rolled.new):
        rolled.store.amend_record(release.sha256, settings=settings.model_dump(mode="json"))
        version = register(
            rolled.home,
            settings,
            name=name,
            bundle=release.folder,
            sha256=release.sha256,
            run_id=None,
        )
    move_alias(rolled.home, settings, name=name, version=version)
    at = registry_identity(settings, rolled.home)
    rolled.store.note_alias(f"{at} {rolled.new.sha256}")
    client = _client(rolled.home, settings)

    assert rolled.call("--rollback", "now") == 3
    at_old = client.get_model_version_by_alias(name, RELEASED)
    assert at_old.tags["bundle_sha256"] == rolled.old.sha256
    assert rolled.store.alias() == f"{at} {rolled.old.sha256}"

    # With nothing that served before, it points at nothing.
    other = begun(tmp_path / "other", alone=True)
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "other" / "home"))
    other.store.amend_record(other.new.sha256, settings=settings.model_dump(mode="json"))
    version = register(
        other.home,
        settings,
        name=name,
        bundle=other.new.folder,
        sha256=other.new.sha256,
        run_id=None,
    )
    move_alias(other.home, settings, name=name, version=version)
    other.store.note_alias(f"{registry_identity(settings, other.home)} {other.new.sha256}")
    assert other.call("--rollback", "now") == 3
    assert RELEASED not in _client(other.home, settings).get_registered_model(name).aliases
