"""Matrices kept by content: read, extended, damaged, bounded, filled by two processes."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ares_resources import progress
from ares_resources.fingerprints import arrays_fingerprint
from ares_resources.storage.frame_cache import cached_matrix

INPUT = np.arange(2_000, dtype=np.float64)


class Sums:
    """Running sums of an input, as something that can be extended."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.computed = values, []

    def content(self, rows: int) -> str:
        return arrays_fingerprint({"values": self.values[:rows]})

    def extend(self, earlier: Any, state: Any) -> tuple[np.ndarray, dict[str, Any]]:
        known = sum(part.shape[1] for part in earlier)
        assert (state is None) == (known == 0)
        total = 0.0 if state is None else float.fromhex(state["total"])
        new = total + np.cumsum(self.values[known:])
        self.computed.append(len(new))
        values = np.concatenate([*earlier, [new, -new]], axis=1)
        totals = {after: values[0, after - 1] for after in (len(self.values) - 5, len(self.values))}
        return values, {after: {"total": float(t).hex()} for after, t in totals.items()}


def ask(folder: Path, values: np.ndarray, family: str = "a", **bounds: int) -> tuple[Any, ...]:
    sums = Sums(values)
    found, how = cached_matrix(folder, family, len(values), sums.content, sums.extend, **bounds)
    np.testing.assert_array_equal(found, [np.cumsum(values), -np.cumsum(values)])
    return how, sums.computed


def test_what_was_computed_is_read_and_what_was_added_is_all_that_is_computed(tmp_path):
    assert ask(tmp_path, INPUT[:500]) == ("computed", [500])
    assert ask(tmp_path, INPUT[:500]) == ("read", [])
    assert ask(tmp_path, INPUT[:560]) == ("extended by 60 rows", [60])
    assert ask(tmp_path, INPUT[:560]) == ("read", [])
    assert ask(tmp_path, INPUT[:561]) == ("extended by 1 rows", [1])


@pytest.mark.parametrize(
    ("fails", "error"),
    [
        ("numpy.save", OSError("Not enough free space to write 8000 bytes after offset 128")),
        ("ares_resources.storage.atomic.os.fsync", OSError(errno.ENOSPC, "No space left")),
    ],
)
def test_a_full_disk_costs_the_cache_and_not_the_values(tmp_path, monkeypatch, fails, error):
    def full(*_: Any, **__: Any) -> None:
        raise error

    ask(tmp_path, INPUT[:500])
    before = {path.name for path in tmp_path.iterdir()}
    told: list[str] = []

    class Noted(progress.Silent):
        def noted(self, line: str) -> None:
            told.append(line)

    with monkeypatch.context() as patch, progress.listening(Noted()):
        patch.setattr(fails, full)
        how = "extended by 60 rows; not kept, since the disk is full"
        assert ask(tmp_path, INPUT[:560]) == (how, [60])
    assert told == [f"features {how}"]
    assert {path.name for path in tmp_path.iterdir()} == before
    assert ask(tmp_path, INPUT[:500]) == ("read", [])
    assert ask(tmp_path, INPUT[:560]) == ("extended by 60 rows", [60])


def test_other_content_or_another_computation_is_not_what_was_kept(tmp_path):
    ask(tmp_path, INPUT[:500])
    changed = INPUT[:600].copy()
    changed[499] += 1e-9
    assert ask(tmp_path, changed) == ("extended by 105 rows", [105])
    changed[200] += 1e-9
    assert ask(tmp_path, changed) == ("computed", [600])
    assert ask(tmp_path, INPUT[1:501]) == ("computed", [500])
    assert ask(tmp_path, INPUT[:500], "b") == ("computed", [500])
    assert ask(tmp_path, INPUT[:494]) == ("computed", [494])


def test_last_rows_that_come_again_with_other_values_are_computed_again(tmp_path):
    ask(tmp_path, INPUT[:500])
    ask(tmp_path, INPUT[:600])
    changed = INPUT[:600].copy()
    changed[596] = 7.0
    assert ask(tmp_path, changed) == ("extended by 5 rows", [5])
    assert ask(tmp_path, changed) == ("read", [])
    assert ask(tmp_path, INPUT[:700])[0] == "extended by 105 rows"
    assert ask(tmp_path, INPUT[:696])[0] == "extended by 1 rows"


def test_many_extensions_are_written_together(tmp_path):
    for rows in range(100, 140):
        ask(tmp_path, INPUT[:rows])
    assert ask(tmp_path, INPUT[:139]) == ("read", [])
    assert len(list(tmp_path.glob("*.npy"))) <= 12
    assert len(list(tmp_path.glob("*.json"))) == 1


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 0xFF
    path.write_bytes(data)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-16])


@pytest.mark.parametrize("suffix", ["json", "npy"])
@pytest.mark.parametrize("damage", [flipped, truncated, Path.unlink, lambda p: p.write_bytes(b"")])
def test_a_damaged_entry_is_a_miss_with_the_same_result(tmp_path, suffix, damage):
    ask(tmp_path, INPUT[:500])
    ask(tmp_path, INPUT[:600])
    for path in tmp_path.glob(f"*.{suffix}"):
        damage(path)
    how, computed = ask(tmp_path, INPUT[:600])
    assert (how, computed) == ("computed", [600])
    assert ask(tmp_path, INPUT[:600]) == ("read", [])


def test_a_state_that_was_changed_is_not_believed(tmp_path):
    ask(tmp_path, INPUT[:500])
    path = next(tmp_path.glob("*.json"))
    told = json.loads(path.read_text())
    told["body"]["checkpoints"][-1]["state"]["total"] = (1.0).hex()
    path.write_text(json.dumps(told))
    assert ask(tmp_path, INPUT[:600]) == ("computed", [600])


def test_the_last_used_entries_stay_and_nothing_else(tmp_path):
    for number, family in enumerate("abcd"):
        ask(tmp_path, INPUT[:500], family, keep=3)
        os.utime(next(tmp_path.glob(f"{family}-*.json")), (number, number))
    (tmp_path / "old.parquet").write_bytes(b"left by an earlier version")
    ask(tmp_path, INPUT[:500], "b", keep=3)  # a read, which counts as a use
    ask(tmp_path, INPUT[:500], "e", keep=3)
    assert {path.name[0] for path in tmp_path.glob("*.json")} == {"b", "d", "e"}
    assert not (tmp_path / "old.parquet").exists()
    ask(tmp_path, INPUT, "f", keep=3, keep_bytes=30_000)
    assert {path.name[0] for path in tmp_path.glob("*.json")} == {"f"}
    assert len(list(tmp_path.glob("*.npy"))) == 1


def _fill(folder: Path) -> None:
    for rows in range(200, 1_000, 100):
        ask(folder, INPUT[:rows])


def test_two_processes_fill_one_cache(tmp_path):
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_fill, args=(tmp_path,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    assert len(list(tmp_path.glob("*.json"))) in (1, 2)
    ask(tmp_path, INPUT[:900])
