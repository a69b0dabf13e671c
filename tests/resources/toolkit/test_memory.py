"""Memory is measured, caches are freed first, and a step stops with a sentence."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from ares_resources.errors import AresError, BadInput, MemoryExceeded
from ares_resources.memory import MemoryManager, MemorySample, measure, register_cache

MIB = 2**20


class Machine:
    """A machine of 1000 MiB whose caches can be emptied."""

    def __init__(self, used: int, cached: int = 0) -> None:
        self.used, self.cached, self.frees = used, cached, 0

    def probe(self) -> MemorySample:
        return MemorySample(
            (self.used + self.cached) // 2 * MIB, (self.used + self.cached) * MIB, 1000 * MIB
        )

    def free(self) -> None:
        self.cached, self.frees = 0, self.frees + 1


def manager(machine: Machine, threshold: float = 0.8, enabled: bool = True) -> MemoryManager:
    made = MemoryManager(threshold, enabled, probe=machine.probe)
    made.register("backtests", machine.free)
    return made


def test_below_the_threshold_nothing_is_freed():
    machine = Machine(500, 100)
    assert manager(machine).guard("step 5").share == 0.6
    assert machine.frees == 0


def test_past_the_threshold_caches_are_freed_and_the_step_goes_on():
    machine = Machine(500, 400)
    watch = manager(machine)
    assert watch.guard("step 5").share == 0.5
    assert machine.frees == 1
    figures = watch.figures()
    assert figures["memory_freed_mib"] == 200
    assert figures["memory_cleanups"] == 1
    assert figures["memory_peak_mib"] == 450
    assert figures["memory_rss_mib"] == 250
    assert figures["memory_share"] == 0.5


def test_what_the_step_will_need_counts():
    watch = manager(Machine(500))
    watch.guard("step 4", 300 * MIB)
    with pytest.raises(
        MemoryExceeded, match=r"step 4: memory is at 50% of 1,000 MiB and needs 301 MiB more"
    ):
        watch.guard("step 4", 301 * MIB)


def test_the_error_names_step_peak_and_remedy():
    with pytest.raises(MemoryExceeded, match=r"step 9.*80%.*peak 475 MiB.*lookback_days") as caught:
        manager(Machine(900, 50)).guard("step 9")
    assert "\n" not in str(caught.value)


def test_switched_off_it_only_measures():
    machine = Machine(990, 5)
    assert manager(machine, enabled=False).guard("step 9", 10**12).share == 0.995
    assert machine.frees == 0


def test_a_cache_that_is_gone_is_not_called():
    machine = Machine(500, 400)
    watch = manager(machine)
    watch.unregister("backtests")
    with pytest.raises(MemoryExceeded):
        watch.guard("step 5")
    assert machine.frees == 0


def test_real_figures_are_those_of_this_process():
    watch = MemoryManager(1.0)
    before = watch.sample()
    block = bytearray(64 * MIB)
    block[::4096] = b"x" * len(block[::4096])
    after = watch.sample()
    assert 48 * MIB < after.rss - before.rss < 96 * MIB
    assert 0 < after.share < 1
    del block


def test_a_control_group_tighter_than_the_machine_counts(tmp_path):
    (tmp_path / "memory.max").write_text(f"{1000 * MIB}\n")
    (tmp_path / "memory.current").write_text(f"{700 * MIB}\n")
    (tmp_path / "memory.stat").write_text(f"anon 5\ninactive_file {200 * MIB}\n")
    sample = measure(tmp_path)
    assert (sample.used, sample.total) == (500 * MIB, 1000 * MIB)
    (tmp_path / "memory.max").write_text("max\n")
    assert measure(tmp_path).total > 1000 * MIB
    assert measure(tmp_path / "none").total == measure(tmp_path).total


def _first_version(root: Path, path: str, limit: int, used: int) -> None:
    folder = root / "memory" / path
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
    (folder / "memory.usage_in_bytes").write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"inactive_file 1\ntotal_inactive_file {20 * MIB}\n")


def test_every_control_group_of_the_process_counts_in_both_versions(tmp_path):
    membership = tmp_path / "membership"
    membership.write_text("4:cpu:/x\n3:hugetlb,memory:/outer/inner\n0::/slice/own\n")
    unlimited = 9223372036854771712
    for path in ("", "outer/inner"):
        _first_version(tmp_path, path, unlimited, 500 * MIB)
    assert measure(tmp_path, membership).total > 2000 * MIB
    _first_version(tmp_path, "outer", 1000 * MIB, 520 * MIB)
    sample = measure(tmp_path, membership)
    assert (sample.used, sample.total) == (500 * MIB, 1000 * MIB)
    own = tmp_path / "slice" / "own"
    own.mkdir(parents=True)
    (own / "memory.max").write_text(f"{600 * MIB}\n")
    (own / "memory.current").write_text(f"{300 * MIB}\n")
    sample = measure(tmp_path, membership)
    assert (sample.used, sample.total) == (300 * MIB, 600 * MIB)
    # The one with the least room up to the threshold, not the one with the largest share.
    assert measure(tmp_path, membership, threshold=1.0).total == 600 * MIB
    (own / "memory.current").write_text(f"{50 * MIB}\n")
    assert measure(tmp_path, membership).total == 1000 * MIB


def test_a_group_of_another_name_space_is_looked_for_at_the_visible_root(tmp_path):
    membership = tmp_path / "membership"
    membership.write_text("4:memory:/docker/abc\n")
    _first_version(tmp_path, "", 900 * MIB, 100 * MIB)
    assert measure(tmp_path, membership).total == 900 * MIB


def test_caches_of_the_process_are_freed_by_every_manager_until_they_are_gone():
    class Cache:
        emptied = 0

        def empty(self) -> None:
            Cache.emptied += 1

    cache = Cache()
    register_cache(cache.empty)
    machine = Machine(500, 400)
    manager(machine).guard("step 5")
    assert Cache.emptied == 1
    del cache
    manager(machine).free_caches()
    assert Cache.emptied == 1


def step_that_fills(machine: Machine, watch: MemoryManager) -> None:
    """Goes on past the threshold for two seconds, unless it is stopped."""
    with watch.watching("step 5"):
        machine.cached = 400
        for _ in range(200):
            time.sleep(0.01)


def test_a_cache_that_cannot_be_emptied_stops_the_step_and_others_are_emptied():
    machine = Machine(500)
    watch = manager(machine, threshold=0.6)

    def broken() -> None:
        raise RuntimeError("a lock\nis held")

    watch.register("another", broken)
    with pytest.raises(AresError) as stopped:
        step_that_fills(machine, watch)
    assert str(stopped.value) == (
        "step 5: memory has to be freed, but cache 'another' could not be emptied:"
        " RuntimeError: a lock is held"
    )
    assert machine.frees == 1


def test_a_measurement_that_fails_stops_the_step():
    machine = Machine(500)

    def failing() -> MemorySample:
        if machine.cached:
            raise OSError("no /proc")
        return Machine.probe(machine)

    watch = MemoryManager(0.8, probe=failing)
    with pytest.raises(AresError, match="step 5: memory watch failed: OSError: no /proc"):
        step_that_fills(machine, watch)


def test_the_watch_still_stops_a_step_past_the_threshold():
    machine = Machine(700)
    watch = MemoryManager(0.8, probe=machine.probe)
    with pytest.raises(MemoryExceeded, match="step 5: memory is at 110%"):
        step_that_fills(machine, watch)


def test_the_peak_within_a_step_is_seen_though_nobody_looked():
    watch = MemoryManager(1.0, enabled=False)
    with watch.watching("step 1"):
        block = np.ones(32 * MIB)
        del block
    first = watch.figures()
    with watch.watching("step 2"):
        pass
    second = watch.figures()
    assert first["memory_peak_mib"] > first["memory_rss_mib"] + 200
    assert second["memory_peak_mib"] < first["memory_peak_mib"] - 200


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.01, float("nan")])
def test_bad_thresholds_are_named(threshold):
    with pytest.raises(BadInput, match="memory threshold"):
        MemoryManager(threshold)
