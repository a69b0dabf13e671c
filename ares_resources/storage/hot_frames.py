"""Frames that are read again and again: decoded once, then mapped into memory.

Belongs here: the uncompressed copy beside a file, and whether it may be trusted.  Does not belong
here: the files that are copied, which alone are kept for good (``data_manager.py``).

A copy is an Arrow file, whose columns are used where they lie: nothing is decoded or copied, and
processes that read one share it.  Its checksum, in a file beside it, is compared when a process
first maps the copy, which costs one pass over it; later it is enough that it is still the same
file.  Whatever is damaged is made again.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ares_resources.arrow_arrays import to_arrow
from ares_resources.errors import CorruptArtifact
from ares_resources.hashing import cache_key
from ares_resources.storage.atomic import file_lock, read_parquet, write_bytes

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_CHECKSUM = ".xxh3"
_verified: set[tuple[str, int, int, int]] = set()


def hot_frame(folder: Path, path: Path, *, keep_bytes: int) -> pd.DataFrame:
    """The frame of a Parquet file, mapped from its copy in ``folder``; the copy is made if need be.

    Columns of numbers are read-only.  The copy belongs to the file's place, size, time and inode,
    so that a file that was published anew is read anew.  Once the copies exceed ``keep_bytes``,
    the oldest go; the one just made stays.

    Raises
    ------
    CorruptArtifact
        If there is no copy and the file is missing or damaged.
    """
    try:
        name = cache_key((str(path.resolve()), *_identity(path)))[:32]
    except OSError as error:
        raise CorruptArtifact(f"{path} cannot be read: {error}") from error
    copy = folder / f"{name}.arrow"
    table = _mapped(copy)
    if table is None:
        with file_lock(folder / "hot.lock"):
            table = _mapped(copy)
            if table is None:
                _write(copy, read_parquet(path))
                _bound(folder, copy, keep_bytes)
                table = _mapped(copy)
    if table is None:
        raise CorruptArtifact(f"{copy} was written but cannot be read back")
    return table.to_pandas(split_blocks=True)


def _identity(path: Path) -> tuple[int, int, int]:
    told = path.stat()
    return told.st_size, told.st_mtime_ns, told.st_ino


def _mapped(copy: Path) -> pa.Table | None:
    """The copy's table, or None where there is no sound one."""
    import pyarrow as pa

    try:
        key = (str(copy), *_identity(copy))
        mapped = pa.memory_map(str(copy))
        if key not in _verified:
            if copy.with_suffix(_CHECKSUM).read_text() != _checksum(mapped.read_buffer()):
                return None
            mapped.seek(0)
            _verified.add(key)
        return pa.ipc.open_file(mapped).read_all()
    except (OSError, pa.ArrowException):
        return None


def _checksum(data: pa.Buffer) -> str:
    import xxhash

    return xxhash.xxh3_128_hexdigest(memoryview(data))


def _write(copy: Path, frame: pd.DataFrame) -> None:
    import numpy as np
    import pyarrow as pa

    table = pa.Table.from_pandas(frame, preserve_index=False)
    for at, field in enumerate(table.schema):
        # NaN as a value, not as a hole: a column with holes would be copied to become a frame's.
        if field.type == pa.float64():
            values = frame.iloc[:, at].to_numpy(np.float64)
            table = table.set_column(at, field, to_arrow(values))

    temporary = copy.with_suffix(".tmp")
    # Not flushed to the disk: a copy that a crash leaves torn fails its checksum.
    with pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, table.schema) as sink:
        sink.write_table(table)
    with pa.memory_map(str(temporary)) as mapped:
        write_bytes(copy.with_suffix(_CHECKSUM), _checksum(mapped.read_buffer()).encode())
    os.replace(temporary, copy)


def _bound(folder: Path, newest: Path, keep_bytes: int) -> None:
    """Remove the oldest copies beyond so many bytes; who has one mapped keeps what it maps."""
    copies = sorted(folder.glob("*.arrow"), key=lambda path: -path.stat().st_mtime_ns)
    size = newest.stat().st_size
    for copy in copies:
        if copy == newest:
            continue
        size += copy.stat().st_size
        if size > keep_bytes:
            copy.unlink(missing_ok=True)
            copy.with_suffix(_CHECKSUM).unlink(missing_ok=True)
