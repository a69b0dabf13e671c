"""Matrices that can be computed again and that grow by rows of time: kept, verified, bounded.

Belongs here: the cache of precomputed features.  Does not belong here: results of steps
(``artifacts.py``), which are kept until they are pruned with their record; what is computed.

An entry is a manifest (JSON with its own checksum) that names segments, ``.npy`` files of
consecutive rows, each with a checksum, and checkpoints: a number of rows, the content they were
computed from, the state to go on from.  A segment is mapped into memory, so that processes that
read one share it.  Where more rows have come, only those past the last checkpoint whose content
still holds are computed and written, as one more segment.  Whatever is damaged is a miss.
"""

from __future__ import annotations

import functools
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

from ares_resources import progress
from ares_resources.errors import CorruptArtifact, is_full_disk
from ares_resources.storage.atomic import file_lock, write_bytes

Array = NDArray[np.float64]
State = Mapping[str, Any]
Extend = Callable[[Sequence[Array], State | None], tuple[Array, Mapping[int, State]]]

# Reading several segments copies them; beyond this many they are written as one.
_MOST_SEGMENTS = 12


@dataclass(frozen=True)
class _Entry:
    """What a manifest says of the rows up to a checkpoint, with their segments in memory."""

    path: Path
    rows: int
    names: list[dict[str, Any]]
    segments: list[Array]
    state: State


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
        them (none: r is 0), returns values (k, rows), and JSON-able states by the number of
        rows that they stand after; one of them stands at the end.
    keep, keep_bytes
        So many entries stay, and so many bytes of them, the last used first.

    Returns
    -------
    Float64, shape (k, rows), read-only where it was read, and how it was come by: ``read``,
    ``computed`` or ``extended by 60 rows``, with ``; not kept, ...`` where the disk is full.
    """
    with file_lock(folder / "cache.lock"):
        entry = _longest(folder, family, rows, content)
        if entry is not None and entry.rows == rows:
            os.utime(entry.path)
            one = entry.segments[0] if len(entry.segments) == 1 else None
            return one if one is not None else np.concatenate(entry.segments, axis=1), "read"
        values, states = extend(entry.segments if entry else (), entry.state if entry else None)
        how = f"extended by {rows - entry.rows} rows" if entry else "computed"
        checkpoints = [
            {"rows": after, "content": content(after), "state": state}
            for after, state in sorted(states.items())
        ]
        try:
            segments = _write_segment(folder, values, entry)
            body = {"segments": segments, "checkpoints": checkpoints}
            _write_manifest(folder / f"{family}-{checkpoints[-1]['content']}.json", body)
        except OSError as error:
            # The values stand without it: they will only have to be computed again.
            how += f"; not kept, {'since the disk is full' if is_full_disk(error) else error}"
            progress.current().noted(f"features {how}")
            entry = None
        if entry is not None:
            entry.path.unlink(missing_ok=True)
        _bound(folder, keep, keep_bytes)
    return values, how


def _longest(folder: Path, family: str, rows: int, content: Callable[[int], str]) -> _Entry | None:
    """The most rows of this input that an intact entry has a checkpoint after."""
    found = []
    for path in sorted(folder.glob(f"{family}-*.json")):
        try:
            body = _body(path)
            found += [(point["rows"], path, body, point) for point in body["checkpoints"]]
        except CorruptArtifact:
            path.unlink(missing_ok=True)
    known = functools.cache(content)
    for after, path, body, point in sorted(found, key=lambda one: (-one[0], one[1].name)):
        if 0 < after <= rows and known(after) == point["content"]:
            try:
                names, segments = _segments(folder, body["segments"], after)
                return _Entry(path, after, names, segments, point["state"])
            except CorruptArtifact:
                path.unlink(missing_ok=True)
    return None


def _segments(
    folder: Path, told: Sequence[Mapping[str, Any]], rows: int
) -> tuple[list[dict[str, Any]], list[Array]]:
    """The segments that hold the first so many rows, and how the manifest names them."""
    names: list[dict[str, Any]] = []
    segments: list[Array] = []
    for one in told:
        used = min(one["rows"], rows)
        if used == 0:
            break
        segment = _segment(folder / one["name"], one["checksum"])
        if segment.shape[1] < used or (segments and len(segment) != len(segments[0])):
            raise CorruptArtifact(f"{one['name']} is of shape {segment.shape}")
        names.append({**one, "rows": used})
        segments.append(segment[:, :used])
        rows -= used
    if rows:
        raise CorruptArtifact(f"segments in {folder} lack {rows} rows")
    return names, segments


def _body(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
        body = told["body"]
        if hashlib.sha256(_text(body)).hexdigest() == told["sha256"]:
            return body
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptArtifact(f"{path}: {error}") from error
    raise CorruptArtifact(f"{path} differs from its checksum")


def _text(body: Mapping[str, Any]) -> bytes:
    return json.dumps(body, sort_keys=True, allow_nan=False).encode()


def _segment(path: Path, checksum: str) -> Array:
    """A segment's values, mapped into memory."""
    try:
        if _checksum(path) == checksum:
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError) as error:
        raise CorruptArtifact(f"{path}: {error}") from error
    raise CorruptArtifact(f"{path} differs from its checksum")


def _checksum(path: Path) -> str:
    import xxhash

    digest = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _write_segment(folder: Path, values: Array, earlier: _Entry | None) -> list[dict[str, Any]]:
    """Write the rows that no kept segment holds; returns how the manifest names all of them."""
    kept: list[dict[str, Any]] = []
    if earlier is not None and len(earlier.segments) < _MOST_SEGMENTS:
        kept, values = earlier.names, values[:, earlier.rows :]
    temporary = folder / f"{uuid.uuid4().hex}.tmp"
    # Not flushed to the disk: a segment that a crash leaves torn fails its checksum.
    try:
        with temporary.open("wb") as file:
            np.save(file, values, allow_pickle=False)
        checksum = _checksum(temporary)
        os.replace(temporary, folder / f"{checksum}.npy")
    finally:
        temporary.unlink(missing_ok=True)
    new = {"name": f"{checksum}.npy", "checksum": checksum, "rows": values.shape[1]}
    return [*kept, new]


def _write_manifest(path: Path, body: Mapping[str, Any]) -> None:
    told = {"sha256": hashlib.sha256(_text(body)).hexdigest(), "body": body}
    write_bytes(path, json.dumps(told, allow_nan=False).encode())


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
        except (CorruptArtifact, OSError):
            continue
        if number == 0 or (number < keep and size <= keep_bytes):
            named |= {path.name, *(one.name for one in segments)}
    for path in folder.iterdir():
        if path.name not in named and path.is_file():
            path.unlink(missing_ok=True)
