"""The account of where rows came from.

Belongs here: counting what became of each source's rows, and the ledger's entries.  Does
not belong here: the rows themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ares_resources.storage.merging import Merged
from ares_resources.storage.series import AppendReport
from ares_resources.storage.series_manifest import Source

Sources = tuple[Source, ...]


def append_reports(merged: dict[str, Merged], parts: int) -> list[AppendReport]:
    """One report for each incoming part, over all months."""
    totals = np.zeros((3, parts), dtype=np.int64)
    for month in merged.values():
        totals += np.stack([month.added, month.repeated, month.conflicting])
    return [AppendReport(*(int(count) for count in column)) for column in totals.T]


def with_sources(
    known: Sources, parts: Sequence[tuple[str, pd.DataFrame]], reports: Sequence[AppendReport]
) -> Sources:
    """The ledger with an entry for each part that brought rows."""
    ledger = list(known)
    for (name, frame), report in zip(parts, reports, strict=True):
        if len(frame) == 0:
            continue
        first, last = int(frame["timestamp"].min()), int(frame["timestamp"].max())
        entry = Source(name, report.added, report.repeated, report.conflicting, first, last)
        if ledger and ledger[-1].source == name:
            entry = _joined(ledger.pop(), entry)
        ledger.append(entry)
    return tuple(ledger)


def _joined(one: Source, other: Source) -> Source:
    """One entry for two in a row of the same source, such as the pages of an exchange."""
    return Source(
        one.source,
        one.added + other.added,
        one.repeated + other.repeated,
        one.conflicting + other.conflicting,
        min(one.first_ms, other.first_ms),
        max(one.last_ms, other.last_ms),
    )
