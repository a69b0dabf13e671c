"""Which bars belong to a regime, and how much they can teach.

Belongs here: rows by regime and role, and their balance.  Does not belong here: classifying
regimes, sampling events, deciding whether there is enough.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ares_assets.market.regimes.base import REGIMES
from ares_resources.errors import BadInput

WINDOW_ROLES = ("development", "calibration", "holdout")


def regime_rows(
    roles: NDArray[np.object_], regimes: NDArray[np.object_], regime: str | None
) -> NDArray[np.int64]:
    """Rows of the regime that have a role in the window; of every regime when None (pooled).

    Warm-up and purged rows are left out.  Rows keep their number in the market frame, and so
    their time: a label that spans from one fragment into the next can still be purged.

    Raises
    ------
    BadInput
        If the regime is unknown or the two arrays differ in length.
    """
    if regime is not None and regime not in REGIMES:
        raise BadInput(f"regime {regime!r} is not known; allowed: {', '.join(REGIMES)}")
    if len(roles) != len(regimes):
        raise BadInput(f"{len(roles)} roles for {len(regimes)} regimes; one of each per bar")
    wanted = np.isin(roles, np.array(WINDOW_ROLES, dtype=object))
    if regime is not None:
        wanted &= np.asarray(regimes) == regime
    return np.flatnonzero(wanted)


def balance(
    roles: NDArray[np.object_], regimes: NDArray[np.object_], *, horizon_bars: int
) -> dict[str, dict[str, dict[str, int]]]:
    """Bars, episodes and effective sample of each regime in each role.

    An episode is an unbroken run of rows of one regime within one role.  The effective sample
    counts label horizons that do not overlap: each episode gives its length over the horizon,
    rounded down, and at least one.

    Returns
    -------
    ``{regime: {role: {"bars", "episodes", "effective_sample"}}}``.
    """
    report: dict[str, dict[str, dict[str, int]]] = {}
    for regime in REGIMES:
        rows = regime_rows(roles, regimes, regime)
        report[regime] = {
            role: _counts(rows[np.asarray(roles)[rows] == role], horizon_bars)
            for role in WINDOW_ROLES
        }
    return report


def _counts(rows: NDArray[np.int64], horizon_bars: int) -> dict[str, int]:
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    lengths = np.array([len(run) for run in np.split(rows, breaks) if len(run)], dtype=np.int64)
    return {
        "bars": len(rows),
        "episodes": len(lengths),
        "effective_sample": int(np.maximum(lengths // horizon_bars, 1).sum()),
    }
