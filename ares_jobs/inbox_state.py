"""The inbox's files, and what is remembered of them from look to look.

Belongs here: finding files, when one is complete, the state file.  Does not belong here:
ingesting and rejecting (``inbox.py``).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ares_resources.storage.atomic import write_bytes

SETTLE_SECONDS = 3.0
_UNFINISHED = (".tmp", ".part")


@dataclass(frozen=True)
class FoundFile:
    """A file of the inbox; ``stamp`` changes whenever its content may have."""

    path: Path
    relative: str
    stamp: list[int]
    modified: float

    @property
    def parts(self) -> tuple[str, ...]:
        return Path(self.relative).parts


class InboxState:
    """What is known of the inbox's files, and the tickets not yet handed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stored = path.read_bytes() if path.is_file() else b"{}"
        try:
            record = json.loads(self._stored)
            self.files: dict[str, dict[str, Any]] = dict(record.get("files", {}))
            self.tickets: dict[str, dict[str, Any]] = dict(record.get("tickets", {}))
        except (ValueError, AttributeError, TypeError):
            # Everything is read once more; the catalogue finds nothing new in it.
            self.files, self.tickets = {}, {}

    def save(self) -> None:
        """Publish the state if it changed."""
        record = {"files": self.files, "tickets": self.tickets}
        data = json.dumps(record, indent=1, sort_keys=True).encode()
        if data != self._stored:
            write_bytes(self._path, data)
            self._stored = data

    def forget_tickets(self, handed_over: set[str]) -> None:
        """Drop the notes whose runs have been asked for."""
        self.tickets = {
            symbol: note
            for symbol, note in self.tickets.items()
            if note["ticket"] not in handed_over
        }

    def is_settled(self, found: FoundFile) -> bool:
        """Whether the file has been left alone long enough to be complete."""
        entry, now = self.files.get(found.relative), time.time()
        if entry is None or entry["stamp"] != found.stamp:
            entry = {"stamp": found.stamp, "seen": now, "done": False}
            self.files[found.relative] = entry
        return now - min(found.modified, entry["seen"]) >= SETTLE_SECONDS

    def is_done(self, found: FoundFile) -> bool:
        """Whether this very content at this place was ingested or rejected."""
        entry = self.files.get(found.relative)
        return entry is not None and entry["done"] and entry["stamp"] == found.stamp


def find_files(inbox: Path, *, leave: Path) -> Iterator[FoundFile]:
    """Every file of the inbox but hidden and unfinished ones, and those below ``leave``."""
    for folder, folders, names in os.walk(inbox):
        here = Path(folder)
        folders[:] = [
            name for name in folders if not name.startswith(".") and (here / name) != leave
        ]
        for name in names:
            if name.startswith(".") or name.endswith(_UNFINISHED):
                continue
            path = here / name
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            if path.is_file():
                stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
                relative = path.relative_to(inbox).as_posix()
                yield FoundFile(path, relative, stamp, status.st_mtime)
