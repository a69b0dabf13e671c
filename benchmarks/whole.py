"""Where the time of whole trainings goes: ``python -m benchmarks.whole blank`` or ``full``.

Belongs here: which trainings, their peak memory, the table.  Does not belong here: how moments
are charged (``accounts.py``), FreqAI beside Ares (``rows/whole.py``).

One process trains the regimes on the simulated exchange in a new home that ``ares init`` has
made, as many times over as it is told: from the second time on, every import has been paid.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ares_resources.provenance import library_versions
from benchmarks.accounts import ACCOUNTS, COMPUTE, OWN, Accounts, open_accounts
from benchmarks.arguments import page, whole
from benchmarks.arguments import results as results_file
from benchmarks.measuring import machine
from benchmarks.pages import put_table, write_results
from benchmarks.turns import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "whole.json"
SYMBOL = ("ETHUSDT", "SIM")
TIMES = {"blank": 4, "full": 1}
REGIME_NAMES = ("bull", "bear", "sideways")
REGIMES = {"blank": ("sideways",), "full": REGIME_NAMES}


def main(arguments: list[str] | None = None) -> int:
    """Measure, keep what was measured beside the other mode, print the table."""
    chosen = _parser().parse_args(arguments)
    times = chosen.times or TIMES[chosen.mode]
    regimes = tuple(chosen.regimes or REGIMES[chosen.mode])
    accounts = open_accounts()
    runs = []
    for number in range(times):
        runs.append(measured(accounts, chosen.mode, regimes))
        told = ", ".join(f"{name} {one:.2f}" for name, one in runs[-1]["wall"].items())
        print(f"run {number + 1}: {told}", file=sys.stderr, flush=True)
    kept = json.loads(chosen.out.read_text()) if chosen.out.is_file() else {}
    kept[chosen.mode] = {
        "command": f"python -m benchmarks.whole {chosen.mode}",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "versions": library_versions(),
        "regimes": regimes,
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "runs": runs,
    }
    write_results(chosen.out, kept)
    print(table(kept))
    if chosen.page:
        put_table(chosen.page, "whole", table(kept))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole", description=__doc__)
    parser.add_argument("mode", choices=("blank", "full"))
    parser.add_argument(
        "--times", type=whole(1, 1000), help="trainings in a row, each in a new home"
    )
    parser.add_argument("--regimes", nargs="+", choices=REGIME_NAMES)
    parser.add_argument("--out", type=results_file(), default=RESULTS)
    parser.add_argument("--page", type=page, default=None, help="page to put the table into")
    return parser


def measured(accounts: Accounts, mode: Any, regimes: Sequence[str]) -> dict[str, Any]:
    """One training: wall and processor seconds by account, the steps' and checks' wall."""
    from ares_jobs.runner import TrainingRequest, train
    from ares_jobs.setup import initialise
    from ares_resources.home import Home
    from ares_resources.symbols import SymbolKey

    request = TrainingRequest(SymbolKey(*SYMBOL), tuple(regimes), mode)
    with tempfile.TemporaryDirectory(prefix="ares-bench-") as folder:
        home = Home(Path(folder))
        initialise(home, [])
        accounts.clear()
        begun = time.perf_counter()
        outcomes = accounts.charged(train, OWN)(request, home=home)
        spent = time.perf_counter() - begun
    return {
        "seconds": round(spent, 2),
        "ended": {one.partition: one.status for one in outcomes},
        "regime_seconds": {one.partition: one.seconds for one in outcomes},
        "wall": _rounded(accounts.seconds),
        "processor": _rounded(accounts.processor),
        "calls": {name: accounts.calls[name] for name in ACCOUNTS},
        "parts": {name: round(one, 3) for name, one in sorted(accounts.parts.items())},
    }


def _rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    return {name: round(seconds.get(name, 0.0), 3) for name in ACCOUNTS}


def rest_share(seconds: Mapping[str, float]) -> float:
    """Share of a run that is neither in a step nor in a check."""
    total = sum(seconds.values())
    return 1.0 - sum(seconds[name] for name in COMPUTE) / total


def table(kept: Mapping[str, Any]) -> str:
    """Wall seconds (processor seconds) of each account; a blank run first and warm, a full one."""
    columns = {}
    if "blank" in kept:
        runs = kept["blank"]["runs"]
        columns["blank, first"] = runs[0]
        warm = runs[1:] or runs
        columns["blank, warm"] = sorted(warm, key=lambda run: run["seconds"])[len(warm) // 2]
    if "full" in kept:
        columns["full, three regimes"] = kept["full"]["runs"][0]
    lines = [
        "| wall s (processor s) | " + " | ".join(columns) + " |",
        "|---" * (1 + len(columns)) + "|",
    ]
    for name in ACCOUNTS:
        cells = [
            f"{run['wall'][name]:.2f} ({run['processor'][name]:.2f})" for run in columns.values()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    total = [
        f"{sum(run['wall'].values()):.1f} ({sum(run['processor'].values()):.1f})"
        for run in columns.values()
    ]
    share = [
        f"{rest_share(run['wall']):.0%} ({rest_share(run['processor']):.0%})"
        for run in columns.values()
    ]
    lines += ["| all | " + " | ".join(total) + " |"]
    lines += ["| **neither step nor check** | " + " | ".join(share) + " |"]
    peaks = ", ".join(f"{mode} {one['peak_mib']:,} MiB" for mode, one in kept.items())
    return "\n".join(lines) + f"\n\nPeak memory of the whole process: {peaks}."


if __name__ == "__main__":
    raise SystemExit(main())
