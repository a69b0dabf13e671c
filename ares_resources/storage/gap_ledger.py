"""Arithmetic of spans of time: which bars are missing, which spans are still to be asked for.

Belongs here: half-open spans ``[start_ms, end_ms)`` and gaps between bars.  Does not belong
here: files, exchanges, and any filling of gaps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Span = tuple[int, int]


def gaps_between(timestamps: np.ndarray, step_ms: int) -> list[Span]:
    """Spans without a bar between neighbouring bars of sorted, unique ``timestamps``."""
    wide = np.flatnonzero(np.diff(timestamps) > step_ms)
    return [(int(timestamps[i]) + step_ms, int(timestamps[i + 1])) for i in wide]


def spans_of(timestamps: np.ndarray, step_ms: int) -> list[Span]:
    """Unbroken runs of sorted, unique ``timestamps``; one span for all with a step of 0."""
    if len(timestamps) == 0:
        return []
    wide = np.flatnonzero(np.diff(timestamps) > step_ms) if step_ms else np.empty(0, np.int64)
    starts = timestamps[np.concatenate([[0], wide + 1])]
    ends = timestamps[np.concatenate([wide, [len(timestamps) - 1]])] + (step_ms or 1)
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def clip(spans: Iterable[Span], start_ms: int, end_ms: int) -> list[Span]:
    """The parts of ``spans`` inside ``[start_ms, end_ms)``."""
    cut = ((max(start, start_ms), min(end, end_ms)) for start, end in spans)
    return [(start, end) for start, end in cut if start < end]


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time as sorted spans that neither touch nor overlap."""
    merged: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def subtract(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """What of ``spans`` no span of ``taken`` covers."""
    holes, at = union(taken), 0
    left: list[Span] = []
    for start, end in union(spans):
        while at < len(holes) and holes[at][1] <= start:
            at += 1
        here = at
        while here < len(holes) and holes[here][0] < end:
            if start < holes[here][0]:
                left.append((start, holes[here][0]))
            start = max(start, holes[here][1])
            here += 1
        if start < end:
            left.append((start, end))
    return left


def ledger_frame(spans: Iterable[Span], step_ms: int) -> pd.DataFrame:
    """Spans as a frame of ``start_ms, end_ms, missing_bars`` (int64)."""
    import pandas as pd

    table = np.array([(a, b, (b - a) // step_ms) for a, b in spans], dtype="int64").reshape(-1, 3)
    return pd.DataFrame(table, columns=["start_ms", "end_ms", "missing_bars"])
