"""What live returns show: whole days of the stage, the fall and the test since the beginning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ares_assets.evidence.live_results import LiveReturns, live_figures
from ares_assets.evidence.looks import crossings
from ares_assets.evidence.performance import DAY_MS
from ares_resources.errors import BadInput

HOUR_MS = 3_600_000
START = 19_800 * DAY_MS


def _live(challenger: np.ndarray, champion: np.ndarray, step_ms: int = DAY_MS) -> LiveReturns:
    n = len(challenger)
    return LiveReturns(
        stamps=START + np.arange(n) * step_ms,
        challenger=challenger,
        champion=champion,
        trades=np.ones(n, dtype=np.int64),
        degraded=np.array([""] * n, dtype=object),
    )


def test_days_and_trades_are_the_stages_own() -> None:
    live = _live(np.full(10, 0.001), np.zeros(10))
    figures = live_figures(live, stage_row=4, level=0.05)
    assert (figures.result.days, figures.result.trades, figures.days_in_all) == (6.0, 6, 10)


def test_a_day_that_the_stage_saw_in_part_does_not_count() -> None:
    live = _live(np.full(24 * 3 + 5, 1e-4), np.zeros(24 * 3 + 5), HOUR_MS)
    assert live_figures(live, stage_row=0, level=0.05).result.days == 3.0
    assert live_figures(live, stage_row=7, level=0.05).result.days == 2.0


def test_the_fall_goes_back_to_the_beginning_of_the_rollout() -> None:
    live = _live(np.array([0.1, -0.05, -0.05, -0.05]), np.zeros(4))
    figures = live_figures(live, stage_row=3, level=0.05)
    assert figures.result.drawdown == pytest.approx(1 - 0.95**3)


def test_a_fallback_of_this_stage_is_named_and_an_earlier_one_is_not() -> None:
    live = _live(np.full(4, 0.001), np.zeros(4))
    live = replace(live, degraded=np.array(["", "stale bars", "", ""], dtype=object))
    assert live_figures(live, stage_row=0, level=0.05).result.degraded == "stale bars"
    assert live_figures(live, stage_row=2, level=0.05).result.degraded == ""


def test_nothing_fed_yet_is_nothing_shown() -> None:
    figures = live_figures(_live(np.empty(0), np.empty(0)), stage_row=0, level=0.05)
    assert figures.result.days == figures.result.drawdown == 0.0
    assert figures.p_worse == 1.0


def test_a_worse_model_is_found_and_a_better_one_is_not() -> None:
    rng = np.random.default_rng(1)
    champion = rng.normal(0.0, 0.01, 60)
    lost = champion - rng.normal(0.008, 0.01, 60)
    assert live_figures(_live(lost, champion), stage_row=0, level=0.05).result.worse_decided
    assert not live_figures(_live(champion, lost), stage_row=0, level=0.05).result.worse_decided


def test_a_model_that_loses_every_day_is_found_as_soon_as_there_is_a_look() -> None:
    lost = np.random.default_rng(3).normal(-0.004, 0.0005, 20)
    assert live_figures(_live(lost, np.zeros(20)), stage_row=0, level=0.05).result.worse_decided


def test_looking_at_every_day_of_all_stages_seldom_takes_a_good_model_back() -> None:
    sample = np.random.default_rng(2).normal(0.0, 0.01, (400, 90))
    better, _ = crossings(sample, opposed=0)
    daily = [live_figures(_live(-row, np.zeros(90)), stage_row=60, level=0.05) for row in sample]
    found = np.array([figures.result.worse_decided for figures in daily])
    # One test since the beginning: the very one whose level is proven, whatever the stage.
    assert (found == better).all()
    assert found.mean() <= 0.05


@pytest.mark.parametrize("step_ms", [60_000, DAY_MS])
def test_returns_beyond_all_numbers_are_refused_without_a_warning(step_ms: int) -> None:
    absurd = _live(np.full(100, 42_000.0), np.zeros(100), step_ms)
    with np.errstate(all="raise"), pytest.raises(BadInput, match="more than a number can hold"):
        live_figures(absurd, stage_row=0, level=0.05)


def test_days_without_a_row_are_counted_and_are_no_days_of_the_stage() -> None:
    live = _live(np.full(10, 0.001), np.zeros(10))
    live = replace(live, stamps=np.r_[live.stamps[:4], live.stamps[4:] + 3 * DAY_MS])
    figures = live_figures(live, stage_row=0, level=0.05)
    assert (figures.missing_days, figures.result.days) == (3, 10.0)
    assert live_figures(_live(np.ones(1), np.ones(1)), stage_row=0, level=0.05).missing_days == 0
