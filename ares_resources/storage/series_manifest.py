"""The one file that says what a series of the catalogue consists of.

Belongs here: the manifest's content, its own checksum, reading and publishing it.  Does not
belong here: month files, merging, and locks.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ares_resources.errors import CorruptArtifact
from ares_resources.storage.atomic import write_bytes
from ares_resources.storage.gap_ledger import Span

FORMAT = 2
_READABLE = (1, 2)  # 1 lacks what the source ledger says of spans, content and times
FILE_NAME = "manifest.json"


@dataclass(frozen=True)
class Month:
    """One published Parquet file; ``gaps`` are the spans without bars inside it."""

    file: str
    sha256: str
    rows: int
    first_ms: int
    last_ms: int
    gaps: tuple[Span, ...]


@dataclass(frozen=True)
class Source:
    """What a file or an exchange brought: rows by outcome, and the span of its rows.

    ``spans``: which bars stand as it gave them; ``content``: XXH3-128 of a file's bytes, empty
    for an exchange; ``began`` and ``ended``: when its first and last rows came, UTC.
    """

    source: str
    added: int
    repeated: int
    conflicting: int
    first_ms: int
    last_ms: int
    spans: tuple[Span, ...] = ()
    content: str = ""
    began: str = ""
    ended: str = ""


@dataclass(frozen=True)
class Manifest:
    """Everything that is there.  ``answered``: spans the exchange need not be asked again."""

    months: dict[str, Month] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    answered: tuple[Span, ...] = ()
    stale: str | None = None


def load_manifest(folder: Path) -> Manifest:
    """The published manifest of a series; an empty one where nothing was published.

    Raises
    ------
    CorruptArtifact
        If the file is there and does not match its own checksum.
    """
    path = folder / FILE_NAME
    try:
        record = json.loads(path.read_bytes())
        checksum = record.pop("sha256")
    except FileNotFoundError:
        return Manifest()
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise CorruptArtifact(f"{path} is not a manifest: {str(error)[:200]!r}") from error
    if checksum != _checksum(record):
        raise CorruptArtifact(f"{path} does not match its own checksum")
    if record.get("format") not in _READABLE:
        raise CorruptArtifact(f"{path} has format {record.get('format')}; known: {_READABLE}")
    try:
        return _from_record(record)
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptArtifact(f"{path} lacks a field of a manifest: {error!r}") from error


def publish_manifest(folder: Path, manifest: Manifest) -> None:
    """Make ``manifest`` the truth about the series, atomically."""
    record: dict[str, Any] = {"format": FORMAT, **dataclasses.asdict(manifest)}
    record = json.loads(json.dumps(record))
    record["sha256"] = _checksum(record)
    write_bytes(folder / FILE_NAME, json.dumps(record, indent=1, sort_keys=True).encode())


def _from_record(record: dict[str, Any]) -> Manifest:
    months = {
        name: Month(**{**month, "gaps": _spans(month["gaps"])})
        for name, month in sorted(record["months"].items())
    }
    return Manifest(
        months=months,
        sources=tuple(
            Source(**{**source, "spans": _spans(source.get("spans", []))})
            for source in record["sources"]
        ),
        answered=_spans(record["answered"]),
        stale=record["stale"],
    )


def _spans(pairs: list[list[int]]) -> tuple[Span, ...]:
    return tuple((int(start), int(end)) for start, end in pairs)


def _checksum(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
