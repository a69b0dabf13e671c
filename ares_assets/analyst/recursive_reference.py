"""Plain twins of ``recursive_kernel``: Wilder's and Appel's rules as they are told in books.

Belongs here: the oracle of tests, without state.  Does not belong here: anything a step calls.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

PERIOD = 14


def _wilder_mean(values: Sequence[float], last: int) -> float:
    """Mean of the first 14, then 1/14 of each new one."""
    mean = math.fsum(values[:PERIOD]) / PERIOD
    for value in values[PERIOD:last]:
        mean += (value - mean) / PERIOD
    return mean


def relative_strength(close: Sequence[float]) -> float:
    """RSI at the last close; 50 where nothing moved.  At least 15 closes."""
    changes = [after - before for before, after in itertools.pairwise(close)]
    gain = _wilder_mean([max(change, 0.0) for change in changes], len(changes))
    loss = _wilder_mean([max(-change, 0.0) for change in changes], len(changes))
    if gain == loss == 0.0:
        return 50.0
    return 100.0 if loss == 0.0 else 100.0 - 100.0 / (1.0 + gain / loss)


def true_ranges(high: Sequence[float], low: Sequence[float], close: Sequence[float]) -> list[float]:
    """Largest of high less low, and of either's distance from the close before; from bar 1."""
    return [
        max(high[i] - low[i], abs(high[i] - close[i - 1]), abs(low[i] - close[i - 1]))
        for i in range(1, len(close))
    ]


def average_true_range(
    high: Sequence[float], low: Sequence[float], close: Sequence[float]
) -> float:
    """ATR at the last bar, in price."""
    ranges = true_ranges(high, low, close)
    return _wilder_mean(ranges, len(ranges))


def directional(
    high: Sequence[float], low: Sequence[float], close: Sequence[float]
) -> tuple[float, float]:
    """ADX and +DI less -DI at the last bar; 0 where nothing moved."""
    moves = []
    for i in range(1, len(close)):
        rise, fall = high[i] - high[i - 1], low[i - 1] - low[i]
        moves.append((max(rise, 0.0) * (rise > fall), max(fall, 0.0) * (fall > rise)))
    columns = [
        [m[0] for m in moves],
        [m[1] for m in moves],
        true_ranges(high, low, close),
    ]
    sums = [math.fsum(column[: PERIOD - 1]) for column in columns]
    spreads = []
    for i in range(PERIOD - 1, len(moves)):
        sums = [s - s / PERIOD + column[i] for s, column in zip(sums, columns, strict=True)]
        both = sums[0] + sums[1]
        spreads.append(100.0 * abs(sums[0] - sums[1]) / both if both else 0.0)
    difference = 100.0 * (sums[0] - sums[1]) / sums[2] if sums[2] else 0.0
    return _wilder_mean(spreads, len(spreads)), difference


def macd_histogram(close: Sequence[float]) -> float:
    """MACD(12, 26) less signal(9) at the last close, seeded with plain means at bar 25."""
    fast, slow = math.fsum(close[14:26]) / 12, math.fsum(close[:26]) / 26
    differences = [fast - slow]
    for price in close[26:]:
        fast, slow = fast + (price - fast) * 2 / 13, slow + (price - slow) * 2 / 27
        differences.append(fast - slow)
    signal = math.fsum(differences[:9]) / 9
    for difference in differences[9:]:
        signal += (difference - signal) * 2 / 10
    return differences[-1] - signal


def weighted_mean(values: Sequence[float], halflife: float) -> float:
    """Mean of the known values, weighing 2^(-age/halflife); NaN where the last is missing."""
    if math.isnan(values[-1]):
        return math.nan
    weights = [0.5 ** ((len(values) - 1 - i) / halflife) for i in range(len(values))]
    known = [(w, v) for w, v in zip(weights, values, strict=True) if not math.isnan(v)]
    return math.fsum(w * v for w, v in known) / math.fsum(w for w, _ in known)
