"""Step 15 from steps 13 and 14's own figures: power first, honest words, and a check on it all."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ares_assets.evidence.power import detectable_sharpe
from ares_assets.release_checks import release_gate_holds
from ares_assets.step15_ab_testing import ab_test_report
from ares_assets.step15_rivals import faced_state
from ares_assets.stored import Stored
from ares_resources.errors import AresError
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


def _inputs(
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
    _ask(stored, {})
    stored.workspace = SimpleNamespace(  # type: ignore[assignment]
        home=SimpleNamespace(releases=releases)
    )
    return stored


def _ask(stored: Stored, overrides: dict[str, Any]) -> None:
    stored.request = SimpleNamespace(  # type: ignore[assignment]
        settings=load_settings(overrides), symbol=SimpleNamespace(folder="X"), regime="bull"
    )


def _tested(stored: Stored) -> tuple[dict[str, Any], dict[str, Any]]:
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


def test_a_real_edge_is_promoted_with_a_rollout_that_begins_at_one_percent() -> None:
    stored = _inputs(0.006, 73)
    report, metadata = _tested(stored)
    assert report["verdict"] == "promote"
    plan = report["rollout"]["plan"]
    assert (plan["share"], plan["stages"]) == (0.01, [1.0, 5.0, 20.0, 50.0, 100.0])
    assert report["rollout"]["live_from_ms"] == stored["market_data"].metadata["window_end_ms"]
    assert metadata["p_value"] == report["tests"]["no trade"]["p_value"]
    assert release_gate_holds(stored).passed


def test_the_power_block_comes_first_and_knows_no_difference() -> None:
    report, metadata = _tested(_inputs(0.006, 73))
    other, _ = _tested(_inputs(-0.02, 73))
    assert next(iter(report)) == "power"
    assert report["power"] == other["power"]
    assert metadata["detectable_sharpe_80"] == detectable_sharpe(73)
    assert report["power"]["window_days"] == 365
    assert report["power"]["market_volatility"] == pytest.approx(0.47, rel=0.2)
    assert report["peeking"]["error_of_a_fixed_test"] > 0.3


def test_the_p_value_is_that_of_the_least_clear_required_rival(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ares_assets import step15_ab_testing as step

    honest = step.rivals_of

    def with_champion(*told: Any) -> Any:
        rivals, notes, _ = honest(*told)
        close_by = told[-1].daily - np.random.default_rng(1).normal(0.0005, 0.005, 73)
        return {"champion": close_by, **rivals}, notes, "replayed on the same bars"

    monkeypatch.setattr(step, "rivals_of", with_champion)
    report, metadata = _tested(_inputs(0.006, 73))
    p = {name: test["p_value"] for name, test in report["tests"].items()}
    assert p["no trade"] < 0.05 < p["champion"]
    assert metadata["p_value"] == p["champion"]


def test_days_that_are_cut_off_are_left_out() -> None:
    report, metadata = _tested(_inputs(0.006, 73, begins_at=5))
    assert metadata["days"] == report["days"] == 72
    assert report["bars_outside_whole_days"] == 24


def test_the_p_value_after_each_bar_is_a_step_function_from_one_down() -> None:
    report, _ = _tested(_inputs(0.006, 73))
    steps = report["tests"]["no trade"]["p_after_bar"]
    stamps, p = zip(*steps, strict=True)
    assert p[0] == 1.0
    assert p[-1] == report["tests"]["no trade"]["p_value"]
    assert all(before > after for before, after in pairwise(p))
    assert all((stamp + HOUR_MS) % DAY_MS == 0 for stamp in stamps[1:])


@pytest.mark.parametrize(
    ("edge", "days", "trades"), [(0.0, 6, 0), (0.001, 6, 9), (-0.001, 6, 9), (0.0015, 73, 200)]
)
def test_too_little_evidence_is_told_in_days_of_holdout_and_window(
    edge: float, days: int, trades: int
) -> None:
    stored = _inputs(edge, days, trades=trades)
    report, metadata = _tested(stored)
    assert report["verdict"] == "insufficient evidence"
    assert re.search(r"\d+ days of holdout \(a window of \d+ days\)", metadata["reason"])
    assert report["rollout"] is None
    assert release_gate_holds(stored).passed


def test_the_level_follows_the_settings() -> None:
    stored = _inputs(0.006, 73)
    _ask(stored, {"validation": {"confidence": 0.99}})
    report, _ = _tested(stored)
    assert report["tests"]["no trade"]["level"] == report["power"]["level"] == 0.01
    assert report["peeking"]["error_of_this_test_at_most"] == 0.01


def test_figures_that_step_14_did_not_measure_are_asked_for() -> None:
    stored = _inputs(0.006, 73)
    del stored["monte_carlo_report"].metadata["deflated_sharpe_holdout"]
    with pytest.raises(AresError, match="deflated_sharpe_holdout"):
        _tested(stored)


@pytest.mark.parametrize("fault", ["verdict", "row", "returns", "degraded", "settings"])
def test_a_verdict_that_the_evidence_does_not_bear_out_fails_the_check(fault: str) -> None:
    stored = _inputs(0.006, 73)
    _tested(stored)
    report = stored["ab_test_report"].load()
    if fault == "verdict":
        stored["model_release"].metadata["verdict"] = "keep"
    elif fault == "row":
        next(row for row in report["gate"] if row["name"] == "trades")["passed"] = False
    elif fault == "returns":
        frame = stored["walk_forward_report"].load()["returns.parquet"]
        frame["net_return"] = -frame["net_return"]
    elif fault == "degraded":
        stored["model_release"].degraded.append("stale bars")
    else:
        _ask(stored, {"gate": {"minimum_trades": 500}})
    assert not release_gate_holds(stored).passed
