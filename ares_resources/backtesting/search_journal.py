"""The journal of a search: finished batches, so that a killed search goes on where it was.

Belongs here: appending, checking, reading and removing batches of finished trials.  Does not
belong here: proposing or evaluating trials (``search``).  One JSON line a batch, each with its own
checksum: a torn or damaged line ends the usable part, and what follows is computed again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ares_resources.errors import AresError, BadInput
from ares_resources.storage.atomic import file_lock, write_bytes


@dataclass(frozen=True)
class FinishedTrial:
    """A trial's parameters and what came of them.

    ``values`` are Sharpe ratio, drawdown and turnover.  ``state`` is "complete", or "failed"
    where one of them is not finite; only a feasible trial traded often enough.
    """

    number: int
    parameters: dict[str, Any]
    sharpe: float
    max_drawdown: float
    turnover: float
    trades: int
    feasible: bool
    state: str

    @property
    def values(self) -> tuple[float, float, float]:
        """Sharpe ratio (to maximise), drawdown and turnover (to minimise)."""
        return self.sharpe, self.max_drawdown, self.turnover


class SearchJournal:
    """Batches of finished trials of one search.

    Parameters
    ----------
    path
        The journal; None keeps nothing.
    search
        Key of everything that decides which trials come: a journal of another is refused.

    Raises
    ------
    BadInput
        If the journal belongs to another search.
    """

    def __init__(self, path: Path | None, *, search: str) -> None:
        self.path, self._search = path, search
        self.batches: list[list[FinishedTrial]] = []
        self.discarded_bytes = 0
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        lines, good_bytes, all_bytes = _sound_lines(path)
        if lines and lines[0] != {"search": search}:
            raise BadInput(
                f"journal {path} belongs to another search ({lines[0].get('search')}, not"
                f" {search}): name another journal or remove it"
            )
        self.batches = [[FinishedTrial(**one) for one in line["trials"]] for line in lines[1:]]
        self.discarded_bytes = all_bytes - good_bytes
        if path.exists() and self.discarded_bytes:
            os.truncate(path, good_bytes)
        if not lines:
            self._append({"search": search})

    def put(self, index: int, batch: Sequence[FinishedTrial]) -> None:
        """Store a finished batch; what the journal had from there on is replaced.

        A batch outlives the process from here on.  Nothing is forced to the disk: what a
        power cut takes fails its checksum, and is computed again.
        """
        replaces = index < len(self.batches)
        self.batches = [*self.batches[:index], list(batch)]
        if self.path is None:
            return
        if replaces:
            self._rewrite()
        else:
            self._append(_content(batch))

    def cut(self, index: int) -> int:
        """Forget the batches from ``index`` on; how many trials they held."""
        forgotten = sum(len(batch) for batch in self.batches[index:])
        self.batches = self.batches[:index]
        if self.path is not None:
            self._rewrite()
        return forgotten

    def _rewrite(self) -> None:
        assert self.path is not None
        lines = [_line({"search": self._search}), *(_line(_content(one)) for one in self.batches)]
        write_bytes(self.path, b"".join(lines))

    def _append(self, content: dict[str, Any]) -> None:
        assert self.path is not None
        with self.path.open("ab") as file:
            file.write(_line(content))


def lock_of(journal: Path) -> Path:
    """The lock that a search holds while it works on its journal."""
    return journal.with_name(f"{journal.name}.lock")


def discard_journals(folder: Path, prefix: str) -> list[str]:
    """Remove the journals whose names start so, with their locks; the names of those removed.

    One that a search works on right now stays, and so does its lock.
    """
    names = {path.name.removesuffix(".lock") for path in folder.glob(f"{prefix}*")}
    return [name for name in sorted(names) if _discarded(folder / name)]


def _discarded(journal: Path) -> bool:
    lock = lock_of(journal)
    try:
        with file_lock(lock, timeout_seconds=0):
            journal.unlink(missing_ok=True)
            # Whoever has opened this lock meanwhile sees that it is gone, and makes a new one.
            lock.unlink(missing_ok=True)
    except AresError:
        return False
    return True


def _content(batch: Sequence[FinishedTrial]) -> dict[str, Any]:
    return {"trials": [asdict(trial) for trial in batch]}


def _line(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, sort_keys=True).encode()
    return f"{_checksum(text)} ".encode() + text + b"\n"


def _checksum(text: bytes) -> str:
    import xxhash

    return xxhash.xxh3_128_hexdigest(text)


def _sound_lines(path: Path) -> tuple[list[dict[str, Any]], int, int]:
    """Contents of the leading undamaged lines, their bytes, and all bytes."""
    if not path.exists():
        return [], 0, 0
    data = path.read_bytes()
    contents, good = [], 0
    for line in data.splitlines(keepends=True):
        check, _, text = line.rstrip(b"\n").partition(b" ")
        if not line.endswith(b"\n") or check != _checksum(text).encode():
            break
        contents.append(json.loads(text))
        good += len(line)
    return contents, good, len(data)
