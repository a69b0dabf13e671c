"""The harness of the table of speed: turns, ratios, goals, the table; not the rows' speed."""

from __future__ import annotations

import importlib
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bench
from benchmarks.rows import barriers, markets
from benchmarks.scale import exponent
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
    assert len(figures["ares"]["rounds"]) == 2
    assert figures["ares"]["peak_mib"] > figures["ares"]["added_mib"] >= 0
    assert "KeyError" in figures["gone"]["failed"]
    assert [line for line in said if "gone" in line] == [said[1]], "it is not tried again"


def test_unequal_results_are_not_a_figure() -> None:
    results = {"ares": {"touched": [1, 0], "bars": [3, 240]}}
    assert "equal" in barriers.same({**results, "other": {"touched": [1], "bars": [3]}})
    with pytest.raises(Differs, match="bars"):
        barriers.same({**results, "other": {"touched": [1, 0], "bars": [3, 239]}})


def test_a_resumed_run_leaves_out_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []

    def measured(name: str, quick: bool, folder: Path) -> dict[str, object]:
        calls.append(name)
        return {"work": name, "cases": [], "absent": bench.ABSENT}

    monkeypatch.setattr(bench, "measured", measured)
    monkeypatch.setattr(bench, "_commit", lambda: "abc")
    arguments = ["cache", "sweep", "--quick", "--out", str(tmp_path / "bench.json")]
    assert bench.main(arguments) == 0
    assert bench.main([*arguments, "--resume"]) == 0
    assert calls == ["cache", "sweep"]
    kept = json.loads((tmp_path / "bench.json").read_text())
    assert list(kept["rows"]) == ["sweep", "cache"], "in the order of the table"
    assert "not measured: this row has no module yet" in capsys.readouterr().out


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
            assert case.turns or [p.shown for p in case.programs].count("ares") == 1
            assert "seed" in case.data


def test_the_market_is_one_that_a_backtest_takes(tmp_path: Path) -> None:
    markets.write_market(tmp_path, {"bars": 3000, "seed": 1, "gap": 0.1})
    columns = {path.stem: np.load(path) for path in tmp_path.glob("*.npy")}
    assert len(markets.market_of(columns)) == 3000
    assert np.mean(np.abs(columns["probability"] - 0.5) > markets.margin(20.0)) == pytest.approx(
        1 / 20, abs=0.02
    )


def test_the_exponent_of_a_power_is_its_power() -> None:
    sizes = [1e4, 1e5, 1e6, 1e7]
    assert exponent(sizes, [3e-9 * size**1.5 for size in sizes]) == (1.5, 0.0)
    slope, error = exponent(sizes, [1e-3, 1.2e-2, 0.09, 1.1])
    assert abs(slope - 1.0) < 2 * error + 0.05
    assert error > 0
