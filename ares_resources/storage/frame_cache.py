"""Matrices that can be computed again and that grow by rows of time: kept, verified, bounded.

Belongs here: the cache of precomputed features.  Does not belong here: results of steps
(``artifacts.py``), which are kept until they are pruned with their record; what is computed.

An entry is a manifest (JSON with its own checksum) that names the content it was computed from,
the state to go on from, and segments: ``.npy`` files of consecutive rows, each with a checksum.
A segment is mapped into memory, so that processes that read one share it.  Where more rows have
come, only they are computed and written, as one more segment.  Whatever is damaged is a miss.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares_resources.errors import CorruptArtifact
from ares_resources.storage.atomic import file_lock, write_bytes

Array = NDArray[np.float64]
Extend = Callable[[Sequence[Array], Mapping[str, Any] | None], tuple[Array, Mapping[str, Any]]]

# Reading several segments copies them; beyond this many they are written as one.
_MOST_SEGMENTS = 12


@dataclass(frozen=True)
class _Entry:
    """What a manifest says, with its segments in memory."""

    path: Path
    rows: int
    names: list[dict[str, Any]]
    segments: list[Array]
    state: Mapping[str, Any]


def cached_matrix(
    folder: Path,
    family: str,
    rows: int,
    content: Callable[[int], str],
    extend: Extend,
    *,
    keep: int = 6,
    keep_bytes: int = 2 << 30,
) -> tuple[Array, str]:
    """The matrix of the first ``rows`` rows of some input, computed once over all processes.

    Parameters
    ----------
    folder
        Holds this cache and nothing else.
    family
        Names the computation: its code, its settings.  Letters and digits.
    content
        Fingerprint of the input's first so many rows.
    extend
        Given the values (k, r) of the first r rows in pieces, and the state that came with
        them (none: r is 0), returns values (k, rows) and the JSON-able state at their end.
    keep, keep_bytes
        So many entries stay, and so many bytes of them, the last used first.

    Returns
    -------
    Float64, shape (k, rows), read-only where it was read, and how it was come by: ``read``,
    ``computed`` or ``extended by 60 rows``.
    """
    with file_lock(folder / "cache.lock"):
        entry = _longest(folder, family, rows, content)
        if entry is not None and entry.rows == rows:
            os.utime(entry.path)
            one = entry.segments[0] if len(entry.segments) == 1 else None
            return one if one is not None else np.concatenate(entry.segments, axis=1), "read"
        values, state = extend(entry.segments if entry else (), entry.state if entry else None)
        _write(folder, f"{family}-{rows}-{content(rows)}.json", values, state, entry)
        if entry is not None:
            entry.path.unlink(missing_ok=True)
        _bound(folder, keep, keep_bytes)
    return values, f"extended by {rows - entry.rows} rows" if entry else "computed"


def _longest(folder: Path, family: str, rows: int, content: Callable[[int], str]) -> _Entry | None:
    """The longest intact entry that was computed from the first rows of this input."""
    found = {path: int(path.name.split("-")[1]) for path in folder.glob(f"{family}-*-*.json")}
    for path in sorted(found, key=lambda one: (-found[one], one.name)):
        if not 0 < found[path] <= rows or path.stem.split("-")[2] != content(found[path]):
            continue
        try:
            return _read(path, found[path])
        except CorruptArtifact:
            path.unlink(missing_ok=True)
    return None


def _read(path: Path, rows: int) -> _Entry:
    body = _body(path)
    try:
        names, state = list(body["segments"]), body["state"]
        segments = [_segment(path.parent / told["name"], told["checksum"]) for told in names]
        length, widths = sum(one.shape[1] for one in segments), {len(one) for one in segments}
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise CorruptArtifact(f"{path}: {error}") from error
    if length != rows or len(widths) != 1:
        raise CorruptArtifact(f"{path}: segments of {length} rows, not of {rows}")
    return _Entry(path, rows, names, segments, state)


def _body(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
        body = told["body"]
        if hashlib.sha256(_text(body)).hexdigest() != told["sha256"]:
            raise CorruptArtifact(f"{path} differs from its checksum")
        return body
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptArtifact(f"{path}: {error}") from error


def _text(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, allow_nan=False).encode()


def _segment(path: Path, checksum: str) -> Array:
    """A segment's values, mapped into memory."""
    if _checksum(path) != checksum:
        raise CorruptArtifact(f"{path} differs from its checksum")
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    if mapped.ndim != 2 or mapped.dtype != np.float64:
        raise CorruptArtifact(f"{path} holds {mapped.dtype} of shape {mapped.shape}")
    return np.asarray(mapped)


def _checksum(path: Path) -> str:
    import xxhash

    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _write(
    folder: Path, name: str, values: Array, state: Mapping[str, Any], earlier: _Entry | None
) -> None:
    if earlier is None or len(earlier.segments) >= _MOST_SEGMENTS:
        kept, new = [], values
    else:
        kept, new = earlier.names, values[:, earlier.rows :]
    temporary = folder / f"{uuid.uuid4().hex}.tmp"
    # Not flushed to the disk: a segment that a crash leaves torn fails its checksum.
    with temporary.open("wb") as file:
        np.save(file, new, allow_pickle=False)
    checksum = _checksum(temporary)
    os.replace(temporary, folder / f"{checksum}.npy")
    body = {"segments": [*kept, {"name": f"{checksum}.npy", "checksum": checksum}], "state": state}
    told = {"sha256": hashlib.sha256(_text(body)).hexdigest(), "body": body}
    write_bytes(folder / name, json.dumps(told, allow_nan=False).encode())


def _bound(folder: Path, keep: int, keep_bytes: int) -> None:
    """Remove what is too much, and every file that no manifest names."""
    manifests = sorted(
        folder.glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True
    )
    named, size = {"cache.lock"}, 0
    for number, path in enumerate(manifests):
        try:
            segments = [folder / told["name"] for told in _body(path)["segments"]]
            size += sum(one.stat().st_size for one in segments if one.name not in named)
        except (CorruptArtifact, OSError, KeyError, TypeError):
            continue
        if number == 0 or (number < keep and size <= keep_bytes):
            named |= {path.name, *(one.name for one in segments)}
    for path in folder.iterdir():
        if path.name not in named and path.is_file():
            path.unlink(missing_ok=True)
