"""Telling whoever watches how far long work has come.

Belongs here: the listener interface and the current listener of this process.
Does not belong here: terminals and colours (``ares_jobs/cli_progress.py``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Protocol


class Listener(Protocol):
    """Receives progress; the default one is silent."""

    def step_started(self, number: int, name: str, partition: str) -> None: ...

    def step_ended(self, number: int, name: str, partition: str, outcome: str) -> None: ...

    def advanced(self, what: str, done: int, total: int) -> None: ...

    def waiting(
        self, what: str, reason: str, attempt: int, attempts: int, seconds: float
    ) -> None: ...

    def noted(self, line: str) -> None: ...


class Silent:
    """Nobody watches."""

    def step_started(self, number: int, name: str, partition: str) -> None:
        """Say nothing."""

    def step_ended(self, number: int, name: str, partition: str, outcome: str) -> None:
        """Say nothing."""

    def advanced(self, what: str, done: int, total: int) -> None:
        """Say nothing."""

    def waiting(self, what: str, reason: str, attempt: int, attempts: int, seconds: float) -> None:
        """Say nothing."""

    def noted(self, line: str) -> None:
        """Say nothing."""


def wait_line(what: str, reason: str, attempt: int, attempts: int, seconds: float) -> str:
    """A wait before the next try, in one line."""
    which = f", then try {attempt} of {attempts}" if attempts > 1 else ""
    return f"{what}: {reason}; waiting {seconds:g} s{which}"


_current: Listener = Silent()


def current() -> Listener:
    """The listener of this process."""
    return _current


@contextlib.contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let ``listener`` hear the progress made within the block, in all threads."""
    global _current
    previous, _current = _current, listener
    try:
        yield
    finally:
        _current = previous
