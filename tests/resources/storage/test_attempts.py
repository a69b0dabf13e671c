"""A challenger has one number among those that faced a champion, whatever is run again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ares_resources.errors import CorruptArtifact
from ares_resources.storage.attempts import Attempts

CHAMPION, OTHER = "c" * 64, "d" * 64


def test_challengers_are_numbered_in_the_order_in_which_they_first_came(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path)
    assert attempts.number(CHAMPION, "A") is None
    assert [attempts.record(CHAMPION, name) for name in "ABABC"] == [1, 2, 1, 2, 3]
    assert attempts.record(OTHER, "C") == 1
    again = Attempts(tmp_path)
    assert [again.number(CHAMPION, name) for name in "ABCD"] == [1, 2, 3, None]
    assert again.faced_by("C") == [CHAMPION, OTHER]
    assert again.faced_by("D") == []


def test_asking_which_number_it_would_be_records_nothing(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path)
    assert attempts.expected(CHAMPION, "A") == 1
    assert attempts.expected(CHAMPION, "B") == 1
    assert not list(tmp_path.iterdir())
    attempts.record(CHAMPION, "A")
    assert [attempts.expected(CHAMPION, name) for name in "AB"] == [1, 2]


def test_processes_that_come_at_once_get_different_numbers(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from ares_resources.storage.attempts import Attempts;"
        f"store = Attempts(Path({str(tmp_path)!r}));"
        f"[store.record({CHAMPION!r}, sys.argv[1] + str(n)) for n in range(20)]"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, name]) for name in "AB"]
    assert [process.wait(60) for process in running] == [0, 0]
    names = [f"{name}{n}" for name in "AB" for n in range(20)]
    numbers = [Attempts(tmp_path).number(CHAMPION, name) for name in names]
    assert sorted(numbers) == list(range(1, 41))  # type: ignore[type-var]


def test_a_torn_file_is_told_and_never_counted_anew(tmp_path: Path) -> None:
    Attempts(tmp_path).record(CHAMPION, "A")
    (path,) = (tmp_path / "attempts").glob("*.json")
    for damage in ("{", "[]"):
        path.write_text(damage)
        with pytest.raises(CorruptArtifact, match="restore it"):
            Attempts(tmp_path).record(CHAMPION, "B")
