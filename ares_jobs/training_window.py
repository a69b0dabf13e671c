"""Whether a window is long enough to be trained on at all.

Belongs here: what can be refused before anything is read.  Does not belong here: cutting the
window into its roles (``ares_assets/market/windows.py``), and too few events in a regime.
"""

from __future__ import annotations

import math

from ares_resources.errors import BadInput
from ares_resources.settings import Settings
from ares_resources.timeframes import DAY_MS, timeframe_ms


def check_window(settings: Settings) -> None:
    """Refuse a window too short for its roles of time, or for regimes to be fitted on.

    Each role has to hold more than one label horizon, and development the bars that the
    regimes' algorithm cannot do without.

    Raises
    ------
    BadInput
        Naming the window and the least one.
    """
    window, step = settings.window, timeframe_ms(settings.data.timeframe)
    shares = (window.development, window.calibration, 1 - window.development - window.calibration)
    least = math.ceil((settings.labels.horizon_bars + 1) / min(shares)) * step / DAY_MS
    if settings.lookback_days < least:
        raise BadInput(
            f"lookback_days = {settings.lookback_days:g} of {settings.data.timeframe} bars leaves "
            f"a role of time without room for a label horizon of {settings.labels.horizon_bars} "
            f"bars; allowed: {_days(least)} days or more"
        )
    fitted_on = _fewest_bars_to_fit(settings) + settings.labels.horizon_bars
    least = math.ceil(fitted_on / window.development) * step / DAY_MS
    if settings.lookback_days < least:
        raise BadInput(
            f"lookback_days = {settings.lookback_days:g} of {settings.data.timeframe} bars leaves "
            f"too few to tell regimes by {settings.regimes.algorithm}; "
            f"allowed: {_days(least)} days or more"
        )


def _fewest_bars_to_fit(settings: Settings) -> int:
    """As the algorithm says itself, of bars."""
    from ares_assets.market.regimes import get_algorithm

    return get_algorithm(settings.regimes.algorithm).fewest_bars(settings.regimes)


def _days(days: float) -> str:
    """Rounded up to what a person would type."""
    return f"{math.ceil(days * 10) / 10:.12g}"
