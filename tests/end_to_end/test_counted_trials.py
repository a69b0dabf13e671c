"""Every choice is a trial and every look at the holdout a look, in whole partitions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from helpers.partition_runs import CLOCK, again, trained

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


def asked_with(stored: Stored, **changes: Any) -> Stored:
    """The same run, asked for with other settings."""
    found, old = Stored(stored), stored.request
    settings = load_settings({"tracking": {"enabled": False}, **changes}, mode="blank")
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
        found = again(asked_with(stored, calibration={"methods": [method]}), tmp_path, 11, 14)
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


def with_the_trials_of(root: Path, fresh: Path) -> Path:
    """A home that knows the trials of another and none of its results."""
    Home(fresh).create()
    for path in root.glob(f"{Home(root).ledger.name}*"):
        shutil.copy(path, fresh)
    return fresh


def test_a_threshold_lowered_after_the_verdict_is_another_look_at_the_same_report(
    whole: tuple[Stored, Path], tmp_path: Path
) -> None:
    stored, root = whole
    with_the_trials_of(root, tmp_path)
    looks = []
    for gate in ({}, {"maximum_overfitting": 0.9}, {"maximum_overfitting": 0.9}, {}):
        asked = asked_with(again(stored, tmp_path, 13, 13), gate=gate)
        found = again(asked, tmp_path, 14, 14)["monte_carlo_report"]
        looks.append(found.metadata["holdout_looks"])
        assert found.degraded == []
    assert looks == [1, 2, 2, 2]


def test_a_ledger_that_lost_the_look_is_noticed_each_time(
    whole: tuple[Stored, Path], tmp_path: Path
) -> None:
    """The report of step 13 stands, so its look must have been entered: here, elsewhere."""
    for _ in range(3):
        found = again(whole[0], tmp_path, 14, 14)["monte_carlo_report"]
        assert found.metadata["holdout_looks"] == found.metadata["lost_looks"] == 1
        assert any("does not know" in why and "the look" in why for why in found.degraded)


def test_a_lost_ledger_and_a_new_seed_do_not_make_a_first_look(
    whole: tuple[Stored, Path], tmp_path: Path
) -> None:
    again(whole[0], tmp_path, 13, 13)
    for path in tmp_path.glob("trials.db*"):
        path.unlink()
    told = []
    for _ in range(2):
        found = again(asked_with(whole[0], seed=8), tmp_path, 11, 14)["monte_carlo_report"]
        assert found.metadata["holdout_looks"] == 2
        told.append(any("lost 1 look " in reason for reason in found.degraded))
    assert told == [True, False]  # Entered, it bars no more, and counts for good.


def test_bars_that_a_later_window_was_developed_on_are_no_longer_unseen(
    whole: tuple[Stored, Path], tmp_path: Path
) -> None:
    stored, root = whole
    with_the_trials_of(root, tmp_path)
    five_days = 5 * 86_400_000
    for seed in (1, 2):
        trained(tmp_path, last=5, as_of_ms=CLOCK + five_days, seed=seed)
    counts = []
    for _ in range(2):
        told = again(stored, tmp_path, 13, 14)["monte_carlo_report"].metadata
        counts.append((told["holdout_looks"], told["looks_by_training"]))
    assert counts == [(3, 2)] * 2
    # Forward in time, as the sensor asks for: what was developed on lies before the holdout.
    later = trained(tmp_path, as_of_ms=CLOCK + five_days, last=14)
    assert later["monte_carlo_report"].metadata["looks_by_training"] == 0


@pytest.mark.parametrize(
    ("changes", "trials"),
    [
        (
            {
                "enhanced_training_manager": {"blank": {"max_trials": 10}},
                "search": {
                    "enter_margin": [0.02, 0.02],
                    "stop_width": [2.0, 2.0],
                    "target_width": [3.0, 3.0],
                    "size_multiple": [1.0, 1.0],
                },
            },
            10,
        ),
        ({"enhanced_training_manager": {"blank": {"max_trials": 1}}}, 1),
    ],
)
def test_a_search_with_nothing_to_choose_has_one_set_and_has_lost_none(
    whole: tuple[Stored, Path], tmp_path: Path, changes: dict[str, Any], trials: int
) -> None:
    stored, root = whole
    with_the_trials_of(root, tmp_path)
    found = again(asked_with(stored, **changes), tmp_path, 12, 14)
    assert found["final_parameters"].metadata["trials"] == trials
    assert found["final_parameters"].metadata["distinct_sets"] == 1
    report = found["monte_carlo_report"]
    assert report.metadata["distinct_sets"] == report.load()["distinct_sets"] == 1
    assert report.metadata["overfitting"] is None
    assert report.metadata["loss_probability"] is None
    assert not any("lost" in reason for reason in report.degraded)


def test_a_look_by_new_requirements_is_entered_into_a_ledger_that_was_restored(
    whole: tuple[Stored, Path], tmp_path: Path
) -> None:
    """Counts alone would find the result by other requirements, and enter nothing."""
    home, copy = tmp_path / "home", tmp_path / "copy"
    stored = again(whole[0], home, 13, 13)
    with_the_trials_of(home, copy)
    for limit in (0.8, 0.9):
        for path in home.glob("trials.db*"):
            path.unlink()
        with_the_trials_of(copy, home)
        again(asked_with(stored, gate={"maximum_overfitting": limit}), home, 14, 14)
        assert ledger(home).looks(PREFIX) == 2
