"""Ares' typed errors, and the decorator that turns known exceptions into them.

Belongs here: every exception class that crosses a module boundary, with the exit code it
leads to.  Does not belong here: catching anything on behalf of a step, and fallbacks.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import inspect
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_PARTIAL = 3
EXIT_INTERRUPTED = 130

_FULL_NUMBERS = (errno.ENOSPC, errno.EDQUOT)
# A library may keep only the words: Dagster those of a step, SQLAlchemy those of SQLite; NumPy
# has its own for a file that does not fit, and for a write that was cut short.
_FULL = (
    *(os.strerror(number) for number in _FULL_NUMBERS),
    *(f"[Errno {number}]" for number in _FULL_NUMBERS),
    "database or disk is full",
    "Not enough free space to write",
)
_CUT_SHORT = re.compile(r"\d+ requested and \d+ written")


class AresError(Exception):
    """Something failed in a way that Ares knows; the message is one line for people."""

    exit_code = EXIT_FAILED


class BadInput(AresError):
    """A value from outside is not usable; the message names it and what is allowed."""

    exit_code = EXIT_BAD_INPUT


class DataConflict(BadInput):
    """Two sources, or two rows of one, disagree about the same bar."""


class ExchangeUnavailable(AresError):
    """The exchange did not answer usefully within the deadline."""


class OutOfReach(ExchangeUnavailable):
    """Every try failed in a way that may pass: asking again at once is of no use."""


class HistoryUnavailable(ExchangeUnavailable):
    """The exchange answers, but gives only its latest bars: ``span``, in ms, cannot be had."""

    def __init__(self, message: str, span: tuple[int, int]) -> None:
        super().__init__(message)
        self.span = span


class CorruptArtifact(AresError):
    """A stored file no longer matches the hash that was recorded with it."""


class ObsoleteFormat(CorruptArtifact):
    """A sound file that another version of Ares wrote in a form this one does not read."""


class MemoryExceeded(AresError):
    """A step would pass the memory threshold even after caches were freed."""


class StorageFull(AresError):
    """The disk that the home is on has no room left."""


class PartitionSkipped(AresError):
    """This partition cannot be trained honestly; the message is the reason."""

    exit_code = EXIT_PARTIAL


def speaks_of_full_disk(message: str) -> bool:
    """Whether an error's words are those of the operating system or of SQLite for it."""
    return any(words in message for words in _FULL) or bool(_CUT_SHORT.search(message))


def is_full_disk(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, is that of a full disk or a spent quota."""
    while error is not None:
        if isinstance(error, StorageFull) or getattr(error, "errno", None) in _FULL_NUMBERS:
            return True
        if speaks_of_full_disk(str(error)):
            return True
        # ``from None`` says that what came before is not the cause.
        before = None if error.__suppress_context__ else error.__context__
        error = error.__cause__ or before
    return False


@contextlib.contextmanager
def full_disk_told(words: Callable[[], str]) -> Iterator[None]:
    """Let whatever a full disk makes fail in this context end in these words.

    Raises
    ------
    StorageFull
        In place of the error; every other one passes through.
    """
    try:
        yield
    except Exception as error:
        if is_full_disk(error) and not isinstance(error, StorageFull):
            raise StorageFull(words()) from error
        raise


def handle_specific_errors(
    error_handlers: Mapping[type[BaseException], tuple[type[AresError], str]],
    *,
    context: str,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Turn known exceptions into typed Ares errors at a boundary; works on sync and async.

    Parameters
    ----------
    error_handlers
        Maps an exception class to the Ares error to raise instead and its message.  The
        original message is appended and the original kept as ``__cause__``.
    context
        What was being done, in a few words; it leads the message.

    Raises
    ------
    AresError
        The mapped class.  Exceptions that are not listed pass through untouched: this
        decorator never returns a default and never hides a failure.
    """
    known = tuple(error_handlers)

    def translate(error: BaseException) -> AresError:
        for kind, (target, message) in error_handlers.items():
            if isinstance(error, kind):
                return target(f"{context}: {message}: {error}")
        raise error

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                try:
                    return await function(*args, **kwargs)
                except known as error:
                    if isinstance(error, AresError):
                        raise
                    raise translate(error) from error

            return awaited  # type: ignore[return-value]

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except known as error:
                if isinstance(error, AresError):
                    raise
                raise translate(error) from error

        return called

    return decorate
