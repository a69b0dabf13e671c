"""What steps 5, 7, 9, 10 and 11 choose among counts before it is judged, and by its settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.partition_runs import again, trained

from ares_assets.analyst import ensemble, out_of_fold
from ares_assets.evidence import calibration
from ares_assets.stored import Stored
from ares_assets.tactician import rules, specialists
from ares_resources.backtesting.ledger import TrialLedger
from ares_resources.home import Home
from ares_resources.settings import load_settings

PREFIX = "ETHUSDT.SIM/bear/"
TACTICS = 3 + 10 + 4 + 4
JUDGED: dict[int, tuple[str, Any, str]] = {
    5: ("specialists", out_of_fold, "fit_expert"),
    7: ("weights", ensemble, "select_ensemble"),
    9: ("tacticians", specialists, "train_take_specialists"),
    10: ("tactics", rules, "judge_rules"),
    11: ("calibrators", calibration, "choose_calibrator"),
}


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """Steps 1 to 11 of one regime."""
    return trained(tmp_path_factory.mktemp("before"), last=11)


def states(root: Path, study: str) -> list[str]:
    return [one.state for one in TrialLedger(Home(root).ledger).entries(f"{PREFIX}{study}")]


def asked_with(stored: Stored, **changes: Any) -> Stored:
    """The same run, asked for with other settings."""
    found, tree = Stored(stored), {"tracking": {"enabled": False}, **changes}
    found.workspace = stored.workspace
    found.request = replace(stored.request, settings=load_settings(tree, mode="blank"))
    return found


@pytest.mark.parametrize(
    "change",
    [
        {"search": {"minimum_trades": 3}},
        {"tactician": {"kelly_fraction": 0.3}},
        {"tactician": {"drawdown_brake": 0.4}},
        {"analyst": {"gain_confidence": 0.8}},
        {"seed": 8},
    ],
)
def test_tactics_chosen_anew_on_the_same_signals_are_trials_of_their_own(
    before: Stored, tmp_path: Path, change: dict[str, Any]
) -> None:
    again(before, tmp_path, 10, 10)
    again(asked_with(before, **change), tmp_path, 10, 10)
    assert states(tmp_path, "tactics") == ["complete"] * (2 * TACTICS)


def test_the_same_tactics_again_are_none_whatever_the_number_of_threads(
    before: Stored, tmp_path: Path
) -> None:
    for number, threads in enumerate((1, 2, 1)):
        found = asked_with(before, threads=threads)
        again(found, tmp_path / str(number), 10, 10)
        # In a home without the result the step is carried out again, in the same ledger.
        if number < 2:
            Home(tmp_path / str(number + 1)).create()
            for path in Home(tmp_path / str(number)).ledger.parent.glob("trials.db*"):
                path.rename(tmp_path / str(number + 1) / path.name)
    assert states(tmp_path / "2", "tactics") == ["complete"] * TACTICS


@pytest.mark.parametrize("step", JUDGED)
@pytest.mark.parametrize(
    ("error", "left"), [(KeyboardInterrupt(), "killed"), (ValueError("singular"), "failed")]
)
def test_a_choice_that_comes_to_no_end_counts_and_is_not_counted_again(
    before: Stored,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
    error: BaseException,
    left: str,
) -> None:
    def stopped(*arguments: Any, **options: Any) -> None:
        raise error

    study, module, judge = JUDGED[step]
    with monkeypatch.context() as patch:
        patch.setattr(module, judge, stopped)
        with pytest.raises(type(error)):
            again(before, tmp_path, step, step)
    begun = states(tmp_path, study)
    assert begun
    assert set(begun) == {left}
    again(before, tmp_path, step, step)
    assert states(tmp_path, study) == ["complete"] * len(begun)
    assert len(TrialLedger(Home(tmp_path).ledger).trainings(PREFIX)) == 1
