"""Wrong input to a benchmark: one line and exit code 2, before any work; not what they measure."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

WRONG = (
    "bench nosuch",
    "bench cache nosuch",
    "bench --page nosuch.md",
    "features 0",
    "features abc",
    "ingest --rows 0",
    "learners --seeds 0",
    "learners --workers 0",
    "peers.vectorbt_reference nosuch/reference.json",
    "peers.vectorbt_reference one two",
    "memory --lookback-days -1",
    "memory --lookback-days nan",
    "memory --regimes up",
    "real_bars --start 2024-13-01",
    "real_bars --start 2023-08-01",
    "refits --seeds 0",
    "refits --tolerance -1",
    "regimes --seeds 0",
    "search --problems NOPE",
    "search --first-seed -5",
    "search --seeds 0",
    "search --seeds -3",
    "search_stopping --seeds 0",
    "whole blank --times 0",
)


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


@pytest.mark.parametrize("content", ["{", "[]", "{}", "\x00"])
@pytest.mark.parametrize("command", ["bench", "search", "search_stopping", "learners"])
def test_results_that_cannot_be_gone_on_with_are_left_alone(
    command: str, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results.json"
    out.write_text(content)
    assert str(out) in _ends_with_2(command, ["--out", str(out)], capsys)
    assert out.read_text() == content


def test_a_folder_is_no_file_for_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is a folder" in _ends_with_2("bench", ["--out", str(tmp_path)], capsys)
