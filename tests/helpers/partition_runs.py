"""Whole partitions without Dagster, some of whose steps are carried out again with a leak.

Belongs here: running steps into a home, and judging what they stored by the asset checks.
Does not belong here: leaks (``leaks/planted.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from ares_assets.check_list import CHECKS
from ares_assets.engine import Request, Work, execute
from ares_assets.steps import STEPS
from ares_assets.stored import Finding, Stored
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.symbols import SymbolKey
from ares_resources.workspace import Workspace

CLOCK = 1_704_067_200_000
SIMULATED, HELD = SymbolKey("ETHUSDT", "SIM"), SymbolKey("ETHUSDT", "BINANCE")
QUIET: dict[str, Any] = {"tracking": {"enabled": False}}


def trained(
    root: Path,
    *,
    bars: pd.DataFrame | None = None,
    regime: str = "bear",
    last: int = 16,
    as_of_ms: int = CLOCK,
    **changes: Any,
) -> Stored:
    """Steps 1 to ``last`` of one partition in a home of its own; ends where one is skipped.

    ``bars`` are held in the catalogue and trained on offline; without them it is SIM.
    """
    home = Home(root)
    home.create()
    symbol = SIMULATED if bars is None else HELD
    if bars is not None:
        Catalogue(home.catalogue).append(Series(symbol, "bars", "1m"), bars, source="test")
    found = Stored()
    settings = load_settings({**QUIET, **changes}, mode="blank")
    found.request = Request(symbol, regime, settings, as_of_ms, bars is not None, "run")
    found.workspace = Workspace(home)
    return carried_out(found, 1, last)


def again(stored: Stored, root: Path, first: int, last: int) -> Stored:
    """Steps ``first`` to ``last`` once more, in a fresh home that remembers no result."""
    home = Home(root)
    home.create()
    found = Stored({spec.name: stored[spec.name] for spec in STEPS[: first - 1]})
    found.request, found.workspace = stored.request, Workspace(home)
    return carried_out(found, first, last)


def carried_out(found: Stored, first: int, last: int) -> Stored:
    """Steps ``first`` to ``last`` on what is found; ends where one is skipped."""
    for spec in STEPS[first - 1 : last]:
        inputs = {name: found[name] for name in spec.inputs}
        found[spec.name], _ = execute(Work(spec, found.request, found.workspace), inputs)
        if found[spec.name].skipped is not None:
            break
    return found


@dataclass
class Held:
    """An artifact that is held in memory."""

    value: Any
    metadata: dict[str, Any]
    skipped: None = None

    def load(self) -> Any:
        return self.value


def held(stored: Stored, **values: dict[str, Any]) -> Stored:
    """The same run, but for members of these bundles, which are others."""
    found = Stored(stored)
    found.request, found.workspace = stored.request, stored.workspace
    for name, changed in values.items():
        value = {**stored[name].load(), **changed}
        found[name] = Held(value, dict(stored[name].metadata))  # type: ignore[assignment]
    return found


def findings(stored: Stored, *assets: str) -> dict[str, Finding]:
    """What each asset check finds, as on every run; of all assets that are stored, or these."""
    return {
        check.name: check.body(stored)
        for check in CHECKS
        if check.asset in stored
        and stored[check.asset].skipped is None
        and (not assets or check.asset in assets)
    }


def failed(stored: Stored, *assets: str) -> dict[str, str]:
    """The words of the checks that do not pass, by check."""
    return {
        name: found.words for name, found in findings(stored, *assets).items() if not found.passed
    }
