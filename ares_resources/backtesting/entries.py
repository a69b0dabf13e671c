"""A bounded folder of small checksummed entries, shared by processes.

Belongs here: atomic files of bytes by key, their checks, least-recently-used eviction.  Does
not belong here: what the bytes mean.  Entries can be computed again, so they are renamed into
place but not forced to the disk: after a power cut a torn entry is a miss, not an error.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from pathlib import Path

_MAGIC = b"ARES1"
_CHECK_BYTES = 16
_SCAN_EVERY = 64
_STALE_SECONDS = 3600.0
_SUFFIX = ".entry"


class EntryFolder:
    """At most ``capacity`` entries; reading one makes it the last to be evicted.

    The bound is exact for one process; while several write at once it may be passed by up
    to 64 entries each until their next scan.
    """

    def __init__(self, folder: Path, *, capacity: int) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.capacity = capacity
        self.evictions = 0
        self._touched: dict[str, int] = {}
        self._clock = 0
        self._writes_since_scan = 0
        self._known = sum(1 for _ in self._stored())

    def path(self, key: str) -> Path:
        """Where an entry rests."""
        return self.folder / f"{key}{_SUFFIX}"

    def read(self, key: str) -> bytes | None:
        """The entry's bytes; None if there is none or it fails its checksum."""
        try:
            data = self.path(key).read_bytes()
        except FileNotFoundError:
            return None
        head = len(_MAGIC) + _CHECK_BYTES
        payload = data[head:]
        if data[:head] != _MAGIC + _checksum(key, payload):
            return None
        self.touch(key)
        return payload

    def touch(self, key: str) -> None:
        """Note a use; it reaches the disk before anything is evicted."""
        # File clocks tick in milliseconds; a counter keeps the order of uses within one.
        self._clock = max(time.time_ns(), self._clock + 1)
        self._touched[key] = self._clock

    def write(self, key: str, payload: bytes) -> None:
        """Store an entry atomically; call :meth:`settle` after a batch."""
        temporary = self.folder / f".{key}.{uuid.uuid4().hex}.tmp"
        try:
            temporary.write_bytes(_MAGIC + _checksum(key, payload) + payload)
            os.replace(temporary, self.path(key))
        finally:
            temporary.unlink(missing_ok=True)
        self.touch(key)
        self._known += 1
        self._writes_since_scan += 1

    def settle(self) -> None:
        """Store the order of uses and evict what exceeds the capacity, oldest use first."""
        crowded = self._known > self.capacity or self._writes_since_scan >= _SCAN_EVERY
        if crowded:
            self.flush()
            self._scan()

    def flush(self) -> None:
        """Store the order of uses on disk, for the other processes."""
        for key, stamp in self._touched.items():
            with contextlib.suppress(FileNotFoundError):
                os.utime(self.path(key), ns=(stamp, stamp))
        self._touched.clear()

    def _scan(self) -> None:
        aged: list[tuple[int, str]] = []
        for entry in self._stored():
            with contextlib.suppress(FileNotFoundError):
                aged.append((entry.stat().st_mtime_ns, entry.path))
        aged.sort()
        excess = aged[: max(0, len(aged) - self.capacity)]
        for _, path in excess:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
                self.evictions += 1
        self._remove_stale()
        self._known = len(aged) - len(excess)
        self._writes_since_scan = 0

    def _stored(self) -> list[os.DirEntry[str]]:
        with os.scandir(self.folder) as found:
            return [entry for entry in found if entry.name.endswith(_SUFFIX)]

    def _remove_stale(self) -> None:
        """Remove temporaries that killed processes left behind."""
        for path in self.folder.glob(".*.tmp"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                    path.unlink()


def _checksum(key: str, payload: bytes) -> bytes:
    import xxhash

    return xxhash.xxh3_128(key.encode() + b":" + payload).digest()
