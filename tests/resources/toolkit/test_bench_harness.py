"""The harness of the table of speed: turns, ratios, goals, the table; not the rows' speed."""

from __future__ import annotations

import importlib
import importlib.util
import json
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import bench, recorded, turns
from benchmarks.agreeing import agreement
from benchmarks.peers import timing
from benchmarks.rows import barriers, markets
from benchmarks.turns import Case, Differs, Goal, Program, Row, faster, ratio, take_turns, within

FIGURES = {
    "ares": {"seconds": 0.002, "rounds": [1.0, 2.0, 4.0], "result": {}},
    "one": {"seconds": 1.0, "rounds": [10.0, 40.0, 4.0], "result": {}},
    "two": {"failed": "no wheel"},
}


def test_a_ratio_is_the_median_of_the_rounds_own() -> None:
    assert ratio(FIGURES, "one") == 10.0
    assert ratio(FIGURES, "two") is None


def test_a_goal_says_its_figure_and_why_it_is_not_met() -> None:
    missed = faster(["one"], 25).judged(FIGURES, {"25 x one": "memory bound"})
    assert (missed["figure"], missed["met"], missed["reason"]) == (10.0, False, "memory bound")
    assert faster(["one"], 10).judged(FIGURES, {})["met"]
    assert "no wheel" in faster(["two"], 2).judged(FIGURES, {})["reason"]
    assert within(1.0, "ms", 1000).judged(FIGURES, {}) | {"reason": ""} == {
        "goal": "at most 1 ms",
        "wanted": 1.0,
        "unit": "ms",
        "figure": 2.0,
        "met": False,
        "reason": "",
    }


def _case(programs: list[Program]) -> Case:
    return Case(
        name="small",
        make=barriers.write,
        data={"events": 2000, "seed": 1},
        programs=programs,
        same=barriers.same,
        goals=[faster(["gone"], 2)],
        options={"events": 2000, "repeats": 1},
        rounds=2,
    )


def test_programs_take_turns_and_a_failing_one_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    programs = [
        Program("ares", barriers.HERE),
        Program("nobody", barriers.HERE, label="gone"),
    ]
    figures = take_turns(_case(programs), tmp_path, said.append)
    assert len(figures["ares"]["rounds"]) == len(figures["ares"]["results"]) == 2
    assert figures["ares"]["peak_mib"] > figures["ares"]["added_mib"] >= 0
    assert "KeyError" in figures["gone"]["failed"]
    assert [line for line in said if "gone" in line] == [said[1]], "it is not tried again"


def test_a_resumed_run_leaves_out_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []

    def measured(name: str, quick: bool, folder: Path) -> dict[str, object]:
        calls.append(name)
        return {"work": name, "cases": [], "absent": bench.ABSENT}

    monkeypatch.setattr(bench, "measured", measured)
    monkeypatch.setattr(bench, "code_hash", lambda: code[0])
    code = ["abc"]
    arguments = ["cache", "sweep", "--quick", "--out", str(tmp_path / "bench.json")]
    assert bench.main(arguments) == 0
    assert bench.main([*arguments, "--resume"]) == 0
    assert calls == ["cache", "sweep"]
    code[0] = "abd"
    assert bench.main([*arguments, "--resume"]) == 0
    assert calls == ["cache", "sweep"] * 2, "other code has not measured it"
    kept = json.loads((tmp_path / "bench.json").read_text())
    assert list(kept["rows"]) == ["sweep", "cache"], "in the order of the table"
    assert "not measured: this row has no module yet" in capsys.readouterr().out


def test_the_code_is_known_by_its_content_and_not_by_what_a_run_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "ROOT", tmp_path)
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "ares_assets").mkdir()
    seen = []
    for name, content in (
        ("ares_assets/step.py", "ONE = 1"),
        ("ares_assets/step.py", "ONE = 2"),
        ("ares_assets/other.py", "ONE = 2"),
        ("benchmarks/requirements-peers-vectorbt.lock", "vectorbt==1"),
    ):
        (tmp_path / name).write_text(content)
        seen.append(recorded.code_hash())
    assert len(set(seen)) == 4, "two dirty trees are two"
    (tmp_path / "benchmarks" / "results" / "bench.json").write_text("{}")
    assert recorded.code_hash() == seen[-1]


def _measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: list[Program], make: Any = None
) -> tuple[int, dict[str, Any]]:
    """A whole run of one row that has this one case; its exit code and the case as kept."""
    case = replace(_case(programs), rounds=1, make=make or barriers.write)
    row = Row("barriers", "labels", lambda quick: [case])
    monkeypatch.setattr(barriers, "ROW", row)
    out = tmp_path / "bench.json"
    code = bench.main(["barriers", "--out", str(out), "--folder", str(tmp_path / "data")])
    return code, json.loads(out.read_text())["rows"]["barriers"]["cases"][0]


def test_a_peer_that_is_absent_is_not_compared_and_not_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Program("ares", barriers.HERE)
    peer = Program("gone", barriers.PEERS, "-of-nobody", threads=1)
    code, case = _measured(tmp_path, monkeypatch, [own, peer])
    assert (code, case["equal"], case["differs"]) == (3, "not compared: no peer ran", False)
    assert "equal" not in capsys.readouterr().out.replace("equal results", "")
    assert case["threads"] == {"ares": 2, "gone": 1}
    assert not bench._is_known({"code": 1, "cases": [case]}, {"code": 1}), "to be measured again"


def test_a_failure_of_ares_in_a_later_round_fails_the_row_and_not_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs: list[str] = []

    def run_program(program: Program, case: Case, folder: Path) -> dict[str, Any]:
        runs.append(program.shown)
        if runs.count("ares") > 1:
            raise OSError("no memory left")
        return dict.fromkeys(("peak_mib", "added_mib", "cores", "elsewhere"), 1.0) | {
            "seconds": [1.0],
            "result": {"touched": [1], "bars": [3]},
        }

    monkeypatch.setattr(turns, "run_program", run_program)
    programs = [Program("ares", "m"), Program("gone", "m", "-a")]
    row = Row("barriers", "labels", lambda quick: [_case(programs)] * 2)
    monkeypatch.setattr(barriers, "ROW", row)
    out = tmp_path / "bench.json"
    assert bench.main(["barriers", "--out", str(out)]) == 1
    for case in json.loads(out.read_text())["rows"]["barriers"]["cases"]:
        assert case["equal"].startswith("Ares did not run: ")
        assert "no memory left" in case["equal"]
        assert case["goals"] == []
    told = capsys.readouterr().out
    assert "| failed |" in told
    assert "DIFFERS" not in told


def test_a_page_tells_which_rows_other_code_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = {
        "case": "small",
        "threads": {"ares": 1},
        "figures": {"ares": {"seconds": 1.0, "peak_mib": 10, "added_mib": 1}},
        "equal": "all",
        "differs": False,
        "goals": [],
    }
    found = {"work": "w", "date": "2026-01-02", "cases": [case]}
    monkeypatch.setattr(bench, "measured", lambda name, quick, folder: found)
    monkeypatch.setattr(bench, "commit", lambda: "cafe")
    monkeypatch.setattr(bench, "code_hash", lambda: code[0])
    monkeypatch.setattr(bench, "machine", lambda: {"processor": code[0]})
    page, out = tmp_path / "page.md", tmp_path / "bench.json"
    page.write_text("<!-- bench --><!-- /bench -->")
    code = ["one"]
    bench.main(["cache", "--out", str(out)])
    code[0] = "two"
    bench.main(["sweep", "--out", str(out), "--page", str(page)])
    text = page.read_text()
    assert "| **sweep**, small | 1 s" in text
    assert "| **cache**, small (measured by other code: cafe, 2026-01-02) | 1 s" in text
    rows = json.loads(out.read_text())["rows"]
    machines = {name: row["machine"]["processor"] for name, row in rows.items()}
    assert machines == {"sweep": "two", "cache": "one"}, "each row has its own"


def test_what_did_not_run_is_named_beside_what_agrees() -> None:
    case = _case([Program("ares", "m"), Program("here", "m", "-a"), Program("gone", "m", "-b")])
    one = {"result": {"touched": [1], "bars": [3]}}
    told = agreement(case, {"ares": one, "here": one, "gone": {"failed": "no wheel"}})
    assert told.startswith("barrier and end of the first 1 events equal")
    assert told.endswith("not compared, as they did not run: gone")


@pytest.mark.parametrize("turn", range(5))
def test_a_program_that_is_wrong_in_one_round_only_is_refused(turn: int) -> None:
    case = _case([Program("ares", "m"), Program("here", "m", "-a")])
    right, wrong = {"touched": [1], "bars": [3]}, {"touched": [0], "bars": [3]}
    theirs = [right] * 5
    own = {"result": right, "results": [right] * 5}
    told = agreement(case, {"ares": own, "here": {"result": right, "results": theirs}})
    assert told.endswith("(each of 5 rounds)")
    theirs[turn] = wrong
    with pytest.raises(Differs, match=f"round {turn + 1}: here: touched"):
        agreement(case, {"ares": own, "here": {"result": theirs[-1], "results": theirs}})
    # One that took fewer turns, and Ares being the one that is wrong.
    with pytest.raises(Differs):
        agreement(case, {"ares": {**own, "results": theirs}, "here": {"results": [right]} | own})


def test_who_tells_something_else_in_another_round_is_named() -> None:
    case = _case([Program("ares", "m"), Program("here", "m", "-a")])
    same = {"touched": [1], "bars": [3], "auc": float("nan")}
    slower = [same | {"loading_seconds": 1.0}, same | {"loading_seconds": 2.0}]
    figures = {"ares": {"result": same, "results": [same, same]}}
    steady = agreement(case, figures | {"here": {"result": same, "results": slower}})
    assert "not the same" not in steady, "what a program took is no result"
    other = {"result": same, "results": [same | {"auc": 0.5}, same]}
    assert "not the same in every round: here" in agreement(case, figures | {"here": other})


def test_seconds_are_a_slope_where_a_smaller_work_is_taken_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ticks = count()
    monkeypatch.setattr(timing.time, "perf_counter", lambda: float(next(ticks)))
    monkeypatch.setattr("sys.argv", ["m", "one", str(tmp_path), "{}"])
    told = {"per": 3, "less": 0.25, "kept": 7}
    timing.main({"one": lambda folder, options: (lambda: None, lambda value: told)})
    line = json.loads(capsys.readouterr().out)
    assert line["seconds"] == [0.25] * 5
    assert line["result"] == {"kept": 7}


def test_data_are_made_anew_and_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def make(folder: Path, data: Any) -> None:
        assert not list(folder.iterdir())
        seen.append(folder)
        barriers.write(folder, data)

    for _ in range(2):
        _measured(tmp_path, monkeypatch, [Program("ares", barriers.HERE)], make)
    assert len(set(seen)) == 2
    assert not any(folder.exists() for folder in seen)


@pytest.mark.parametrize("name", bench.ROWS)
def test_every_row_has_ares_goals_and_both_sizes(name: str) -> None:
    if importlib.util.find_spec(f"benchmarks.rows.{name}") is None:
        assert bench.measured(name, True, Path())["absent"] == bench.ABSENT
        return
    row = importlib.import_module(f"benchmarks.rows.{name}").ROW
    assert isinstance(row, Row)
    for quick in (True, False):
        for case in row.cases(quick):
            assert case.goals
            assert all(isinstance(goal, Goal) for goal in case.goals)
            shown = [program.shown for program in case.programs]
            assert shown.count("ares") == 1
            assert len(set(shown)) == len(shown)
            assert any(program.is_peer for program in case.programs)
            assert all(1 <= case.threads_of(program) <= case.threads for program in case.programs)
            assert "seed" in case.data
            assert set(case.reasons) <= {goal.text for goal in case.goals}, "a reason of no goal"


def test_the_market_is_one_that_a_backtest_takes(tmp_path: Path) -> None:
    markets.write_market(tmp_path, {"bars": 3000, "seed": 1, "gap": 0.1})
    columns = {path.stem: np.load(path) for path in tmp_path.glob("*.npy")}
    assert len(markets.market_of(columns)) == 3000
    assert np.mean(np.abs(columns["probability"] - 0.5) > markets.margin(20.0)) == pytest.approx(
        1 / 20, abs=0.02
    )
