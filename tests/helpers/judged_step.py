"""Step 15 on made-up figures of steps 13 and 14, with nothing else of a pipeline."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.step15_ab_testing import ab_test_report
from ares_assets.step15_rivals import faced_state
from ares_assets.stored import Stored
from ares_resources.settings import load_settings

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
FIRST_ROW = 24 * 30


@dataclass
class Fake:
    """An artifact that never was on disk."""

    value: Any = None
    metadata: dict[str, Any] = field(default_factory=dict)
    degraded: list[str] = field(default_factory=list)
    sha256: str = "a"

    def load(self) -> Any:
        return self.value


def inputs(
    daily_edge: float,
    days: int,
    *,
    begins_at: int = 0,
    trades: int = 200,
    releases: Path = Path("nothing was ever released here"),
) -> Stored:
    rng = np.random.default_rng(5)
    bars = FIRST_ROW + 24 * days
    stamps = 19_000 * DAY_MS + (np.arange(bars) + begins_at) * HOUR_MS
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.005, bars)))
    market = pd.DataFrame({"timestamp": stamps, "open": close, "close": close})
    net = rng.normal(daily_edge / 24, 0.01 / np.sqrt(24), 24 * days)
    returns = pd.DataFrame(
        {"timestamp": stamps[FIRST_ROW:], "net_return": net if trades else 0.0 * net}
    )
    walk = {
        "first_row": FIRST_ROW,
        "holdout_start_ms": int(stamps[FIRST_ROW]),
        "window_end_ms": int(stamps[-1]) + HOUR_MS,
        "trades": trades,
        "sharpe": 5.0 if trades else None,
        "drift_alarms": 0,
        "drift_level": 0.05,
        "drift_unjudged": None,
        "drift_blocks": 150,
    }
    luck = {
        "deflated_sharpe_development": 0.99,
        "deflated_sharpe_holdout": 0.99,
        "holdout_looks": 2,
        "trials": 40,
        "overfitting": 0.1,
        "loss_probability": 0.0,
        "distinct_sets": 40,
        "sharpe_development": 3.0,
        "backtest_days": 255,
        "ruin_share": 0.0,
        "return_costs_stressed": 0.1,
        "return_latency_stressed": 0.1,
        "track_record_days": 30.0 if trades else None,
        "search_p_value": 0.01,
    }
    inside = {"timeframe": "1h", "window_end_ms": int(stamps[-1]) + HOUR_MS}
    stored = Stored(
        market_data=Fake(market, inside),  # type: ignore[arg-type]
        final_parameters=Fake(None, {"never_trades": not trades}),  # type: ignore[arg-type]
        walk_forward_report=Fake({"returns.parquet": returns}, walk),  # type: ignore[arg-type]
        monte_carlo_report=Fake(None, luck),  # type: ignore[arg-type]
    )
    ask(stored, {})
    stored.workspace = SimpleNamespace(  # type: ignore[assignment]
        home=SimpleNamespace(releases=releases)
    )
    return stored


def ask(stored: Stored, overrides: dict[str, Any]) -> None:
    stored.request = SimpleNamespace(  # type: ignore[assignment]
        settings=load_settings(overrides), symbol=SimpleNamespace(folder="X"), regime="bull"
    )


def judged(stored: Stored) -> tuple[dict[str, Any], dict[str, Any]]:
    work: Any = SimpleNamespace(
        settings=stored.settings, workspace=stored.workspace, request=stored.request
    )
    work.outside = faced_state(work, stored)
    names = ("market_data", "final_parameters", "walk_forward_report", "monte_carlo_report")
    result = ab_test_report(work, *(stored[name] for name in names))
    report = json.loads(json.dumps(result.value, allow_nan=False))
    stored["ab_test_report"] = Fake(report, dict(result.metadata))  # type: ignore[assignment]
    released = {"verdict": report["verdict"], "judged_against": report["champion"]}
    stored["model_release"] = Fake(None, released)  # type: ignore[assignment]
    return report, dict(result.metadata)
