"""Each planted leak is noticed by a check as it runs on every run; without any, all pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares_assets.check_list import CHECKS
from ares_assets.stored import Stored
from leaks.pipeline import again, failed, findings
from leaks.planted import LEAKS, Leak

SAMPLE = ("next bar's return", "unpurged folds", "label past its end", "signal by a later bar")


def test_the_honest_pipeline_passes_every_check_and_tells_figures(honest: Stored) -> None:
    found = findings(honest)
    assert set(found) == {check.name for check in CHECKS}
    assert {name: one.words for name, one in found.items() if not one.passed} == {}
    assert len(honest["walk_forward_report"].load()["decisions.parquet"]) > 20


def cases() -> list[object]:
    return [
        pytest.param(
            leak,
            id=leak.name,
            marks=[] if leak.name in SAMPLE else [pytest.mark.slow],
        )
        for leak in LEAKS
    ]


@pytest.mark.parametrize("leak", cases())
def test_a_planted_leak_is_noticed(
    leak: Leak, honest: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak.plant(monkeypatch)
    leaking = again(honest, tmp_path, leak.first, leak.last)
    assert all(artifact.skipped is None for artifact in leaking.values())
    if leak.only_in_steps:
        monkeypatch.undo()
    noticed = failed(leaking)
    print(noticed)
    assert leak.caught_by in noticed
    blocking = {check.name for check in CHECKS if check.blocking}
    assert leak.caught_by in blocking
