"""Keeping the ledger's log open while many batches are recorded.

Belongs here: one idle connection.  Does not belong here: reading and writing (``ledger``).

SQLite folds its log into the database, and removes it, when the last connection closes; a
ledger that opens one for each batch pays for that each time.  While an idle connection stands
by, a batch costs its own commit, as durable as before.
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_held: weakref.WeakSet[_Idle] = weakref.WeakSet()


class _Idle:
    """A connection without a transaction, so that it keeps nobody waiting."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        self.closed = False
        _held.add(self)

    def close(self) -> None:
        """Once or more, from any thread."""
        self._database.close()
        self.closed = True


@contextmanager
def held_open(path: Path) -> Iterator[None]:
    """Keep the ledger at ``path`` open within the block, unless the process forks.

    Where it cannot be opened nothing is held; the ledger itself says what is wrong.
    """
    try:
        idle = _Idle(path)
    except sqlite3.Error:
        yield
        return
    try:
        yield
    finally:
        idle.close()


def _let_go() -> None:
    # A connection that crosses a fork corrupts the file.
    for idle in list(_held):
        idle.close()


os.register_at_fork(before=_let_go)
