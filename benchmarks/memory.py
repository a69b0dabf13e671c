"""Peak memory of a full-mode training of one partition, all sixteen steps: ``make bench-memory``.

Belongs here: running the product's command line on real bars and sampling its processes.  Does
not belong here: what a step does, and time.

365 days of ETHUSDT minutes from Binance spot, trained offline by ``ares train`` as a person
would.  Every tenth of a second the memory of that process and of all its children is summed:
resident (RSS), which counts pages that two processes share twice, so the sum is at most too high.
A step's own figures are what the product records with each result.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from ares_assets.engine import Request
from ares_assets.market.regimes import REGIMES
from ares_assets.plan import latest_results
from ares_resources.errors import BadInput
from ares_resources.exchanges.files.ingest import ingest
from ares_resources.home import Home
from ares_resources.provenance import code_fingerprint, library_versions
from ares_resources.settings import Mode, load_settings
from ares_resources.storage.catalogue import Catalogue
from ares_resources.workspace import Workspace
from benchmarks.arguments import add_results, real
from benchmarks.measuring import machine
from benchmarks.pages import put_table, write_results
from benchmarks.real_bars import BARS, MARKET, SYMBOL

AS_OF = "2024-01-01T00:00:00Z"
LIMIT_MIB = 4_096
SAMPLE_SECONDS = 0.1
SPOKEN_EVERY = 30
MEBIBYTE = 2**20
MARK = "bench-memory"


class Watch(threading.Thread):
    """Samples a process and all below it until told to stop; bytes."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._stop_asked = threading.Event()
        self.peak = self.samples = self.most_processes = 0

    def run(self) -> None:
        while not self._stop_asked.wait(SAMPLE_SECONDS):
            sizes = tree_sizes(self._process)
            self.peak = max(self.peak, sum(sizes))
            self.most_processes = max(self.most_processes, len(sizes))
            self.samples += 1

    def end(self) -> None:
        """Stop sampling."""
        self._stop_asked.set()
        self.join()


def tree_sizes(process: psutil.Process) -> list[int]:
    """Resident bytes of a process and of each of its descendants that still lives."""
    sizes = []
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []
    for member in family:
        try:
            sizes.append(member.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return sizes


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns 0 if the peak is below the limit, else 1."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if not (chosen.market / BARS).is_file():
        parser.error(f"--market: no file {chosen.market / BARS}")
    with tempfile.TemporaryDirectory(prefix="ares-bench-") as folder:
        home = Home(Path(folder))
        home.create()
        ingest(Catalogue(home.catalogue), [chosen.market / BARS], SYMBOL)
        results = {
            "command": "python -m benchmarks.memory " + " ".join(arguments or sys.argv[1:]),
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "code": code_fingerprint(),
            "versions": library_versions(),
            "machine": machine(),
            "bars": BARS.name,
            "lookback_days": chosen.lookback_days,
            "limit_mib": LIMIT_MIB,
            "partitions": [_measured(home, regime, chosen) for regime in chosen.regimes],
        }
    table = markdown(results)
    print(table)
    if chosen.out:
        write_results(Path(chosen.out), results)
    if chosen.page:
        put_table(Path(chosen.page), MARK, table)
    return int(any(each["peak_mib"] >= LIMIT_MIB for each in results["partitions"]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("--market", type=Path, default=MARKET, help="folder of the real bars")
    parser.add_argument(
        "--regimes", nargs="+", choices=REGIMES, default=["sideways"], help="one command for each"
    )
    parser.add_argument("--mode", default="full", choices=("full", "blank"))
    parser.add_argument("--lookback-days", type=real(0, 3650), default=365.0)
    add_results(parser, mark=MARK)
    return parser


def _measured(home: Home, regime: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """One training in a process of its own.

    Raises
    ------
    subprocess.CalledProcessError
        If it failed; its output is kept.
    """
    command = [sys.executable, "-m", "ares_jobs.cli", "train", str(SYMBOL.instrument)]
    command += [str(SYMBOL.exchange), "--mode", chosen.mode, "--regime", regime, "--offline"]
    command += ["--as-of", AS_OF, "--lookback-days", str(chosen.lookback_days), "--json"]
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        env={**os.environ, "ARES_HOME": str(home.root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    watch = Watch(process.pid)
    watch.start()
    output = _heard(process, watch, began, regime)
    watch.end()
    wall = time.perf_counter() - began
    # 3 says that the partition was skipped or degraded, with the reason: a result too.
    if process.returncode not in (0, 3):
        raise subprocess.CalledProcessError(process.returncode, command, output)
    (outcome,) = json.loads(output)["partitions"]
    return {
        "regime": regime,
        "status": outcome["status"],
        "peak_mib": round(watch.peak / MEBIBYTE),
        "samples": watch.samples,
        "most_processes": watch.most_processes,
        "wall_seconds": round(wall, 1),
        "steps": recorded_costs(home, regime, chosen.mode),
    }


def _heard(process: subprocess.Popen[str], watch: Watch, began: float, regime: str) -> str:
    """What it printed, telling how it goes meanwhile."""
    while True:
        try:
            return process.communicate(timeout=SPOKEN_EVERY)[0]
        except subprocess.TimeoutExpired:
            spent = time.perf_counter() - began
            line = f"{regime}: {spent:.0f} s, peak {watch.peak / MEBIBYTE:.0f} MiB so far"
            print(line, file=sys.stderr, flush=True)


def recorded_costs(home: Home, regime: str, mode: Mode) -> list[dict[str, Any]]:
    """What the product recorded with each step's latest result, in order of the steps."""
    settings = load_settings({}, mode=mode)
    found = latest_results(Request(SYMBOL, regime, settings, None, True, ""), Workspace(home))
    kept = ("seconds", "memory_rss_mib", "memory_peak_mib")
    return [
        {"step": name, **{key: artifact.cost[key] for key in kept}}
        for name, artifact in found.items()
    ]


def markdown(results: Mapping[str, Any]) -> str:
    """The table: the whole tree first, then what each step left behind."""
    blocks = []
    for each in results["partitions"]:
        title = (
            f"{each['regime']}|{SYMBOL}, {results['lookback_days']:g} days of minutes, all steps: "
            f"**peak {each['peak_mib']:,} MiB** of the whole process tree (limit "
            f"{results['limit_mib']:,}), {each['samples']:,} samples, "
            f"{each['most_processes']} processes at most; {each['wall_seconds']:.0f} s, "
            f"ended as: {each['status']}."
        )
        lines = [
            f"| {step['step']} | {step['seconds']:.1f} | {step['memory_rss_mib']:.0f} "
            f"| {step['memory_peak_mib']:.0f} |"
            for step in each["steps"]
        ]
        head = "| step | seconds | resident after it, MiB | most held while it ran, MiB |"
        blocks.append("\n".join([title, "", head, "|---" * 4 + "|", *lines]))
    return "\n\n".join(blocks)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except BadInput as error:
        print(f"benchmarks.memory: {error}", file=sys.stderr)
        raise SystemExit(2) from None
