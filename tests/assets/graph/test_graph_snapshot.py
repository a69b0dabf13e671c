"""The shape of the graph, written down: a change of it shows up here."""

from __future__ import annotations

import subprocess
import sys

import dagster as dg
import pytest

from ares_assets.steps import STEPS
from ares_jobs.definitions import defs

GRAPH = {
    "market_data": [],
    "market_regimes": ["market_data"],
    "regime_dataset": ["market_data", "market_regimes"],
    "analyst_dataset": ["market_data", "regime_dataset"],
    "analyst_specialists": ["analyst_dataset"],
    "enhanced_analysts": ["analyst_dataset", "analyst_specialists"],
    "analyst_ensemble": ["analyst_dataset", "analyst_specialists", "enhanced_analysts"],
    "tactician_dataset": ["analyst_ensemble", "market_data", "market_regimes"],
    "tactician_specialists": ["tactician_dataset"],
    "tactician_ensemble": ["market_data", "tactician_dataset", "tactician_specialists"],
    "calibrated_confidence": ["analyst_dataset", "analyst_ensemble"],
    "final_parameters": [
        "analyst_dataset",
        "analyst_ensemble",
        "calibrated_confidence",
        "market_data",
        "tactician_ensemble",
    ],
    "walk_forward_report": [
        "analyst_dataset",
        "analyst_ensemble",
        "final_parameters",
        "market_data",
        "market_regimes",
        "regime_dataset",
    ],
    "monte_carlo_report": [
        "enhanced_analysts",
        "final_parameters",
        "market_data",
        "walk_forward_report",
    ],
    "ab_test_report": [
        "final_parameters",
        "market_data",
        "monte_carlo_report",
        "walk_forward_report",
    ],
    "model_release": [
        "ab_test_report",
        "final_parameters",
        "market_data",
        "market_regimes",
        "walk_forward_report",
    ],
}


def test_sixteen_assets_and_what_each_is_made_from() -> None:
    graph = defs.resolve_asset_graph()
    found = {
        key.to_user_string(): sorted(
            parent.to_user_string() for parent in graph.get(key).parent_keys
        )
        for key in graph.materializable_asset_keys
    }
    assert found == GRAPH


def test_steps_are_numbered_in_the_order_of_their_files() -> None:
    assert [spec.number for spec in STEPS] == list(range(1, 17))
    assert [spec.name for spec in STEPS] == list(GRAPH)
    for spec in STEPS:
        assert spec.function.__module__.rsplit(".", 1)[1].startswith(f"step{spec.number:02d}_")


def test_every_asset_is_partitioned_by_regime_and_symbol() -> None:
    graph = defs.resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        partitions = graph.get(key).partitions_def
        assert isinstance(partitions, dg.MultiPartitionsDefinition)
        assert [d.name for d in partitions.partitions_defs] == ["regime", "symbol"]


@pytest.mark.parametrize(("job", "mode"), [("full_training", "full"), ("blank_training", "blank")])
def test_jobs_carry_their_mode_and_all_sixteen_steps(job: str, mode: str) -> None:
    found = defs.resolve_job_def(job)
    assert found.tags["ares/mode"] == mode
    steps = {node.name for node in found.nodes}
    assert set(GRAPH) <= steps


def test_what_starts_trainings() -> None:
    repository = defs.get_repository_def()
    assert sorted(s.name for s in repository.sensor_defs) == ["inbox_sensor", "reaper_sensor"]
    assert [s.name for s in repository.schedule_defs] == ["enhanced_training_schedule"]
    stopped = repository.schedule_defs[0].default_status
    assert stopped == dg.DefaultScheduleStatus.STOPPED


def test_checks_guard_the_release() -> None:
    keys = defs.resolve_asset_graph().asset_check_keys
    assert {(key.asset_key.to_user_string(), key.name) for key in keys} == {
        ("market_data", "bars_are_sound"),
        ("market_regimes", "regimes_see_no_future"),
        ("analyst_dataset", "features_see_no_future"),
        ("analyst_dataset", "holdout_is_unseen"),
        ("model_release", "bundle_reloads_identically"),
        ("model_release", "signals_see_no_future"),
    }


HEAVY = {
    "arch",
    "catboost",
    "ccxt",
    "dagster_mlflow",
    "lightgbm",
    "mapie",
    "mlflow",
    "numba",
    "numpy",
    "optuna",
    "pandas",
    "pandera",
    "pyarrow",
    "river",
    "scipy",
    "sklearn",
    "talib",
}


def test_loading_the_definitions_imports_nothing_heavy() -> None:
    code = f"import sys, ares_jobs.definitions; print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
