"""A bounded file of small checksummed entries, shared by processes.

Belongs here: fixed-size slots in one file, their checks, least-recently-used eviction.  Does
not belong here: what the bytes mean, and what is held in a process's memory.

Readers take no lock: a slot that is torn, damaged or meanwhile another's fails its checksum
and is a miss.  Writers hold a lock and look at the whole table first (a few microseconds for
a thousand slots), so the bound is exact for any number of processes, and a writer that is
killed leaves at worst one slot that nobody believes.  Entries can be computed again: nothing
is forced to the disk.  Plain reads and writes, no memory map: there, a full disk or a file
cut short by somebody else would kill the process instead of raising.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import xxhash

from ares_resources import progress
from ares_resources.errors import AresError
from ares_resources.storage.atomic import file_lock

# The form is part of the name: what another version of Ares wrote is never opened.
_NAME = "results-1"
_FORMER = "*.entry"
_HEADER = struct.Struct("<16sQQ")  # mark, bytes of a slot, generation
_MARK = b"ARES results 1\r\n"
_STAMP = struct.Struct("<q")
_KEY_BYTES, _CHECK_BYTES = 32, 16
_LOCK_SECONDS = 30.0
_DAY_NS = 86_400 * 10**9


class EntryFolder:
    """At most ``capacity`` entries of ``payload_bytes``; a use makes one the last to go.

    A file that cannot be written (full or read-only disk) is said once to whoever listens;
    from then on nothing is stored, and what can be read is read.

    Attributes
    ----------
    evictions
        Entries that this object removed, or never stored because a batch was too large.
    fault
        Why nothing is stored, or None.
    """

    def __init__(self, folder: Path, *, capacity: int, payload_bytes: int) -> None:
        self.folder, self.capacity = Path(folder), capacity
        self.path = self.folder / f"{_NAME}.slots"
        self.evictions = 0
        self.fault: str | None = None
        self._row = np.dtype(
            [
                ("check", f"V{_CHECK_BYTES}"),
                ("key", f"V{_KEY_BYTES}"),
                ("payload", f"V{payload_bytes}"),
                ("used", "<i8"),
            ]
        )
        self._slot_bytes = self._row.itemsize
        self._slots: dict[bytes, int] = {}
        self._generation = -1
        self._file: int | None = None
        with self._faults():
            self._open()

    def __len__(self) -> int:
        """Entries in the file now, whoever wrote them."""
        return int(np.count_nonzero(self._table()["used"]))

    def keys(self) -> set[bytes]:
        """The keys in the file now."""
        self._reload()
        return set(self._slots)

    def read(self, key: bytes) -> bytes | None:
        """The entry's bytes; None if there is none or it fails its checksum."""
        if self._file is None:
            return None
        payload = self._believed(key)
        if payload is None and self._stored_generation() != self._generation:
            self._reload()
            payload = self._believed(key)
        if payload is not None:
            self._stamp(self._slots[key], time.time_ns())
        return payload

    def touch(self, key: bytes, used_ns: int) -> None:
        """Note a use at ``used_ns`` (Unix time, ns) for all processes, if the entry stands."""
        if self._file is not None and self._believed(key) is not None:
            self._stamp(self._slots[key], used_ns)

    def write_many(
        self, entries: Mapping[bytes, bytes], uses: Mapping[bytes, int] | None = None
    ) -> None:
        """Store entries in the order of the mapping, evicting the longest unused.

        ``uses`` are uses since the last :meth:`touch`, in Unix time, ns.
        """
        if self._file is None or self.fault is not None or not entries:
            return
        with self._faults(), file_lock(self.folder / f"{_NAME}.lock", _LOCK_SECONDS):
            table = self._checked_table()
            for key, used in (uses or {}).items():
                slot = self._slots.get(key)
                if slot is not None and table["used"][slot] < used:
                    table["used"][slot] = used
                    self._stamp(slot, used)
            kept = list(entries)[-self.capacity :]
            self.evictions += len(entries) - len(kept)
            # Before and after: whoever looks in between, or after a kill, looks again.
            self._set_generation(self._generation + 1)
            now = time.time_ns()
            for number, (key, slot) in enumerate(self._assign(table, kept).items()):
                self._write_slot(slot, key, entries[key], now + number)
                self._slots[key] = slot
            self._set_generation(self._generation + 1)

    def _open(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError:
            # Results of a disk that may not be written are still results.
            if self.path.is_file():
                self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            raise
        finally:
            if self._file is not None:
                weakref.finalize(self, os.close, self._file)
        with file_lock(self.folder / f"{_NAME}.lock", _LOCK_SECONDS):
            table = self._checked_table()
            held = np.flatnonzero(table["used"])
            dropped = len(self._evict(table, held, len(held) - self.capacity))
            if dropped:
                progress.current().noted(
                    f"dropped {dropped} of {len(held)} cached results: max_cache_size is"
                    f" {self.capacity}, for all who share {self.folder}"
                )
            for former in self.folder.glob(_FORMER):
                former.unlink(missing_ok=True)

    def _checked_table(self) -> np.ndarray:
        """The table as it stands, begun anew where its head is not ours; index up to date."""
        assert self._file is not None
        head = os.pread(self._file, _HEADER.size, 0)
        if not self._is_ours(head):
            os.ftruncate(self._file, 0)
            self._slots.clear()
            self._set_generation(time.time_ns())
        return self._table() if self._stored_generation() == self._generation else self._reload()

    def _table(self) -> np.ndarray:
        if self._file is None:
            return np.zeros(0, self._row)
        size = os.fstat(self._file).st_size
        data = bytearray(os.pread(self._file, max(0, size - _HEADER.size), _HEADER.size))
        table = np.frombuffer(data, self._row, len(data) // self._row.itemsize)
        # A stamp from the future is damage; it must not keep its entry for good.
        table["used"][table["used"] > time.time_ns() + _DAY_NS] = 1
        return table

    def _reload(self) -> np.ndarray:
        """The table as it stands, and the index after it."""
        # The generation first: what is written meanwhile shows at the next look.
        self._generation = self._stored_generation()
        table = self._table()
        keys = table["key"].tobytes()
        self._slots = {
            keys[slot * _KEY_BYTES : (slot + 1) * _KEY_BYTES]: slot
            for slot in np.flatnonzero(table["used"]).tolist()
        }
        return table

    def _assign(self, table: np.ndarray, keys: list[bytes]) -> dict[bytes, int]:
        """A slot for each key: its own, a free one, or that of the longest unused entry."""
        assigned = {key: self._slots[key] for key in keys if key in self._slots}
        new = [key for key in keys if key not in assigned]
        own = np.fromiter(assigned.values(), np.int64, len(assigned))
        others = np.setdiff1d(np.flatnonzero(table["used"]), own)
        evicted = self._evict(table, others, len(others) + len(keys) - self.capacity)
        free = np.flatnonzero(table["used"] == 0).tolist()
        beyond = range(len(table), len(table) + len(new))
        return assigned | dict(zip(new, [*evicted, *free, *beyond], strict=False))

    def _evict(self, table: np.ndarray, candidates: np.ndarray, count: int) -> list[int]:
        if count <= 0:
            return []
        order = np.argsort(table["used"][candidates], kind="stable")
        chosen: list[int] = candidates[order[:count]].tolist()
        for slot in chosen:
            key = table["key"][slot].tobytes()
            if self._slots.get(key) == slot:
                del self._slots[key]
            self._stamp(slot, 0)
        self.evictions += len(chosen)
        return chosen

    def _write_slot(self, slot: int, key: bytes, payload: bytes, used_ns: int) -> None:
        assert self._file is not None
        data = _checksum(key, payload) + key + payload + _STAMP.pack(used_ns)
        if os.pwrite(self._file, data, self._offset(slot)) != len(data):
            raise OSError(f"{self.path} took only part of an entry")

    def _stamp(self, slot: int, used_ns: int) -> None:
        if self._file is None or self.fault is not None:
            return
        place = self._offset(slot + 1) - _STAMP.size
        try:
            os.pwrite(self._file, _STAMP.pack(used_ns), place)
        except OSError as error:
            self._refused(error)

    def _believed(self, key: bytes) -> bytes | None:
        slot = self._slots.get(key)
        if slot is None or self._file is None:
            return None
        data = os.pread(self._file, self._slot_bytes, self._offset(slot))
        payload = data[_CHECK_BYTES + _KEY_BYTES : -_STAMP.size]
        if data[:_CHECK_BYTES] != _checksum(key, payload) or data[-_STAMP.size :] == bytes(8):
            return None
        return payload

    def _stored_generation(self) -> int:
        assert self._file is not None
        head = os.pread(self._file, _HEADER.size, 0)
        return _HEADER.unpack(head)[2] if self._is_ours(head) else -1

    def _is_ours(self, head: bytes) -> bool:
        known = (_MARK, self._row.itemsize)
        return len(head) == _HEADER.size and _HEADER.unpack(head)[:2] == known

    def _set_generation(self, generation: int) -> None:
        assert self._file is not None
        self._generation = generation % 2**63
        os.pwrite(self._file, _HEADER.pack(_MARK, self._row.itemsize, self._generation), 0)

    def _offset(self, slot: int) -> int:
        return _HEADER.size + slot * self._slot_bytes

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (OSError, AresError) as error:
            self._refused(error)

    def _refused(self, error: Exception) -> None:
        if self.fault is None:
            self.fault = str(error)
            progress.current().noted(f"results are not cached from here on, only computed: {error}")


def _checksum(key: bytes, payload: bytes) -> bytes:
    return xxhash.xxh3_128_digest(key + payload)
