"""Puts the definitions together; tests pass other resources.

Belongs here: which assets, checks, jobs, sensors, schedules and resources make the code
location.  Does not belong here: any of their bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from ares_assets.checks import CHECKS
from ares_assets.step import as_asset
from ares_assets.steps import STEPS
from ares_jobs.jobs import JOBS
from ares_jobs.run_workspace import RunWorkspace
from ares_jobs.schedules import enhanced_training_schedule
from ares_jobs.sensors import inbox_sensor, reaper_sensor, retrain_sensor
from ares_resources.dagster_resources import WorkspaceResource
from ares_resources.storage.io_managers import BundleIOManager, ParquetIOManager, ReportIOManager
from ares_resources.tracking import tracking


def default_resources() -> dict[str, Any]:
    """The resources of the product."""
    # Dagster gives each IO manager its own copy, without the run config: it may judge no window.
    workspace = WorkspaceResource()
    return {
        "workspace": RunWorkspace(),
        "tracking": tracking,
        "frames": ParquetIOManager(workspace=workspace),
        "bundles": BundleIOManager(workspace=workspace),
        "reports": ReportIOManager(workspace=workspace),
    }


def build_defs(*, overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The code location, with some resources replaced by ``overrides``."""
    return dg.Definitions(
        assets=[as_asset(spec) for spec in STEPS],
        asset_checks=CHECKS,
        jobs=list(JOBS.values()),
        sensors=[inbox_sensor, reaper_sensor, retrain_sensor],
        schedules=[enhanced_training_schedule],
        resources={**default_resources(), **(overrides or {})},
        # The cores are used inside a step; a process a step would pay the imports sixteen times.
        executor=dg.in_process_executor,
    )
