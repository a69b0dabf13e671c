"""A cached result is the computed one; a damaged, foreign or evicted entry is a miss."""

from __future__ import annotations

import math
import multiprocessing
import os
import subprocess
import sys
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


def stored(folder) -> set[str]:
    """The keys in the folder's file, read by its form, which no other code here knows."""
    data = (folder / "results-1.slots").read_bytes()[32:]
    slots = [data[start : start + 120] for start in range(0, len(data) - 119, 120)]
    return {slot[16:48].hex() for slot in slots if slot[112:] != bytes(8)}


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


def _damaged(tmp_path, damage) -> list[tuple[CachedBacktester, bytes]]:
    """A file of two entries is damaged in one way; results and repair must not care."""
    expected = [direct(point) for point in points(2)]
    path = tmp_path / "results-1.slots"
    if not path.exists():
        cache(tmp_path).evaluate_many(points(2))
    sound = path.read_bytes()
    assert len(sound) == 32 + 2 * 120
    damage(path, sound)
    backtester = cache(tmp_path)
    assert backtester.evaluate_many(points(2)) == expected
    assert cache(tmp_path).evaluate_many(points(2)) == expected
    again = cache(tmp_path)
    again.evaluate_many(points(2))
    assert (again.hits, again.misses) == (2, 0)
    path.write_bytes(sound)
    return backtester


def test_any_flipped_byte_is_at_worst_a_miss_and_is_repaired(tmp_path):
    for position in range(32 + 2 * 120):

        def flip(path, sound, position=position):
            data = bytearray(sound)
            data[position] ^= 0xFF
            path.write_bytes(data)

        backtester = _damaged(tmp_path, flip)
        in_slot = (position - 32) % 120
        if position < 24:
            assert backtester.misses == 2
        elif position >= 32 and in_slot < 112:
            assert (backtester.hits, backtester.misses) == (1, 1)


def test_any_truncation_is_a_miss_and_is_repaired(tmp_path):
    for length in range(32 + 2 * 120):
        backtester = _damaged(tmp_path, lambda path, sound: path.write_bytes(sound[:length]))  # noqa: B023
        whole = max(0, length - 32) // 120
        assert (backtester.hits, backtester.misses) == (whole, 2 - whole)


def test_a_file_cut_short_or_replaced_while_open_is_a_miss(tmp_path):
    backtester = cache(tmp_path)
    expected = backtester.evaluate_many(points(3))
    backtester.clear_memory()
    os.truncate(tmp_path / "results-1.slots", 40)
    assert backtester.evaluate_many(points(3)) == expected
    assert (backtester.hits, backtester.misses) == (0, 6)
    os.truncate(tmp_path / "results-1.slots", 0)
    backtester.clear_memory()
    assert backtester.evaluate_many(points(3)) == expected
    assert len(stored(tmp_path)) == 3


def test_an_entry_under_another_key_is_a_miss(tmp_path):
    cache(tmp_path).evaluate_many(points(2))
    path = tmp_path / "results-1.slots"
    data = bytearray(path.read_bytes())
    data[32 + 120 : 32 + 136], data[32 + 168 : 32 + 232] = data[32:48], data[32 + 48 : 32 + 112]
    path.write_bytes(data)
    backtester = cache(tmp_path)
    assert backtester.evaluate_many(points(2)) == [direct(point) for point in points(2)]
    assert (backtester.hits, backtester.misses) == (1, 1)


def test_entries_of_the_former_form_are_removed_and_never_read(tmp_path):
    (tmp_path / f"{'0' * 64}.entry").write_bytes(b"ARES1 and so on")
    assert cache(tmp_path).evaluate(BASE) == direct(BASE)
    assert not list(tmp_path.glob("*.entry"))


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
    keys.add(cache(tmp_path).generate_cache_key(BASE))
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
    assert stored(tmp_path) == {
        backtester.generate_cache_key(point) for point in (first, third, fourth)
    }
    backtester.evaluate(second)
    assert backtester.misses == 5


def test_a_batch_larger_than_the_cache_is_answered_and_bounded(tmp_path):
    backtester = cache(tmp_path, capacity=5)
    results = backtester.evaluate_many(points(40))
    assert results == [direct(point) for point in points(40)]
    assert len(stored(tmp_path)) == 5
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
    assert len(stored(tmp_path)) == 20
    assert (tmp_path / "results-1.slots").stat().st_size == 32 + 20 * 120


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
    for capacity in (True, 1.5, "3", None, math.nan):
        with pytest.raises(BadInput, match=r"max_cache_size .* must be a whole number"):
            cache(tmp_path, capacity=capacity)
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
    for workers in (True, 1.5, "3", None, math.nan):
        with pytest.raises(BadInput, match=r"max_workers .* must be a whole number"):
            ParallelBacktester(MARKET, PROBABILITY, SIZE, max_workers=workers)
    with pytest.raises(BadInput, match="max_workers 0"):
        ParallelBacktester(MARKET, PROBABILITY, SIZE, max_workers=0)


def test_a_smaller_bound_shrinks_a_shared_folder_and_says_so(tmp_path):
    from ares_resources import progress

    lines: list[str] = []

    class Heard(progress.Silent):
        def noted(self, line: str) -> None:
            lines.append(line)

    cache(tmp_path).evaluate_many(points(20))
    with progress.listening(Heard()):
        cache(tmp_path, capacity=20)
        assert lines == []
        cache(tmp_path, capacity=5)
    (line,) = lines
    assert line.startswith("dropped 15 of 20 cached results: max_cache_size is 5")
    assert len(stored(tmp_path)) == 5


def test_the_same_look_by_either_backtester_counts_once(tmp_path):
    ledger = TrialLedger(tmp_path / "t.db")
    parallel = ParallelBacktester(MARKET, PROBABILITY, SIZE, ledger=ledger, study="s")
    results = parallel.evaluate_many(points(3))
    assert results == [direct(one) for one in points(3)]
    cache(tmp_path, ledger=ledger, study="s").evaluate_many(points(4))
    assert [entry.state for entry in ledger.entries("s")] == ["complete"] * 4
    assert parallel.sweep(points(5), daily=True).daily_return is not None
    assert ledger.count("s") == 5
    with pytest.raises(BadInput, match="name of a study"):
        ParallelBacktester(MARKET, PROBABILITY, SIZE, ledger=ledger)


@pytest.mark.parametrize(
    ("error", "state"), [(ValueError, "failed"), (KeyboardInterrupt, "killed")]
)
def test_a_parallel_look_that_came_to_no_end_counts(tmp_path, monkeypatch, error, state):
    ledger = TrialLedger(tmp_path / "t.db")
    parallel = ParallelBacktester(MARKET, PROBABILITY, SIZE, ledger=ledger, study="s")

    def ending(self, parameters, **options):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(cached_module.Signals, "sweep", ending)
        with pytest.raises(error):
            parallel.evaluate_many(points(2))
    assert [entry.state for entry in ledger.entries("s")] == [state] * 2
    parallel.evaluate_many(points(2))
    assert [entry.state for entry in ledger.entries("s")] == ["complete"] * 2
