"""The honesty bench: what it keeps, what it refuses to mix, and how it counts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom

from ares_resources.settings import load_settings
from benchmarks import honesty
from benchmarks.honesty_markets import FAMILIES
from benchmarks.honesty_tables import lower_bound, markdown, upper_bound

QUIET = {"verdict": "insufficient evidence", "failed": ["trades"], "trades": 0, "released": False}
SKIPPED = {"verdict": "skipped", "reason": "12 bull bars"}
RELEASED = {"verdict": "promote", "failed": [], "trades": 50, "released": True}


def _market(family: str, seed: int, *partitions: dict[str, Any]) -> dict[str, Any]:
    named = dict(zip(("bull", "bear", "sideways"), partitions, strict=False))
    return {"family": family, "seed": seed, "partitions": named}


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch) -> list[honesty.Task]:
    """Markets that the command asked for; nothing is trained."""
    asked: list[honesty.Task] = []

    def pretend(tasks: Sequence[honesty.Task], *_: Any) -> Iterator[dict[str, Any]]:
        for task in tasks:
            asked.append(task)
            yield _market(task.family, task.seed, QUIET)

    monkeypatch.setattr(honesty, "_carried_out", pretend)
    return asked


def test_the_same_command_again_only_does_what_is_left(
    carried_out: list[honesty.Task], tmp_path: Path
) -> None:
    out = ["--out", str(tmp_path / "honesty.json"), "--families", "null"]
    assert honesty.main([*out, "--seeds", "2"]) == 0
    assert honesty.main([*out, "--seeds", "3"]) == 0
    assert [task.seed for task in carried_out] == [5001, 5002, 5003]


def test_a_market_that_ended_in_an_error_is_told_and_tried_again(
    carried_out: list[honesty.Task], tmp_path: Path
) -> None:
    file = tmp_path / "honesty.json"
    arguments = ["--out", str(file), "--families", "null", "--seeds", "2"]
    honesty.main(arguments)
    kept = json.loads(file.read_text())
    kept["markets"][0] = {"family": "null", "seed": 5001, "error": "OSError: disk"}
    file.write_text(json.dumps(kept))
    carried_out.clear()
    assert honesty.main(arguments) == 0
    assert [task.seed for task in carried_out] == [5001]


SAME = ("code", "bench", "configuration", "costs", "regimes", "versions")


@pytest.mark.parametrize("name", SAME)
def test_results_of_another_experiment_are_not_mixed_in(
    name: str, carried_out: list[honesty.Task], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "honesty.json"
    arguments = ["--out", str(file), "--families", "null", "--seeds", "1"]
    honesty.main(arguments)
    file.write_text(json.dumps({**json.loads(file.read_text()), name: "other"}))
    before = file.read_bytes()
    assert honesty.main(arguments) == 2
    assert name in capsys.readouterr().err
    assert file.read_bytes() == before
    assert honesty.main([*arguments, "--anew"]) == 0


def test_each_command_that_went_on_is_told(carried_out: list[honesty.Task], tmp_path: Path) -> None:
    file = tmp_path / "honesty.json"
    for seeds in ("1", "2"):
        honesty.main(["--out", str(file), "--families", "null", "--seeds", seeds])
    sessions = json.loads(file.read_text())["sessions"]
    assert [one["command"].split()[-1] for one in sessions] == ["1", "2"]


def test_the_sample_keeps_away_from_the_seeds_of_the_table(
    carried_out: list[honesty.Task],
) -> None:
    honesty.main(["--sample"])
    assert {task.family for task in carried_out} == {"null", "placebo", "planted"}
    assert all(task.seed < honesty.FIRST_SEED for task in carried_out)


def test_a_false_promotion_and_an_error_end_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = {"null": RELEASED, "planted": RELEASED}
    for family, code in (("null", 1), ("planted", 0)):
        found = [_market(family, 1, QUIET, ends[family])]
        monkeypatch.setattr(honesty, "_carried_out", lambda *_, found=found: iter(found))
        assert honesty.main(["--families", family, "--seeds", "1"]) == code
    broken = [{"family": "planted", "seed": 1, "error": "OSError: disk"}]
    monkeypatch.setattr(honesty, "_carried_out", lambda *_: iter(broken))
    assert honesty.main(["--families", "planted", "--seeds", "1"]) == 1


def test_every_family_is_judged_by_one_configuration() -> None:
    """The costs apart, which are the family's and stand in its row."""
    wanted = {name: honesty.configuration(name) for name in FAMILIES}
    settings = [load_settings(one, mode="blank").model_dump() for one in wanted.values()]
    costs = [one.pop("costs") for one in settings]
    assert all(one == settings[0] for one in settings)
    assert costs[0]["fee_bp"] == 0.0
    planted, null = FAMILIES["planted"], FAMILIES["null"]
    assert planted.costs == null.costs


def test_the_table_counts_markets_and_says_what_stopped_them() -> None:
    markets = [_market("null", seed, QUIET, QUIET, QUIET) for seed in range(300)]
    markets += [_market("planted", 1, QUIET, RELEASED), _market("planted", 2, QUIET)]
    markets += [{"family": "planted", "seed": 3, "error": "OSError: disk"}]
    table = markdown({"markets": markets}).splitlines()
    row = "| null | no | 300 | 0 | 0 | 0 | 0 (0%) | at most 1.0% | none judged | trades 900 |"
    assert table[2] == row
    assert table[3].startswith("| planted | yes | 2 | 0 | 1 | 1 | 1 (50%) | at least 2.5% |")


def test_a_market_that_was_skipped_throughout_is_not_called_judged() -> None:
    markets = [_market("null", seed, SKIPPED, SKIPPED) for seed in range(300)]
    markets += [_market("null", 300, SKIPPED, QUIET)]
    assert "| null | no | 1 | 300 | 0 | 0 | 0 (0%) | at most 95.0% |" in markdown(
        {"markets": markets}
    )


def test_a_planted_market_that_was_skipped_was_not_promoted() -> None:
    markets = [_market("planted", seed, RELEASED) for seed in range(60)]
    markets += [_market("planted", 60 + seed, SKIPPED) for seed in range(40)]
    assert "| planted | yes | 100 | 40 | 0 | 60 | 60 (60%) |" in markdown({"markets": markets})


def test_the_table_says_in_how_many_partitions_probabilities_held() -> None:
    answers = [True, True, False, None]
    markets = [
        _market("null", seed, {**QUIET, "calibration_within_noise": answer})
        for seed, answer in enumerate(answers)
    ]
    assert "| 67% of 3 |" in markdown({"markets": markets})


def test_the_bounds_are_exact() -> None:
    assert upper_bound(0, 300) == pytest.approx(1.0 - 0.05 ** (1 / 300))
    # Of a share at its bound, as few (or as many) successes come in 5 %.
    assert binom.cdf(3, 100, upper_bound(3, 100)) == pytest.approx(0.05)
    assert binom.sf(94, 100, lower_bound(95, 100)) == pytest.approx(0.05)
    assert (upper_bound(7, 7), lower_bound(0, 7)) == (1.0, 0.0)
    assert (upper_bound(0, 0), lower_bound(0, 0)) == (1.0, 0.0)


@pytest.mark.parametrize("wrong", [["--seeds", "0"], ["--families", "moon"], ["--workers", "x"]])
def test_bad_input_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        honesty.main(wrong)
    assert ended.value.code == 2
    assert wrong[1] in capsys.readouterr().err
