"""The market and signal that the rows of backtests share.

Belongs here: bars from a seed, written as arrays.  Does not belong here: any row.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

MINUTE_MS = 60_000
START_MS = 1_640_995_200_000
SIZE = 0.01
FEE, SLIPPAGE = 0.0004, 0.0001
STOP, TARGET = 2.0, 2.0
NEVER = 2**53


def write_market(folder: Path, data: Mapping[str, Any]) -> None:
    """Bars of a random walk, their ATR, and a probability uniform in (0, 1).

    ``data``: ``bars``, ``seed``, ``gap``, the deviation of an open from the close before as a
    share of a bar's own, and how many ``minutes`` a bar lasts (1).
    """
    import talib

    bars, generator = int(data["bars"]), np.random.default_rng(int(data["seed"]))
    minutes = int(data.get("minutes", 1))
    deviation = 6e-4 * np.sqrt(minutes) * np.exp(0.4 * np.sin(np.arange(bars) / 20_000))
    jump = generator.normal(0, 1, bars) * deviation * float(data["gap"])
    moved = generator.normal(0, 1, bars) * deviation
    log_close = np.log(1500.0) + np.cumsum(moved + jump)
    log_open = log_close - moved
    high = np.exp(np.maximum(log_open, log_close) + generator.exponential(0.4, bars) * deviation)
    low = np.exp(np.minimum(log_open, log_close) - generator.exponential(0.4, bars) * deviation)
    close = np.exp(log_close)
    opens = np.exp(log_open)
    if not data["gap"]:
        opens[1:] = close[:-1]
    high, low = (
        np.maximum(high, np.maximum(opens, close)),
        np.minimum(low, np.minimum(opens, close)),
    )
    columns = {
        "timestamp": START_MS + minutes * MINUTE_MS * np.arange(bars, dtype=np.int64),
        "open": opens,
        "high": high,
        "low": low,
        "close": close,
        "atr": talib.ATR(high, low, close, 14),
        "probability": generator.random(bars),
    }
    for name, values in columns.items():
        np.save(folder / f"{name}.npy", values)


def margin(bars_a_signal: float) -> float:
    """Distance from 1/2 that a uniform probability passes once in so many bars, either side."""
    return 0.5 - 0.5 / bars_a_signal


def market_of(columns: Mapping[str, np.ndarray]) -> Any:
    """Ares' market of these arrays, without funding."""
    from ares_resources.backtesting import MarketArrays

    names = ("timestamp", "open", "high", "low", "close", "atr")
    none = np.zeros(len(columns["close"]))
    return MarketArrays(**{name: columns[name] for name in names}, funding_payment=none)
