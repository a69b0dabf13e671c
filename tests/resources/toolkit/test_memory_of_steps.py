"""Real steps in processes of their own that take more memory than they may."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

# The process's own size against a limit, as in a control group that holds nothing else.
_LIMITED = """
import json, os, sys, time
from pathlib import Path
import numpy as np, psutil
import ares_resources.memory as memory

own, limit = psutil.Process(), [2**60]

def own_memory(**_):
    rss = own.memory_info().rss
    return memory.MemorySample(rss, rss, limit[0])

memory.measure = own_memory

def limit_to(extra_mib):
    limit[0] = int((own.memory_info().rss + extra_mib * 2**20) / 0.8)

def take(mib, held):
    for _ in range(mib // 4):
        held.append(np.ones(4 * 2**17))
        time.sleep(0.02)  # the watch looks every tenth of a second
"""

_ONE_STEP = (
    _LIMITED
    + """
from dataclasses import replace
from ares_assets.engine import Request, Result, Work, execute
from ares_assets.steps import STEPS
from ares_resources.errors import MemoryExceeded
from ares_resources.home import Home
from ares_resources.settings import load_settings
from ares_resources.symbols import SymbolKey
from ares_resources.workspace import Workspace

home, how, enabled = Home(Path(sys.argv[1])), sys.argv[2], sys.argv[3] == "on"
home.create()
settings = load_settings({
    "tracking": {"enabled": False},
    "enhanced_training_manager": {"enable_memory_management": enabled},
}, mode="blank")
cache, ended = [], []
memory.register_cache(cache.clear)

def hungry(work):
    try:
        take(160 if how == "cached" else 0, cache)
        take(800 if how == "greedy" else 160, ended)
    except Exception as error:
        raise AssertionError("a step must not take the stop for its own error") from error
    if how == "refused":
        np.ones(2**55)
    return Result({"done": True})

spec = replace(STEPS[0], name="hungry", kind="report", inputs=(), uses=(), function=hungry,
               fingerprint=None, after=None)
request = Request(SymbolKey("ETHUSDT", "SIM"), "bull", settings, None, True, "run")
work = Work(spec, request, Workspace(home))
work.memory
limit_to(240)
try:
    artifact, _ = execute(work, {})
    print(json.dumps({"cost": dict(artifact.cost), "cache": len(cache)}))
except MemoryExceeded as stop:
    cause = repr(stop.__cause__)
    taken = len(ended) * 4
    ended.clear()
    how = "modest"
    again, reused = execute(work, {})
    print(json.dumps({"line": str(stop), "cause": cause, "taken": taken, "reused": reused}))
"""
)


def _run(program: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def _step(tmp_path: Path, how: str, enabled: str = "on") -> dict:
    return json.loads(_run(_ONE_STEP, str(tmp_path), how, enabled).stdout.splitlines()[-1])


def test_a_step_within_the_threshold_keeps_its_caches_and_tells_its_figures(tmp_path):
    told = _step(tmp_path, "modest")
    cost = told["cost"]
    assert (cost["memory_cleanups"], cost["memory_freed_mib"]) == (0, 0)
    assert cost["memory_threshold"] == 0.8
    assert 100 < cost["memory_peak_mib"] < cost["memory_limit_mib"] * 0.8


def test_caches_are_freed_while_the_step_runs_and_it_survives(tmp_path):
    told = _step(tmp_path, "cached")
    assert told["cache"] == 0
    assert told["cost"]["memory_cleanups"] >= 1
    assert told["cost"]["memory_freed_mib"] > 100


def test_a_greedy_step_is_stopped_midway_with_one_line_and_can_be_run_again(tmp_path):
    told = _step(tmp_path, "greedy")
    # How far above the threshold it is seen depends on how busy the machine is.
    assert re.match(r"hungry: memory is at \d{2,3}% of ", told["line"])
    assert "peak" in told["line"]
    assert "memory_threshold" in told["line"]
    assert "\n" not in told["line"]
    assert 160 < told["taken"] < 800
    assert told["cause"] == "None"
    assert told["reused"] is False


def test_memory_that_the_system_refuses_is_said_in_the_same_way(tmp_path):
    told = _step(tmp_path, "refused")
    assert told["line"].startswith("hungry: the system refused more memory (Unable to allocate")
    assert "memory_threshold" in told["line"]


def test_switched_off_nothing_is_freed_or_stopped(tmp_path):
    told = _step(tmp_path, "cached", "off")
    assert told["cache"] > 0
    assert told["cost"]["memory_cleanups"] == 0
    assert _step(tmp_path / "other", "greedy", "off")["cost"]["memory_peak_mib"] > 800


_COMMAND_LINE = (
    _LIMITED
    + """
from ares_assets.steps import STEPS
from ares_jobs.cli import run

greedy = sys.argv[1] == "greedy"
spec, held = STEPS[2], []
original = spec.function

def hungry(work, **inputs):
    limit_to(150)
    take(2000, held)
    return original(work, **inputs)

if greedy:
    object.__setattr__(spec, "function", hungry)
sys.exit(run(["blank", "ETHUSDT", "SIM", "--regime", "bear", "--json"]))
"""
)


def test_the_command_line_says_one_line_and_a_later_run_resumes(tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("ARES_HOME", str(home))
    monkeypatch.setenv("DAGSTER_HOME", str(home / "dagster"))
    stopped = _run(_COMMAND_LINE, "greedy", code=1)
    (partition,) = json.loads(stopped.stdout)["partitions"]
    assert partition["status"] == "failed"
    assert "regime_dataset: memory is at 8" in partition["reason"]
    assert "peak" in partition["reason"]
    assert "Traceback" not in stopped.stdout + stopped.stderr
    kept = _stamps(home)
    assert {path.split("/")[0] for path in kept} == {"market_data", "market_regimes"}
    resumed = _run(_COMMAND_LINE, "modest")
    (partition,) = json.loads(resumed.stdout)["partitions"]
    assert partition["status"] != "failed"
    shared = ("market_data/", "market_regimes/")
    later = _stamps(home)
    assert {path: at for path, at in later.items() if path.startswith(shared)} == kept
    assert any(path.startswith("model_release/") for path in later)


def _stamps(home: Path) -> dict[str, int]:
    root = home / "artifacts"
    return {
        str(path.relative_to(root)): path.stat().st_mtime_ns
        for path in root.rglob("*")
        if path.is_file() and path.suffix != ".pointer"
    }
