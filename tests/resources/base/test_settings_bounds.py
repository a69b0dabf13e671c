"""What no setting takes: absurd numbers, values of another kind, trees that hide a value."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from ares_assets.analyst.experts.training_data import MINIMUM_ROWS
from ares_assets.evidence.sequential import always_valid_test
from ares_assets.tactician.specialists import MINIMUM_EVENTS
from ares_jobs.training_window import _LEAST_TRAINED
from ares_resources.errors import BadInput
from ares_resources.settings import LEAST_EVENTS, RegimeSettings, Settings, load_settings
from ares_resources.settings_trees import merge_trees

# Tolerances and multiples: any number above their lower bound means what it says.
UNBOUNDED = {
    "checks.maximum_gap_hours",
    "checks.maximum_flat_hours",
    "checks.switches_per_30_days",
}


def leaves(group: type[BaseModel] = Settings, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in group.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, f"{path}{name}.")
        else:
            yield f"{path}{name}", field.annotation


def tree_of(path: str, value: Any) -> dict[str, Any]:
    for part in reversed(path.split(".")):
        value = {part: value}
    return typing.cast(dict[str, Any], value)


def refusal(*trees: Any) -> str:
    with pytest.raises(BadInput) as refused:
        load_settings(*trees)
    told = str(refused.value)
    assert "\n" not in told
    assert len(told) < 400
    return told


WHOLE = [path for path, kind in leaves() if kind is int]
REAL = [path for path, kind in leaves() if kind is float]
TRUTHS = [path for path, kind in leaves() if kind is bool]
PAIRS = [path for path, kind in leaves() if typing.get_args(kind) == (float, float)]
LISTS = [path for path, kind in leaves() if typing.get_origin(kind) is tuple]
GROUPS = [
    "labels",
    "enhanced_training_manager",
    "enhanced_training_manager.blank",
    "computational_optimization.caching",
]


def test_the_kinds_are_all_there() -> None:
    assert (len(WHOLE), len(REAL), len(PAIRS)) >= (30, 30, 4)
    assert len(WHOLE) + len(REAL) + len(TRUTHS) + len(LISTS) >= len(list(leaves())) - 6


@pytest.mark.parametrize("path", WHOLE)
@pytest.mark.parametrize("value", [-1, 10**30, 1.5, float("inf"), "", None, True, [3]])
def test_no_whole_number_takes_an_absurd_value(path: str, value: Any) -> None:
    assert f"configuration: {path} = " in refusal(tree_of(path, value))


@pytest.mark.parametrize("path", [path for path in REAL if path not in UNBOUNDED])
@pytest.mark.parametrize("value", [-1e300, -1e-9, 1e300, float("nan"), "x", True, False, b"1"])
def test_no_real_number_takes_an_absurd_value(path: str, value: Any) -> None:
    last = path.rpartition(".")[2]
    assert last in refusal(tree_of(path, value))


@pytest.mark.parametrize("path", TRUTHS)
@pytest.mark.parametrize("value", [0, 1, 1.0, "1", "maybe", None, [True]])
def test_a_number_is_no_truth(path: str, value: Any) -> None:
    assert f"configuration: {path} = " in refusal(tree_of(path, value))


@pytest.mark.parametrize("path", PAIRS)
def test_a_truth_is_no_end_of_a_range(path: str) -> None:
    assert "allowed: numbers" in refusal(tree_of(path, [False, True]))


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("value", [{"1h"}, "1h", 3, None])
def test_what_is_no_list_is_no_list(path: str, value: Any) -> None:
    assert f"configuration: {path} = " in refusal(tree_of(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("labels.volatility_halflife_bars", 1e-300),
        ("regimes.volatility_halflife_bars", 1e-300),
        ("regimes.trend_halflife_bars", 0.5),
        ("regimes.baseline_halflife_bars", 1e-300),
        ("regimes.jump_penalty", 1e-300),
        ("regimes.jump_penalty", 1e6),
        ("labels.upper_width", 1e-300),
        ("labels.lower_width", 1e-300),
        ("window.development", 1e-9),
        ("window.calibration", 1e-9),
        ("data.request_timeout_seconds", 1e-9),
        ("data.deadline_seconds", 1e-9),
        ("computational_optimization.memory_management.memory_threshold", 1e-9),
        ("tactician.kelly_fraction", 1e-300),
        ("tactician.target_volatility", 1e-300),
        ("tactician.maximum_position", 1e-300),
        ("tactician.maximum_position", True),
        ("tactician.drawdown_brake", 1e-300),
        ("search.stop_width", [1e-300, 1]),
        ("search.target_width", [1, 1e300]),
        ("search.enter_margin", [0.5, 0.5]),
        ("analyst.ensemble_rounds", 10_001),
        ("enhanced_training_manager.n_trials", 100_001),
        ("enhanced_training_manager.max_trials", 100_001),
        ("enhanced_training_manager.blank.n_trials", 100_001),
        ("enhanced_training_manager.blank.max_trials", 100_001),
        ("validation.confidence", 0.7),
        ("validation.refits", 1_001),
        ("calibration.bins", 10_001),
    ],
)
def test_values_that_never_work_are_refused_by_name(path: str, value: Any) -> None:
    assert f"configuration: {path} = " in refusal(tree_of(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("labels.volatility_halflife_bars", 1),
        ("regimes.baseline_halflife_bars", 0),
        ("regimes.jump_penalty", 1000),
        ("tactician.maximum_position", 1),
        ("tactician.maximum_position", "0.5"),
        ("computational_optimization.parallelization.max_workers", 999_999),
        ("computational_optimization.caching.max_cache_size", 10_000_000),
        ("enhanced_training_manager.max_trials", 100_000),
        ("enhanced_training_manager.enhanced_training_interval", 7 * 86_400),
        ("validation.refits", 365),
        ("tracking.enabled", "false"),
        ("data.max_retries", 100),
        ("data.deadline_seconds", 86_400),
        ("checks.maximum_gap_hours", 1e9),
    ],
)
def test_what_sensible_people_ask_for_passes(path: str, value: Any) -> None:
    load_settings(tree_of(path, value))


def test_the_confidence_is_one_that_the_sequential_test_takes() -> None:
    least = load_settings({"validation": {"confidence": 0.7000001}}).validation.confidence
    always_valid_test([0.1, -0.1] * 30, level=1 - least)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="level"):
        always_valid_test([0.1, -0.1] * 30, level=1 - 0.7)  # type: ignore[arg-type]


@pytest.mark.parametrize("events", [20, 59])
def test_fewer_events_than_step_8_needs_signals_are_refused_with_the_reason(events: int) -> None:
    told = refusal({"regimes": {"minimum_events": events}})
    assert f"regimes.minimum_events = {events}; allowed: 60 or more" in told
    assert "step 8" in told
    assert load_settings({"regimes": {"minimum_events": 60}}).regimes.minimum_events == 60
    # A model that was released under a lower one can still be read.
    assert RegimeSettings(minimum_events=events).minimum_events == events


def test_the_least_numbers_are_those_of_the_steps() -> None:
    assert (LEAST_EVENTS, _LEAST_TRAINED) == (MINIMUM_EVENTS, MINIMUM_ROWS)


@pytest.mark.parametrize("path", GROUPS)
@pytest.mark.parametrize("value", [3, "x", True, [], [{"horizon_bars": 3}]])
def test_a_group_is_a_mapping_also_where_another_tree_has_one(path: str, value: Any) -> None:
    group = tree_of(path, value)
    assert f"configuration: {path} = " in refusal(group)
    assert "allowed: a mapping" in refusal(group)
    above = tree_of(path, {"lookback_days": 9})
    assert f"configuration: {path} = " in refusal(group, above)
    assert f"configuration: {path} = " in refusal(above, group)


@pytest.mark.parametrize("path", GROUPS)
def test_an_empty_group_sets_nothing(path: str) -> None:
    empty = tree_of(path, None)
    assert load_settings(empty) == load_settings()
    longer = {"enhanced_training_manager": {"blank": {"lookback_days": 9}}}
    for trees in ((empty, longer), (longer, empty)):
        assert load_settings(*trees) == load_settings(longer)


def test_a_mode_does_not_hide_a_group_that_is_none() -> None:
    with pytest.raises(BadInput, match="enhanced_training_manager = 3; allowed: a mapping"):
        load_settings({"enhanced_training_manager": 3}, mode="blank")


def test_merging_changes_no_tree_at_any_depth() -> None:
    first = {"enhanced_training_manager": {"blank": {"lookback_days": 9}}}
    merged = merge_trees(first, {"enhanced_training_manager": {"blank": {"lookback_days": 5}}})
    assert merged["enhanced_training_manager"]["blank"]["lookback_days"] == 5
    assert first == {"enhanced_training_manager": {"blank": {"lookback_days": 9}}}


def test_keys_that_are_not_text_and_endless_trees_are_one_line() -> None:
    assert "key 1 is not text" in refusal({1: 2})
    assert "key True in labels is not text" in refusal({"labels": {True: 2}})
    endless: dict[str, Any] = {}
    endless["labels"] = endless
    assert "nested deeper" in refusal(endless)
    assert "..." in refusal({"seed": "9" * 100_000})
    assert "too long to show" in refusal({"seed": 10**5000})
    assert "..." in refusal({"x" * 100_000: 1})
