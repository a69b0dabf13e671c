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
    "analyst_dataset": ["market_data", "market_regimes", "regime_dataset"],
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
    assert sorted(s.name for s in repository.sensor_defs) == [
        "inbox_sensor",
        "reaper_sensor",
        "retrain_sensor",
    ]
    assert [s.name for s in repository.schedule_defs] == ["enhanced_training_schedule"]
    stopped = repository.schedule_defs[0].default_status
    assert stopped == dg.DefaultScheduleStatus.STOPPED


CHECKS = {
    ("market_data", "bars_have_schema"): True,
    ("market_data", "bars_have_few_gaps"): True,
    ("market_data", "bars_are_plausible"): True,
    ("market_data", "bars_are_fresh"): False,
    ("market_regimes", "regimes_have_schema"): True,
    ("market_regimes", "regimes_are_balanced"): False,
    ("market_regimes", "regimes_see_no_future"): True,
    ("market_regimes", "regime_model_saw_development_only"): True,
    ("regime_dataset", "rows_have_schema"): True,
    ("regime_dataset", "roles_are_disjoint"): True,
    ("regime_dataset", "split_is_purged"): True,
    ("analyst_dataset", "features_see_no_future"): True,
    ("analyst_dataset", "labels_see_no_future"): True,
    ("analyst_dataset", "holdout_is_unseen"): True,
    ("analyst_dataset", "folds_are_purged"): True,
    ("analyst_dataset", "coin_labels_give_chance"): True,
    ("analyst_dataset", "no_feature_is_too_good"): False,
    ("analyst_specialists", "predictions_are_out_of_fold"): True,
    ("analyst_specialists", "specialists_saw_development_only"): True,
    ("enhanced_analysts", "search_saw_no_later_event"): True,
    ("enhanced_analysts", "ranking_saw_no_later_event"): True,
    ("enhanced_analysts", "gain_is_of_later_events"): True,
    ("enhanced_analysts", "enhanced_model_saw_development_only"): True,
    ("analyst_ensemble", "votes_are_out_of_fold"): True,
    ("analyst_ensemble", "ensemble_saw_development_only"): True,
    ("tactician_dataset", "tactician_sees_no_future"): True,
    ("tactician_dataset", "tactician_folds_are_purged"): True,
    ("tactician_specialists", "take_models_saw_development_only"): True,
    ("tactician_ensemble", "tactician_votes_are_out_of_fold"): True,
    ("calibrated_confidence", "calibrator_saw_its_slice_only"): True,
    ("walk_forward_report", "probabilities_are_calibrated"): False,
    ("model_release", "bundle_reloads_identically"): True,
    ("model_release", "signals_see_no_future"): True,
    ("model_release", "release_gate_holds"): True,
}


def test_what_is_checked_and_what_of_it_stops_a_run() -> None:
    graph = defs.resolve_asset_graph()
    found = {
        (key.asset_key.to_user_string(), key.name): graph.get_check_spec(key)
        for key in graph.asset_check_keys
    }
    assert {key: spec.blocking for key, spec in found.items()} == CHECKS
    assert all(spec.description for spec in found.values())
    assert all(spec.partitions_def is not None for spec in found.values())


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
