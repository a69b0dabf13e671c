"""The search: deterministic, resumable, honest about what it chose, and better than chance."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_resources import progress
from ares_resources.backtesting.pareto import (
    crowding_distances,
    domination_ranks,
    hypervolume,
    preference_order,
)
from ares_resources.backtesting.sampler import AdaptiveSampler
from ares_resources.backtesting.search import (
    Choice,
    Range,
    SearchResult,
    choose,
    pareto_front,
    search_parameters,
)
from ares_resources.backtesting.search_journal import FinishedTrial, discard_journals, lock_of
from ares_resources.errors import BadInput
from ares_resources.storage.atomic import file_lock


@dataclass(frozen=True)
class Outcome:
    sharpe: float
    max_drawdown: float
    turnover: float
    trades: int


SPACE = {
    "stop": Range(0.5, 8.0),
    "target": Range(0.5, 16.0, log=True),
    "bars": Range(1, 240, integer=True),
    "side": Choice(("both", "long", "short")),
}


def judge(parameters: dict) -> Outcome:
    away = (parameters["stop"] - 3) ** 2 + (math.log(parameters["target"]) - 1) ** 2
    away += ((parameters["bars"] - 60) / 100) ** 2 + (parameters["side"] != "long")
    return Outcome(2 - away, min(1.0, 0.05 * parameters["stop"]), 500 / parameters["bars"], 40)


def judge_many(batch: list[dict]) -> list[Outcome]:
    return [judge(parameters) for parameters in batch]


def run(evaluate=judge_many, **options) -> SearchResult:
    given_options = {"n_trials": 90, "batch": 15, "patience": 99, "seed": 3, **options}
    return search_parameters(evaluate, SPACE, **given_options)


def test_the_same_seed_gives_the_same_trials_and_another_seed_others():
    assert run().trials == run().trials
    assert run().trials != run(seed=4).trials


def test_batches_and_progress():
    sizes, seen = [], []
    run(
        lambda batch: sizes.append(len(batch)) or judge_many(batch),
        n_trials=40,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert sizes == [15, 15, 10]
    assert seen == [(15, 40), (30, 40), (40, 40)]


def test_parameters_stay_in_their_ranges():
    for trial in run(n_trials=150).trials:
        assert 0.5 <= trial.parameters["stop"] <= 8
        assert 0.5 <= trial.parameters["target"] <= 16
        assert trial.parameters["bars"] in range(1, 241)
        assert isinstance(trial.parameters["bars"], int)
        assert trial.parameters["side"] in ("both", "long", "short")


def only(folder: Path) -> Path:
    """The one journal in a folder."""
    (journal,) = folder.glob("*.jsonl")
    return journal


class Killed(BaseException):
    """Stands for a kill in the middle of a batch."""


@pytest.mark.parametrize("stop_at", [1, 3, 6])
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path, stop_at):
    calls = []

    def dying(batch):
        calls.append(len(batch))
        if len(calls) == stop_at:
            raise Killed
        return judge_many(batch)

    journal = tmp_path / "search.jsonl"
    with pytest.raises(Killed):
        run(dying, journal_path=journal)
    evaluated = []
    resumed = run(lambda b: evaluated.extend(b) or judge_many(b), journal_path=journal)
    whole = run()
    assert resumed.trials == whole.trials
    names = [list(trial.parameters) for trial in whole.trials]
    assert [list(trial.parameters) for trial in resumed.trials] == names
    assert resumed.chosen == whole.chosen
    assert resumed.hypervolumes == whole.hypervolumes
    assert resumed.resumed == 15 * (stop_at - 1)
    assert len(evaluated) == 90 - resumed.resumed


def _slow_search(journal):
    def slow(batch):
        time.sleep(0.05)
        return judge_many(batch)

    run(slow, journal_path=journal)


def test_a_killed_process_leaves_a_journal_to_go_on_from(tmp_path):
    journal = tmp_path / "search.jsonl"
    process = multiprocessing.get_context("fork").Process(target=_slow_search, args=(journal,))
    process.start()
    deadline = time.monotonic() + 30
    while sum(path.read_bytes().count(b"\n") for path in tmp_path.glob("*.jsonl")) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    resumed = run(journal_path=journal)
    assert resumed.resumed >= 30
    assert resumed.trials == run().trials


@pytest.mark.parametrize("damage", ["torn", "flipped", "garbage"])
def test_a_damaged_journal_is_used_up_to_the_damage(tmp_path, damage):
    journal = tmp_path / "search.jsonl"
    whole = run(journal_path=journal)
    stored = only(tmp_path)
    data = bytearray(stored.read_bytes())
    lines = data.splitlines(keepends=True)
    keep = sum(map(len, lines[:4]))
    if damage == "torn":
        data = data[: keep + len(lines[4]) // 2]
    elif damage == "flipped":
        data[keep + 100] ^= 1
    else:
        data = data[:keep] + b"{}\n"
    stored.write_bytes(data)
    resumed = run(journal_path=journal)
    assert resumed.resumed == 45
    assert resumed.trials == whole.trials
    assert run(journal_path=journal).resumed == 90


def test_a_longer_or_shorter_search_uses_what_there_is(tmp_path):
    journal = tmp_path / "search.jsonl"
    run(journal_path=journal, n_trials=40)
    longer = run(journal_path=journal, n_trials=90)
    assert longer.resumed == 40
    assert longer.trials == run(n_trials=90).trials
    assert run(journal_path=journal, n_trials=90).resumed == 90
    assert run(journal_path=journal, n_trials=20).trials == longer.trials[:20]


def test_another_search_on_the_same_path_has_its_own_journal(tmp_path):
    journal = tmp_path / "search.jsonl"
    run(journal_path=journal, n_trials=15)
    changes = ({"seed": 5}, {"batch": 5}, {"minimum_trades": 7}, {"journal_key": "data"})
    for number, change in enumerate(changes):
        assert run(journal_path=journal, n_trials=15, **change).resumed == 0
        assert len(list(tmp_path.glob("search-*.jsonl"))) == number + 2
    assert run(journal_path=journal, n_trials=15).resumed == 15


def test_a_journal_under_another_name_is_refused(tmp_path):
    journal = tmp_path / "search.jsonl"
    run(journal_path=journal, n_trials=15)
    mine = only(tmp_path)
    run(journal_path=journal, n_trials=15, seed=5)
    (other,) = (path for path in tmp_path.glob("*.jsonl") if path != mine)
    other.rename(mine)
    with pytest.raises(BadInput, match="another search"):
        run(journal_path=journal, n_trials=15)


class Elsewhere(AdaptiveSampler):
    """The sampler on another processor: from the third batch on it asks for other trials."""

    def sample_relative(self, study, trial, search_space):
        found = super().sample_relative(study, trial, search_space)
        if trial.number >= 30 and "stop" in found:
            found["stop"] = math.nextafter(found["stop"], 4.0)
        return found


Elsewhere.__name__ = "AdaptiveSampler"


def test_a_journal_of_another_processor_is_used_as_far_as_it_fits(tmp_path):
    journal = tmp_path / "search.jsonl"
    other = run(journal_path=journal, n_trials=75, sampler=Elsewhere)
    whole = run()
    assert other.trials[:30] == whole.trials[:30]
    assert other.trials[30:75] != whole.trials[30:75]
    listener = Listening()
    with progress.listening(listener):
        resumed = run(journal_path=journal)
    assert (resumed.resumed, resumed.dropped) == (30, 45)
    assert resumed.trials == whole.trials
    assert resumed.hypervolumes == whole.hypervolumes
    (line,) = listener.lines
    assert "batch 3 is not what this search asks for" in line
    assert "45 trials are dropped" in line
    assert str(tmp_path) not in line
    again = run(journal_path=journal)
    assert (again.resumed, again.dropped) == (90, 0)


def test_what_is_dropped_of_a_journal_is_gone_from_the_file_at_once(tmp_path):
    """Killed right after the drop, the next search finds what fitted and nothing else."""
    journal = tmp_path / "search.jsonl"
    run(journal_path=journal, n_trials=75, sampler=Elsewhere)

    def dying(batch):
        raise Killed

    with pytest.raises(Killed):
        run(dying, journal_path=journal)
    assert only(tmp_path).read_bytes().count(b"\n") == 3
    resumed = run(journal_path=journal)
    assert (resumed.resumed, resumed.dropped) == (30, 0)
    assert resumed.trials == run().trials


def test_journals_are_discarded_by_prefix_but_for_those_in_use(tmp_path):
    for name in ("bear-full", "bear-blank", "bull-full"):
        for key in ("a", "b"):
            run(journal_path=tmp_path / f"{name}.jsonl", n_trials=15, journal_key=key)
    (tmp_path / "bear-full-gone.jsonl.lock").touch()
    mine = sorted(path.name for path in tmp_path.glob("bear-full-*.jsonl"))
    ready, done = multiprocessing.Event(), multiprocessing.Event()
    holder = multiprocessing.get_context("fork").Process(
        target=_hold, args=(tmp_path / mine[0], ready, done)
    )
    holder.start()
    assert ready.wait(30)
    removed = discard_journals(tmp_path, "bear-full-")
    assert removed == sorted([mine[1], "bear-full-gone.jsonl"])
    left = sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("bear-full"))
    assert left == [mine[0], f"{mine[0]}.lock"]
    done.set()
    holder.join()
    assert discard_journals(tmp_path, "bear-full-") == [mine[0]]
    assert len(list(tmp_path.iterdir())) == 8
    assert discard_journals(tmp_path / "nowhere", "bear-full-") == []


def _hold(journal, ready, done):
    with file_lock(lock_of(journal)):
        ready.set()
        done.wait(30)


class Listening(progress.Silent):
    def __init__(self):
        self.lines = []

    def noted(self, line):
        self.lines.append(line)


def test_patience_stops_a_search_that_no_longer_gains():
    flat = run(lambda batch: [Outcome(1.0, 0.1, 5.0, 40)] * len(batch), patience=3, n_trials=900)
    assert flat.stopped_early
    assert len(flat.trials) == 15 * 4
    assert len(run(patience=99).trials) == 90
    assert not run(patience=99).stopped_early


def test_nothing_feasible_chooses_nothing_and_says_why():
    result = run(minimum_trades=41)
    assert result.chosen is None
    assert result.pareto == ()
    assert "none completed with 41 trades" in result.rule
    assert len(result.trials) == 90


def test_failed_trials_are_kept_as_failed_and_never_chosen():
    def half(batch):
        return [
            Outcome(math.nan, 0.0, 0.0, 40) if number % 2 else judge(parameters)
            for number, parameters in enumerate(batch)
        ]

    result = run(half)
    failed = [trial for trial in result.trials if trial.state == "failed"]
    assert len(failed) == 6 * 7
    assert not any(trial.feasible for trial in failed)
    assert result.chosen.state == "complete"


def trial(number: int, sharpe: float, drawdown: float, turnover: float) -> FinishedTrial:
    return FinishedTrial(number, {}, sharpe, drawdown, turnover, 40, True, "complete")


def test_the_chosen_point_is_the_calmest_near_the_best():
    points = [trial(0, 2.0, 0.3, 9), trial(1, 1.85, 0.1, 9), trial(2, 1.7, 0.01, 9)]
    chosen, rule = choose(pareto_front(points), minimum_trades=1)
    assert chosen.number == 1
    assert "2 feasible Pareto points" in rule
    losing = [trial(0, -1.0, 0.3, 9), trial(1, -1.05, 0.1, 9), trial(2, -2, 0.01, 9)]
    assert choose(pareto_front(losing), minimum_trades=1)[0].number == 1


def test_it_finds_more_than_chance_does():
    def found(sampler):
        runs = [run(seed=seed, n_trials=120, sampler=sampler) for seed in range(5)]
        best = [max(trial.sharpe for trial in one.trials) for one in runs]
        return np.array(best), np.array([one.hypervolumes[-1] for one in runs])

    best, volume = found(None)
    chance, chance_volume = found(lambda seed: optuna.samplers.RandomSampler(seed=seed))
    assert best.mean() > chance.mean() + 0.05
    assert best.min() > 1.7
    assert (volume > chance_volume).all()
    assert volume.mean() > 1.05 * chance_volume.mean()


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: optuna.samplers.TPESampler(seed=seed),
        lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=15),
    ],
    ids=["tpe", "nsga2"],
)
def test_other_samplers_resume_too(tmp_path, make):
    journal = tmp_path / "search.jsonl"
    run(journal_path=journal, n_trials=30, sampler=make)
    resumed = run(journal_path=journal, n_trials=60, sampler=make)
    assert resumed.resumed == 30
    assert resumed.trials == run(n_trials=60, sampler=make).trials


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_trials": 0}, "n_trials 0"),
        ({"batch": 0}, "batch 0"),
        ({"patience": 0}, "patience 0"),
        ({"n_trials": math.nan}, "n_trials nan"),
        ({"patience": math.nan}, "patience nan"),
        ({"batch": 2.5}, r"batch 2\.5"),
        ({"n_trials": True}, "n_trials True"),
        ({"n_trials": "9"}, "n_trials '9'"),
        ({"minimum_trades": 10**400}, "minimum_trades of over 40 digits"),
        ({"minimum_trades": -1}, "minimum_trades -1"),
        ({"seed": 1.5}, r"seed 1\.5"),
    ],
)
def test_bad_numbers_are_named(options, message):
    with pytest.raises(BadInput, match=message):
        run(**options)


def test_bad_ranges_and_results_are_named():
    with pytest.raises(BadInput, match="'x'"):
        search_parameters(
            judge_many, {"x": Range(2.0, 1.0)}, n_trials=1, batch=1, patience=1, seed=0
        )
    for space, words in (
        ({"x": Range(1.5, 3.5, integer=True)}, "'x'.*whole numbers"),
        ({"x": Range(0, math.inf)}, "'x'.*finite"),
        ({"x": Range(math.nan, 1)}, "'x'.*finite"),
        ({"x": Range(0, 10**400)}, "'x'.*finite"),
        ({"x": Range(0.0, 1.0, log=True)}, "'x'"),
        ({"x": Choice(())}, "'x'"),
        ({}, "space is empty"),
    ):
        with pytest.raises(BadInput, match=words) as refused:
            search_parameters(judge_many, space, n_trials=1, batch=1, patience=1, seed=0)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 600
    with pytest.raises(BadInput, match="14 results for 15 trials"):
        run(lambda batch: judge_many(batch)[1:])


# --- the sampler alone -------------------------------------------------------------------


def study_of(sampler, *, directions=("minimize",)) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(directions=list(directions), sampler=sampler)


def bowl(trial: optuna.Trial) -> float:
    x, y = trial.suggest_float("x", -5, 5), trial.suggest_int("n", -10, 10, step=2)
    return (x - 2) ** 2 + (y - 4) ** 2 / 4


def test_sampler_works_with_optimize_and_concentrates():
    study = study_of(AdaptiveSampler(1))
    study.optimize(bowl, n_trials=80)
    assert study.best_value < 0.05
    late = [abs(one.params["x"] - 2) for one in study.trials[50:]]
    early = [abs(one.params["x"] - 2) for one in study.trials[:12]]
    assert np.median(late) < np.median(early) / 3


def test_sampler_handles_several_objectives_and_constraints():
    study = study_of(AdaptiveSampler(1), directions=("minimize", "maximize"))
    for _ in range(80):
        one = study.ask()
        x = one.suggest_float("x", 0, 1)
        one.set_constraint("c", 0.6 - x)
        study.tell(one, (x, math.sqrt(x)))
    late = [trial.params["x"] for trial in study.trials[40:]]
    assert np.mean([x >= 0.6 for x in late]) > 0.7


def test_sampler_handles_conditional_and_single_parameters():
    def objective(trial: optuna.Trial) -> float:
        kind = trial.suggest_categorical("kind", ["a", "b"])
        trial.suggest_float("fixed", 1.0, 1.0)
        return trial.suggest_float("only_a", 0, 1) if kind == "a" else 2.0

    study = study_of(AdaptiveSampler(1))
    study.optimize(objective, n_trials=50)
    assert study.best_value < 0.2
    assert sum(trial.params["kind"] == "a" for trial in study.trials[25:]) > 18


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [
            optuna.distributions.FloatDistribution(-2, 3),
            optuna.distributions.FloatDistribution(1e-4, 1e2, log=True),
            optuna.distributions.FloatDistribution(0, 1, step=0.25),
            optuna.distributions.IntDistribution(-3, 9),
            optuna.distributions.IntDistribution(1, 1000, log=True),
            optuna.distributions.IntDistribution(2, 20, step=3),
            optuna.distributions.CategoricalDistribution([1, "a", None]),
        ]
    ),
    st.floats(0, 1),
)
def test_unit_coordinates_return_values_inside_and_round_trip(distribution, unit):
    from ares_resources.backtesting.unit_cube import from_unit, to_unit

    value = from_unit(distribution, unit)
    assert distribution._contains(distribution.to_internal_repr(value))
    again = from_unit(distribution, to_unit(distribution, value))
    assert again == value or again == pytest.approx(value, rel=1e-9, abs=1e-9)


def told_study(trials: int, sampler: AdaptiveSampler | None = None) -> optuna.Study:
    """A study to which random points of a two-sided problem were told."""
    study = study_of(sampler or AdaptiveSampler(1), directions=("minimize", "maximize"))
    random = np.random.default_rng(5)
    space = {name: optuna.distributions.FloatDistribution(0, 1) for name in "xyz"}
    for x, y, z in random.uniform(size=(trials, 3)):
        one = optuna.trial.create_trial(
            params={"x": x, "y": y, "z": z},
            distributions=space,
            values=(x + (y - 0.3) ** 2, math.sqrt(x) - z**2),
        )
        study.add_trial(one)
    return study


def test_what_is_learned_from_is_bounded_and_depends_on_the_trials_alone():
    from ares_resources.backtesting.sampler import REMEMBERED

    space = {name: optuna.distributions.FloatDistribution(0, 1) for name in "xyz"}
    fresh = AdaptiveSampler(1)
    proposed = told_study(2 * REMEMBERED, fresh).ask(space).params
    kept = fresh._thinned[1]
    assert REMEMBERED // 2 <= len(kept) <= REMEMBERED
    numbers = [trial.number for trial in kept]
    assert numbers == sorted(set(numbers))
    # The best are remembered: nothing known dominates what is left as the front.
    everything = told_study(2 * REMEMBERED).trials
    losses = np.array([(one.values[0], -one.values[1]) for one in everything])
    front = set(np.flatnonzero(domination_ranks(losses) == 0).tolist())
    assert front <= set(numbers)
    # An object that has asked all along remembers the same as one that sees them all at once.
    patient = AdaptiveSampler(1)
    study = told_study(REMEMBERED - 5, patient)
    for one in everything[REMEMBERED - 5 :]:
        if one.number % 97 == 0:
            patient._learn(study.get_trials(deepcopy=False), study.directions, {"x": space["x"]})
        study.add_trial(one)
    assert study.ask(space).params == proposed
    few = AdaptiveSampler(1)
    told_study(REMEMBERED, few).ask(space)
    assert len(few._thinned[1]) == REMEMBERED


def test_bad_sampler_options_are_named():
    with pytest.raises(BadInput, match="seed -1"):
        AdaptiveSampler(-1)
    with pytest.raises(BadInput, match="startup_trials 3"):
        AdaptiveSampler(1, startup_trials=3)


# --- orders of points --------------------------------------------------------------------

_POINTS = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=12)


def naive_ranks(points: np.ndarray) -> list[int]:
    ranks = [-1] * len(points)
    rank = 0
    while -1 in ranks:
        left = [i for i, known in enumerate(ranks) if known < 0]
        for i in left:
            beaten = any(
                (points[j] <= points[i]).all() and (points[j] < points[i]).any() for j in left
            )
            if not beaten:
                ranks[i] = -2
        ranks = [rank if known == -2 else known for known in ranks]
        rank += 1
    return ranks


@settings(max_examples=150, deadline=None)
@given(_POINTS)
def test_domination_ranks_equal_the_definition(points):
    array = np.array(points, dtype=float)
    assert domination_ranks(array).tolist() == naive_ranks(array)


@settings(max_examples=150, deadline=None)
@given(_POINTS)
def test_hypervolume_equals_a_count_of_cells(points):
    cells = {(x, y, z) for a, b, c in points for x in range(a) for y in range(b) for z in range(c)}
    assert hypervolume(np.array(points, dtype=float)) == pytest.approx(len(cells))


def test_hypervolume_of_fewer_objectives():
    assert hypervolume(np.array([[2.0], [3.0]])) == 3
    assert hypervolume(np.array([[2.0, 1.0], [1.0, 3.0]])) == 4
    assert hypervolume(np.empty((0, 3))) == 0
    with pytest.raises(BadInput, match="hypervolume"):
        hypervolume(np.ones((2, 4)))


def test_preference_puts_feasible_fronts_first_and_edges_before_crowds():
    losses = np.array([[0.0, 4.0], [2.0, 2.0], [2.1, 1.9], [4.0, 0.0], [9.0, 9.0], [0.0, 0.0]])
    violations = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 3.0])
    order = preference_order(losses, violations).tolist()
    assert set(order[:2]) == {0, 3}
    assert order[-2:] == [4, 5]
    assert np.isinf(crowding_distances(losses[:4])[[0, 3]]).all()
