"""Leases: a process says that it is working on a run, so that its death can be noticed.

Belongs here: holding, reading and judging lease files.  Does not belong here: what is done
about a dead run (``ares_jobs/reaper.py``).

A lease is a file ``runs/<run_id>.<pid>.lease`` that stands as long as its holder works.  A
holder that ends takes it away; one that is killed leaves it behind, and then the file names a
process that no longer is.  A process id alone may be used again by another process, and wall
clocks are set; so a process is known by its id, the boot it belongs to and how long after that
boot it started.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ares_resources.errors import BadInput
from ares_resources.home import Home

_SUFFIX = ".lease"
_TOLERANCE_SECONDS = 1.0


@dataclass(frozen=True)
class Holder:
    """A process on a machine; ``started`` is in seconds after the machine's boot."""

    pid: int
    host: str
    boot: str
    started: float


@dataclass(frozen=True)
class Lease:
    """Who works on a run, and the file that says so."""

    run_id: str
    holder: Holder
    path: Path


@contextlib.contextmanager
def hold_lease(home: Home, run_id: str) -> Iterator[None]:
    """Say, for as long as the block lasts, that this process works on the run.

    Nested use in one process is harmless: the outermost block holds the lease.

    Raises
    ------
    BadInput
        If the run's id cannot be part of a file name.
    """
    from ares_resources.storage.atomic import write_bytes

    holder = this_process()
    path = home.runs / f"{_checked(run_id)}.{holder.pid}{_SUFFIX}"
    standing = read_lease(path)
    if standing is not None and standing.holder == holder:
        yield
        return
    write_bytes(path, json.dumps({"run_id": run_id, **asdict(holder)}, sort_keys=True).encode())
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def leases(home: Home) -> list[Lease]:
    """Every readable lease of a home, sorted by file name."""
    found = (read_lease(path) for path in sorted(home.runs.glob(f"*{_SUFFIX}")))
    return [lease for lease in found if lease is not None]


def read_lease(path: Path) -> Lease | None:
    """The lease in a file; None if the file has gone or holds none."""
    try:
        record = json.loads(path.read_bytes())
        return Lease(record.pop("run_id"), Holder(**record), path)
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        return None


def this_process() -> Holder:
    """This process, as its leases name it."""
    started = _started(os.getpid())
    assert started is not None
    return Holder(os.getpid(), socket.gethostname(), _boot(), round(started, 2))


def on_this_host(holder: Holder) -> bool:
    """Whether the holder's process table is the one that can be looked at here."""
    return holder.host == socket.gethostname()


def is_alive(holder: Holder) -> bool:
    """Whether exactly this process still runs; only to be asked on its own host."""
    if holder.boot != _boot():
        return False
    started = _started(holder.pid)
    return started is not None and abs(started - holder.started) <= _TOLERANCE_SECONDS


def _started(pid: int) -> float | None:
    """Seconds from boot to the process' start; None if there is no such process."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        # Both terms carry the same wall clock, so that setting it does not show.
        return process.create_time() - psutil.boot_time()
    except psutil.NoSuchProcess:
        return None


def _boot() -> str:
    """A name for the machine's present boot; empty where the system gives none."""
    identity = Path("/proc/sys/kernel/random/boot_id")
    return identity.read_text().strip() if identity.is_file() else ""


def _checked(run_id: str) -> str:
    if not run_id or set(run_id) & set("/\\. \0"):
        raise BadInput(f"run id {run_id[:60]!r} is not usable; allowed: letters, digits and -")
    return run_id
