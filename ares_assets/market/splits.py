"""Which bars belong to a regime.

Belongs here: rows by regime and role.  Does not belong here: classifying regimes, sampling
events, how much the rows can teach (``balance.py``), deciding whether there is enough.
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
