"""Going on from recorded results, and peak memory; not what any benchmark measures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import recorded, search, search_stopping
from benchmarks.measuring import peak_mib
from benchmarks.turns import ROOT

NOW = {
    "command": "two",
    "date": "2026-02-02",
    "code": "a",
    "versions": {"numpy": "2"},
    "machine": {"cores": "2"},
    "runs": [],
}
SAME = ("code", "versions", "machine")


def _continued(tmp_path: Path, **before: Any) -> dict[str, Any]:
    path = tmp_path / "results.json"
    held = {**NOW, "command": "one", "date": "2026-02-01", "runs": [{"seed": 1}], **before}
    path.write_text(json.dumps(held))
    return recorded.continued(path, dict(NOW), SAME)


def test_results_go_on_and_tell_every_command_and_day_that_made_them(tmp_path: Path) -> None:
    found = _continued(tmp_path)
    assert found["runs"] == [{"seed": 1}]
    assert (found["command"], found["date"]) == ("one; two", "2026-02-01; 2026-02-02")
    again = _continued(tmp_path, command="one; two", date="2026-02-02")
    assert (again["command"], again["date"]) == ("one; two", "2026-02-02")
    assert recorded.continued(tmp_path / "none.json", dict(NOW), SAME) == NOW
    assert recorded.continued(None, dict(NOW), SAME) == NOW


@pytest.mark.parametrize(
    "before", [{"code": "b"}, {"versions": {"numpy": "1"}}, {"machine": {"cores": "64"}}]
)
def test_results_of_other_code_libraries_or_machine_begin_anew(
    before: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _continued(tmp_path, **before) == NOW
    assert f"made with other {next(iter(before))}; all anew" in capsys.readouterr().err


def test_the_search_goes_on_only_from_the_same_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    studies: list[int] = []

    def one(problem: Any, name: str, sampler: str, seed: int) -> dict[str, Any]:
        studies.append(seed)
        volumes = {"volume_50": 0.1, "volume_200": 0.2, "sampler_ms": 1.0}
        return {"problem": name, "seed": seed, "sampler": sampler, **volumes}

    monkeypatch.setattr(search, "_one", one)
    monkeypatch.setattr(search, "library_versions", lambda: versions)
    versions = {"numpy": "1"}
    out = tmp_path / "search.json"
    line = ["--problems", "ZDT1", "--samplers", "adaptive", "--out", str(out), "--seeds"]
    search.main([*line, "1"])
    search.main([*line, "2"])
    assert studies == [3001, 3002]
    versions = {"numpy": "2"}
    search.main([*line, "1"])
    assert studies == [3001, 3002, 3001]
    kept = json.loads(out.read_text())
    assert (len(kept["runs"]), kept["versions"]) == (1, {"numpy": "2"})


def test_early_stopping_goes_on_only_from_the_same_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches: list[int] = []
    names = [f"{one}_{what}" for one in ("full", "stopped") for what in ("bars", "seconds")]
    figures = dict.fromkeys([*names, "full_volume", "half_volume", "stopped_volume"], 1.0)

    def compared(seed: int, expert: str) -> dict[str, Any]:
        searches.append(seed)
        return {"seed": seed, **figures}

    monkeypatch.setattr(search_stopping, "compared", compared)
    monkeypatch.setattr(search_stopping, "code_hash", lambda: code)
    code, line = "a", ["--seeds", "1", "--out", str(tmp_path / "stopping.json")]
    search_stopping.main(line)
    search_stopping.main(line)
    assert searches == [4001]
    code = "b"
    search_stopping.main(line)
    assert searches == [4001, 4001]


def test_peak_memory_does_not_begin_with_the_parents() -> None:
    own = "from benchmarks.measuring import peak_mib; print(peak_mib())"
    parent = (
        "import subprocess, sys; held = bytearray(b'x' * (300 << 20));"
        "subprocess.run([sys.executable, '-c', sys.argv[1]], check=True)"
    )
    told = subprocess.run(
        [sys.executable, "-c", parent, own], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert 5 < float(told.stdout) < 200
    held = bytearray(b"x" * (64 << 20))
    assert peak_mib() > len(held) / 2**20
