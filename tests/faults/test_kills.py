"""A child that is killed leaves what it noticed to its parent."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults.kills import die_at
from faults.sequences import Focus, Sequence
from faults.transport import Transport


@pytest.mark.parametrize("operation", [0, 1])
def test_the_last_words_of_a_killed_child_arrive(tmp_path: Path, operation: int) -> None:
    noticed: list[str] = []

    def work() -> str:
        for number in range(2):
            noticed.append(f"before write {number} " + "x" * 100_000)  # more than a pipe holds
            (tmp_path / "file").write_bytes(b"content")
        return "done"

    death = die_at(operation, work, lambda: [words[:14] for words in noticed] + noticed)
    assert death.killed
    assert death.returned[: operation + 1] == [f"before write {n}" for n in range(operation + 1)]
    assert noticed == []


def test_a_child_that_lives_returns_its_value(tmp_path: Path) -> None:
    death = die_at(5, lambda: "value", lambda: "last words")
    assert (death.killed, death.returned) == (False, "value")


def test_offences_of_killed_children_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def notice(self: Transport, path: str) -> None:
        if self.script.rate:
            self.offences.append("an offence")

    monkeypatch.setattr(Transport, "_notice", notice)
    for seed in range(6):
        record = Sequence(seed, tmp_path / str(seed), Focus(kills=1.0)).play()
        if set(record.outcomes) == {"killed"}:
            assert "an offence" in record.problems
            return
    pytest.fail("no seed of which every child is killed")
