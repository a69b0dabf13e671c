"""Bars, signals and settings on which Ares and vectorbt mean the same.

Belongs here: what both sides make from a seed; numpy alone, no import of Ares or of a peer.
Does not belong here: running either.  Every number comes from integers by sums and products, so
that all versions of numpy and all processors give the same bits.

Where the two differ, these bars keep away from it: a bar opens where the one before closed (so
that vectorbt's entry at a close is Ares' entry at the next open), except after bars whose
probability is missing; those gaps are what fills beyond stop and target come from.
"""

from __future__ import annotations

import hashlib

import numpy as np

SEED, ROWS = 20_261_125, 12_000

CASES: dict[str, dict[str, float]] = {
    "costless, both sides": {
        "enter_long": 0.97,
        "enter_short": 0.03,
        "stop_width": 4.0,
        "target_width": 5.0,
        "fee": 0.0,
        "slippage": 0.0,
        "size": 0.9,
    },
    "fee and slippage, both sides": {
        "enter_long": 0.97,
        "enter_short": 0.03,
        "stop_width": 5.0,
        "target_width": 4.0,
        "fee": 4e-4,
        "slippage": 1e-4,
        "size": 0.5,
    },
    "longs only, wide target": {
        "enter_long": 0.9,
        "enter_short": float("-inf"),
        "stop_width": 3.0,
        "target_width": 12.0,
        "fee": 1e-3,
        "slippage": 5e-4,
        "size": 0.99,
    },
    "shorts only, no target": {
        "enter_long": float("inf"),
        "enter_short": 0.1,
        "stop_width": 6.0,
        "target_width": float("inf"),
        "fee": 2e-4,
        "slippage": 2e-4,
        "size": 0.7,
    },
}
"""Names of the kernel's parameters; ``size`` is a share of equity; no time stop, no funding."""


def oracle_bars(seed: int = SEED, rows: int = ROWS) -> dict[str, np.ndarray]:
    """Columns of equal length: prices, ``atr`` and ``probability`` (float64), ``timestamp``.

    Prices lie on ticks of 0.01 and levels between them, so that no level is touched exactly.
    """
    generator = np.random.Generator(np.random.PCG64(seed))

    def ticks(low: int, high: int) -> np.ndarray:
        return generator.integers(low, high + 1, rows)

    gap = np.where(ticks(0, 9) == 0, ticks(-150, 150), 0)
    gap[0] = 0
    close = 100_000 + np.cumsum(ticks(-60, 60) + gap)
    opens = np.concatenate(([100_000], close[:-1])) + gap
    high, low = np.maximum(opens, close) + ticks(0, 20), np.minimum(opens, close) - ticks(0, 20)
    probability = ticks(0, 1_000_000) * 1e-6
    probability[np.flatnonzero(gap) - 1] = np.nan
    return {
        "timestamp": np.arange(rows, dtype=np.int64) * 300_000,
        "open": opens * 0.01,
        "high": high * 0.01,
        "low": low * 0.01,
        "close": close * 0.01,
        "atr": ticks(40, 90) * 0.0100137,
        "probability": probability,
    }


def fingerprint(bars: dict[str, np.ndarray]) -> str:
    """SHA-256 of all columns, to see that both sides had the same."""
    digest = hashlib.sha256()
    for name in sorted(bars):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(bars[name]).tobytes())
    return digest.hexdigest()
