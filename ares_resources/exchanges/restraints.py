"""When an exchange must not be asked: bans and pauses that it imposed, outages of this run.

Belongs here: remembering them, across processes where the exchange named a time.  Does not
belong here: telling a ban from other failures (:mod:`ares_resources.exchanges.ccxt_faults`).

A ban or a pause is kept in a file, since the exchange counts by address and every process of
this machine has the same one.  An outage is kept in memory and only for one run: who mends
the network and starts anew is not held up.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from ares_resources.errors import CorruptArtifact
from ares_resources.storage.atomic import file_lock, write_bytes
from ares_resources.storage.frames import utc

FIRST_BAN_SECONDS = 120.0
LONGEST_BAN_SECONDS = 3 * 86_400.0
LONGEST_PAUSE_SECONDS = 3600.0
_FORGIVEN_AFTER_SECONDS = 86_400.0
_CLOCK_SLACK_SECONDS = 60.0


@dataclass(frozen=True)
class Restraint:
    """Times in seconds since the epoch; ``bans`` in a row make the next one longer.

    No time is further off than the longest ban or pause: an exchange may name any number, and
    one header must not stop this machine for years.

    ``noted``: when.  A record from the future was written by a clock that was wrong, and its
    times mean nothing.
    """

    banned_until: float = 0.0
    bans: int = 0
    told: str = ""
    paused_until: float = 0.0
    noted: float = 0.0


class Restraints:
    """The restraints of every exchange, in files of one folder; in no file without one."""

    def __init__(self, folder: Path | None = None, wall: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._wall = wall
        self._unfiled: dict[str, Restraint] = {}

    def ban(self, exchange: str, retry_after: float | None, told: str) -> str:
        """Remember a ban; returns until when, for people.

        It lasts two minutes, and twice as long as the one before if that ended less than a
        day ago; longer if the exchange names a longer time (it may name none at all, or one
        that is over); three days at most.
        """
        now = self._wall()

        def banned(old: Restraint) -> Restraint:
            bans = old.bans + 1 if now < old.banned_until + _FORGIVEN_AFTER_SECONDS else 1
            growing = FIRST_BAN_SECONDS * 2 ** min(bans - 1, 20)
            until = now + min(max(growing, retry_after or 0.0), LONGEST_BAN_SECONDS)
            return Restraint(max(until, old.banned_until), bans, told, old.paused_until, now)

        return _moment(self._amend(exchange, banned).banned_until)

    def pause(self, exchange: str, seconds: float) -> None:
        """Remember that the exchange asked to wait (HTTP 429 with Retry-After), up to an hour."""
        now = self._wall()

        def paused(old: Restraint) -> Restraint:
            until = max(now + min(seconds, LONGEST_PAUSE_SECONDS), old.paused_until)
            return Restraint(old.banned_until, old.bans, old.told, until, now)

        self._amend(exchange, paused)

    def refusal(self, exchange: str) -> str | None:
        """Why the exchange must not be asked now; None if it may be."""
        known = self._read(exchange)
        if self._wall() >= known.banned_until:
            return None
        return f"banned by the exchange until {_moment(known.banned_until)}: {known.told}"

    def seconds_to_wait(self, exchange: str) -> float:
        """How long the exchange wants to be left alone; 0 if it does not."""
        return max(0.0, self._read(exchange).paused_until - self._wall())

    def refusals(self) -> dict[str, str]:
        """Every exchange that must not be asked now, by a ban or a pause, and why."""
        names = sorted(path.stem for path in self._folder.glob("*.json")) if self._folder else []
        found = {name: self.refusal(name) or self._pause_told(name) for name in names}
        return {name: reason for name, reason in found.items() if reason is not None}

    def _pause_told(self, exchange: str) -> str | None:
        if self.seconds_to_wait(exchange) <= 0:
            return None
        return f"asked for a pause until {_moment(self._read(exchange).paused_until)} (HTTP 429)"

    def _read(self, exchange: str) -> Restraint:
        known = self._stored(exchange)
        if known.noted > self._wall() + _CLOCK_SLACK_SECONDS:
            return Restraint()
        return replace(
            known,
            banned_until=min(known.banned_until, known.noted + LONGEST_BAN_SECONDS),
            paused_until=min(known.paused_until, known.noted + LONGEST_PAUSE_SECONDS),
        )

    def _stored(self, exchange: str) -> Restraint:
        if self._folder is None:
            return self._unfiled.get(exchange, Restraint())
        path = self._folder / f"{exchange}.json"
        try:
            return _parsed(path.read_bytes())
        except FileNotFoundError:
            return Restraint()
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise CorruptArtifact(
                f"{path} is no record of restraints ({error}); remove it if it should be asked"
            ) from error

    def _amend(self, exchange: str, change: Callable[[Restraint], Restraint]) -> Restraint:
        if self._folder is None:
            self._unfiled[exchange] = change(self._read(exchange))
            return self._unfiled[exchange]
        path = self._folder / f"{exchange}.json"
        with file_lock(path.with_suffix(".lock")):
            newer = change(self._read(exchange))
            write_bytes(path, json.dumps(asdict(newer), sort_keys=True).encode())
        return newer


def _parsed(content: bytes) -> Restraint:
    known = Restraint(**json.loads(content))
    for field in fields(Restraint):
        value, usual = getattr(known, field.name), type(field.default)
        kinds = (int, float) if usual is float else (usual,)
        if type(value) not in kinds or (usual is float and not math.isfinite(value)):
            raise ValueError(f"{field.name} is {value!r}"[:80])
    return known


# Of the context, not of the process: runs in other threads begin and end at any time.
_outages: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar(
    "outages", default=None
)


@contextlib.contextmanager
def one_run() -> Iterator[None]:
    """Within the block an exchange that was out of reach is not waited for again.

    A run within a run shares what is known; runs beside each other know nothing of each other.
    """
    known = _outages.get()
    token = _outages.set({} if known is None else known)
    try:
        yield
    finally:
        _outages.reset(token)


def note_outage(exchange: str, reason: str) -> None:
    """Remember, within a run, that every try failed."""
    known = _outages.get()
    if known is not None:
        known.setdefault(exchange, reason)


def outage(exchange: str) -> str | None:
    """What failed in this run; None if nothing did."""
    known = _outages.get()
    return None if known is None else known.get(exchange)


def _moment(seconds: float) -> str:
    return utc(int(seconds) * 1000)
