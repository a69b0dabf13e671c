"""One simulated market, from its bars to the release gate's verdict, as the product gives it.

Belongs here: the families of markets, and what is kept of one of them.  Does not belong here:
many of them (``honesty``), tables (``honesty_tables``), any judgement: verdicts are read from
the artifacts of steps 12 to 16 and from the release store, never worked out anew.
"""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ares_assets.engine import Request
from ares_resources.exchanges.simulated.recipe import GENESIS_MS
from ares_resources.home import Home
from ares_resources.settings import Settings
from ares_resources.storage.artifacts import Artifact
from ares_resources.storage.releases import ReleaseStore
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import DAY_MS
from ares_resources.workspace import Workspace
from benchmarks.partitions import train_regime

# Steps that look back further than the window get it; the simulated history begins at GENESIS.
DAYS_BEFORE_WINDOW = 60
LAST_STEP = 16
_LUCK = (
    "deflated_sharpe_development",
    "deflated_sharpe_holdout",
    "distinct_sets",
    "holdout_looks",
    "loss_probability",
    "overfitting",
    "ruin_share",
    "search_p_value",
    "trials",
)
_HOLDOUT = (
    "trades",
    "days",
    "sharpe",
    "drift_alarms",
    "drift_unjudged",
    "spiegelhalter_p",
    "spiegelhalter_p_fitted",
    "calibration_within_noise",
    "coverage",
)


@dataclass(frozen=True)
class Family:
    """Markets of one law: how SIM calls them, what strategies pay there, and how many to judge.

    ``true_edge``: whether the oracle earns money net of those costs.  A promotion on any other
    market is a false one.
    """

    prefix: str
    costs: Mapping[str, float]
    markets: int
    true_edge: bool = False


FREE = {"fee_bp": 0.0, "slippage_bp": 0.0}
CHEAP = {"fee_bp": 2.0, "slippage_bp": 0.0}
USUAL = {"fee_bp": 4.0, "slippage_bp": 1.0}
# Without costs a null market is at its most tempting: anything that trades may look good.
FAMILIES = {
    "null": Family("NULL", FREE, 300),
    "placebo": Family("PLACEBO", FREE, 100),
    "thin": Family("THIN", USUAL, 100),
    "planted": Family("CONSISTENT", FREE, 100, true_edge=True),
    "planted-4bp": Family("CONSISTENT", CHEAP, 20, true_edge=True),
    "planted-10bp": Family("CONSISTENT", USUAL, 20, true_edge=True),
}


def judged_market(
    family: str, seed: int, settings: Settings, regimes: tuple[str, ...]
) -> dict[str, Any]:
    """Train and judge every regime of one market in a scratch home, and keep the figures.

    An error ends the market, not the bench: it is kept with its text, and counted by the table.
    """
    began, spent = time.perf_counter(), time.process_time()
    run: dict[str, Any] = {"family": family, "seed": seed}
    with tempfile.TemporaryDirectory(prefix="ares-honesty-") as folder:
        try:
            run["partitions"] = _partitions(FAMILIES[family], seed, settings, Path(folder), regimes)
        except Exception as failure:  # noqa: BLE001  kept, shown and counted
            run["error"] = f"{type(failure).__name__}: {failure}"
            run["where"] = traceback.format_exc(limit=-3)
    run["wall_seconds"] = round(time.perf_counter() - began, 1)
    run["processor_seconds"] = round(time.process_time() - spent, 1)
    return run


def _partitions(
    family: Family, seed: int, settings: Settings, folder: Path, regimes: tuple[str, ...]
) -> dict[str, Any]:
    home = Home(folder)
    home.create()
    workspace = Workspace(home)
    symbol = SymbolKey(f"{family.prefix}{seed}USDT", "SIM")
    as_of_ms = GENESIS_MS + int((settings.lookback_days + DAYS_BEFORE_WINDOW) * DAY_MS)
    found = {}
    for regime in regimes:
        request = Request(symbol, regime, settings, as_of_ms, False, "honesty")
        artifacts = train_regime(request, workspace, LAST_STEP, publish=True)
        champion = ReleaseStore(home.releases, symbol.folder, regime).champion()
        found[regime] = {**figures_of(artifacts), "released": champion is not None}
    return found


def figures_of(artifacts: Mapping[str, Artifact]) -> dict[str, Any]:
    """What is kept of a partition: the verdict, the rows that failed, and the evidence."""
    last = list(artifacts.values())[-1]
    if last.skipped is not None:
        return {"verdict": "skipped", "reason": last.skipped}
    chosen = artifacts["final_parameters"].metadata
    walk = artifacts["walk_forward_report"].metadata
    luck = artifacts["monte_carlo_report"].metadata
    judged = artifacts["ab_test_report"]
    report = judged.load()
    return {
        "verdict": judged.metadata["verdict"],
        "failed": [row["name"] for row in report["gate"] if row["required"] and not row["passed"]],
        "never_trades": chosen["never_trades"],
        "sequential_p": judged.metadata["p_value"],
        **{name: walk[name] for name in _HOLDOUT},
        **{name: luck[name] for name in _LUCK},
    }
