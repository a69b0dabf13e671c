"""Coverage of prediction sets against what chance allows.

Belongs here: the band in which coverage lies for exchangeable events, and sets fitted on
earlier events and judged on later ones.  Does not belong here: the sets themselves
(`conformal`), coverage that adapts (`adaptive`).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ares_assets.evidence.conformal import ConformalSets, conformal_report, fit_conformal
from ares_assets.evidence.reliability import overlap_groups
from ares_resources.errors import BadInput

LEVEL = 0.95


def coverage_band(sets: ConformalSets, judged: int, *, level: float = LEVEL) -> tuple[float, float]:
    """Shares covered between which `level` of the outcomes lie, for `judged` independent events.

    With the k-th smallest of n scores as threshold the number covered is beta-binomial
    (judged, k, n + 1 - k) for exchangeable events (Vovk 2012; Angelopoulos and Bates 2023,
    section 3.2).  Where only some of the fitted events are independent, k and n + 1 - k shrink
    with them.  An infinite threshold covers all.

    Raises
    ------
    BadInput
        No judged event, or a level outside (0, 1).
    """
    from scipy.stats import betabinom

    if judged < 1 or not 0 < level < 1:
        raise BadInput(f"{judged} judged events at level {level}; allowed: 1 or more, in (0, 1)")
    rank = math.ceil(round((sets.events + 1) * sets.coverage, 9))
    if rank > sets.events:
        return 1.0, 1.0
    independent = sets.events if sets.independent is None else sets.independent
    share = (independent + 1) / (sets.events + 1)
    law = betabinom(judged, rank * share, (sets.events + 1 - rank) * share)
    tail = (1.0 - level) / 2.0
    return float(law.ppf(tail)) / judged, float(law.ppf(1.0 - tail)) / judged


def banded_report(
    sets: ConformalSets,
    probability: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray | None = None,
) -> dict[str, Any]:
    """`conformal_report` of events that did not fit the sets, with the band around coverage.

    `groups` (n,) are those of `reliability.overlap_groups`: events of one group count as one
    observation in `coverage_low` and `coverage_high`.
    """
    report = conformal_report(sets.predict(probability), labels)
    independent = len(labels) if groups is None else len(np.unique(groups))
    low, high = coverage_band(sets, independent)
    return {
        **report,
        "judged": len(labels),
        "judged_independent": independent,
        "coverage_low": low,
        "coverage_high": high,
        "coverage_within_band": bool(low <= report["coverage"] <= high),
    }


def judged_coverage(
    probability: np.ndarray,
    labels: np.ndarray,
    rows: np.ndarray,
    t1_rows: np.ndarray,
    *,
    coverage: float,
) -> dict[str, Any]:
    """Sets fitted on the first half of the events (n,), in time order, judged on the second.

    Events whose label was not known when the second half begins fit nothing.  `judged` is 0,
    and there is nothing else, where a half is empty.
    """
    half = len(probability) // 2
    if not half:
        return {"judged": 0}
    first, second = np.flatnonzero(t1_rows[:half] < rows[half]), slice(half, None)
    if not len(first):
        return {"judged": 0}
    groups = overlap_groups(rows, t1_rows)
    sets = fit_conformal(probability[first], labels[first], coverage=coverage, groups=groups[first])
    judged_groups = overlap_groups(rows[second], t1_rows[second])
    return {
        **banded_report(sets, probability[second], labels[second], judged_groups),
        "fitted": len(first),
    }
