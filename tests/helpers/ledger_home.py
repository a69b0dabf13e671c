"""A home with a trial ledger and stored reports, without carrying out any step.

Belongs here: what tests of counted looks and of losses share.  Does not belong here: whole
partitions (``partition_runs.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ares_assets.counted_looks import record_look, sight_key
from ares_assets.engine import Request, Work, place_of
from ares_assets.steps import STEPS
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.artifacts import Artifact
from ares_resources.symbols import SymbolKey
from ares_resources.workspace import Workspace

DAY = 86_400_000
NOW = 19_700 * DAY
SHARPE = 1.5
STEP4, STEP13 = STEPS[3], STEPS[12]


def work_in(root: Path, **tree: Any) -> Work:
    home = Home(root)
    home.create()
    request = Request(
        SymbolKey("ETHUSDT", "SIM"), "bull", load_settings(tree), None, False, "run-1"
    )
    return Work(STEP13, request, Workspace(home))


def other(work: Work, **tree: Any) -> Work:
    """The same home, asked with other settings."""
    return work_in(work.workspace.home.root, **tree)


def stored(work: Work, name: str, **metadata: Any) -> Artifact:
    """An artifact whose content and key are those of its figures."""
    (spec,) = (one for one in STEPS if one.name == name)
    key = "".join(filter(str.isalnum, f"{sorted(metadata.items())}"))[:60] or "empty"
    return work.workspace.store.publish(
        place_of(spec, work.request),
        key,
        metadata,
        kind="report",
        inputs={},
        metadata=metadata,
        degraded=[],
    )


def bars(work: Work, end: int = NOW, days: int = 100) -> Artifact:
    """What step 1 says of a window: development ends 30 days before ``end``, of 100."""
    window = {"window_start_ms": end - days * DAY, "window_end_ms": end, "timeframe": "1m"}
    return stored(work, "market_data", **window)


def judged(work: Work, model: str, *, end: int = NOW, record: bool = True) -> Artifact:
    """Step 13 on this model: its look, if it is to be recorded, and its report."""
    market = bars(work, end)
    sight = sight_key(stored(work, "final_parameters", model=model), market, 5, SHARPE)
    if record:
        record_look(work, market, sight, SHARPE)
    return stored(work, STEP13.name, sight=sight, holdout_start_ms=end - 20 * DAY)
