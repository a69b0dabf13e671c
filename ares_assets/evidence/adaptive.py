"""Adaptive conformal inference: a threshold that keeps its coverage while the world drifts.

Belongs here: the level's path over events in time order, with labels known late, and the bound
that holds for it without any assumption.  Does not belong here: thresholds fitted once
(`conformal`), and coverage of those (`coverage`).
"""

from __future__ import annotations

import math
from bisect import insort
from typing import Any

import numpy as np

from ares_resources.errors import BadInput

RATE, WARMUP = 0.01, 50


def adaptive_levels(
    scores: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
    *,
    coverage: float,
    rate: float = RATE,
    warmup: int = WARMUP,
    known_before: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Adaptive conformal inference with delayed labels: thresholds and hits, each (n,).

    Source: Gibbs and Candes (2021), a <- a + rate (alpha - error).  At each event in time
    order only events whose label was known by then (t1_row <= row) give quantile and error.
    The threshold is NaN, and its hit False, before `warmup` such events.

    Parameters
    ----------
    scores
        `conformal.true_scores` of the events, (n,).
    known_before
        Scores (k,) whose labels were known before the first event.  They count as known, so that
        the first threshold is the one that `fit_conformal` makes of them; the level learns from
        the n events alone.
    """
    _check(coverage, rate)
    thresholds, hits = np.full(len(scores), np.nan), np.zeros(len(scores), dtype=bool)
    pending = sorted(range(len(scores)), key=lambda index: (t1_rows[index], index))
    known = sorted(float(score) for score in (() if known_before is None else known_before))
    miss, position = 1.0 - coverage, 0
    for now in range(len(scores)):
        while position < len(pending) and t1_rows[pending[position]] <= rows[now]:
            done = pending[position]
            if done >= now:  # No label is known when its own event is decided.
                break
            if not np.isnan(thresholds[done]):
                miss += rate * ((1.0 - coverage) - float(not hits[done]))
            insort(known, float(scores[done]))
            position += 1
        if len(known) >= warmup:
            thresholds[now] = _quantile(known, 1.0 - miss)
            hits[now] = scores[now] <= thresholds[now]
    return thresholds, hits


def adaptive_bound(events: int, *, coverage: float, rate: float = RATE, delay: int = 0) -> float:
    """Most that the share of misses over `events` can differ from 1 - coverage, whatever happens.

    With m = max(coverage, 1 - coverage): m (1 + rate (delay + 1)) / (rate events).  It is
    Gibbs and Candes' (2021) proposition 4.1, widened for labels that come late: where at most
    `delay` earlier events wait for theirs, the level can leave [0, 1] by delay + 1 steps of at
    most rate m before sets that cover all, or nothing, turn it round.
    """
    _check(coverage, rate)
    largest = max(coverage, 1.0 - coverage)
    return largest * (1.0 + rate * (delay + 1)) / (rate * events) if events else math.inf


def most_waiting(rows: np.ndarray, t1_rows: np.ndarray) -> int:
    """The most events whose label is not yet known when another is decided: `delay` above."""
    rows, t1_rows = np.asarray(rows), np.asarray(t1_rows)
    if not len(rows):
        return 0
    waiting = np.arange(len(rows)) - np.searchsorted(np.sort(t1_rows), rows, "right")
    return max(int(waiting.max()), 0)


def adaptive_report(
    scores: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
    *,
    coverage: float,
    rate: float = RATE,
    warmup: int = WARMUP,
    known_before: np.ndarray | None = None,
) -> dict[str, Any]:
    """Coverage of `adaptive_levels` after its warm-up, and the `bound` on its error.

    Plain values: `known_before`, how many scores were known at the start, `judged`, and, unless
    no event came after the warm-up, `coverage`, `bound`, `within_bound`, and `threshold_first` and
    `threshold_last`, how wide the sets were and had to become (None: beyond every score).
    """
    thresholds, hits = adaptive_levels(
        scores,
        rows,
        t1_rows,
        coverage=coverage,
        rate=rate,
        warmup=warmup,
        known_before=known_before,
    )
    before = {"known_before": 0 if known_before is None else len(known_before)}
    judged = ~np.isnan(thresholds)
    count = int(judged.sum())
    if not count:
        return {**before, "judged": 0}
    delay = most_waiting(rows, t1_rows)
    bound = adaptive_bound(count, coverage=coverage, rate=rate, delay=delay)
    found = float(hits[judged].mean())
    # A hair of room: the bound is attained where every label is known at once.
    within = abs(found - coverage) <= bound + 1e-12
    ends = [float(value) if math.isfinite(value) else None for value in thresholds[judged][[0, -1]]]
    return {
        **before,
        "judged": count,
        "coverage": found,
        "bound": bound,
        "within_bound": within,
        "threshold_first": ends[0],
        "threshold_last": ends[1],
    }


def _check(coverage: float, rate: float) -> None:
    if not 0 < coverage < 1 or not rate > 0:
        raise BadInput(
            f"coverage {coverage}, rate {rate}; allowed: coverage in (0, 1), rate above 0"
        )


def _quantile(known: list[float], level: float) -> float:
    rank = math.ceil(round((len(known) + 1) * level, 9))
    if rank > len(known):
        return math.inf
    return known[rank - 1] if rank >= 1 else -math.inf
