"""Plain-Python twin of ``labels_kernel``: slow, obvious, and the oracle of its tests.

Belongs here: nothing that a step calls.
"""

from __future__ import annotations

import numpy as np

from ares_assets.analyst.labels_kernel import (
    LOWER,
    NO_BAR,
    NO_WIDTH,
    TRUNCATED,
    UPPER,
    VERTICAL,
)


def walk_barriers(
    timestamp: np.ndarray,
    opens: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    close: np.ndarray,
    rows: np.ndarray,
    upper: np.ndarray,
    lower: np.ndarray,
    horizon_ms: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Same arguments and results as the kernel's ``walk_barriers``."""
    results = [
        _one_event(timestamp, opens, high, low, close, int(row), up, down, horizon_ms)
        for row, up, down in zip(rows, upper, lower, strict=True)
    ]
    outcome, last_row, gross = zip(*results, strict=True) if results else ((), (), ())
    return (
        np.array(outcome, dtype=np.int8),
        np.array(last_row, dtype=np.int64),
        np.array(gross, dtype=np.float64),
    )


def _one_event(
    timestamp: np.ndarray,
    opens: np.ndarray,
    high: np.ndarray,
    low: np.ndarray,
    close: np.ndarray,
    row: int,
    up: float,
    down: float,
    horizon_ms: int,
) -> tuple[int, int, float]:
    deadline = timestamp[row] + horizon_ms
    if timestamp[-1] < deadline:
        return TRUNCATED, -1, float("nan")
    if not (up > 0 and down > 0):
        return NO_WIDTH, -1, float("nan")
    path = [bar for bar in range(row + 1, len(timestamp)) if timestamp[bar] <= deadline]
    if not path:
        return NO_BAR, -1, float("nan")
    entry = opens[path[0]]
    top, bottom = entry * (1.0 + up), entry * (1.0 - down)
    for bar in path:
        touches = [
            (opens[bar] <= bottom, LOWER, opens[bar]),
            (opens[bar] >= top, UPPER, opens[bar]),
            (low[bar] <= bottom, LOWER, bottom),
            (high[bar] >= top, UPPER, top),
        ]
        for touched, code, price in touches:
            if touched:
                return code, bar, price / entry - 1.0
    if timestamp[path[-1]] == deadline:
        return VERTICAL, path[-1], close[path[-1]] / entry - 1.0
    after = path[-1] + 1
    return VERTICAL, after, opens[after] / entry - 1.0
