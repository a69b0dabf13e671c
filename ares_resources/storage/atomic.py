"""Writing files so that a reader sees the old or the new content, never a torn one.

Belongs here: atomic publish of files and folders, hashes of files, file locks, Parquet
with page checksums.  Does not belong here: what is stored, and where.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ares_resources.errors import AresError, CorruptArtifact

if TYPE_CHECKING:
    import pandas as pd


def write_with(path: Path, writer: Callable[[Path], None]) -> None:
    """Let ``writer`` fill a temporary file, then rename it onto ``path`` durably."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        writer(temporary)
        _fsync(temporary)
        os.replace(temporary, path)
        _fsync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Publish ``data`` at ``path`` atomically and durably."""
    write_with(path, lambda temporary: _write(temporary, data))


def write_unlisted(path: Path, data: bytes) -> None:
    """Publish ``data`` at ``path`` atomically; its name is durable after :func:`flush_folder`.

    For one of many files that nothing names yet: their folder is flushed once, before
    something does.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(data)
        _fsync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_forgettable(path: Path, data: bytes) -> None:
    """Publish ``data`` at ``path`` atomically, but not durably: a crash of the machine may lose it.

    For marks that are made again where they are missing, empty or torn.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    _fsync(folder)


def publish_folder(path: Path, writer: Callable[[Path], None]) -> None:
    """Let ``writer`` fill a new folder, then rename it to ``path``.

    A folder that already stands at ``path`` is kept: content-addressed folders are equal.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    temporary.mkdir()
    try:
        writer(temporary)
        for file in sorted(temporary.rglob("*")):
            _fsync(file)
        _fsync(temporary)
        try:
            os.rename(temporary, path)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        _fsync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_parquet(path: Path, frame: pd.DataFrame) -> None:
    """Publish a frame as exact Parquet with page checksums, the same bytes always."""
    import pyarrow as pa

    from ares_resources.storage.lossless_parquet import write_table

    table = pa.Table.from_pandas(frame, preserve_index=False)
    write_with(path, lambda temporary: write_table(table, temporary))


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a frame that :func:`write_parquet` wrote, checking its pages.

    Raises
    ------
    CorruptArtifact
        If the file is missing, torn or fails a checksum.
    """
    import pyarrow as pa

    from ares_resources.storage.parquet_reading import read_frame

    try:
        return read_frame(path)
    except (OSError, pa.ArrowException) as error:
        raise CorruptArtifact(f"{path.name} in {path.parent} cannot be read: {error}") from error


@contextlib.contextmanager
def file_lock(path: Path, timeout_seconds: float = 600) -> Iterator[None]:
    """Hold an inter-process lock named by ``path``.

    Raises
    ------
    AresError
        If another process holds it for longer than the time-out.
    """
    import filelock

    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(str(path), timeout=timeout_seconds):
            yield
    except filelock.Timeout as error:
        raise AresError(f"another process holds {path} for {timeout_seconds:g} s") from error


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
