"""The configuration tree: defaults, modes, and one-line errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares_jobs import configuration_reference
from ares_resources.errors import BadInput
from ares_resources.settings import Settings, load_settings


def test_the_seeds_defaults_stand() -> None:
    settings = load_settings()
    manager, optimisation = settings.enhanced_training_manager, settings.computational_optimization
    assert manager.enhanced_training_interval == 3600
    assert manager.max_enhanced_training_history == 100
    assert (settings.max_trials, settings.n_trials, settings.lookback_days) == (200, 100, 365)
    assert optimisation.caching.max_cache_size == 1000
    assert optimisation.parallelization.max_workers == 8
    assert optimisation.early_stopping.patience == 10
    assert optimisation.memory_management.memory_threshold == 0.8


def test_blank_mode_is_light_whatever_the_full_budgets_are() -> None:
    overrides = {"enhanced_training_manager": {"max_trials": 900, "n_trials": 900}}
    settings = load_settings(overrides, mode="blank")
    assert (settings.max_trials, settings.n_trials, settings.lookback_days) == (3, 5, 30)


def test_later_overrides_win_key_by_key() -> None:
    settings = load_settings(
        {"labels": {"horizon_bars": 30, "upper_width": 1.5}}, {"labels": {"horizon_bars": 90}}
    )
    assert (settings.labels.horizon_bars, settings.labels.upper_width) == (90, 1.5)


def test_overrides_are_not_changed_by_merging() -> None:
    first = {"labels": {"horizon_bars": 30}}
    load_settings(first, {"labels": {"horizon_bars": 90}})
    assert first == {"labels": {"horizon_bars": 30}}


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"enhanced_training_manager": {"max_trails": 3}}, ["max_trails", "max_trials"]),
        ({"lables": {}}, ["lables", "labels"]),
        ({"seed": "seven"}, ["seed", "seven"]),
        ({"data": {"timeframe": "7m"}}, ["timeframe", "7m", "15m"]),
        ({"labels": 3}, ["labels", "3"]),
        ({"window": {"development": 0.8, "calibration": 0.2}}, ["holdout"]),
        ({"computational_optimization": {"caching": {"max_cache_size": 0}}}, ["max_cache_size"]),
    ],
)
def test_a_wrong_tree_is_refused_in_one_line(tree: dict, words: list[str]) -> None:  # type: ignore[type-arg]
    with pytest.raises(BadInput) as refused:
        load_settings(tree)
    message = str(refused.value)
    assert "\n" not in message
    assert all(word in message for word in words)


def test_every_leaf_says_what_it_is() -> None:
    silent = []

    def visit(group: type, path: str) -> None:
        for name, field in group.model_fields.items():  # type: ignore[attr-defined]
            inner = field.annotation
            if isinstance(inner, type) and hasattr(inner, "model_fields"):
                visit(inner, f"{path}.{name}")
            elif not field.description:
                silent.append(f"{path}.{name}")

    visit(Settings, "")
    assert silent == []


def test_the_page_of_settings_is_true() -> None:
    page = Path(__file__).parents[3] / "docs" / "configuration.md"
    assert page.read_text() == configuration_reference.page(), (
        "run python -m ares_jobs.configuration_reference"
    )


@given(st.dictionaries(st.text(min_size=1, max_size=12), st.integers(), min_size=1, max_size=3))
def test_unknown_top_keys_never_pass(tree: dict[str, int]) -> None:
    if any(name not in Settings.model_fields for name in tree):
        with pytest.raises(BadInput):
            load_settings(tree)
