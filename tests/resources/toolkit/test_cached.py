"""A cached result is the computed one; a damaged, foreign or evicted entry is a miss."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toolkit_markets import parameter_sets, random_market

import ares_resources.backtesting.cached as cached_module
from ares_resources.backtesting import StrategyParameters, backtest
from ares_resources.backtesting.cached import CachedBacktester
from ares_resources.backtesting.ledger import TrialLedger
from ares_resources.backtesting.parallel import ParallelBacktester
from ares_resources.errors import BadInput

MARKET, PROBABILITY, SIZE = random_market(5, 300)
BASE = StrategyParameters(
    enter_long=0.6,
    enter_short=0.4,
    stop_width=2.0,
    target_width=3.0,
    time_stop_bars=10,
    fee=4e-4,
    slippage=1e-4,
)


def points(count: int) -> list[StrategyParameters]:
    return [replace(BASE, time_stop_bars=1 + number) for number in range(count)]


def cache(folder, *, capacity=1000, **options) -> CachedBacktester:
    given_data = {"market": MARKET, "probability": PROBABILITY, "size": SIZE, **options}
    return CachedBacktester(folder, max_cache_size=capacity, **given_data)


def direct(parameters: StrategyParameters):
    return backtest(MARKET, PROBABILITY, SIZE, parameters)


def files(folder) -> list:
    return sorted(folder.glob("*.entry"))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(parameter_sets(), max_size=8))
def test_results_equal_direct_ones_first_and_second_time(tmp_path, parameters):
    backtester = cache(tmp_path)
    expected = [direct(one) for one in parameters]
    assert backtester.evaluate_many(parameters) == expected
    assert cache(tmp_path).evaluate_many(parameters) == expected


def test_hits_and_misses_are_counted_and_only_misses_computed(tmp_path, monkeypatch):
    computed = []
    original = cached_module.Signals.sweep

    def spy(self, parameters, **options):
        computed.extend(parameters)
        return original(self, parameters, **options)

    monkeypatch.setattr(cached_module.Signals, "sweep", spy)
    first, second, third = points(3)
    backtester = cache(tmp_path)
    backtester.evaluate_many([first, second, first])
    assert backtester.statistics() == {"hits": 1, "misses": 2, "evictions": 0}
    backtester.evaluate_many([third, first, second])
    assert backtester.statistics() == {"hits": 3, "misses": 3, "evictions": 0}
    again = cache(tmp_path)
    again.evaluate_many([first, second, third])
    assert again.statistics() == {"hits": 3, "misses": 0, "evictions": 0}
    assert computed == [first, second, third]


@pytest.mark.parametrize("position", [0, 7, 25, -1])
def test_a_flipped_bit_is_a_miss_and_is_repaired(tmp_path, position):
    expected = cache(tmp_path).evaluate(BASE)
    (entry,) = files(tmp_path)
    data = bytearray(entry.read_bytes())
    data[position] ^= 1
    entry.write_bytes(data)
    backtester = cache(tmp_path)
    assert backtester.evaluate(BASE) == expected
    assert (backtester.hits, backtester.misses) == (0, 1)
    assert cache(tmp_path).evaluate(BASE) == expected


@pytest.mark.parametrize("length", [0, 3, 21, 60])
def test_a_truncated_entry_is_a_miss(tmp_path, length):
    expected = cache(tmp_path).evaluate(BASE)
    (entry,) = files(tmp_path)
    entry.write_bytes(entry.read_bytes()[:length])
    backtester = cache(tmp_path)
    assert backtester.evaluate(BASE) == expected
    assert backtester.misses == 1


def test_an_entry_under_another_key_is_a_miss(tmp_path):
    cache(tmp_path).evaluate_many(points(2))
    one, other = files(tmp_path)
    other.write_bytes(one.read_bytes())
    backtester = cache(tmp_path)
    assert backtester.evaluate_many(points(2)) == [direct(point) for point in points(2)]
    assert (backtester.hits, backtester.misses) == (1, 1)


def test_data_and_engine_are_part_of_the_key(tmp_path, monkeypatch):
    backtester = cache(tmp_path)
    keys = {backtester.generate_cache_key(BASE)}
    keys.add(backtester.generate_cache_key(replace(BASE, fee=0.0)))
    for name, array in (("probability", PROBABILITY), ("size", SIZE)):
        changed = array.copy()
        changed[150] = 0.123
        keys.add(cache(tmp_path, **{name: changed}).generate_cache_key(BASE))
    atr = MARKET.atr.copy()
    atr[150] = 77.0
    keys.add(cache(tmp_path, market=replace(MARKET, atr=atr)).generate_cache_key(BASE))
    monkeypatch.setattr(cached_module, "ENGINE_VERSION", "next")
    keys.add(backtester.generate_cache_key(BASE))
    assert len(keys) == 6


def test_management_is_part_of_the_key_where_it_says_anything(tmp_path):
    told = np.zeros(len(MARKET), np.int8)
    one = points(1)[0]
    plain, silent = cache(tmp_path), cache(tmp_path, management=told.copy())
    told[5] = -2
    managed = cache(tmp_path, management=told)
    keys = [made.generate_cache_key(one) for made in (plain, silent, managed)]
    assert keys[0] == keys[1] != keys[2]
    expected = managed.signals.sweep([one], threads=1).result(0)
    assert managed.evaluate(one) == expected
    workers = ParallelBacktester(MARKET, PROBABILITY, SIZE, management=told)
    assert workers.evaluate_many([one]) == [expected]


@pytest.mark.parametrize("name", list(StrategyParameters.__dataclass_fields__))
def test_every_parameter_is_part_of_the_key(tmp_path, name):
    other = replace(BASE, **{name: getattr(BASE, name) + (1 if name.endswith("bars") else 1e-15)})
    backtester = cache(tmp_path)
    assert other != BASE
    assert backtester.generate_cache_key(other) != backtester.generate_cache_key(BASE)


def test_the_least_recently_used_entry_goes_first(tmp_path):
    first, second, third, fourth = points(4)
    backtester = cache(tmp_path, capacity=3)
    for point in (first, second, third, first, fourth):
        backtester.evaluate(point)
    assert (backtester.hits, backtester.evictions) == (1, 1)
    kept = {entry.stem for entry in files(tmp_path)}
    assert kept == {backtester.generate_cache_key(point) for point in (first, third, fourth)}
    backtester.evaluate(second)
    assert backtester.misses == 5


def test_a_batch_larger_than_the_cache_is_answered_and_bounded(tmp_path):
    backtester = cache(tmp_path, capacity=5)
    results = backtester.evaluate_many(points(40))
    assert results == [direct(point) for point in points(40)]
    assert len(files(tmp_path)) == 5
    assert backtester.evictions == 35


def test_memory_is_bounded_and_can_be_cleared(tmp_path):
    backtester = cache(tmp_path, capacity=4)
    backtester.evaluate_many(points(10))
    assert len(backtester._memory) == 4
    backtester.clear_memory()
    assert backtester.evaluate(points(10)[-1]) == direct(points(10)[-1])
    assert backtester.hits == 1


def test_switched_off_it_stores_nothing(tmp_path):
    backtester = cache(tmp_path / "cache", enabled=False)
    assert backtester.evaluate(BASE) == backtester.evaluate(BASE) == direct(BASE)
    assert backtester.misses == 2
    assert not (tmp_path / "cache").exists()


def test_the_ledger_counts_every_trial_once(tmp_path):
    ledger = TrialLedger(tmp_path / "trials.db")
    backtester = cache(tmp_path / "cache", ledger=ledger, study="s1")
    backtester.evaluate_many([*points(3), *points(2)])
    backtester.evaluate_many(points(3))
    assert ledger.count() == 3
    other = cache(tmp_path / "cache", ledger=ledger, study="s2")
    other.evaluate_many(points(2))
    assert ledger.count() == 5
    assert [entry.state for entry in ledger.entries("s2")] == ["cached"] * 2
    recorded = {entry.key: entry.sharpe for entry in ledger.entries("s1")}
    for point in points(3):
        assert recorded[backtester.generate_cache_key(point)] == direct(point).sharpe


def test_stale_temporaries_are_removed(tmp_path):
    backtester = cache(tmp_path, capacity=1)
    old, fresh = tmp_path / ".a.1.tmp", tmp_path / ".b.2.tmp"
    for path in (old, fresh):
        path.write_bytes(b"torn")
    os.utime(old, (time.time() - 7200,) * 2)
    backtester.evaluate_many(points(2))
    assert not old.exists()
    assert fresh.exists()


def _evaluate(folder, offset, queue):
    backtester = cache(folder, capacity=20)
    sets = points(60)
    results = backtester.evaluate_many(sets[offset:] + sets[:offset])
    queue.put(results[-offset:] + results[:-offset] if offset else results)


def test_processes_share_a_folder(tmp_path):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    workers = [
        context.Process(target=_evaluate, args=(tmp_path, offset, queue)) for offset in (0, 20, 40)
    ]
    for worker in workers:
        worker.start()
    expected = [direct(point) for point in points(60)]
    assert all(queue.get(timeout=60) == expected for _ in workers)
    for worker in workers:
        worker.join()
    cache(tmp_path, capacity=20).evaluate_many(points(60))
    assert len(files(tmp_path)) == 20


_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import test_cached
print(test_cached.cache(sys.argv[2]).generate_cache_key(test_cached.BASE))
"""


def test_keys_are_the_same_in_every_process(tmp_path):
    here = os.path.dirname(__file__)
    keys = {cache(tmp_path).generate_cache_key(BASE)}
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, here, str(tmp_path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        keys.add(done.stdout.strip())
    assert len(keys) == 1


def test_a_mapping_is_as_good_as_parameters(tmp_path):
    backtester = cache(tmp_path)
    mapping = dict(reversed(list(vars(BASE).items())))
    assert backtester.generate_cache_key(mapping) == backtester.generate_cache_key(BASE)
    assert backtester.evaluate(mapping) == direct(BASE)
    one, other = (
        replace(BASE, fee=0, stop_width=2),
        replace(BASE, fee=0.0, time_stop_bars=np.int8(10)),
    )
    assert backtester.generate_cache_key(one) == backtester.generate_cache_key(other)
    with pytest.raises(BadInput, match="stop_wdth"):
        backtester.evaluate({**mapping, "stop_wdth": 1.0})
    with pytest.raises(BadInput, match="max_cache_size 0"):
        cache(tmp_path, capacity=0)
    with pytest.raises(BadInput, match="name of a study"):
        cache(tmp_path, ledger=TrialLedger(tmp_path / "t.db"))


@settings(max_examples=30, deadline=None)
@given(st.lists(parameter_sets(), max_size=20))
def test_parallel_results_do_not_depend_on_workers(parameters):
    expected = [direct(one) for one in parameters]
    for workers in (1, 2, 8):
        parallel = ParallelBacktester(MARKET, PROBABILITY, SIZE, max_workers=workers)
        assert parallel.threads <= (os.cpu_count() or 1)
        assert parallel.evaluate_many(parameters) == expected


def test_parallel_needs_a_worker():
    with pytest.raises(BadInput, match="max_workers 0"):
        ParallelBacktester(MARKET, PROBABILITY, SIZE, max_workers=0)
