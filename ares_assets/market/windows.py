"""The roles of time: which bars may be fitted on, calibrated on, and judged on.

Belongs here: cutting a window into development, calibration and holdout.  Does not belong
here: regimes, events, or which rows a step finally uses.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares_resources.errors import BadInput

ROLES = ("warmup", "development", "calibration", "holdout", "purged")
_WARMUP, _DEVELOPMENT, _CALIBRATION, _HOLDOUT, _PURGED = range(len(ROLES))


def role_cuts(
    window_start_ms: int,
    window_end_ms: int,
    timeframe_ms: int,
    *,
    development: float,
    calibration: float,
) -> tuple[int, int]:
    """First bar opens (ms) of calibration and of holdout.

    Each cut stands at its share of the window's *time* span, rounded down to the bar grid,
    so that missing bars move no cut.

    Raises
    ------
    BadInput
        If the window is empty or backward, or the shares leave one of the roles without time.
    """
    span = window_end_ms - window_start_ms
    if span <= 0:
        raise BadInput(f"window end {window_end_ms} must be after its start {window_start_ms}")
    if not (development > 0 and calibration > 0 and development + calibration < 1):
        raise BadInput(
            f"window shares development={development}, calibration={calibration} must be "
            "above 0 and sum to less than 1"
        )
    first, second = (
        window_start_ms + round(span * share) // timeframe_ms * timeframe_ms
        for share in (development, development + calibration)
    )
    if not window_start_ms < first < second < window_end_ms:
        raise BadInput(
            f"window of {span // timeframe_ms} bars is too short to hold three roles of time"
        )
    return first, second


def time_roles(
    timestamps: NDArray[np.int64],
    *,
    window_start_ms: int,
    window_end_ms: int,
    timeframe_ms: int,
    horizon_bars: int,
    development: float,
    calibration: float,
) -> NDArray[np.object_]:
    """Role of every bar, by the time at which it opens.

    With cuts ``c1 < c2`` from :func:`role_cuts` and the gap ``g = horizon_bars * timeframe_ms``:

    ========================  ===============
    bar open ``t``            role
    ========================  ===============
    t < window start          ``warmup``
    start <= t < c1 - g       ``development``
    c1 - g <= t < c1          ``purged``
    c1 <= t < c2 - g          ``calibration``
    c2 - g <= t < c2          ``purged``
    c2 <= t < window end      ``holdout``
    ========================  ===============

    The gap lies before the cut: a decision at the close of the last development bar has its
    vertical barrier at the close of a bar that opens before ``c1``, so no development label
    reads a calibration bar and no calibration label reads a holdout bar.

    Parameters
    ----------
    timestamps
        Bar opens, ms UTC, ascending, shape (n,).
    window_start_ms, window_end_ms
        The window is ``[start, end)``; the end is the close of its last bar (``as_of``).
    horizon_bars
        Label horizon in bars of the base timeframe.
    development, calibration
        Shares of the window's time span; the rest is holdout.

    Returns
    -------
    Array of shape (n,) of strings out of :data:`ROLES`.

    Raises
    ------
    BadInput
        If a bar closes after the window's end, or the gap swallows a role whole.
    """
    opens = np.asarray(timestamps, dtype=np.int64)
    first, second = role_cuts(
        window_start_ms,
        window_end_ms,
        timeframe_ms,
        development=development,
        calibration=calibration,
    )
    gap = horizon_bars * timeframe_ms
    if first - gap <= window_start_ms or second - gap <= first:
        raise BadInput(
            f"a label horizon of {horizon_bars} bars leaves no development or no calibration "
            f"in a window of {(window_end_ms - window_start_ms) // timeframe_ms} bars"
        )
    late = opens > window_end_ms - timeframe_ms
    if late.any():
        raise BadInput(
            f"bar {int(opens[late][0])} closes after the window's end {window_end_ms}; "
            "pass only bars that closed by then"
        )
    edges = np.array([window_start_ms, first - gap, first, second - gap, second], dtype=np.int64)
    codes = np.array([_WARMUP, _DEVELOPMENT, _PURGED, _CALIBRATION, _PURGED, _HOLDOUT])
    positions = np.searchsorted(edges, opens, side="right")
    return np.array(ROLES, dtype=object)[codes[positions]]
