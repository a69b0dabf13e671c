"""Orders of points under several objectives.

Belongs here: non-domination ranks, crowding, hypervolume, on plain arrays.  Does not belong
here: what the objectives mean.
"""

from __future__ import annotations

import numpy as np

from ares_resources.errors import BadInput


def domination_ranks(losses: np.ndarray) -> np.ndarray:
    """int64 ``(n,)``: 0 for points that none dominates, 1 for the next front, and so on.

    Parameters
    ----------
    losses
        float64 ``(n, objectives)``, smaller is better; equal points share a rank.
    """
    no_worse = np.all(losses[:, None, :] <= losses[None, :, :], axis=2)
    dominates = no_worse & ~no_worse.T
    ranks = np.full(len(losses), -1, dtype=np.int64)
    open_points = np.ones(len(losses), dtype=bool)
    rank = 0
    while open_points.any():
        front = open_points & ~dominates[open_points].any(axis=0)
        ranks[front] = rank
        open_points &= ~front
        rank += 1
    return ranks


def crowding_distances(losses: np.ndarray) -> np.ndarray:
    """float64 ``(n,)``: room around each point of one front; inf at its ends (Deb 2002)."""
    count, objectives = losses.shape
    room = np.zeros(count)
    for column in range(objectives):
        order = np.argsort(losses[:, column], kind="stable")
        ordered = losses[order, column]
        span = ordered[-1] - ordered[0]
        room[order[[0, -1]]] = np.inf
        if span > 0:
            room[order[1:-1]] += (ordered[2:] - ordered[:-2]) / span
    return room


def preference_order(losses: np.ndarray, violations: np.ndarray) -> np.ndarray:
    """Row numbers, best first: feasible points by front and crowding, then by violation.

    Parameters
    ----------
    losses
        float64 ``(n, objectives)``, smaller is better.
    violations
        float64 ``(n,)``: sum of violated constraints, 0 where feasible.
    """
    order: list[int] = []
    feasible = np.flatnonzero(violations <= 0)
    ranks = domination_ranks(losses[feasible])
    for rank in range(int(ranks.max()) + 1 if len(ranks) else 0):
        front = feasible[ranks == rank]
        room = crowding_distances(losses[front])
        order += front[np.argsort(-room, kind="stable")].tolist()
    others = np.flatnonzero(violations > 0)
    order += others[np.argsort(violations[others], kind="stable")].tolist()
    return np.array(order, dtype=np.int64)


def hypervolume(gains: np.ndarray) -> float:
    """Volume between the origin and the points, for one to three objectives to maximise.

    Parameters
    ----------
    gains
        float64 ``(n, objectives)``, 0 or more; points with a 0 add nothing.
    """
    if gains.ndim != 2 or not 1 <= gains.shape[1] <= 3:
        raise BadInput(f"hypervolume needs an array (n, 1..3), not {gains.shape}")
    padded = np.ones((len(gains), 3))
    padded[:, : gains.shape[1]] = gains
    padded = padded[np.argsort(-padded[:, 2], kind="stable")]
    depths = np.append(padded[:, 2], 0.0)
    layers = (
        _area(padded[: number + 1, :2]) * (depths[number] - depths[number + 1])
        for number in range(len(padded))
        if depths[number] > depths[number + 1]
    )
    return float(sum(layers))


def _area(gains: np.ndarray) -> float:
    """Area under the staircase of points in the plane."""
    ordered = gains[np.argsort(-gains[:, 0], kind="stable")]
    heights = np.maximum.accumulate(ordered[:, 1])
    widths = ordered[:, 0] - np.append(ordered[1:, 0], 0.0)
    return float(widths @ heights)
