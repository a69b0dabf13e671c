"""The roles of time as spans: where each begins and ends, and that no label crosses a cut.

Belongs here: start, end and bars of each role, and the purge gap before each cut, as rows of
a table.  Does not belong here: cutting (``windows.py``), regimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ares_assets.market.roles import cuts_of
from ares_assets.market.splits import WINDOW_ROLES
from ares_resources.settings import WindowSettings
from ares_resources.storage.frames import utc
from ares_resources.timeframes import DAY_MS, grid_ceil, timeframe_ms

_HOUR_MS = 3_600_000
CUTS = (("development", "calibration"), ("calibration", "holdout"))


def role_spans(
    roles: NDArray[np.object_],
    window: Mapping[str, Any],
    settings: WindowSettings,
    horizon_bars: int,
) -> list[dict[str, Any]]:
    """``role, start_ms, end_ms, days, bars, missing_bars`` of the three roles, in order.

    Spans are half-open; ``window`` is the metadata of ``market_data``.
    """
    step, gap = timeframe_ms(window["timeframe"]), horizon_bars * timeframe_ms(window["timeframe"])
    first, second = cuts_of(window, settings)
    edges = (window["window_start_ms"], first, second, window["window_end_ms"])
    rows = []
    for i, role in enumerate(WINDOW_ROLES):
        start, end = edges[i], edges[i + 1] - (gap if i < len(CUTS) else 0)
        bars = int((roles == role).sum())
        rows.append(
            {
                "role": role,
                "start_ms": start,
                "end_ms": end,
                "days": round((end - start) / DAY_MS, 3),
                "bars": bars,
                # A cut may stand off the grid of bars; the first whole bar after it counts.
                "missing_bars": (grid_ceil(end, step) - grid_ceil(start, step)) // step - bars,
            }
        )
    return rows


def purge_gaps(
    timestamps: NDArray[np.int64],
    roles: NDArray[np.object_],
    window: Mapping[str, Any],
    settings: WindowSettings,
    horizon_bars: int,
) -> list[dict[str, Any]]:
    """The gap before each cut, and how far the last label before it can reach.

    ``before, after, start_ms, end_ms, bars, hours, purged_bars, last_label_ends_ms,
    spare_bars``: the last decision of the role before the gap has its vertical barrier at
    ``last_label_ends_ms``, ``spare_bars`` bars before the next role's first bar opens.  None
    where the role has no bar.
    """
    step = timeframe_ms(window["timeframe"])
    gap = horizon_bars * step
    rows = []
    for (before, after), cut in zip(CUTS, cuts_of(window, settings), strict=True):
        own = timestamps[roles == before]
        ends = last_label_end(own, horizon_bars, step)
        purged = (roles == "purged") & (timestamps >= cut - gap) & (timestamps < cut)
        rows.append(
            {
                "before": before,
                "after": after,
                "start_ms": cut - gap,
                "end_ms": cut,
                "bars": horizon_bars,
                "hours": round(gap / _HOUR_MS, 3),
                "purged_bars": int(purged.sum()),
                "last_label_ends_ms": ends,
                "spare_bars": None if ends is None else (grid_ceil(cut, step) - ends) // step,
            }
        )
    return rows


def last_label_end(timestamps: NDArray[np.int64], horizon_bars: int, step_ms: int) -> int | None:
    """The latest close that a label of these bars (opens, ms) may read; None without bars.

    The vertical barrier is the close of a bar that opens at most ``horizon_bars`` bars after
    the decision's bar opened.
    """
    if not len(timestamps):
        return None
    return int(timestamps.max()) + (horizon_bars + 1) * step_ms


def crossing(
    timestamps: NDArray[np.int64],
    roles: NDArray[np.object_],
    cuts: tuple[int, int],
    *,
    horizon_bars: int,
    step_ms: int,
) -> str | None:
    """The first cut that a label may cross, in words; None when none does.

    It knows nothing of purging: it looks at the rows alone, shape (n,), and at where
    calibration and holdout begin, ms.
    """
    for (before, after), cut in zip(CUTS, cuts, strict=True):
        ends = last_label_end(timestamps[roles == before], horizon_bars, step_ms)
        if ends is not None and ends > grid_ceil(cut, step_ms):
            return f"a {before} label may end at {utc(ends)}, after {after} begins at {utc(cut)}"
    return None


def misplaced(
    rows: pd.DataFrame, timestamps: NDArray[np.int64], edges: tuple[int, int, int, int]
) -> str | None:
    """The first row with a wrong time or role, in words; None when all are right.

    Parameters
    ----------
    rows
        ``row, timestamp, role`` of the split.
    timestamps
        Of the market frame that ``row`` counts in, shape (n,).
    edges
        Where development, calibration and holdout begin and holdout ends, ms.
    """
    row, time = rows["row"].to_numpy(), rows["timestamp"].to_numpy()
    if len(row) and not 0 <= row.min() <= row.max() < len(timestamps):
        return f"rows {row.min()} to {row.max()} of a market frame of {len(timestamps)}"
    wrong = np.flatnonzero(timestamps[row] != time)
    if len(wrong):
        i = int(wrong[0])
        return f"row {row[i]} says {utc(int(time[i]))}; its bar opened {utc(timestamps[row[i]])}"
    for role, start, end in zip(WINDOW_ROLES, edges, edges[1:], strict=False):
        own = time[(rows["role"] == role).to_numpy()]
        outside = own[(own < start) | (own >= end)]
        if len(outside):
            return (
                f"a {role} bar opens at {utc(int(outside[0]))}, outside {utc(start)} to {utc(end)}"
            )
    return None
