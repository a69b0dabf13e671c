"""A market whose edge dies, from bars to the one run that the sensor asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from helpers.partition_runs import QUIET, carried_out

from ares_assets.engine import Request, Work
from ares_assets.partitions import SYMBOLS, partitions
from ares_assets.step13_walk_forward_validation import SPEC
from ares_assets.stored import Stored
from ares_jobs.fresh_holdout import waits_for
from ares_jobs.jobs import JOBS
from ares_jobs.sensors import retrain_sensor
from ares_resources.dagster_resources import parse_time
from ares_resources.exchanges.simulated import symbols
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.storage.retrain_requests import RetrainRequests
from ares_resources.symbols import SymbolKey
from ares_resources.workspace import Workspace

pytestmark = pytest.mark.filterwarnings("ignore:Non-compliant tag keys:DeprecationWarning")

DRIFT = SymbolKey("DRIFTUSDT", "SIM")
BEFORE, AFTER, NEXT = "2023-11-14T00:00:00Z", "2023-11-26T00:00:00Z", "2023-11-27T12:00:00Z"
BREAK_MS = symbols.DRIFT_BREAK_MS
# Sixty days with a cheap expert; the edge is three times the published one, which in so short
# a window stands for a year of it (docs/walk_forward.md has the power at edge 1).
SETTINGS: dict[str, Any] = {
    **QUIET,
    "enhanced_training_manager": {"blank": {"lookback_days": 60, "n_trials": 1, "max_trials": 2}},
    "analyst": {"experts": ["linear"]},
    "labels": {"horizon_bars": 15, "event_every_bars": 15},
    "window": {"development": 0.5, "calibration": 0.2},
    "validation": {"refits": 2},
    "retrain": {"feature_share": 1.0},
    "threads": 1,
}


@dg.asset(partitions_def=partitions)
def trained() -> None:
    """Stands for the sixteen steps."""


DEFINITIONS = dg.Definitions(assets=[trained], jobs=list(JOBS.values()), sensors=[retrain_sensor])


def walked(root: Path, as_of: str) -> Stored:
    """Steps 1 to 13 of the sideways partition, and what follows step 13 in a run."""
    home = Home(root)
    home.create()
    found = Stored()
    settings = load_settings(SETTINGS, mode="blank")
    found.request = Request(DRIFT, "sideways", settings, parse_time(as_of), False, f"run {as_of}")
    found.workspace = Workspace(home)
    return carried_out(found, 1, 13)


def told(found: Stored) -> str:
    assert SPEC.after is not None
    work = Work(SPEC, found.request, found.workspace)
    return str(SPEC.after(work, found["walk_forward_report"])["retrain"])


def looked(instance: dg.DagsterInstance) -> list[dg.RunRequest]:
    context = dg.build_sensor_context(
        instance=instance, definitions=DEFINITIONS, sensor_name="retrain_sensor"
    )
    return list(retrain_sensor.evaluate_tick(context).run_requests or [])


def test_an_edge_that_dies_gives_exactly_one_retraining(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARES_HOME", str(tmp_path))
    strong = replace(symbols.LABORATORY["DRIFT"], edge=3.0)
    monkeypatch.setitem(symbols.LABORATORY, "DRIFT", strong)
    requests = RetrainRequests(Home(tmp_path))

    assert told(walked(tmp_path, BEFORE)) == "no drift asks for it"
    assert requests.pending() == []
    # Sixty days have eighteen of holdout, of which the schedule waits for a tenth.
    settings = load_settings(SETTINGS, mode="blank")
    waits = waits_for(DRIFT, settings, Home(tmp_path))
    assert waits == {"sideways": parse_time(BEFORE) + round(1.8 * 86_400_000)}

    broken = walked(tmp_path, AFTER)
    assert told(broken).startswith("requested: the model's loss rose")
    (request,) = requests.pending()
    assert BREAK_MS < request.since_ms <= request.window_end_ms == parse_time(AFTER)
    # The step is found again, not computed, and its request is not asked for again.
    assert told(broken).startswith("already requested")

    with dg.instance_for_test() as instance:
        (first,) = looked(instance)
        assert (first.run_key, first.job_name) == (request.name, "blank_training")
        assert first.tags["dagster/partition"] == "sideways|DRIFTUSDT.SIM"
        instance.add_dynamic_partitions(SYMBOLS, [str(DRIFT)])
        job = DEFINITIONS.resolve_job_def(first.job_name or "")
        assert job.execute_in_process(instance=instance, tags=dict(first.tags)).success
        assert looked(instance) == []
        assert requests.pending() == []
        # The retraining still has the change in its holdout.
        again = walked(tmp_path, NEXT)
        report = again["walk_forward_report"].load()["report.json"]
        assert told(again) in (
            "no drift asks for it",
            f"already requested: {_words(report)}",
        )
        assert looked(instance) == []


def _words(report: dict[str, Any]) -> str:
    from ares_assets.evidence.drift_response import retrain_reason

    reason = retrain_reason(report["drift"], feature_share=1.0)
    return "" if reason is None else reason.words
