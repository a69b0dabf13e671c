"""Settings that a window has no room for are refused before anything is read, with a way out."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from ares_assets.analyst.cross_validation import PurgedKFold
from ares_assets.analyst.experts.training_data import MINIMUM_ROWS
from ares_jobs.training_window import check_window
from ares_resources.errors import BadInput
from ares_resources.settings import Mode, load_settings
from ares_resources.timeframes import TIMEFRAMES

HUGE = [
    "labels.horizon_bars",
    "labels.event_every_bars",
    "labels.volatility_halflife_bars",
    "regimes.volatility_halflife_bars",
    "regimes.minimum_events",
    "regimes.minimum_dwell_bars",
    "analyst.embargo_bars",
    "tactician.delay_bars",
    "costs.latency_bars",
    "validation.latency_stress_bars",
    "search.minimum_trades",
]


def refused(*trees: dict[str, Any], mode: Mode = "blank") -> str:
    with pytest.raises(BadInput) as told:
        check_window(load_settings(*trees, mode=mode))
    assert "\n" not in str(told.value)
    return str(told.value)


def one(setting: str, value: float) -> dict[str, Any]:
    group, _, name = setting.partition(".")
    return {group: {name: value}}


@pytest.mark.parametrize("mode", ["blank", "full"])
def test_the_defaults_have_room(mode: Mode) -> None:
    check_window(load_settings(mode=mode))


@pytest.mark.parametrize("setting", HUGE)
@pytest.mark.parametrize("value", [52_560_000, 1_000_000])
@pytest.mark.parametrize("mode", ["blank", "full"])
def test_huge_values_name_the_largest_that_has_room(setting: str, value: int, mode: Mode) -> None:
    told = refused(one(setting, value), mode=mode)
    assert f"{value}" in told or f"{value:g}" in told
    most = re.search(rf"{setting} up to (\d+)", told)
    assert most is not None, told
    check_window(load_settings(one(setting, int(most[1])), mode=mode))
    assert refused(one(setting, int(most[1]) + 1), mode=mode)


@pytest.mark.parametrize("setting", HUGE)
def test_the_window_that_is_named_is_long_enough(setting: str) -> None:
    tree = one(setting, 60_000)
    days = re.search(r"([\d.]+) days or more", refused(tree))
    assert days is not None
    longer = {"enhanced_training_manager": {"blank": {"lookback_days": float(days[1])}}}
    check_window(load_settings(tree, longer, mode="blank"))


def test_no_window_is_named_that_is_not_allowed() -> None:
    told = refused(one("labels.event_every_bars", 52_560_000))
    assert "days or more" not in told
    # No number of events has room that step 8 would take.
    told = refused({"labels": {"event_every_bars": 40_000_000}, "regimes": {"minimum_events": 60}})
    assert told.endswith("allowed: labels.event_every_bars up to 511")


def test_refits_need_a_decision_each() -> None:
    assert "validation.refits up to 865" in refused({"validation": {"refits": 1_000}})


@pytest.mark.parametrize("timeframe", sorted(TIMEFRAMES))
def test_whatever_the_bars_the_window_named_is_the_least(timeframe: str) -> None:
    bars = {"data": {"timeframe": timeframe}}
    short = {"enhanced_training_manager": {"blank": {"lookback_days": 0.001}}}
    found = re.search(r"([\d.]+) days or more", refused(bars, short))
    assert found is not None
    days = {"enhanced_training_manager": {"blank": {"lookback_days": float(found[1])}}}
    check_window(load_settings(bars, days, mode="blank"))


def test_a_sensible_person_is_not_refused() -> None:
    tree = {
        "labels": {"horizon_bars": 1440, "event_every_bars": 60},
        "analyst": {"embargo_bars": 2880, "folds": 10},
        "costs": {"latency_bars": 5},
        "tactician": {"delay_bars": 60},
        "regimes": {"minimum_dwell_bars": 1440, "minimum_events": 100},
        "validation": {"refits": 20, "latency_stress_bars": 10},
    }
    check_window(load_settings(tree, mode="blank"))
    check_window(load_settings(tree, mode="full"))


def test_an_embargo_is_refused_exactly_where_no_first_fold_can_be_trained() -> None:
    """The kindest regime there can be: its first fold at the start, all else at the end."""
    settings = load_settings(mode="blank")
    most = re.search(r"embargo_bars up to (\d+)", refused(one("analyst.embargo_bars", 1_000_000)))
    assert most is not None
    every, folds = settings.labels.event_every_bars, settings.analyst.folds
    events = settings.regimes.minimum_events
    last = 30 * 1440 * 7 // 10 - settings.labels.horizon_bars
    first = np.arange(events // folds) * every
    rest = last - np.arange(events - len(first))[::-1] * every
    rows = np.concatenate([first, rest])

    def trained(embargo: int) -> int:
        train, _ = next(PurgedKFold(folds, embargo).split(rows, rows))
        return len(train)

    assert trained(int(most[1]) - 1) >= MINIMUM_ROWS
    assert trained(int(most[1]) + 1) < MINIMUM_ROWS
