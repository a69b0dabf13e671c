"""A search killed at a random moment: trials, ledger and result as if it had not been."""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
from toolkit_markets import random_market

from ares_resources.backtesting import StrategyParameters
from ares_resources.backtesting.cached import CachedBacktester
from ares_resources.backtesting.engine import Signals
from ares_resources.backtesting.ledger import TrialLedger
from ares_resources.backtesting.ledger_held import held_open
from ares_resources.backtesting.sampler import AdaptiveSampler
from ares_resources.backtesting.search import Range, SearchResult, search_parameters

STUDY = "kill/parameters"
TRIALS, BATCH = 60, 6
SPACE = {
    "margin": Range(0.0, 0.3),
    "stop": Range(0.5, 6.0),
    "target": Range(0.5, 6.0),
}


def strategy(point) -> StrategyParameters:
    margin = max(float(point["margin"]), 1e-9)
    return StrategyParameters(
        0.5 + margin, 0.5 - margin, point["stop"], point["target"], 20, 4e-4, 1e-4
    )


def search(
    folder: Path, *, threads=1, cache=True, cache_size=1000, progress=None, trials=TRIALS, **options
) -> SearchResult:
    """The whole of what step 12 does with its tools."""
    market, probability, size = random_market(3, 2_000)
    ledger = TrialLedger(folder / "ledger.sqlite")
    backtester = CachedBacktester(
        folder / "cache",
        market=market,
        probability=probability,
        size=size,
        max_cache_size=cache_size,
        ledger=ledger,
        study=STUDY,
        threads=threads,
        enabled=cache,
    )
    with held_open(ledger.path):
        return search_parameters(
            lambda points: backtester.evaluate_many([strategy(point) for point in points]),
            SPACE,
            n_trials=trials,
            batch=BATCH,
            patience=99,
            seed=11,
            minimum_trades=3,
            journal_path=folder / "search.jsonl",
            journal_key=backtester.data_fingerprint,
            progress=progress,
            **options,
        )


def told(folder: Path) -> list[tuple[str, str, tuple[float, ...]]]:
    """What the ledger says of each trial; where a result came from is not part of it."""
    entries = TrialLedger(folder / "ledger.sqlite").entries(STUDY)
    return [
        (one.key, "done" if one.state in ("complete", "cached") else one.state, one.values)
        for one in entries
    ]


def same(one: SearchResult, other: SearchResult) -> bool:
    names = ("trials", "pareto", "chosen", "rule", "stopped_early", "hypervolumes")
    return all(getattr(one, name) == getattr(other, name) for name in names)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[SearchResult, list]:
    folder = tmp_path_factory.mktemp("whole")
    return search(folder), told(folder)


def _slow(folder: Path, started) -> None:
    started.set()
    search(folder, progress=lambda done, total: time.sleep(0.02))


def _kill_after(folder: Path, seconds: float) -> None:
    context = multiprocessing.get_context("fork")
    started = context.Event()
    process = context.Process(target=_slow, args=(folder, started))
    process.start()
    assert started.wait(60)
    time.sleep(seconds)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()


@pytest.mark.parametrize("seed", range(5))
def test_killed_twice_at_random_it_ends_as_if_it_had_not_been(tmp_path, whole, seed):
    draw = random.Random(seed)
    for _ in range(2):
        _kill_after(tmp_path, draw.uniform(0.0, 0.8))
    result = search(tmp_path)
    assert same(result, whole[0])
    assert told(tmp_path) == whole[1]
    assert len({one[0] for one in told(tmp_path)}) == len(told(tmp_path)) == TRIALS


@pytest.mark.parametrize("moment", ["while a batch runs", "before its journal line"])
def test_a_trial_that_began_counts_even_if_nobody_goes_on(tmp_path, whole, moment, monkeypatch):
    begun: list[int] = []
    before = moment == "while a batch runs"
    owner, name = (Signals, "sweep") if before else (CachedBacktester, "evaluate_many")
    real = getattr(owner, name)

    class Killed(BaseException):
        """Stands for a kill."""

    def dying(self, parameters, **options):
        begun.append(len(parameters))
        if len(begun) == 3 and before:
            raise Killed
        found = real(self, parameters, **options)
        if len(begun) == 3:
            raise Killed
        return found

    monkeypatch.setattr(owner, name, dying)
    with pytest.raises(Killed):
        search(tmp_path)
    states = [state for _, state, _ in told(tmp_path)]
    assert len(states) == 3 * BATCH
    killed = BATCH if before else 0
    assert states.count("killed") == killed
    monkeypatch.undo()
    assert same(search(tmp_path), whole[0])
    assert told(tmp_path) == whole[1]


def test_neither_threads_nor_cache_change_a_search(tmp_path, whole):
    ways = {
        "threads": {"threads": 2},
        "no cache": {"cache": False},
        "a cache of four": {"cache_size": 4},
    }
    for name, options in ways.items():
        folder = tmp_path / name
        folder.mkdir()
        assert same(search(folder, **options), whole[0]), name
        assert told(folder) == whole[1], name
    (journal,) = (tmp_path / "threads").glob("search-*.jsonl")
    journal.unlink()
    again = search(tmp_path / "threads")
    assert same(again, whole[0])
    assert again.resumed == 0
    assert told(tmp_path / "threads") == whole[1]


def test_the_pieces_in_which_a_batch_is_evaluated_do_not_matter(tmp_path, whole, monkeypatch):
    real = CachedBacktester.evaluate_many
    monkeypatch.setattr(
        CachedBacktester,
        "evaluate_many",
        lambda self, parameters: [real(self, [one])[0] for one in parameters],
    )
    assert same(search(tmp_path), whole[0])
    assert told(tmp_path) == whole[1]


class Elsewhere(AdaptiveSampler):
    """The sampler on another processor: from the fourth batch on it asks for other trials."""

    def sample_relative(self, study, trial, search_space):
        found = super().sample_relative(study, trial, search_space)
        if trial.number >= 3 * BATCH and "stop" in found:
            found["stop"] = math.nextafter(found["stop"], 3.0)
        return found


Elsewhere.__name__ = "AdaptiveSampler"


def test_trials_of_a_dropped_tail_stay_counted(tmp_path):
    search(tmp_path, trials=42, sampler=Elsewhere)
    ledger = TrialLedger(tmp_path / "ledger.sqlite")
    assert ledger.count(STUDY) == 42
    before = {entry.key for entry in ledger.entries(STUDY)}
    resumed = search(tmp_path)
    assert (resumed.resumed, resumed.dropped) == (18, 24)
    assert same(resumed, search(tmp_path / "alone"))
    alone = TrialLedger(tmp_path / "alone" / "ledger.sqlite")
    searched = {entry.key for entry in alone.entries(STUDY)}
    counted = {entry.key for entry in ledger.entries(STUDY)}
    assert counted == before | searched
    assert len(counted) > TRIALS
