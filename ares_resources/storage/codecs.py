"""Values to files and back: frames, reports and bundles, in native formats only.

Belongs here: the mapping between a value and its files.  Does not belong here: where the
files stand, and pickle.

A frame is ``data.parquet``; a report (a JSON-able dict) is ``report.json``; a bundle is a
dict of file names to frames (``.parquet``), JSON-able values (``.json``) or bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ares_resources.errors import AresError

if TYPE_CHECKING:
    import pandas as pd

    from ares_resources.storage.data_manager import MemoryEfficientDataManager

FRAME_FILE = "data.parquet"
REPORT_FILE = "report.json"
Bundle: TypeAlias = dict[str, Any]
Kind = Literal["frame", "report", "bundle"]


def encode_into(
    folder: Path, value: pd.DataFrame | Mapping[str, Any], kind: Kind
) -> dict[str, str]:
    """Write a value's files into a folder; returns name -> type (frame, json or bytes)."""
    types: dict[str, str] = {}
    for name, member in _members(value, kind).items():
        path = folder / name
        if folder.resolve() != path.resolve().parent:
            raise AresError(f"a bundle member may not be named {name!r}")
        types[name] = _write_member(path, member)
    return types


def assemble(members: Mapping[str, Any]) -> Any:
    """The inverse of :func:`encode_into`: the value that these members, by name, make."""
    for single in (FRAME_FILE, REPORT_FILE):
        if list(members) == [single]:
            return members[single]
    return dict(members)


def decode_member(path: Path, member_type: str) -> Any:
    """One file, given the type that :func:`encode_into` returned for it."""
    if member_type == "frame":
        return _frames().read_frame(path)
    if member_type == "json":
        return json.loads(path.read_text())
    return path.read_bytes()


def to_json_bytes(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no NaN, one trailing newline."""
    return (json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def _frames() -> MemoryEfficientDataManager:
    from ares_resources.storage.data_manager import MemoryEfficientDataManager

    return MemoryEfficientDataManager()


def _members(value: pd.DataFrame | Mapping[str, Any], kind: Kind) -> Mapping[str, Any]:
    if kind == "bundle":
        return dict(value)
    return {FRAME_FILE if kind == "frame" else REPORT_FILE: value}


def _write_member(path: Path, member: Any) -> str:
    if isinstance(member, bytes):
        path.write_bytes(member)
        return "bytes"
    if path.suffix == ".parquet":
        _frames().write_frame(path, member)
        return "frame"
    if path.suffix == ".json":
        path.write_bytes(to_json_bytes(member))
        return "json"
    raise AresError(f"{path.name}: a {type(member).__name__} cannot be stored under that name")
