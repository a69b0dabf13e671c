"""The roles of a market frame's rows, from the window that step 1 recorded.

Belongs here: one call that every step uses, so that no two steps cut time differently.
Does not belong here: the cutting itself (``windows.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.market.windows import role_cuts, time_roles
from ares_resources.settings import WindowSettings
from ares_resources.timeframes import timeframe_ms


def roles_of(
    frame: pd.DataFrame, window: Mapping[str, Any], settings: WindowSettings, horizon_bars: int
) -> np.ndarray:
    """Role of each row, shape (n,); ``window`` is the metadata of ``market_data``."""
    return time_roles(
        frame["timestamp"].to_numpy(),
        window_start_ms=window["window_start_ms"],
        window_end_ms=window["window_end_ms"],
        timeframe_ms=timeframe_ms(window["timeframe"]),
        horizon_bars=horizon_bars,
        development=settings.development,
        calibration=settings.calibration,
    )


def cuts_of(window: Mapping[str, Any], settings: WindowSettings) -> tuple[int, int]:
    """Where calibration and holdout begin, ms; ``window`` is the metadata of ``market_data``."""
    return role_cuts(
        window["window_start_ms"],
        window["window_end_ms"],
        timeframe_ms(window["timeframe"]),
        development=settings.development,
        calibration=settings.calibration,
    )


def development_span(window: Mapping[str, Any], settings: WindowSettings) -> dict[str, int]:
    """``window_start_ms`` and ``development_end_ms``, exclusive; as figures of a step."""
    end, _ = cuts_of(window, settings)
    return {"window_start_ms": int(window["window_start_ms"]), "development_end_ms": end}


def first_row(roles: np.ndarray, role: str) -> int:
    """The first row of a role; the number of rows if it has none."""
    found = np.flatnonzero(roles == role)
    return int(found[0]) if len(found) else len(roles)
