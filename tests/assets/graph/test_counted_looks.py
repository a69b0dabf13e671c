"""A look is a model on bars by requirements; trainings that saw the bars count too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.ledger_home import (
    DAY,
    NOW,
    SHARPE,
    STEP4,
    bars,
    judged,
    other,
    stored,
    work_in,
)

from ares_assets.counted_looks import Looks, count_looks, record_look, sight_key
from ares_assets.counted_trials import choosing, record_training
from ares_assets.engine import Work
from ares_assets.steps import STEPS
from ares_resources.settings import load_settings


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return work_in(tmp_path)


def learnt(work: Work, end: int = NOW, days: int = 100) -> None:
    """A training that came no further than its first choice."""
    cut = end - round(0.3 * days) * DAY
    record_training(
        work,
        stored(
            work,
            STEP4.name,
            window_start_ms=end - days * DAY,
            development_end_ms=cut,
        ),
    )


def test_the_same_look_counts_once_and_another_model_counts_again(work: Work) -> None:
    report = judged(work, "a")
    for _ in range(2):
        judged(work, "a")
        assert count_looks(work, report) == Looks(1, 0, 0, present_lost=False)
    assert count_looks(work, judged(work, "b")).total == 2
    assert count_looks(work, report).total == 2


@pytest.mark.parametrize(
    "change",
    [
        {"gate": {"maximum_ruin": 0.2}},
        {"gate": {"minimum_trades": 40}},  # Stricter: the default after it is another try.
        {"validation": {"cost_stress": 1.1}},
    ],
)
def test_other_requirements_are_another_look_before_and_after_it_is_entered(
    work: Work, change: dict[str, Any]
) -> None:
    report, loosened = judged(work, "a"), other(work, **change)
    assert count_looks(loosened, report).total == 2
    assert count_looks(work, report).total == 1  # Counting enters nothing.
    record_look(loosened, bars(work), report.metadata["sight"], SHARPE)
    for asked in (work, loosened):
        assert count_looks(asked, report) == Looks(2, 0, 0, present_lost=False)


@pytest.mark.parametrize(
    "change",
    [
        {"gate": {"stage_days": 30.0, "stage_trades": 20}},
        {"gate": {"maximum_ruin": 0.05}},  # As by default.
        {"validation": {"bootstrap_paths": 500, "refits": 6}},
        {"validation": {"cost_curve": [1.0, 4.0], "incremental": True}},
    ],
)
def test_settings_that_decide_nothing_make_no_other_look(
    work: Work, change: dict[str, Any]
) -> None:
    report, asked = judged(work, "a"), other(work, **change)
    record_look(asked, bars(work), report.metadata["sight"], SHARPE)
    for one in (work, asked):
        assert count_looks(one, report) == Looks(1, 0, 0, present_lost=False)


def test_a_setting_that_a_later_version_adds_makes_no_other_look(
    work: Work,
) -> None:
    from ares_resources.settings import GateSettings

    class Later(GateSettings):
        minimum_novelty: float = 0.5

    report = judged(work, "a")
    settings = work.request.settings
    later = settings.model_copy(update={"gate": Later(**settings.gate.model_dump())})
    asked = replace(work, request=replace(work.request, settings=later))
    assert asked.request.settings.gate.model_dump() != settings.gate.model_dump()
    assert count_looks(asked, report).total == 1


def test_other_figures_of_the_same_model_or_other_bars_are_another_look(work: Work) -> None:
    model, market = stored(work, "final_parameters", model="a"), bars(work)
    keys = {
        sight_key(model, market, 5, SHARPE),
        sight_key(model, market, 6, SHARPE),
        sight_key(model, market, 5, None),
        sight_key(model, bars(work, NOW + DAY), 5, SHARPE),
        sight_key(stored(work, "final_parameters", model="b"), market, 5, SHARPE),
    }
    assert len(keys) == 5


def test_trainings_whose_development_reached_into_the_holdout_are_looks(work: Work) -> None:
    for seed in range(50):
        learnt(other(work, seed=seed), NOW + 91 * DAY)
        learnt(other(work, seed=seed), NOW + 91 * DAY)
    learnt(work)
    report = judged(work, "a")
    for _ in range(2):
        assert count_looks(work, report) == Looks(51, 0, 50, present_lost=False)
    learnt(other(work, seed=1, threads=1), NOW + 91 * DAY)  # Threads are no setting of a model.
    assert count_looks(work, report).total == 51


def test_a_training_that_came_to_its_own_look_counts_by_that_alone(work: Work) -> None:
    late = NOW + 91 * DAY
    learnt(work, late)
    judged(work, "late", end=late)
    learnt(work)
    assert count_looks(work, judged(work, "a")) == Looks(2, 0, 0, present_lost=False)


def test_a_short_run_on_the_same_last_bars_counts_and_a_forward_retraining_does_not(
    work: Work,
) -> None:
    learnt(work)
    learnt(work, NOW + 5 * DAY)
    report = judged(work, "forward", end=NOW + 5 * DAY)
    assert count_looks(work, report).trained_on == 0
    learnt(work, NOW + 5 * DAY, days=30)  # Its development ends 9 days before its end.
    assert count_looks(work, report).trained_on == 1


def test_the_holdout_begins_where_no_earlier_development_may_reach(work: Work) -> None:
    report = judged(work, "a")
    begins = report.metadata["holdout_start_ms"]
    ledger = work.workspace.ledger
    ledger.record_training("ETHUSDT.SIM/bull/", "to its first bar", begins)
    ledger.record_training("ETHUSDT.SIM/bear/", "another partition", begins + DAY)
    assert count_looks(work, report).trained_on == 0
    ledger.record_training("ETHUSDT.SIM/bull/", "over its first bar", begins + 1)
    assert count_looks(work, report).trained_on == 1


def test_a_look_as_an_older_ledger_has_it_counts(work: Work) -> None:
    work.workspace.ledger.record_look("ETHUSDT.SIM/bull/", "0123abcd", SHARPE)
    assert count_looks(work, judged(work, "a")).total == 2


def test_a_choice_counts_from_its_beginning_and_by_its_settings(work: Work) -> None:
    step10 = replace(work, spec=STEPS[9])
    data = stored(work, "tactician_dataset", window_start_ms=0, development_end_ms=DAY)
    ledger, names = work.workspace.ledger, ["a", "b"]
    with choosing(step10, "tactics", names, data) as seen:
        assert ledger.count("ETHUSDT.SIM/bull/tactics") == 2
        seen["a"] = 0.5
    assert [one.values for one in ledger.entries("ETHUSDT.SIM/bull/tactics")] in (
        [(0.5,), ()],
        [(), (0.5,)],
    )
    changed = replace(
        step10,
        request=replace(
            work.request, settings=load_settings({"tactician": {"drawdown_brake": 0.4}})
        ),
    )
    with choosing(changed, "tactics", names, data):
        pass
    assert ledger.count("ETHUSDT.SIM/bull/tactics") == 4
