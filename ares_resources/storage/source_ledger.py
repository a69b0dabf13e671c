"""The account of where rows came from: which file or exchange gave which bars, and when.

Belongs here: the ledger's entries and how they are joined.  Does not belong here: the rows
themselves, and counting them (:mod:`ares_resources.storage.staging`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime

from ares_resources.storage.gap_ledger import Span, subtract, union
from ares_resources.storage.series import AppendReport
from ares_resources.storage.series_manifest import Source

Sources = tuple[Source, ...]


def entries(
    names: Sequence[str],
    contents: Sequence[str],
    reports: Sequence[AppendReport],
    extents: Sequence[Span | None],
    spans: Sequence[Sequence[Span]],
) -> list[Source]:
    """One entry for each source that brought rows, dated now."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return [
        Source(
            source=name,
            added=report.added,
            repeated=report.repeated,
            conflicting=report.conflicting,
            first_ms=extent[0],
            last_ms=extent[1],
            spans=tuple(given),
            content=content,
            began=now,
            ended=now,
        )
        for name, content, report, extent, given in zip(
            names, contents, reports, extents, spans, strict=True
        )
        if extent is not None
    ]


def with_entries(known: Sources, new: Sequence[Source]) -> Sources:
    """The ledger with the new entries; what they replaced is no longer the earlier ones'."""
    ledger = list(known)
    for entry in new:
        if entry.conflicting:
            ledger = [
                dataclasses.replace(old, spans=tuple(subtract(old.spans, entry.spans)))
                for old in ledger
            ]
        if ledger and (ledger[-1].source, ledger[-1].content) == (entry.source, entry.content):
            entry = _joined(ledger.pop(), entry)
        ledger.append(entry)
    return tuple(ledger)


def _joined(one: Source, other: Source) -> Source:
    """One entry for two in a row of the same source, such as the pages of an exchange."""
    return dataclasses.replace(
        one,
        added=one.added + other.added,
        repeated=one.repeated + other.repeated,
        conflicting=one.conflicting + other.conflicting,
        first_ms=min(one.first_ms, other.first_ms),
        last_ms=max(one.last_ms, other.last_ms),
        spans=tuple(union([*one.spans, *other.spans])),
        began=min(one.began or other.began, other.began),
        ended=other.ended,
    )
