"""Trying again after transient failures, within a number of tries and a deadline.

Belongs here: back-off, ``Retry-After`` and deadlines.  Does not belong here: which failure
is transient (:mod:`ares_resources.exchanges.ccxt_faults`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from ares_resources.errors import OutOfReach

T = TypeVar("T")

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0


class TransientFailure(Exception):
    """A failure that may pass; ``retry_after`` is the wait that the exchange asked for, s."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Wait:
    """A pause before the next try, for whoever watches: number ``attempt`` of ``attempts``."""

    what: str
    reason: str
    attempt: int
    attempts: int
    seconds: float


class Deadline:
    """A point in time that all requests of one collection share; starts at the first look."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end: float | None = None

    def remaining(self) -> float:
        """Seconds left; negative when it has passed."""
        if self._end is None:
            self._end = self._clock() + self.seconds
        return self._end - self._clock()


def call_with_retries(
    action: Callable[[], T],
    *,
    what: str,
    max_retries: int,
    deadline: Deadline,
    sleep: Callable[[float], None],
    tell: Callable[[Wait], None],
) -> T:
    """The result of ``action``, tried again while it raises :class:`TransientFailure`.

    ``tell`` hears of every wait before it begins.

    Raises
    ------
    OutOfReach
        If the tries are used up, or the next one would come after the deadline.
    """
    failure: TransientFailure | None = None
    for attempt in range(max_retries + 1):
        if deadline.remaining() <= 0:
            reason = failure or "no request was made in time"
            raise OutOfReach(f"{what}: deadline of {deadline.seconds:g} s: {reason}")
        try:
            return action()
        except TransientFailure as error:
            failure = error
        if attempt < max_retries:
            wait = _wait(failure, attempt)
            if wait >= deadline.remaining():
                raise OutOfReach(
                    f"{what}: the wait of {wait:g} s would pass the deadline of "
                    f"{deadline.seconds:g} s: {failure}"
                ) from failure
            tell(Wait(what, str(failure), attempt + 2, max_retries + 1, wait))
            sleep(wait)
    raise OutOfReach(f"{what}: tried {max_retries + 1} times: {failure}") from failure


def _wait(failure: TransientFailure, attempt: int) -> float:
    if failure.retry_after is not None:
        return failure.retry_after
    return float(min(FIRST_WAIT_SECONDS * 2**attempt, LONGEST_WAIT_SECONDS))
