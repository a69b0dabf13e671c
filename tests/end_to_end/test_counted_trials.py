"""Every choice is a trial and every look at the holdout a look, in whole partitions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.partition_runs import again, trained

from ares_assets.engine import Request
from ares_assets.stored import Stored
from ares_resources.backtesting.ledger import TrialLedger
from ares_resources.home import Home
from ares_resources.settings import load_settings

PREFIX = "ETHUSDT.SIM/bear/"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stored, Path]:
    """One regime to its end."""
    root = tmp_path_factory.mktemp("whole")
    return trained(root), root


def ledger(root: Path) -> TrialLedger:
    return TrialLedger(Home(root).ledger)


def calibrated_by(stored: Stored, method: str) -> Stored:
    """The same run, asked for with another calibrator."""
    found, old = Stored(stored), stored.request
    tree = {"tracking": {"enabled": False}, "calibration": {"methods": [method]}}
    settings = load_settings(tree, mode="blank")
    found.request = Request(old.symbol, old.regime, settings, old.as_of_ms, old.offline, "run")
    found.workspace = stored.workspace
    return found


def test_what_the_steps_chose_among_is_in_the_ledger(whole: tuple[Stored, Path]) -> None:
    stored, root = whole
    studies = {name.removeprefix(PREFIX): n for name, n in ledger(root).studies().items()}
    assert studies == {
        "specialists": 5 + 1,
        "enhancement": stored["enhanced_analysts"].metadata["trials"],
        "weights": 1,
        "tacticians": stored["tactician_specialists"].metadata["specialists"],
        "tactics": 3 + 10 + 4 + 4,
        "calibrators": studies["calibrators"],
        "parameters": stored["final_parameters"].metadata["trials"],
        "holdout": 1,
        "trainings": 1,
    }
    told = stored["monte_carlo_report"].metadata
    assert told["trials"] == sum(studies.values()) - 2
    assert told["holdout_looks"] == 1


def test_the_report_has_both_readings_of_the_deflated_sharpe_ratio(
    whole: tuple[Stored, Path],
) -> None:
    stored, _ = whole
    told, report = stored["monte_carlo_report"].metadata, stored["monte_carlo_report"].load()
    assert {"deflated_sharpe", "deflated_sharpe_development", "deflated_sharpe_holdout"} <= set(
        told
    )
    assert report["development"]["trials"] == told["trials"]
    assert report["deflation"]["looks"] == 1
    # One look deflates nothing.
    assert told["deflated_sharpe_holdout"] == told["probabilistic_sharpe"]
    assert report["horizon"]["periods"] == 24 * 365
    assert report["bootstrap"]["paths"] == report["horizon"]["paths"] == 10_000
    assert [row["multiple"] for row in report["stress"]["cost_curve"]] == [1.0, 1.5, 2.0, 3.0]
    assert [row["extra_bars"] for row in report["stress"]["latency_curve"]] == [0, 1, 2, 5]
    json.dumps(report, allow_nan=False)


def test_three_calibrators_are_three_looks_and_the_same_again_is_none(
    whole: tuple[Stored, Path], tmp_path: Path
) -> None:
    stored, _ = whole
    counts, trials = [], []
    for method in ("identity", "platt", "isotonic", "identity"):
        found = again(calibrated_by(stored, method), tmp_path, 11, 14)
        counts.append(found["monte_carlo_report"].metadata["holdout_looks"])
        trials.append(found["monte_carlo_report"].metadata["trials"])
    assert counts == [1, 2, 3, 3]
    assert ledger(tmp_path).looks(PREFIX) == 3
    assert trials == sorted(trials)
    assert trials[-1] == trials[-2]


def test_a_look_counts_even_if_the_step_comes_to_no_end(
    whole: tuple[Stored, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ares_assets.release import holdout_refits

    def stopped(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(holdout_refits, "judge_refits", stopped)
        with pytest.raises(KeyboardInterrupt):
            again(whole[0], tmp_path, 13, 13)
    assert ledger(tmp_path).looks(PREFIX) == 1
    again(whole[0], tmp_path, 13, 13)
    assert ledger(tmp_path).looks(PREFIX) == 1
