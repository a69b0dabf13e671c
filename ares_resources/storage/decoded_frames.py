"""Frames of artifacts that this process has read already, so that sixteen steps and their checks
do not hash and decode the same file a dozen times.

Belongs here: which frames stay in memory, and how many bytes of them.  Does not belong here:
reading files and their hashes (``artifacts.py``), caches on disk (``frame_cache.py``).
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ares_resources.memory import register_cache

if TYPE_CHECKING:
    import pandas as pd

Identity = tuple[str, int, int, int]


class DecodedFrames:
    """The frames last used, up to ``most_bytes`` together; every reader gets its own copy.

    A frame stands for one state of one file: a file that was written, replaced or damaged since
    is read again, and fails its hash if that is what happened.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._frames: OrderedDict[Identity, tuple[pd.DataFrame, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def read(self, path: Path, sha256: str, decode: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """The frame of the file that has this hash, from memory or by ``decode``.

        Raises
        ------
        OSError
            If there is no such file.
        """
        identity = _identity(path, sha256)
        with self._lock:
            if identity in self._frames:
                self._frames.move_to_end(identity)
                return self._frames[identity][0].copy()
        frame = decode()
        size = int(frame.memory_usage(deep=True).sum())
        # What would push out most of the others is read again instead: full windows, mostly.
        if 2 * size <= self._most and _identity(path, sha256) == identity:
            self._keep(identity, frame.copy(), size)
        return frame

    def clear(self) -> None:
        """Forget every frame."""
        with self._lock:
            self._frames.clear()
            self._bytes = 0

    def _keep(self, identity: Identity, frame: pd.DataFrame, size: int) -> None:
        with self._lock:
            if identity in self._frames:
                return
            self._frames[identity] = (frame, size)
            self._bytes += size
            while self._bytes > self._most:
                self._bytes -= self._frames.popitem(last=False)[1][1]


def _identity(path: Path, sha256: str) -> Identity:
    told = path.stat()
    return sha256, told.st_ino, told.st_mtime_ns, told.st_size


FRAMES = DecodedFrames(64 << 20)
register_cache(FRAMES.clear)
