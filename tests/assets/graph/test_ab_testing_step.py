"""Step 15 from steps 13 and 14's own figures: power first, honest words, and a check on it all."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from helpers.judged_step import DAY_MS, HOUR_MS, ask, inputs, judged

from ares_assets.evidence.power import detectable_sharpe
from ares_assets.release_checks import release_gate_holds
from ares_resources.errors import AresError


def test_a_real_edge_is_promoted_with_a_rollout_that_begins_at_one_percent() -> None:
    stored = inputs(0.006, 73)
    report, metadata = judged(stored)
    assert report["verdict"] == "promote"
    plan = report["rollout"]["plan"]
    assert (plan["share"], plan["stages"]) == (0.01, [1.0, 5.0, 20.0, 50.0, 100.0])
    assert report["rollout"]["live_from_ms"] == stored["market_data"].metadata["window_end_ms"]
    assert metadata["p_value"] == report["tests"]["no trade"]["p_value"]
    assert release_gate_holds(stored).passed


def test_the_power_block_comes_first_and_knows_no_difference() -> None:
    report, metadata = judged(inputs(0.006, 73))
    other, _ = judged(inputs(-0.02, 73))
    assert next(iter(report)) == "power"
    assert report["power"] == other["power"]
    assert metadata["detectable_sharpe_80"] == detectable_sharpe(73)
    assert report["power"]["window_days"] == 365
    assert report["power"]["market_volatility"] == pytest.approx(0.47, rel=0.2)
    assert report["peeking"]["error_of_a_fixed_test"] > 0.3


def test_days_that_are_cut_off_are_left_out() -> None:
    report, metadata = judged(inputs(0.006, 73, begins_at=5))
    assert metadata["days"] == report["days"] == 72
    assert report["bars_outside_whole_days"] == 24


def test_the_p_value_after_each_bar_is_a_step_function_from_one_down() -> None:
    report, _ = judged(inputs(0.006, 73))
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
    stored = inputs(edge, days, trades=trades)
    report, metadata = judged(stored)
    assert report["verdict"] == "insufficient evidence"
    assert re.search(r"\d+ days of holdout \(a window of \d+ days\)", metadata["reason"])
    assert report["rollout"] is None
    assert release_gate_holds(stored).passed


def test_the_level_follows_the_settings() -> None:
    stored = inputs(0.006, 73)
    ask(stored, {"validation": {"confidence": 0.99}})
    report, _ = judged(stored)
    assert report["tests"]["no trade"]["level"] == report["power"]["level"] == 0.01
    assert report["peeking"]["error_of_this_test_at_most"] == 0.01


def test_figures_that_step_14_did_not_measure_are_asked_for() -> None:
    stored = inputs(0.006, 73)
    del stored["monte_carlo_report"].metadata["deflated_sharpe_holdout"]
    with pytest.raises(AresError, match="deflated_sharpe_holdout"):
        judged(stored)


@pytest.mark.parametrize("fault", ["verdict", "row", "returns", "degraded", "settings"])
def test_a_verdict_that_the_evidence_does_not_bear_out_fails_the_check(fault: str) -> None:
    stored = inputs(0.006, 73)
    judged(stored)
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
        ask(stored, {"gate": {"minimum_trades": 500}})
    assert not release_gate_holds(stored).passed
