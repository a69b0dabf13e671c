"""The record of looks at gaps, where its file is no record."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares_resources.progress import Silent, listening
from ares_resources.storage.gap_looks import FILE_NAME, GapLooks


class Notes(Silent):
    """Remembers what was noted."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def noted(self, line: str) -> None:
        self.lines.append(line)


@pytest.mark.parametrize("content", ["{", "[1]", "[[1, 2]]", "[[Infinity, 1, 1, 1]]", "{}x"])
def test_an_unreadable_record_is_noted_once_and_does_no_harm(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    looks, notes = GapLooks(tmp_path), Notes()
    with listening(notes):
        assert looks.settled(0.0) == []
        assert looks.all() == []
        looks.note([(1, 2)], 10.0)
        assert looks.settled(11.0) == [(1, 2)]
    assert len(notes.lines) == 1
    assert FILE_NAME in notes.lines[0]
    assert "every gap is asked for once more" in notes.lines[0]


def test_a_record_that_is_not_there_is_nothing_to_note(tmp_path: Path) -> None:
    notes = Notes()
    with listening(notes):
        assert GapLooks(tmp_path).all() == []
    assert notes.lines == []
