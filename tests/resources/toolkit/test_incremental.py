"""The trainer's policy, on a learner whose every call is seen and whose losses are known."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest

from ares_resources.errors import BadInput
from ares_resources.incremental import (
    GROWTH_LIMIT,
    IncrementalTrainer,
    Refit,
    Window,
    compare,
    seconds_saved,
    summary,
)


@dataclass(frozen=True)
class Grown:
    """A model: its trees, and the data that trained them."""

    trees: int
    trained_on: tuple[str, ...]


@dataclass
class Recorder:
    """A learner whose loss is ``scratch_loss``, plus ``harm`` for each continuation."""

    scratch_trees: int = 100
    harm: float = 0.0
    scratch_loss: float = 0.6
    calls: list[str] = field(default_factory=list)

    def fit(self, data: str) -> Grown:
        self.calls.append(f"fit {data}")
        return Grown(self.scratch_trees, (data,))

    def continue_fit(self, previous: Grown, data: str, trees: int) -> Grown:
        self.calls.append(f"continue {data}")
        return Grown(previous.trees + trees, (*previous.trained_on, data))

    def tree_count(self, model: Grown) -> int:
        return model.trees

    def losses(self, model: Grown, data: str) -> tuple[np.ndarray, np.ndarray]:
        assert data not in model.trained_on, "scored on what it was trained on"
        assert data.startswith("late")
        links = len(model.trained_on) - 1
        return np.full(1000, self.scratch_loss + self.harm * links), np.ones(1000)

    def taken(self) -> list[str]:
        calls, self.calls = self.calls, []
        return calls


def window(number: int) -> Window[str]:
    return Window(f"whole{number}", f"early{number}", f"late{number}")


def chain(trainer: IncrementalTrainer, refits: int) -> list[Refit]:
    made: list[Refit] = []
    for number in range(refits):
        made.append(trainer.refit(window(number), made[-1] if made else None))
    return made


def test_the_first_fit_is_from_scratch_on_the_whole_window() -> None:
    learner = Recorder()
    first = IncrementalTrainer(learner).refit(window(0))
    assert (first.used, first.reason, first.model) == (
        "scratch",
        "first fit",
        Grown(100, ("whole0",)),
    )
    assert learner.taken() == ["fit whole0"]
    assert first.comparison is None


def test_the_first_continuation_is_compared_on_the_held_back_part_alone() -> None:
    learner = Recorder(harm=0.002)
    trainer = IncrementalTrainer(learner, extra_trees=10, tolerance=0.003)
    first, again = chain(trainer, 2)
    assert learner.taken() == ["fit whole0", "continue early1", "fit early1", "continue whole1"]
    assert again.used == "continued"
    assert again.reason == "within the tolerance of a fit from scratch"
    assert again.comparison.difference == pytest.approx(0.002)
    assert again.model == Grown(110, ("whole0", "whole1"))
    assert first.model == Grown(100, ("whole0",))


def test_what_costs_accuracy_starts_again_and_says_so() -> None:
    learner = Recorder(harm=0.01)
    again = chain(IncrementalTrainer(learner, tolerance=0.003), 2)[1]
    assert again.used == "scratch"
    assert again.reason == "continuing costs more than tolerated"
    assert again.model == Grown(100, ("whole1",))
    assert again.comparison.difference == pytest.approx(0.01)
    assert learner.taken()[-1] == "fit whole1"


def test_what_cannot_be_shown_is_not_believed() -> None:
    learner = Recorder(harm=0.001)
    assert chain(IncrementalTrainer(learner, tolerance=0.002), 2)[1].used == "continued"

    class Restless(Recorder):
        def losses(self, model: Grown, data: str) -> tuple[np.ndarray, np.ndarray]:
            found, weights = super().losses(model, data)
            drift = np.tile([0.01, -0.01], 5).repeat(100)
            return found + drift * (len(model.trained_on) - 1), weights

    unsure = chain(IncrementalTrainer(Restless(harm=0.001), tolerance=0.002), 2)[1]
    assert unsure.used == "scratch"
    assert unsure.reason == "too few events show what continuing costs"
    assert unsure.comparison.difference == pytest.approx(0.001)
    assert unsure.comparison.error == pytest.approx(np.std([0.01, -0.01] * 5, ddof=1) / np.sqrt(10))


def test_the_error_of_a_paired_cost_allows_for_neighbours_going_together() -> None:
    draw = np.random.default_rng(5)
    zero, errors, spread = np.zeros(400), [], []
    for _ in range(400):
        shocks = draw.normal(size=405)
        together = np.convolve(shocks, np.ones(6) / 6, "valid")  # labels reach over six events
        found = compare(together, np.ones(400), zero)
        errors.append(found.error)
        spread.append(found.difference)
    assert np.mean(errors) == pytest.approx(np.std(spread), rel=0.15)
    weights = np.zeros(400)
    weights[:10] = 1.0
    assert compare(together, weights, zero).error == np.inf


def test_between_comparisons_nothing_is_trained_for_comparison() -> None:
    learner = Recorder(scratch_trees=200)
    trainer = IncrementalTrainer(learner, extra_trees=10, check_every=3)
    made = chain(trainer, 6)
    assert [refit.since_check for refit in made] == [0, 0, 1, 2, 0, 1]
    assert [refit.comparison is not None for refit in made] == [
        False,
        True,
        False,
        False,
        True,
        False,
    ]
    assert learner.taken() == [
        "fit whole0",
        *["continue early1", "fit early1", "continue whole1"],
        *["continue whole2", "continue whole3"],
        *["continue early4", "fit early4", "continue whole4"],
        "continue whole5",
    ]


def test_trees_that_harmed_bring_the_comparison_at_once() -> None:
    learner = Recorder()
    trainer = IncrementalTrainer(learner, tolerance=0.001, check_every=50)
    made = chain(trainer, 3)
    assert made[2].comparison is None
    learner.taken()
    learner.harm = 0.01
    turned = trainer.refit(window(3), made[2])
    assert learner.taken() == ["continue early3", "fit early3", "fit whole3"]
    assert turned.used == "scratch"
    assert turned.comparison.difference == pytest.approx(0.03)


def test_what_failed_is_not_compared_again_for_a_while() -> None:
    learner = Recorder(harm=0.01)
    made = chain(IncrementalTrainer(learner, check_every=3), 6)
    assert {refit.used for refit in made} == {"scratch"}
    assert [refit.reason for refit in made] == [
        "first fit",
        "continuing costs more than tolerated",
        *["continuing failed when last compared"] * 2,
        "continuing costs more than tolerated",
        "continuing failed when last compared",
    ]
    tried = ["continue early1", "fit early1", "fit whole1"]
    assert learner.taken()[:6] == ["fit whole0", *tried, "fit whole2", "fit whole3"]


def test_a_chain_never_outgrows_its_limit() -> None:
    learner = Recorder()
    made = chain(IncrementalTrainer(learner, extra_trees=30, check_every=100), 12)
    assert max(refit.model.trees for refit in made) == 190 <= GROWTH_LIMIT * 100
    assert [refit.used for refit in made] == (["scratch"] + ["continued"] * 3) * 3
    assert made[4].reason == "220 trees would be over 2 times the 100 of scratch"
    # After a fit from scratch, continuing has to prove itself again.
    assert made[5].comparison is not None


def test_where_continuing_saves_no_time_it_is_not_tried() -> None:
    learner = Recorder(scratch_trees=40)
    again = chain(IncrementalTrainer(learner, extra_trees=20), 2)[1]
    assert again.used == "scratch"
    assert again.reason == "40 trees are too few for 20 more to save time"
    assert learner.taken() == ["fit whole0", "fit whole1"]


def test_the_clock_is_recorded_and_decides_nothing() -> None:
    def walked(clock) -> list[Refit]:
        learner = Recorder(harm=0.002)
        return chain(IncrementalTrainer(learner, tolerance=0.003, check_every=3, clock=clock), 9)

    draw = np.random.default_rng(3)
    steady, jumping = itertools.count(), lambda: float(draw.normal(scale=1e6))
    first, second = walked(lambda: next(steady)), walked(jumping)
    assert first == second
    assert summary(first) == summary(second)
    assert seconds_saved(first) != seconds_saved(second)


def test_seconds_saved_pay_for_the_comparisons() -> None:
    now = [0.0]

    class Slow(Recorder):
        def fit(self, data: str) -> Grown:
            now[0] += 10.0
            return super().fit(data)

        def continue_fit(self, previous: Grown, data: str, trees: int) -> Grown:
            now[0] += 2.0
            return super().continue_fit(previous, data, trees)

    made = chain(IncrementalTrainer(Slow(), clock=lambda: now[0]), 4)
    assert [refit.seconds for refit in made] == [10.0, 14.0, 2.0, 2.0]
    assert seconds_saved(made) == 0.0 - 4.0 + 8.0 + 8.0


def test_summary_counts_and_gives_the_reasons() -> None:
    learner = Recorder(scratch_trees=60, harm=0.002)
    found = summary(chain(IncrementalTrainer(learner, extra_trees=20, tolerance=0.01), 5))
    assert (found["continued"], found["scratch"], found["compared"]) == (3, 2, 1)
    assert found["difference"] == pytest.approx(0.002)
    assert found["largest_difference"] == pytest.approx(0.002)
    assert found["reasons"] == {
        "continued: the trees added last did no harm": 2,
        "continued: within the tolerance of a fit from scratch": 1,
        "scratch: 140 trees would be over 2 times the 60 of scratch": 1,
        "scratch: first fit": 1,
    }
    assert summary([])["difference"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extra_trees": 0}, "extra_trees 0"),
        ({"check_every": 0}, "check_every 0"),
        ({"tolerance": -0.1}, "tolerance -0.1"),
        ({"tolerance": float("nan")}, "tolerance nan"),
    ],
)
def test_bad_options_are_named(options: dict, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        IncrementalTrainer(Recorder(), **options)
