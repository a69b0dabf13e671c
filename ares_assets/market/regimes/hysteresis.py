"""From probabilities to one regime per bar, without flutter.

Belongs here: the decision.  Does not belong here: where the probabilities come from.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ares_assets.market.regimes.base import PROBABILITY_COLUMNS, REGIMES
from ares_resources.errors import BadInput


def decide(
    probabilities: pd.DataFrame, *, enter_probability: float, minimum_dwell_bars: int
) -> NDArray[np.object_]:
    """Regime held at each bar's close, online: row i uses rows 0..i only.

    Another regime is entered when it is the most probable one, its probability is at least
    ``enter_probability``, and the present regime has been held for ``minimum_dwell_bars``
    bars.  Before the first entry the market counts as sideways.

    Parameters
    ----------
    probabilities
        Columns :data:`PROBABILITY_COLUMNS`, n rows, no NaN.

    Returns
    -------
    Strings out of :data:`REGIMES`, shape (n,).

    Raises
    ------
    BadInput
        If a probability is missing.
    """
    from ares_assets.market.regimes.hysteresis_kernel import decide_with_hysteresis

    values = np.ascontiguousarray(probabilities[list(PROBABILITY_COLUMNS)].to_numpy(np.float64))
    bad = np.flatnonzero(np.isnan(values).any(axis=1))
    if len(bad):
        raise BadInput(f"regime probabilities: row {bad[0]} holds NaN; every row needs all three")
    start = REGIMES.index("sideways")
    held = decide_with_hysteresis(values, enter_probability, minimum_dwell_bars, start)
    return np.array(REGIMES, dtype=object)[held]
