"""``ares rollout``: five feeds to the end, harm back to the very bytes, and no step twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.rolled import LIVE_FROM, Rolled, begun

from ares_jobs.cli import run
from ares_resources.storage.rollouts import RolloutStore

SHARES = [0.01, 0.05, 0.2, 0.5, 1.0]


@pytest.fixture
def rolled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rolled:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    return begun(tmp_path)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rolled:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    return begun(tmp_path, alone=True)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_five_feeds_walk_all_stages_to_the_end(rolled: Rolled, kind: str) -> None:
    assert rolled.old is not None
    shares = [rolled.store.shares()]
    for step in range(5):
        path = rolled.feed(f"{step}.csv", 8 * step, 8)
        if kind == "parquet":
            pd.read_csv(path).to_parquet(path.with_suffix(".parquet"))
        assert rolled.call("--feed", path.with_suffix(f".{kind}")) == 0
        shares.append(rolled.store.shares())
    wanted = [*SHARES, 1.0]
    assert [told[rolled.new.sha256] for told in shares] == wanted
    assert [sum(told.values()) for told in shares] == pytest.approx([1.0] * 6)
    assert [rolled.old.sha256 in told for told in shares] == [True] * 4 + [False] * 2
    assert rolled.state()["plan"]["status"] == "completed"
    assert rolled.live() == rolled.new.sha256


def test_one_long_feed_moves_one_stage_and_the_next_waits(rolled: Rolled) -> None:
    assert rolled.call("--feed", rolled.feed("a.csv", 0, 60)) == 0
    assert rolled.store.shares()[rolled.new.sha256] == 0.05
    assert rolled.call("--feed", rolled.feed("b.csv", 60, 5)) == 0
    assert rolled.store.shares()[rolled.new.sha256] == 0.05
    assert "waiting: 5 of 7 days" in rolled.state()["plan"]["reason"]


def test_the_same_feed_twice_is_no_second_step(rolled: Rolled) -> None:
    path = rolled.feed("a.csv", 0, 8)
    for _ in range(3):
        assert rolled.call("--feed", path) == 0
        assert rolled.store.shares()[rolled.new.sha256] == 0.05
    assert len(rolled.state()["plan"]["history"]) == 1
    assert rolled.state()["seen_rows"] == 8


HARMS: dict[str, Callable[[int], dict[str, Any]]] = {
    "drawdown": lambda days: {"challenger_return": np.full(days, -0.03)},
    "sequential": lambda days: {
        "challenger_return": np.random.default_rng(1).normal(-0.004, 0.003, days),
        "champion_return": np.random.default_rng(2).normal(0.004, 0.003, days),
    },
    "stale bars": lambda days: {"degraded": ["", "stale bars"] * (days // 2)},
}


@pytest.mark.parametrize(
    ("stage", "harm"),
    [*((stage, "drawdown") for stage in range(6)), *((s, h) for s in (0, 4) for h in HARMS)],
)
def test_harm_at_any_stage_restores_the_very_bytes(rolled: Rolled, stage: int, harm: str) -> None:
    assert rolled.old is not None
    before = rolled.old.files()
    for step in range(stage):
        assert rolled.call("--feed", rolled.feed(f"{step}.csv", 8 * step, 8)) == 0
    days = 50 if harm == "sequential" else 20
    path = rolled.feed("harm.csv", 8 * stage, days, **HARMS[harm](days))
    assert rolled.call("--feed", path) == 3
    champion = rolled.store.champion()
    assert champion is not None
    assert champion.sha256 == rolled.old.sha256
    assert champion.files() == before
    assert rolled.store.shares() == {rolled.old.sha256: 1.0}
    assert harm in str(rolled.store.withdrawn(rolled.new.sha256))
    # It stays back, whatever comes after, and the same feed again says so again.
    rows = rolled.state()["seen_rows"]
    assert rolled.call("--feed", path) == 3
    assert rolled.call("--feed", rolled.feed("later.csv", 200, 9)) == 2
    assert rolled.call() == 3
    assert rolled.state()["seen_rows"] == rows
    assert rolled.live() == rolled.old.sha256


def test_a_first_release_ramps_beside_no_trade_and_may_lack_a_rivals_column(
    alone: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    assert alone.store.shares() == {alone.new.sha256: 0.01}
    path = alone.feed("a.csv", 0, 8)
    frame = pd.read_csv(path).drop(columns="champion_return")
    frame.to_csv(path, index=False)
    assert alone.call("--feed", path) == 0
    assert alone.store.shares() == {alone.new.sha256: 0.05}
    assert "95% not traded" in capsys.readouterr().out
    assert alone.call("--rollback", "the", "--regime", "bull") == 3
    assert alone.live() is None
    assert alone.store.shares() == {}


def test_taken_back_by_hand(rolled: Rolled, capsys: pytest.CaptureFixture[str]) -> None:
    assert rolled.old is not None
    assert rolled.call("--rollback", "the exchange halts", "--json") == 3
    (view,) = json.loads(capsys.readouterr().out)["rollouts"]
    assert view["status"] == "rolled_back"
    assert view["reason"] == "by hand: the exchange halts"
    assert rolled.live() == rolled.old.sha256


def test_it_is_shown_for_people_and_for_programs(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rolled.call("--feed", rolled.feed("a.csv", 0, 3), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 0
    (view,) = told["rollouts"]
    assert view["partition"] == "bull|ETHUSDT.SIM"
    assert (view["stage"], view["days"], view["trades"], view["rows"]) == (1.0, 3.0, 6, 3)
    assert view["reason"] == "waiting: 3 of 7 days at this stage"
    assert view["alias"] == "tracking is switched off"
    before = {path: path.read_bytes() for path in rolled.store.root.rglob("*") if path.is_file()}
    assert rolled.call() == 0
    printed = capsys.readouterr().out
    assert "3 of 7 days, 6 of 10 trades" in printed
    assert "waiting" in printed
    after = {path: path.read_bytes() for path in rolled.store.root.rglob("*") if path.is_file()}
    assert after == before


def test_what_was_never_released_is_said_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    assert run(["rollout", "ETHUSDT", "SIM"]) == 0
    assert "nothing was ever released of ETHUSDT.SIM" in capsys.readouterr().out
    assert run(["rollout", "ETHUSDT", "SIM", "--rollback", "x"]) == 2
    assert not (tmp_path / "home").exists()


def test_a_version_from_before_rollouts_is_shown_and_can_be_taken_back(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rolled.old is not None
    pointer = {"sha256": rolled.old.sha256, "identity": "old", "replaced": None}
    (rolled.store.root / "released.json").write_text(json.dumps(pointer))
    assert rolled.call() == 0
    assert "without a rollout" in capsys.readouterr().out
    assert rolled.call("--feed", rolled.feed("a.csv", 0, 8)) == 2
    assert rolled.call("--rollback", "old") == 3
    assert rolled.live() is None


BAD_FEEDS: list[tuple[dict[str, Any], str]] = [
    ({"challenger_return": [0.1, np.nan, 0.1]}, "challenger_return in row 2 is nan"),
    ({"challenger_return": [0.1, np.inf, 0.1]}, "row 2 is inf"),
    ({"challenger_return": [0.1, 0.1, -1.0]}, "row 3 is -1.0"),
    ({"champion_return": ["a", 0.1, 0.1]}, "champion_return in row 1 is a"),
    ({"trades": [1, -1, 1]}, "trades in row 2 is -1"),
    ({"trades": [1, 1.5, 1]}, "trades in row 2 is 1.5"),
    ({"timestamp": [LIVE_FROM, LIVE_FROM, LIVE_FROM + 1]}, "timestamp in row 2"),
    ({"timestamp": [LIVE_FROM + 2, LIVE_FROM + 1, LIVE_FROM + 3]}, "time order"),
    ({"timestamp": [LIVE_FROM - 1, LIVE_FROM, LIVE_FROM + 1]}, "judged on earlier bars"),
    ({"timestamp": [1_704_067_200, 1_704_067_260, 1_704_067_320]}, "milliseconds"),
    ({"model": ["ffffffff"] * 3}, "model in row 1 is ffffffff"),
    ({"profit": [1, 2, 3]}, "unknown column 'profit'"),
]


@pytest.mark.parametrize(("columns", "words"), BAD_FEEDS)
def test_a_feed_that_is_not_usable_is_refused_whole(
    rolled: Rolled, columns: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rolled.call("--feed", rolled.feed("bad.csv", 0, 3, **columns)) == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert printed.count("\n") == 1
    assert rolled.state()["seen_rows"] == 0
    assert RolloutStore(rolled.store.root, rolled.new.sha256).live().empty


def test_other_files_than_feeds_are_refused(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    empty, torn, text = (rolled.folder / name for name in ("e.csv", "t.parquet", "x.txt"))
    empty.touch()
    torn.write_bytes(b"PAR1 torn")
    text.touch()
    for path in (rolled.folder / "none.csv", empty, torn, text):
        assert rolled.call("--feed", path) == 2
        assert path.name in capsys.readouterr().err
    lacking = rolled.folder / "l.csv"
    lacking.write_text("timestamp,challenger_return\n1,2\n")
    assert rolled.call("--feed", lacking) == 2
    assert "no column 'trades'" in capsys.readouterr().err
    lacking.write_text("timestamp,challenger_return,champion_return,trades\n")
    assert rolled.call("--feed", lacking) == 2
    assert "no rows" in capsys.readouterr().err
    assert rolled.call("--rollback", " ") == 2


def test_results_that_differ_from_those_that_stand_are_refused(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rolled.call("--feed", rolled.feed("a.csv", 0, 5)) == 0
    other = rolled.feed("b.csv", 0, 5, trades=np.full(5, 3))
    assert rolled.call("--feed", other) == 2
    assert "trades at" in capsys.readouterr().err
    # A log that goes on from what stands is welcome.
    pd.concat(
        [pd.read_csv(rolled.folder / "a.csv"), pd.read_csv(rolled.feed("c.csv", 5, 4))]
    ).to_csv(rolled.folder / "d.csv", index=False)
    assert rolled.call("--feed", rolled.folder / "d.csv") == 0
    assert rolled.state()["seen_rows"] == 9


def test_a_feed_must_be_of_one_released_regime(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    begun(rolled.folder, regime="bear")
    path = rolled.feed("a.csv", 0, 8)
    assert rolled.call("--feed", path) == 2
    assert "bull, bear" in capsys.readouterr().err
    assert rolled.call("--feed", path, "--regime", "sideways") == 2
    assert rolled.call("--feed", path, "--regime", "bul") == 2
    assert rolled.call("--feed", path, "--regime", "bear") == 0
    assert rolled.store.shares()[rolled.new.sha256] == 0.01
