"""Small random markets with gaps, ties and missing bars, for the tests of this folder."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from ares_resources.backtesting import MarketArrays, StrategyParameters


def random_market(
    seed: int, rows: int, *, step_minutes: int = 240
) -> tuple[MarketArrays, np.ndarray, np.ndarray]:
    """Prices on a coarse grid, so that levels are touched exactly and bars open beyond them."""
    rng = np.random.default_rng(seed)
    close = 100 + np.cumsum(rng.integers(-4, 5, rows) * 0.5)
    close = np.maximum(close, 1.0)
    before = np.concatenate(([100.0], close[:-1]))
    open_ = np.where(rng.uniform(size=rows) < 0.3, before + rng.integers(-6, 7, rows) * 0.5, before)
    open_ = np.maximum(open_, 0.5)
    high = np.maximum(open_, close) + rng.integers(0, 4, rows) * 0.5
    low = np.maximum(np.minimum(open_, close) - rng.integers(0, 4, rows) * 0.5, 0.25)
    present = np.sort(rng.choice(rows * 2, rows, replace=False))
    atr = np.where(rng.uniform(size=rows) < 0.1, np.nan, rng.integers(0, 5, rows) * 0.5)
    funding = np.where(rng.uniform(size=rows) < 0.2, rng.normal(0, 1e-3, rows), 0.0)
    step = step_minutes * 60_000
    # Large enough to ruin, to make peaks, and to be received: a stop may then end above a close.
    owed = (np.diff(present, prepend=-1) > 1) & (rng.uniform(size=rows) < 0.4)
    gap = np.where(owed, rng.normal(0, 0.02, rows), 0.0) if seed % 4 else None
    market = MarketArrays(present * step, open_, high, low, close, atr, funding, step, gap)
    probability = np.round(rng.uniform(size=rows), 2)
    probability[rng.uniform(size=rows) < 0.2] = np.nan
    size = rng.choice([0.0, 0.25, 1.0, 3.0, np.nan], rows, p=[0.1, 0.3, 0.4, 0.1, 0.1])
    return market, probability, size


def parameter_sets() -> st.SearchStrategy[StrategyParameters]:
    """Parameters that trade often, switch barriers off, and can ruin the account."""
    width = st.sampled_from([0.5, 1.0, 1.5, 2.0, 4.0, float("inf")])
    return st.builds(
        StrategyParameters,
        enter_long=st.sampled_from([0.5, 0.6, 0.8, 0.95, float("inf")]),
        enter_short=st.sampled_from([0.05, 0.2, 0.4, 0.49, float("-inf")]),
        stop_width=width,
        target_width=width,
        time_stop_bars=st.integers(1, 12),
        fee=st.sampled_from([0.0, 4e-4, 0.02]),
        slippage=st.sampled_from([0.0, 1e-4, 0.01]),
        latency_bars=st.integers(1, 4),
        size_multiple=st.sampled_from([0.5, 1.0, 8.0]),
    )
