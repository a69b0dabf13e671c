"""Random market frames for tests: valid, jagged, with gaps where wanted."""

from __future__ import annotations

import numpy as np
import pandas as pd

START_MS = 1_700_006_400_000  # 2023-11-15 00:00 UTC


def random_market(
    rows: int, *, seed: int, timeframe_ms: int = 60_000, missing_share: float = 0.0
) -> pd.DataFrame:
    """A market frame (bars, funding, open interest) of at most ``rows`` rows."""
    generator = np.random.default_rng(np.random.SeedSequence([seed]))
    level = 1 + 0.5 * np.sin(np.arange(rows) / 900)
    close = 100 * np.exp(np.cumsum(0.001 * level * generator.standard_normal(rows)))
    opens = np.concatenate([[100.0], close[:-1]]) * np.exp(2e-4 * generator.standard_normal(rows))
    reach = 5e-4 * np.abs(generator.standard_normal((2, rows)))
    funding = 1e-4 * generator.standard_normal(rows // 480 + 1)
    settles = np.arange(rows) % 480 == 479
    settlement = (np.arange(rows) + 1) // 480
    market = pd.DataFrame(
        {
            "timestamp": START_MS + timeframe_ms * np.arange(rows, dtype=np.int64),
            "open": opens,
            "high": np.maximum(opens, close) * (1 + reach[0]),
            "low": np.minimum(opens, close) * (1 - reach[1]),
            "close": close,
            "volume": generator.exponential(10.0, rows),
            "taker_buy_share": generator.beta(5, 5, rows),
            "funding_rate": np.where(settlement > 0, funding[settlement], np.nan),
            "funding_payment": np.where(settles, funding[settlement], 0.0),
            "gap_payment": 0.0,
            "open_interest": 1e6 * np.exp(np.cumsum(1e-3 * generator.standard_normal(rows))),
        }
    )
    kept = generator.random(rows) >= missing_share
    return _with_gap_payments(market, kept).reset_index(drop=True)


def _with_gap_payments(market: pd.DataFrame, kept: np.ndarray) -> pd.DataFrame:
    """The bars kept; what settled in the others is due over the gap, at the next one's open."""
    place = np.cumsum(kept) - kept
    lost = np.where(kept, 0.0, market["funding_payment"])
    left = market[kept].copy()
    if len(left):
        between = np.bincount(place, weights=lost, minlength=len(left))[: len(left)]
        left["gap_payment"] = np.where(np.arange(len(left)) > 0, between, 0.0)
    return left
