"""What live returns show of a rollout's stage.

Belongs here: from rows of live returns to the figures that a plan looks at.  Does not belong
here: the plan's steps (``rollout.py``), reading and keeping the rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares_assets.evidence.paired_days import daily_on, whole_days
from ares_assets.evidence.performance import DAY_MS, max_drawdown
from ares_assets.evidence.rollout import LiveResult
from ares_assets.evidence.sequential import always_valid_test
from ares_resources.errors import BadInput


@dataclass(frozen=True)
class LiveReturns:
    """Rows since the rollout began, in time order, each array (n,).

    ``stamps`` are opens, int64 ms UTC; ``challenger`` and ``champion`` net simple returns on the
    capital that each had; ``trades`` closed in the row; ``degraded`` words, empty where all is
    well.  A row is a bar or a whole day.
    """

    stamps: np.ndarray
    challenger: np.ndarray
    champion: np.ndarray
    trades: np.ndarray
    degraded: np.ndarray


@dataclass(frozen=True)
class LiveFigures:
    """The stage's result, and the running p-value of "not worse than the champion".

    ``missing_days`` are those without a row between the first and the last: nobody can tell what
    the model made on them, and no stage counts them.
    """

    result: LiveResult
    p_worse: float
    days_in_all: int
    missing_days: int


def live_figures(live: LiveReturns, *, stage_row: int, level: float) -> LiveFigures:
    """The figures of the stage that began with row ``stage_row``.

    Days and trades are the stage's own; the drawdown and the test go back to the beginning of
    the rollout.  Else a slow loss would be forgiven at each stage, and a test begun anew at each
    of five would err five times as often as ``level`` says.  Unlike the gate's, this test does
    not wait for a model that loses every day to gain once: a good model taken back costs less
    than a bad one kept.

    Raises
    ------
    BadInput
        If the returns, compounded, are more than a number can hold.
    """
    # What overflows is refused by name, and needs no warning beside it.
    with np.errstate(over="ignore", invalid="ignore"):
        figures = _figures(live, stage_row, level)
    if not np.isfinite(figures.result.drawdown):
        raise BadInput("the returns, compounded, are more than a number can hold")
    return figures


def _figures(live: LiveReturns, stage_row: int, level: float) -> LiveFigures:
    days = len(_days(live, slice(stage_row, None))[0])
    _, challenger = _days(live, slice(None))
    _, champion = _days(live, slice(None), of_champion=True)
    test = always_valid_test(champion - challenger, level=level, opposed=0)
    fallen = live.degraded[stage_row:]
    named = [str(words) for words in fallen if words]
    result = LiveResult(
        days=float(days),
        trades=int(live.trades[stage_row:].sum()),
        drawdown=max_drawdown(live.challenger) if live.challenger.size else 0.0,
        worse_decided=bool((test.lower > 0.0).any()),
        degraded=named[0] if named else "",
    )
    return LiveFigures(result, test.p_value, len(challenger), _missing_days(live.stamps))


def _missing_days(stamps: np.ndarray) -> int:
    seen = np.unique(stamps // DAY_MS)
    return int(seen[-1] - seen[0] + 1 - seen.size) if seen.size else 0


def _days(
    live: LiveReturns, rows: slice, *, of_champion: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Opens and returns of the whole days among these rows."""
    stamps = live.stamps[rows]
    inside = whole_days(stamps, step_ms=_step_ms(live.stamps))
    return daily_on((live.champion if of_champion else live.challenger)[rows], stamps, inside)


def _step_ms(stamps: np.ndarray) -> int:
    """The rows' length: the least distance of two, at most a day."""
    return int(min(np.diff(stamps).min(initial=DAY_MS), DAY_MS))
