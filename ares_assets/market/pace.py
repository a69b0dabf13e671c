"""How long a window would hold enough events, judged by the window there is.

Belongs here: that length, and it in words, for every step that skips a partition with too few.
Does not belong here: how many are enough, and what else would help (the steps).
"""

from __future__ import annotations

import math


def days_needed(found: int, needed: int, days: float) -> int | None:
    """Whole days of window that would hold ``needed`` at the pace of ``found`` in ``days``.

    None without one found: there is no pace.
    """
    return math.ceil(round(days * needed / found, 6)) if found > 0 else None


def longer_window(found: int, needed: int, days: float) -> str:
    """What to try where ``found`` of ``needed`` lie in a window of ``days``, in words.

    All roles of time are shares of the window, so that any of them grows with it.
    """
    wanted = days_needed(found, needed, days)
    if wanted is None:
        return (
            f"none in {days:.0f} days of window gives no pace; "
            f"try {math.ceil(2 * days)} days or more (--lookback-days)"
        )
    return f"about {wanted} days of window would do at this pace (--lookback-days)"
