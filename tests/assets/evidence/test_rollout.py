"""The rollout as a state machine: forward on evidence, back on harm, never forward again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares_assets.evidence.rollout import (
    LiveResult,
    RolloutPlan,
    advance,
    by_hand,
    plan_from_dict,
    roll_back,
)
from ares_resources.errors import BadInput

PLAN = RolloutPlan(maximum_drawdown=0.1)
GOOD = LiveResult(days=8, trades=12, drawdown=0.02)


def test_all_stages_to_the_end() -> None:
    plan, shares = PLAN, [PLAN.share]
    for _ in range(5):
        plan = advance(plan, GOOD)
        shares.append(plan.share)
    assert shares == [0.01, 0.05, 0.2, 0.5, 1.0, 1.0]
    assert plan.status == "completed"
    assert len(plan.history) == 5
    assert advance(plan, GOOD) == plan


@pytest.mark.parametrize(
    ("live", "word"),
    [
        (replace(GOOD, days=6.9), "days"),
        (replace(GOOD, trades=9), "trades"),
    ],
)
def test_a_stage_waits_for_enough(live: LiveResult, word: str) -> None:
    plan = advance(PLAN, live)
    assert (plan.stage, plan.status) == (0, "running")
    assert word in plan.reason
    assert plan.history == ()


@pytest.mark.parametrize(
    "harm",
    [{"drawdown": 0.1}, {"worse_decided": True}, {"degraded": "stale bars"}],
)
@pytest.mark.parametrize("stage", [0, 2, 4])
def test_harm_takes_the_model_back_at_once_and_for_good(harm: dict, stage: int) -> None:
    early = replace(LiveResult(days=0.1, trades=0, drawdown=0.0), **harm)
    plan = advance(replace(PLAN, stage=stage), early)
    assert plan.status == "rolled_back"
    assert plan.share == 0.0
    assert "rolled back" in plan.history[-1]
    assert advance(plan, GOOD) == plan


def test_a_completed_rollout_is_still_watched() -> None:
    done = replace(PLAN, stage=4, status="completed")
    assert advance(done, replace(GOOD, drawdown=0.2)).status == "rolled_back"


lives = st.builds(
    LiveResult,
    days=st.floats(0, 30),
    trades=st.integers(0, 40),
    drawdown=st.floats(0, 0.15),
    worse_decided=st.booleans(),
)


@given(st.lists(lives, max_size=15))
def test_the_share_never_jumps_a_stage_nor_grows_after_harm(results: list[LiveResult]) -> None:
    plan, harmed = PLAN, False
    for live in results:
        following = advance(plan, live)
        harmed |= live.drawdown >= 0.1 or live.worse_decided
        assert following.stage - plan.stage in (0, 1)
        assert (following.status == "rolled_back") == harmed
        assert plan_from_dict(json.loads(json.dumps(following.as_dict()))) == following
        plan = following


@pytest.mark.parametrize(
    "change",
    [
        {"stages": (5.0, 1.0, 100.0)},
        {"stages": (1.0, 50.0)},
        {"maximum_drawdown": 0.0},
        {"stage": 9},
        {"status": "paused"},
    ],
)
def test_impossible_plans_are_refused(change: dict) -> None:
    with pytest.raises(BadInput):
        replace(PLAN, **change)


def test_foreign_keys_and_numbers_are_refused() -> None:
    with pytest.raises(BadInput, match="colour"):
        plan_from_dict({"maximum_drawdown": 0.1, "colour": "red"})
    with pytest.raises(BadInput, match="drawdown"):
        advance(PLAN, replace(GOOD, drawdown=float("nan")))


def test_taken_back_by_hand_it_stays_back() -> None:
    plan = roll_back(replace(PLAN, stage=2), by_hand("  the exchange\n halts "))
    assert (plan.status, plan.share) == ("rolled_back", 0.0)
    assert plan.reason == "by hand: the exchange halts"
    assert roll_back(plan, "again") == plan
    assert advance(plan, GOOD) == plan
    with pytest.raises(BadInput, match="reason"):
        by_hand(" ")
