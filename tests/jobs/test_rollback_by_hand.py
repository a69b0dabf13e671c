"""``ares rollout --rollback`` stops what is live, whatever else is damaged, and says the truth."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from faults.kills import die_at
from helpers.rolled import Rolled, begun, followed

from ares_resources.storage.atomic import write_parquet
from ares_resources.storage.rollouts import RolloutStore, rollout_lock


@pytest.fixture
def rolled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rolled:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    rolled = begun(tmp_path)
    assert rolled.call("--feed", rolled.feed("a.csv", 0, 8)) == 0
    return rolled


def test_a_restored_champion_can_be_taken_back_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    first, second = followed(tmp_path)
    assert second.call("--rollback", "bad fills") == 3
    assert first.store.shares() == {first.new.sha256: 1.0}
    capsys.readouterr()

    assert first.call("--rollback", "halt", "--json") == 3
    (view,) = json.loads(capsys.readouterr().out)["rollouts"]
    assert (view["model"], view["reason"]) == (first.new.sha256, "by hand: halt")
    assert first.live() is None
    assert first.store.shares() == {}
    assert first.state()["plan"]["status"] == "rolled_back"
    assert "100 % -> rolled back: by hand: halt" in view["history"]
    # The other keeps its own reason.
    assert first.store.withdrawn(second.new.sha256) == "by hand: bad fills"


def test_with_nothing_live_there_is_nothing_to_take_back(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert rolled.call("--rollback", "halt") == 3
    before = (rolled.store.root / "released.json").read_bytes()
    capsys.readouterr()
    assert rolled.live() is None
    assert rolled.call("--rollback", "halt") == 2
    printed = capsys.readouterr().err
    assert "nothing is live of ETHUSDT.SIM" in printed
    assert printed.count("\n") == 1
    assert (rolled.store.root / "released.json").read_bytes() == before


def test_it_aims_at_the_one_regime_that_is_live(rolled: Rolled) -> None:
    other = begun(rolled.folder, regime="bear", alone=True)
    assert rolled.call("--rollback", "halt") == 2
    assert rolled.call("--rollback", "halt", "--regime", "bear") == 3
    assert (rolled.live(), other.live()) == (rolled.new.sha256, None)
    assert rolled.call("--rollback", "halt") == 3
    assert rolled.old is not None
    assert rolled.live() == rolled.old.sha256


def _overflowing(kept: RolloutStore) -> None:
    stamps = kept.live()["timestamp"].iloc[-1] + 86_400_000 * np.arange(1, 71)
    poison = pd.DataFrame(
        {
            "timestamp": stamps,
            "challenger_return": 42_000.0,
            "champion_return": 0.0,
            "trades": 1,
            "degraded": "",
        }
    )
    write_parquet(kept.root / "live.parquet", pd.concat([kept.live(), poison], ignore_index=True))


DAMAGE = {
    "results gone": lambda kept: (kept.root / "live.parquet").unlink(),
    "results torn": lambda kept: (kept.root / "live.parquet").write_bytes(b"PAR1 torn"),
    "results absurd": _overflowing,
    "state torn": lambda kept: (kept.root / "rollout.json").write_text("{"),
    "state gone": lambda kept: (kept.root / "rollout.json").unlink(),
    "no plan": lambda kept: kept.write({**(kept.state() or {}), "plan": {"stages": 3}}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_files_of_a_rollout_do_not_stop_the_emergency_stop(
    rolled: Rolled, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rolled.old is not None
    DAMAGE[damage](rolled.kept())
    assert rolled.call() == 1
    assert rolled.live() == rolled.new.sha256
    capsys.readouterr()
    assert rolled.call("--rollback", "halt", "--json") == 3
    (view,) = json.loads(capsys.readouterr().out)["rollouts"]
    assert (view["status"], view["reason"]) == ("rolled_back", "by hand: halt")
    assert view["note"]
    assert rolled.live() == rolled.old.sha256
    # What is left of it can be looked at, and says what is damaged.
    assert rolled.call() == 3
    assert "damaged" in capsys.readouterr().out


def test_a_damaged_training_record_does_not_stop_it_either(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    (rolled.store.root / "records" / f"{rolled.new.sha256[:16]}.json").write_text("{")
    assert rolled.call("--rollback", "halt") == 3
    assert "not moved" in capsys.readouterr().out
    assert rolled.state()["plan"]["status"] == "rolled_back"


def test_a_predecessor_with_a_damaged_manifest_is_not_served(rolled: Rolled) -> None:
    assert rolled.old is not None
    (rolled.old.folder / "manifest.json").write_text('{"sha256": "x"}')
    assert rolled.call("--rollback", "halt") == 3
    assert rolled.live() is None
    assert "lost: none is live" in str(rolled.store.withdrawn(rolled.new.sha256))


def test_it_waits_for_no_feed(rolled: Rolled) -> None:
    stop = threading.Thread(target=lambda: rolled.call("--rollback", "halt"))
    with rollout_lock(rolled.store.root):
        stop.start()
        for _ in range(200):
            if rolled.store.withdrawn(rolled.new.sha256) is not None:
                break
            threading.Event().wait(0.05)
        assert rolled.store.withdrawn(rolled.new.sha256) == "by hand: halt"
        assert rolled.state()["plan"]["status"] == "running"
    stop.join(60)
    assert rolled.state()["plan"]["status"] == "rolled_back"


def test_a_lock_that_is_never_given_back_is_told(
    rolled: Rolled, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ares_jobs.rollback._LOCK_SECONDS", 0.1)
    with rollout_lock(rolled.store.root):
        assert rolled.call("--rollback", "halt") == 3
    assert "another process holds" in capsys.readouterr().out
    assert rolled.state()["plan"]["status"] == "running"
    assert rolled.call() == 3
    assert rolled.state()["plan"]["status"] == "rolled_back"


def test_a_stop_during_a_feed_stands_and_the_feed_says_so(
    rolled: Rolled, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = RolloutStore.keep

    def stopped(kept: RolloutStore, joined: pd.DataFrame) -> None:
        rolled.store.roll_back(rolled.new.sha256, "by hand: halt")
        keep(kept, joined)

    monkeypatch.setattr(RolloutStore, "keep", stopped)
    assert rolled.call("--feed", rolled.feed("b.csv", 8, 8), "--json") == 3
    (view,) = json.loads(capsys.readouterr().out)["rollouts"]
    assert (view["status"], view["reason"]) == ("rolled_back", "by hand: halt")
    assert rolled.state()["plan"]["status"] == "rolled_back"
    assert rolled.state()["seen_rows"] == 16


def test_a_promotion_during_a_feed_is_told(
    rolled: Rolled, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = RolloutStore.keep
    other = rolled.store.publish({"model.json": b"other"}, {})

    def promoted(kept: RolloutStore, joined: pd.DataFrame) -> None:
        against = rolled.new.sha256
        rolled.store.promote(other, identity="other", judged_against=against, share=0.01)
        keep(kept, joined)

    monkeypatch.setattr(RolloutStore, "keep", promoted)
    capsys.readouterr()
    assert rolled.call("--feed", rolled.feed("b.csv", 8, 8), "--json") == 0
    (view,) = json.loads(capsys.readouterr().out)["rollouts"]
    assert (view["status"], view["stage"]) == ("superseded", 0.0)
    assert "promoted meanwhile" in view["reason"]
    assert rolled.live() == other.sha256
    assert rolled.store.shares()[other.sha256] == 0.01


OF_PLANS = ["none", "state gone", "state torn", "no plan"]


@pytest.mark.parametrize("damage", OF_PLANS)
def test_killed_anywhere_the_same_command_again_takes_back_one_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    kills = again = 0
    for operation in range(20):
        folder = tmp_path / str(operation)
        folder.mkdir()
        monkeypatch.setenv("ARES_HOME", str(folder / "home"))
        rolled = begun(folder)
        assert rolled.old is not None
        DAMAGE.get(damage, lambda _: None)(rolled.kept())
        death = die_at(operation, lambda r=rolled: r.call("--rollback", "a; b"), lambda: None)  # type: ignore[misc]
        store = rolled.store
        done = store.withdrawn(rolled.new.sha256) is not None and store.following() is None
        if not death.killed:
            assert done
            break
        kills += 1
        if not done:
            assert rolled.call("--rollback", "a; b") == 3
            again += 1
        assert rolled.live() == rolled.old.sha256
        assert store.following() is None
        if damage == "none":
            assert rolled.state()["plan"]["status"] == "rolled_back"
    assert kills > again >= 3


@pytest.mark.parametrize("damage", OF_PLANS)
def test_interrupted_while_it_waits_for_the_registry_it_is_finished_by_the_same_words_alone(
    rolled: Rolled, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    assert rolled.old is not None
    DAMAGE.get(damage, lambda _: None)(rolled.kept())
    with monkeypatch.context() as patch:
        patch.setattr("ares_jobs.released_alias.follow_release", _interrupted)
        rolled.call("--rollback", "halt")
    assert rolled.store.following("by hand: halt") == rolled.new.sha256
    assert rolled.call("--rollback", "halt") == 3
    assert rolled.live() == rolled.old.sha256
    # That one is finished: the next is aimed at what is live.
    assert rolled.call("--rollback", "halt") == 3
    assert rolled.live() is None


def test_other_words_begin_another_rollback(
    rolled: Rolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("ares_jobs.released_alias.follow_release", _interrupted)
        rolled.call("--rollback", "a; b")
    assert rolled.call("--rollback", "a") == 3
    assert rolled.live() is None


def test_a_look_finishes_it_and_the_same_words_begin_another(
    rolled: Rolled, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled.kept().root.joinpath("rollout.json").unlink()
    with monkeypatch.context() as patch:
        patch.setattr("ares_jobs.released_alias.follow_release", _interrupted)
        rolled.call("--rollback", "halt")
        rolled.call()  # interrupted too
    assert rolled.store.following() == rolled.new.sha256
    assert rolled.call() == 3
    assert rolled.store.following() is None
    assert rolled.call("--rollback", "halt") == 3
    assert rolled.live() is None


def _interrupted(*_: object) -> str:
    raise KeyboardInterrupt


def test_a_feed_and_a_stop_together_are_refused(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rolled.call("--feed", rolled.feed("b.csv", 8, 8), "--rollback", "halt") == 2
    assert "allowed: one of them" in capsys.readouterr().err
    assert rolled.state()["seen_rows"] == 8
