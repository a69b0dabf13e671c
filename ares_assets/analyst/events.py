"""A regime's decisions as labelled, weighted events.

Belongs here: one call from rows to an event frame, the same for training and for judging.
Does not belong here: barriers (``labels.py``), weights (``weights.py``), roles of time.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ares_assets.analyst.labels import sample_events, triple_barrier, volatility
from ares_assets.analyst.weights import average_uniqueness
from ares_resources.settings import LabelSettings


def labelled_events(
    frame: pd.DataFrame, rows: np.ndarray, *, settings: LabelSettings, timeframe_ms: int
) -> pd.DataFrame:
    """Events among ``rows`` whose label is known by the end of ``frame``.

    The frame has to end where the role of the rows ends: a label then cannot have seen the
    next role's bars.

    Returns
    -------
    ``timestamp, row, t1_row, label, barrier, gross_return, volatility, last_row, uniqueness``:
    ``t1_row`` is the row at whose close the label is known, ``last_row`` (never before it) the
    one by which its window is over; what an event weighs is its ``uniqueness``.
    """
    timestamps = frame["timestamp"].to_numpy()
    chosen = sample_events(
        timestamps, rows, every_bars=settings.event_every_bars, timeframe_ms=timeframe_ms
    )
    spread = volatility(frame["close"].to_numpy(), settings.volatility_halflife_bars)
    events = triple_barrier(
        frame,
        chosen,
        horizon_bars=settings.horizon_bars,
        upper_width=settings.upper_width,
        lower_width=settings.lower_width,
        volatility=spread,
        timeframe_ms=timeframe_ms,
    )
    row = events["row"].to_numpy()
    events.insert(0, "timestamp", timestamps[row])
    events["volatility"] = spread[row]
    events["last_row"] = _window_ends(timestamps, row, settings.horizon_bars * timeframe_ms)
    events["uniqueness"] = average_uniqueness(row + 1, events["last_row"].to_numpy())
    return events


def _window_ends(timestamps: np.ndarray, row: np.ndarray, horizon_ms: int) -> np.ndarray:
    """The row by which each event's label is known however it ends: that of its deadline.

    Overlap and purging go by whole windows, not by the bar where labels end, which depends on
    where the price goes.  Uniqueness up to the outcome makes an event weigh more the sooner its
    neighbours end, and on a market without any edge trends seem to predict (AUC .515 where it is
    .5); purging by the outcome keeps the quick ones of the events before a test.
    """
    return np.searchsorted(timestamps, timestamps[row] + horizon_ms, side="left")
