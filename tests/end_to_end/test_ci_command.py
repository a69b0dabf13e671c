"""The command that CI uses, as it is documented, in a home that nothing has prepared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ares_assets.steps import STEPS
from ares_resources.backtesting.ledger import TrialLedger

TAGS = {
    "dagster/partition": "bull|ETHUSDT.SIM",
    "dagster/partition/regime": "bull",
    "dagster/partition/symbol": "ETHUSDT.SIM",
}


def job_execute(
    home: Path, tags: dict[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    (home / "dagster").mkdir(parents=True)
    environment = {**os.environ, "ARES_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    command = [str(Path(sys.executable).parent / "dagster"), "job", "execute"]
    return subprocess.run(
        [*command, "-m", "ares_jobs", "-j", "blank_training", "--tags", json.dumps(tags), *options],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_sixteen_steps_and_every_trial(tmp_path: Path) -> None:
    done = job_execute(tmp_path / "home", TAGS)
    assert done.returncode == 0, done.stderr[-2000:]
    for spec in STEPS:
        assert f" - {spec.name} - STEP_SUCCESS" in done.stderr
    ledger = TrialLedger(tmp_path / "home" / "trials.db")
    studies = ledger.studies()
    assert studies["ETHUSDT.SIM/bull/enhancement"] == 5
    assert studies["ETHUSDT.SIM/bull/parameters"] == 3
    assert studies["ETHUSDT.SIM/bull/holdout"] == 1


def test_tags_that_disagree_are_refused_before_step_1(tmp_path: Path) -> None:
    done = job_execute(tmp_path / "home", {**TAGS, "dagster/partition": "bear|ETHUSDT.SIM"})
    assert done.returncode == 1
    assert "does not agree" in done.stderr
    assert not (tmp_path / "home" / "artifacts").exists()


def test_run_config_that_cannot_work_is_refused_in_one_line_before_step_1(tmp_path: Path) -> None:
    config = tmp_path / "run.json"
    overrides = {"costs": {"latency_bars": 52_000_000}}
    config.write_text(
        json.dumps({"resources": {"workspace": {"config": {"overrides": overrides}}}})
    )
    done = job_execute(tmp_path / "home", TAGS, "-c", str(config))
    assert done.returncode == 1
    line = (
        " - lookback_days = 30 of 1m bars leaves no bar of the holdout to fill an order on after "
        "52000000 + 1 bars; allowed: costs.latency_bars up to 8638"
    )
    assert [told for told in done.stderr.splitlines() if told.endswith(line)]
    assert not (tmp_path / "home" / "artifacts").exists()
