"""Slower bars out of faster ones.

Belongs here: aggregation of complete bars.  Does not belong here: joining timeframes, which
needs to know when a slower bar became available.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput
from ares_resources.timeframes import grid_offset_ms, timeframe_ms


def resample_bars(frame: pd.DataFrame, timeframe_from: str, timeframe_to: str) -> pd.DataFrame:
    """Slower bars out of faster ones; only those of which every faster bar is present.

    Volume and ``funding_payment`` are summed; what settled in bars that are left out joins the
    next bar's ``gap_payment``; ``taker_buy_share`` is the volume-weighted mean
    (the plain mean where nothing traded), missing if any traded part lacks it; rates and open
    interest are the last known.  The last, still forming bar is left out like any other
    incomplete one.

    Returns
    -------
    Frame with the same columns as ``frame``, one row per complete slower bar.

    Raises
    ------
    BadInput
        If the slower timeframe is not a whole multiple of the faster one.
    """
    step, slow = timeframe_ms(timeframe_from), timeframe_ms(timeframe_to)
    if slow % step or slow < step:
        raise BadInput(
            f"timeframe {timeframe_to!r} is not a whole multiple of {timeframe_from!r}; "
            "resampling needs one that is"
        )
    offset = grid_offset_ms(slow)
    bucket = (frame["timestamp"].to_numpy() - offset) // slow
    starts = np.flatnonzero(np.diff(bucket, prepend=bucket[:1] - 1))
    counts = np.diff(np.append(starts, len(frame)))
    whole = counts == slow // step
    columns = {
        name: _RESAMPLED[name](frame, starts, counts)[whole]
        for name in frame.columns
        if name not in ("timestamp", "taker_buy_share", "gap_payment")
    }
    columns["timestamp"] = bucket[starts][whole] * slow + offset
    if "taker_buy_share" in frame.columns:
        columns["taker_buy_share"] = _pooled_share(frame, starts, counts)[whole]
    if "gap_payment" in frame.columns:
        columns["gap_payment"] = _paid_between(frame, starts, counts, whole)
    return pd.DataFrame({name: columns[name] for name in frame.columns})


def _reduced(operation: np.ufunc, column: str) -> Any:
    def reduce(frame: pd.DataFrame, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
        if len(starts) == 0:
            return np.empty(0)
        return operation.reduceat(frame[column].to_numpy(), starts)

    return reduce


def _first(column: str) -> Any:
    return lambda frame, starts, counts: frame[column].to_numpy()[starts]


def _last(column: str) -> Any:
    return lambda frame, starts, counts: frame[column].to_numpy()[starts + counts - 1]


_RESAMPLED: dict[str, Any] = {
    "open": _first("open"),
    "high": _reduced(np.maximum, "high"),
    "low": _reduced(np.minimum, "low"),
    "close": _last("close"),
    "volume": _reduced(np.add, "volume"),
    "funding_rate": _last("funding_rate"),
    "funding_payment": _reduced(np.add, "funding_payment"),
    "open_interest": _last("open_interest"),
}


def _paid_between(
    frame: pd.DataFrame, starts: np.ndarray, counts: np.ndarray, whole: np.ndarray
) -> np.ndarray:
    """Payments between each whole slower bar and the whole one before it; 0.0 for the first."""
    kept = np.repeat(whole, counts)
    # The next whole slower bar of each row; that of its own rows is itself.
    place = np.repeat(np.cumsum(whole) - whole, counts)
    owed = frame["gap_payment"].to_numpy() + np.where(kept, 0.0, frame["funding_payment"])
    paid = np.bincount(place, weights=owed, minlength=int(whole.sum()))[: int(whole.sum())]
    paid[:1] = 0.0
    return paid


def _pooled_share(frame: pd.DataFrame, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    if len(starts) == 0:
        return np.empty(0)
    volume = frame["volume"].to_numpy()
    share = frame["taker_buy_share"].to_numpy()
    bought = np.add.reduceat(np.where(volume > 0, volume * share, 0.0), starts)
    traded = np.add.reduceat(volume, starts)
    plain = np.add.reduceat(share, starts) / counts
    with np.errstate(invalid="ignore"):
        return np.where(traded > 0, np.clip(bought / traded, 0.0, 1.0), plain)
