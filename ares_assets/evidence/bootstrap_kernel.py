"""Compiled stationary bootstrap: paths as sums over blocks, not over periods.

Belongs here: the random numbers, the block table and the path loop, on plain arrays.  Does
not belong here: checks and threads (``bootstrap.py``), and the plain twin that proves it
(``bootstrap_reference.py``).

A path only ever joins contiguous blocks of the sample, so whatever a block adds to it
(growth, squares, deepest fall) is looked up instead of walked through: growth in prefix
sums, falls in a disjoint sparse table, which answers any range with two entries.  Random
numbers are SplitMix64 (Steele, Lea & Flood 2014) with one stream for each path, so a path is
the same whichever thread draws it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


@njit(cache=True, fastmath=False, nogil=True)
def mix(value: np.uint64) -> np.uint64:
    """SplitMix64's finaliser."""
    value = (value ^ (value >> np.uint64(30))) * _FIRST
    value = (value ^ (value >> np.uint64(27))) * _SECOND
    return value ^ (value >> np.uint64(31))


@njit(cache=True, fastmath=False, nogil=True)
def stream(seed: np.uint64, path: int) -> np.uint64:
    """State that path ``path`` starts from."""
    return mix(seed ^ mix(np.uint64(path) + _GOLDEN))


@njit(cache=True, fastmath=False, nogil=True)
def uniform(state: np.uint64) -> float:
    """The number in (0, 1) of a state."""
    return (float(mix(state) >> np.uint64(11)) + 0.5) * (1.0 / 9007199254740992.0)


@njit(cache=True, fastmath=False, nogil=True)
def draw_indices(
    indices: np.ndarray, rows: int, mean_block: float, seed: np.uint64, path: int
) -> None:
    """Fill ``indices`` (m,) with the rows of one resample of 0..rows-1."""
    starts = np.empty(2 * indices.size + 1, dtype=np.int64)
    stops = np.empty_like(starts)
    pieces = draw_blocks(starts, stops, rows, indices.size, mean_block, stream(seed, path))
    drawn = 0
    for k in range(pieces):
        for row in range(starts[k], stops[k]):
            indices[drawn] = row
            drawn += 1


@njit(cache=True, fastmath=False, nogil=True)
def draw_many(
    indices: np.ndarray, rows: int, mean_block: float, seed: np.uint64, first_path: int
) -> None:
    """Fill row k of ``indices`` (paths, m) as ``draw_indices`` of path ``first_path`` + k."""
    for k in range(indices.shape[0]):
        draw_indices(indices[k], rows, mean_block, seed, first_path + k)


@njit(cache=True, fastmath=False, nogil=True)
def draw_blocks(
    starts: np.ndarray,
    stops: np.ndarray,
    rows: int,
    draws: int,
    mean_block: float,
    state: np.uint64,
) -> int:
    """Fill ``starts`` and ``stops`` with contiguous pieces of rows, ``draws`` in all.

    A block that runs past the end goes on at the start, as a piece of its own.  Returns the
    number of pieces, at most 2 ``draws``.
    """
    rate = np.log1p(-1.0 / mean_block) if mean_block > 1.0 else -np.inf
    drawn = 0
    pieces = 0
    while drawn < draws:
        state += _GOLDEN
        start = min(int(uniform(state) * rows), rows - 1)
        length = 1
        if mean_block > 1.0:
            state += _GOLDEN
            wanted = 1.0 + np.floor(np.log(uniform(state)) / rate)
            length = int(min(wanted, float(draws - drawn)))
        drawn += length
        while length > 0:
            stop = min(start + length, rows)
            starts[pieces], stops[pieces] = start, stop
            pieces += 1
            length -= stop - start
            start = 0
    return pieces


@njit(cache=True, fastmath=False, nogil=True)
def fill_block_table(prefix: np.ndarray, table: np.ndarray) -> None:
    """Deepest fall, peak and trough of log equity between each point and its level's middle.

    ``prefix`` (points,) is cumulated log growth.  At level k the points are cut into spans of
    2^(k+1); ``table[k, i]`` covers the points from i to the middle of its span, or from the
    middle to i.  ``table`` is (levels, points, 3).
    """
    n = prefix.size
    for k in range(table.shape[0]):
        half = 1 << k
        for middle in range(half, n + half, 2 * half):
            _fill_side(prefix, table[k], min(middle, n) - 1, middle - half - 1, -1)
            _fill_side(prefix, table[k], middle, min(middle + half, n), 1)


@njit(cache=True, fastmath=False, nogil=True)
def _fill_side(prefix: np.ndarray, table: np.ndarray, first: int, last: int, step: int) -> None:
    fall, peak, trough = 0.0, -np.inf, np.inf
    for i in range(first, last, step):
        peak = max(peak, prefix[i])
        trough = min(trough, prefix[i])
        fall = max(fall, peak - prefix[i] if step > 0 else prefix[i] - trough)
        table[i, 0], table[i, 1], table[i, 2] = fall, peak, trough


@njit(cache=True, fastmath=False, nogil=True)
def level_map(points: int) -> np.ndarray:
    """Table level of every exclusive or of two points below ``points``, int8."""
    size = 2
    while size < points:
        size *= 2
    levels = np.zeros(size, dtype=np.int8)
    for value in range(2, size):
        levels[value] = levels[value >> 1] + 1
    return levels


@njit(cache=True, fastmath=False, nogil=True)
def path_statistics(
    cumulated: np.ndarray,
    table: np.ndarray,
    levels: np.ndarray,
    mean_block: float,
    draws: int,
    seed: np.uint64,
    first_path: int,
    last_path: int,
    result: np.ndarray,
) -> None:
    """Fill ``result`` (paths, 4): sum, squared sum, log growth, deepest log fall of each path.

    A path is ``draws`` periods long.  ``cumulated`` (rows + 1, 4) holds prefix sums of returns,
    squared returns and log growth; ``table`` is that of ``fill_block_table``, ``levels`` that
    of ``level_map``.
    """
    rows = cumulated.shape[0] - 1
    starts = np.empty(2 * draws + 1, dtype=np.int64)
    stops = np.empty_like(starts)
    piece = np.empty((2 * draws + 1, 4))
    for path in range(first_path, last_path):
        pieces = draw_blocks(starts, stops, rows, draws, mean_block, stream(seed, path))
        # Looked up in a loop of their own: far memory is then asked for in parallel.
        result[path, 0], result[path, 1] = _look_up(
            cumulated, table, levels, starts[:pieces], stops[:pieces], piece
        )
        result[path, 2], result[path, 3] = _join(piece[:pieces])


@njit(cache=True, fastmath=False, nogil=True)
def _look_up(
    cumulated: np.ndarray,
    table: np.ndarray,
    levels: np.ndarray,
    starts: np.ndarray,
    stops: np.ndarray,
    piece: np.ndarray,
) -> tuple[float, float]:
    """Each piece's growth, deepest fall, peak and trough from its start; both sums of all."""
    total, square = 0.0, 0.0
    for k in range(starts.size):
        i, j = starts[k], stops[k]
        level = levels[i ^ j]
        left, right = table[level, i], table[level, j]
        base = cumulated[i, 2]
        total += cumulated[j, 0] - cumulated[i, 0]
        square += cumulated[j, 1] - cumulated[i, 1]
        piece[k, 0] = cumulated[j, 2] - base
        piece[k, 1] = max(max(left[0], right[0]), left[1] - right[2])
        piece[k, 2] = max(left[1], right[1]) - base
        piece[k, 3] = min(left[2], right[2]) - base
    return total, square


@njit(cache=True, fastmath=False, nogil=True)
def _join(piece: np.ndarray) -> tuple[float, float]:
    """Log growth and deepest log fall of pieces set end to end, starting from a peak of 0."""
    growth, peak, fall = 0.0, 0.0, 0.0
    for k in range(piece.shape[0]):
        fall = max(fall, max(piece[k, 1], peak - growth - piece[k, 3]))
        peak = max(peak, growth + piece[k, 2])
        growth += piece[k, 0]
    return growth, fall
