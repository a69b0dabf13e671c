"""Wrong input to a benchmark: one line and exit code 2, before any work; not what they measure."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from benchmarks.turns import ROOT

WRONG = (
    "bench nosuch",
    "bench cache nosuch",
    "bench --page nosuch.md",
    "bench cache --quick --page docs/benchmarks.md",
    "drift --seeds 0",
    "drift --seeds -1",
    "drift --page nosuch.md",
    "features 0",
    "features abc",
    "gate_power --markets 0",
    "gate_power --markets -5",
    "honesty --seeds 0",
    "ingest --rows 0",
    "learners --seeds 0",
    "learners --workers 0",
    "peers.vectorbt_reference nosuch/reference.json",
    "peers.vectorbt_reference one two",
    "memory --lookback-days -1",
    "memory --lookback-days nan",
    "memory --regimes up",
    "nested_tactician --seeds -1",
    "nested_tactician --analyst nosuch",
    "real_bars --start 2024-13-01",
    "real_bars --start 2023-08-01",
    "refits --seeds 0",
    "refits --tolerance -1",
    "regimes --seeds 0",
    "scale --picture scale.txt",
    "scale --quick --page docs/benchmarks.md",
    "scale --page nosuch.md",
    "search --problems NOPE",
    "search --first-seed -5",
    "search --seeds 0",
    "search --seeds -3",
    "search_stopping --seeds 0",
    "whole blank --times 0",
    "whole full --regimes up",
)
# Each command that has a page, what it must be called with, and its page.
PAGES = {
    "bench": ("cache", "benchmarks"),
    "drift": ("", "walk_forward"),
    "honesty": ("", "honesty"),
    "learners": ("", "learners"),
    "memory": ("", "learners"),
    "nested_tactician": ("", "tactician"),
    "real_bars": ("", "learners"),
    "refits": ("", "benchmarks"),
    "regimes": ("", "regimes"),
    "scale": ("", "benchmarks"),
    "search": ("", "search"),
    "search_stopping": ("", "search"),
    "whole": ("blank", "benchmarks"),
}
OUTS = {**PAGES, "ingest": ("", None)}
CONTENTS = ("{", "[]", "{}", "\x00", '{"rows": []}', '{"runs": [1]}')
# A file of "whole" that holds no mode yet is a file of it.
UNUSABLE = [(name, held) for name in OUTS for held in CONTENTS if (name, held) != ("whole", "{}")]


def _ends_with_2(command: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        importlib.import_module(f"benchmarks.{command}").main(arguments)
    captured = capsys.readouterr()
    assert ended.value.code == 2
    assert captured.out == ""
    return captured.err.strip().splitlines()[-1]


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_value_is_named(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, *arguments = line.split()
    assert f"{command}: error: " in _ends_with_2(command, arguments, capsys)


@pytest.mark.parametrize(("command", "content"), UNUSABLE)
def test_results_that_cannot_be_gone_on_with_are_left_alone(
    command: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results.json"
    out.write_text(content)
    first = OUTS[command][0].split()
    assert str(out) in _ends_with_2(command, [*first, "--out", str(out)], capsys)
    assert out.read_text() == content


@pytest.mark.parametrize("command", OUTS)
def test_results_of_another_command_are_left_alone(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = "search" if command != "search" else "search_stopping"
    out = tmp_path / "results.json"
    content = json.dumps({"command": f"python -m benchmarks.{other} --seeds 1", "runs": []})
    out.write_text(content)
    first = OUTS[command][0].split()
    assert "move it away" in _ends_with_2(command, [*first, "--out", str(out)], capsys)
    assert out.read_text() == content


@pytest.mark.parametrize("command", OUTS)
@pytest.mark.parametrize("place", ["", "file/results.json"])
def test_a_place_that_cannot_hold_results_is_named(
    command: str, place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    told = _ends_with_2(
        command, [*OUTS[command][0].split(), "--out", str(tmp_path / place)], capsys
    )
    assert ("is a folder" if not place else "is a file, not a folder") in told


@pytest.mark.parametrize("line", ["bench --folder", "ingest --folder", "scale --picture"])
def test_other_places_are_tried_too(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    command, *arguments = line.split()
    told = _ends_with_2(command, [*arguments, str(tmp_path / "file" / "x.png")], capsys)
    assert "is a file, not a folder" in told


@pytest.mark.parametrize("command", PAGES)
def test_a_page_needs_the_marks_of_its_table(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, page = PAGES[command]
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    parser = importlib.import_module(f"benchmarks.{command}")
    mark = parser.MARK
    for broken in ("", text.replace(f"<!-- /{mark} -->", ""), f"{text}<!-- {mark} -->"):
        wrong = tmp_path / "page.md"
        wrong.write_text(broken, encoding="utf-8")
        told = _ends_with_2(command, [*first.split(), "--page", str(wrong)], capsys)
        assert f"the page needs <!-- {mark} -->" in told


@pytest.mark.parametrize("command", PAGES)
def test_its_own_page_and_results_are_taken(command: str) -> None:
    first, page = PAGES[command]
    module = importlib.import_module(f"benchmarks.{command}")
    line = [*first.split(), "--page", str(ROOT / "docs" / f"{page}.md")]
    kept = ROOT / "benchmarks" / "results" / f"{command}.json"
    line += ["--out", str(kept)] if kept.is_file() else []
    read = module._options if hasattr(module, "_options") else module._parser().parse_args
    assert read(line).page is not None


def test_a_file_holds_rows_of_one_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "bench.json"
    for size, more in ((False, ["--quick"]), (True, [])):
        out.write_text(json.dumps({"rows": {"cache": {"quick": size, "cases": []}}}))
        told = _ends_with_2("bench", ["cache", *more, "--out", str(out)], capsys)
        assert f"holds {'small' if size else 'full'} rows" in told


def test_small_rows_are_kept_apart() -> None:
    bench = importlib.import_module("benchmarks.bench")
    assert bench._options(["--quick"]).out == bench.QUICK_RESULTS
    assert bench._options([]).out == bench.RESULTS
    scale = importlib.import_module("benchmarks.scale")
    assert scale._options(["--quick"]).picture.parent == ROOT / "tmp"
    assert scale._options([]).picture == scale.PICTURE
