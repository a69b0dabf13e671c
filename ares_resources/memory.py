"""Watching memory, so that a step stops with a sentence before the machine kills it.

Belongs here: measuring, freeing registered caches, and the error past the threshold.  Does
not belong here: what the caches hold.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ares_resources.errors import BadInput, MemoryExceeded

_MEBIBYTE = 2**20
_CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class MemorySample:
    """Bytes: resident in this process, used and usable in all (machine or control group)."""

    rss: int
    used: int
    total: int

    @property
    def share(self) -> float:
        """Share of the usable memory that is used, by whomever."""
        return self.used / self.total


class MemoryManager:
    """Frees caches past a share of the memory, then refuses to go on.

    Parameters
    ----------
    threshold
        Share of the usable memory, in (0, 1], that no step may pass.
    enabled
        False measures only.
    probe
        Takes a sample; tests put their own here.
    """

    def __init__(
        self,
        threshold: float = 0.8,
        enabled: bool = True,
        *,
        probe: Callable[[], MemorySample] | None = None,
    ) -> None:
        if not 0 < threshold <= 1:
            raise BadInput(f"memory threshold {threshold} must be in (0, 1]")
        self.threshold, self.enabled = threshold, enabled
        self._probe = probe or measure
        self._caches: dict[str, Callable[[], object]] = {}
        self._peak = self._freed = self._cleanups = 0
        self._last = self.sample()

    def register(self, name: str, free: Callable[[], object]) -> None:
        """Name a cache and the call that empties it; the same name replaces the older."""
        self._caches[name] = free

    def unregister(self, name: str) -> None:
        """Forget a cache that is gone."""
        self._caches.pop(name, None)

    def sample(self) -> MemorySample:
        """Measure now; the largest process size seen is kept."""
        self._last = self._probe()
        self._peak = max(self._peak, self._last.rss)
        return self._last

    def free_caches(self) -> int:
        """Empty every registered cache; returns the bytes by which the process shrank."""
        before = self.sample().rss
        for name in sorted(self._caches):
            self._caches[name]()
        gc.collect()
        freed = max(0, before - self.sample().rss)
        self._freed += freed
        self._cleanups += 1
        return freed

    def guard(self, step: str, estimate_bytes: int = 0) -> MemorySample:
        """Make sure that ``step`` may go on and take ``estimate_bytes`` more.

        Raises
        ------
        MemoryExceeded
            If the threshold would be passed even after the caches were freed; the message
            names the step, the figures and what to do.
        """
        sample = self.sample()
        if not self.enabled or self._fits(sample, estimate_bytes):
            return sample
        self.free_caches()
        sample = self._last
        if self._fits(sample, estimate_bytes):
            return sample
        needs = f" and needs {_mebibytes(estimate_bytes)} more" if estimate_bytes else ""
        raise MemoryExceeded(
            f"{step}: memory is at {sample.share:.0%} of {_mebibytes(sample.total)}{needs}, over"
            f" the threshold of {self.threshold:.0%} with caches freed (this process"
            f" {_mebibytes(sample.rss)}, peak {_mebibytes(self._peak)}); shorten lookback_days,"
            " lower max_cache_size or raise memory_threshold"
        )

    def figures(self) -> dict[str, float | int]:
        """What a step's metadata shows: MiB of this process, its peak and what was freed."""
        sample = self.sample()
        return {
            "memory_rss_mib": round(sample.rss / _MEBIBYTE, 1),
            "memory_peak_mib": round(self._peak / _MEBIBYTE, 1),
            "memory_share": round(sample.share, 4),
            "memory_freed_mib": round(self._freed / _MEBIBYTE, 1),
            "memory_cleanups": self._cleanups,
        }

    def _fits(self, sample: MemorySample, estimate_bytes: int) -> bool:
        return sample.used + estimate_bytes <= self.threshold * sample.total


def measure(cgroup: Path = _CGROUP) -> MemorySample:
    """Sample this process and the tighter of machine and control group (version 2)."""
    import psutil

    machine = psutil.virtual_memory()
    used, total = machine.total - machine.available, machine.total
    limit = _cgroup_number(cgroup / "memory.max")
    if limit is not None and 0 < limit < total:
        # File pages that can be dropped are not in the way of anybody.
        current = _cgroup_number(cgroup / "memory.current") or 0
        used, total = max(0, current - _droppable(cgroup / "memory.stat")), limit
    return MemorySample(psutil.Process(os.getpid()).memory_info().rss, used, total)


def _cgroup_number(path: Path) -> int | None:
    text = path.read_text().strip() if path.is_file() else "max"
    return int(text) if text.isdigit() else None


def _droppable(path: Path) -> int:
    if not path.is_file():
        return 0
    pairs = (line.split() for line in path.read_text().splitlines())
    return sum(int(value) for name, value in pairs if name == "inactive_file")


def _mebibytes(count: int) -> str:
    return f"{count / _MEBIBYTE:,.0f} MiB"
