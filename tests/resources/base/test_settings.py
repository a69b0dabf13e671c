"""The configuration tree: defaults, modes, and one-line errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares_jobs import configuration_reference
from ares_resources.errors import BadInput
from ares_resources.settings import Settings, left_out_timeframes, load_settings


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
        ({"costs": {"fee_bp": 1e9}}, ["costs.fee_bp = 1000000000.0", "less than 10000"]),
        ({"costs": {"slippage_bp": 10_000}}, ["costs.slippage_bp = 10000", "less than 10000"]),
        (
            {"costs": {"fee_bp": 6_000}},
            ["costs.fee_bp = 6000", "cost_stress = 2", "less than 10000"],
        ),
        (
            {"costs": {"fee_bp": 4_000, "slippage_bp": 1_000}, "validation": {"cost_stress": 1}},
            ["costs.fee_bp = 4000 and costs.slippage_bp = 1000", "costs 10000 bp"],
        ),
        ({"validation": {"cost_stress": 1e5}}, ["costs.fee_bp = 4", "cost_stress = 100000"]),
        ({"search": {"stop_width": [-1, 2]}}, ["search.stop_width", "above 0"]),
        ({"search": {"target_width": [0, 2]}}, ["search.target_width", "above 0"]),
        ({"search": {"enter_margin": [0, 0.6]}}, ["search.enter_margin", "0.5"]),
        ({"threads": 100_000}, ["threads = 100000", "1024"]),
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


@pytest.mark.parametrize("setting", ["features", "tactician"])
@pytest.mark.parametrize(
    ("bars", "asked", "words"),
    [
        ("1m", "30s", "'30s' is not longer than the 1m bars; allowed: 2m, 3m, 5m, "),
        ("1m", "1m", "'1m' is not longer than the 1m bars; allowed: 2m, "),
        ("15m", "20m", "'20m' is not a whole multiple of the 15m bars; allowed: 30m, 45m, 1h, "),
        ("12h", "1h", "'1h' is not longer than the 12h bars; allowed: 1d, 1w"),
        ("1w", "1d", "'1d' is not longer than the 1w bars; allowed: none: leave it empty"),
    ],
)
def test_slower_timeframes_that_were_asked_for_must_fit_the_bars(
    setting: str, bars: str, asked: str, words: str
) -> None:
    tree = {"data": {"timeframe": bars}, setting: {"timeframes": [asked]}}
    with pytest.raises(BadInput) as refused:
        load_settings(tree)
    assert f"configuration: {setting}.timeframes = {words}" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("setting", ["features", "tactician"])
def test_one_that_does_not_fit_spoils_those_that_do(setting: str) -> None:
    assert load_settings({setting: {"timeframes": ["1h", "2m"]}})
    with pytest.raises(BadInput, match="'1m' is not longer"):
        load_settings({setting: {"timeframes": ["1h", "1m"]}})


def test_defaults_that_do_not_fit_are_left_out_by_name() -> None:
    assert left_out_timeframes(load_settings()) == {}
    hourly = load_settings({"data": {"timeframe": "1h"}, "features": {"maximum_nan_share": 0.1}})
    assert left_out_timeframes(hourly) == {
        "features.timeframes": {
            "15m": "is not longer than the 1h bars",
            "1h": "is not longer than the 1h bars",
        },
        "tactician.timeframes": {
            "5m": "is not longer than the 1h bars",
            "1h": "is not longer than the 1h bars",
        },
    }
    odd = left_out_timeframes(load_settings({"data": {"timeframe": "10m"}}))
    assert odd["features.timeframes"] == {"15m": "is not a whole multiple of the 10m bars"}


def test_costs_below_the_whole_price_pass_also_under_stress() -> None:
    tree = {"costs": {"fee_bp": 2_000, "slippage_bp": 499}, "validation": {"cost_stress": 2}}
    assert load_settings(tree).costs.fee_bp == 2_000
