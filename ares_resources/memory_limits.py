"""How much memory there is, and how much of it is used.

Belongs here: this process, the machine, and the control groups (versions 1 and 2) that this
process is in.  Does not belong here: what follows from it (``memory``).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")
_FORGET_PEAK = "5"  # proc(5): resets VmHWM to the present size


@dataclass(frozen=True)
class MemorySample:
    """Bytes: resident in this process, used and usable in all (machine or control group).

    ``peak`` is the largest resident size since it was last forgotten, 0 where the system
    does not tell.
    """

    rss: int
    used: int
    total: int
    peak: int = 0

    @property
    def share(self) -> float:
        """Share of the usable memory that is used, by whomever."""
        return self.used / self.total


@dataclass(frozen=True)
class _Version:
    """Where a version of the control groups says what; paths below a group's folder."""

    limit: str
    used: str
    droppable: str


_SECOND = _Version("memory.max", "memory.current", "inactive_file")
_FIRST = _Version("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def measure(
    cgroup: Path = _CGROUP, membership: Path = _MEMBERSHIP, *, threshold: float = 0.8
) -> MemorySample:
    """Sample this process, and of machine and control groups the one with the least room.

    Room is what is left up to ``threshold``.  A group counts with all its ancestors; one
    whose limit is beyond the machine does not.
    """
    import psutil

    machine = psutil.virtual_memory()
    bounds = [(machine.total - machine.available, machine.total)]
    for folder, version in _groups(cgroup, membership):
        limit = _number(folder / version.limit)
        if limit is not None and 0 < limit < machine.total:
            # File pages that can be dropped are not in the way of anybody.
            current = _number(folder / version.used) or 0
            bounds.append((max(0, current - _droppable(folder, version)), limit))
    used, total = min(bounds, key=lambda bound: threshold * bound[1] - bound[0])
    rss = psutil.Process(os.getpid()).memory_info().rss
    return MemorySample(rss, used, total, _peak())


def forget_peak() -> None:
    """Let the peak of this process begin anew, where the system can (Linux)."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text(_FORGET_PEAK)


def _peak() -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _groups(cgroup: Path, membership: Path) -> Iterator[tuple[Path, _Version]]:
    """Folders of this process's memory groups, up to the root that is visible here."""
    text = membership.read_text() if membership.is_file() else "0::/"
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield from ((folder, _SECOND) for folder in _upwards(cgroup, path))
        elif "memory" in controllers.split(","):
            yield from ((folder, _FIRST) for folder in _upwards(cgroup / "memory", path))


def _upwards(root: Path, path: str) -> Iterator[Path]:
    folder = root / path.strip("/")
    while folder != root and root in folder.parents:
        yield folder
        folder = folder.parent
    yield root


def _number(path: Path) -> int | None:
    text = path.read_text().strip() if path.is_file() else "max"
    return int(text) if text.isdigit() else None


def _droppable(folder: Path, version: _Version) -> int:
    path = folder / "memory.stat"
    if not path.is_file():
        return 0
    pairs = (line.split() for line in path.read_text().splitlines())
    return sum(int(value) for name, value in pairs if name == version.droppable)
