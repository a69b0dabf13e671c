"""The roles of time as spans: where each begins and ends, and that no label crosses a cut.

Belongs here: start, end and bars of each role, and the purge gap before each cut, as rows of
a table.  Does not belong here: cutting (``windows.py``), regimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares_assets.market.roles import cuts_of
from ares_assets.market.splits import WINDOW_ROLES
from ares_resources.settings import WindowSettings
from ares_resources.timeframes import DAY_MS, timeframe_ms

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
                "missing_bars": (_on_grid(end, step) - _on_grid(start, step)) // step - bars,
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
                "spare_bars": None if ends is None else (_on_grid(cut, step) - ends) // step,
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
    timestamps: NDArray[np.int64], roles: NDArray[np.object_], horizon_bars: int, step_ms: int
) -> str | None:
    """The first cut that a label crosses, in words; None when none does.

    It knows nothing of how roles were cut: it looks at the rows alone, shape (n,).
    """
    from ares_resources.storage.frames import utc

    for before, after in CUTS:
        ends = last_label_end(timestamps[roles == before], horizon_bars, step_ms)
        later = timestamps[roles == after]
        if ends is not None and len(later) and ends > int(later.min()):
            return (
                f"a {before} label may end at {utc(ends)}, "
                f"after {after} begins at {utc(int(later.min()))}"
            )
    return None


def _on_grid(moment_ms: int, step: int) -> int:
    """The first bar open at or after a moment."""
    return -(-moment_ms // step) * step
