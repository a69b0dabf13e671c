"""How far bars must reach before the schedule looks at a partition's holdout again.

Belongs here: from the last look of a partition to the bars that another one waits for.  Does not
belong here: which symbols have new bars (``new_bars.py``), what counts as a look
(``ares_assets/counted_looks.py``) and what looks cost (``ares_assets/evidence``).

A training an hour later is judged on nearly the same holdout, and still is another look, another
attempt at the champion and a whole set of trials.  Trainings that people, files or drift ask for
are not held back.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from ares_assets.partitions import REGIMES
from ares_resources.home import Home
from ares_resources.settings import Settings
from ares_resources.symbols import SymbolKey

SETTING = "retrain.fresh_holdout_share"


def waits_for(symbol: SymbolKey, settings: Settings, home: Home) -> dict[str, int]:
    """Window end, ms since 1970, from which on each regime is due; without those due at once.

    It lies ``retrain.fresh_holdout_share`` of the last looked-at holdout past that holdout's end.
    Looks of the settings' mode count, of any timeframe; a skipped partition came to none.
    """
    share, found = settings.retrain.fresh_holdout_share, {}
    for regime in REGIMES if share > 0 else ():
        look = _last_look(symbol, regime, settings.mode, home)
        if look is not None:
            start, end = look
            found[regime] = end + math.ceil(share * (end - start))
    return found


def in_words(waiting: Mapping[str, int]) -> str:
    """One line on regimes that wait: until which bars, and by which setting."""
    from ares_resources.storage.frames import utc

    by_end: dict[int, list[str]] = {}
    for regime, end in waiting.items():
        by_end.setdefault(end, []).append(regime)
    lines = [
        f"{', '.join(regimes)} next due when bars reach {utc(end)}"
        for end, regimes in sorted(by_end.items())
    ]
    return f"{', '.join(lines)} ({SETTING})"


def _last_look(symbol: SymbolKey, regime: str, mode: str, home: Home) -> tuple[int, int] | None:
    """Start and end, ms, of the holdout that the latest training of the mode looked at."""
    from ares_resources.storage.artifacts import ArtifactStore, Place

    store = ArtifactStore(home.artifacts, home.runs)
    place = Place("walk_forward_report", symbol.folder, regime)
    report = store.pointed(place, run_id=None, mode=mode)
    if report is None or report.skipped:
        return None
    told = report.metadata
    # Reports of an older Ares do not say where their holdout began.
    if "holdout_start_ms" not in told:
        return None
    return int(told["holdout_start_ms"]), int(told["window_end_ms"])
