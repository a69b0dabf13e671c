"""Where the time of whole trainings goes: ``python -m benchmarks.whole blank`` or ``full``.

Belongs here: which trainings, their peak memory, the table.  Does not belong here: how moments
are charged (``accounts.py``), FreqAI beside Ares (``rows/whole.py``).

One process trains the regimes on the simulated exchange in a new home that ``ares init`` has
made, as many times over as it is told: from the second time on, every import has been paid.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ares_resources.provenance import library_versions
from benchmarks.accounts import ACCOUNTS, COMPUTE, OWN, Accounts, open_accounts
from benchmarks.arguments import holding, only, page, whole
from benchmarks.arguments import results as results_file
from benchmarks.measuring import machine, peak_mib
from benchmarks.pages import put_table, write_results
from benchmarks.recorded import code_hash
from benchmarks.turns import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "whole.json"
MARK = "whole"
SYMBOL = ("ETHUSDT", "SIM")
TIMES = {"blank": 4, "full": 1}
REGIME_NAMES = ("bull", "bear", "sideways")
REGIMES = {"blank": ("sideways",), "full": REGIME_NAMES}


def main(arguments: list[str] | None = None) -> int:
    """Measure, keep what was measured beside the other mode, print the table.

    Ends with 1, and keeps nothing, if a training failed: its time is that of no training.
    """
    chosen = _parser().parse_args(arguments)
    regimes = tuple(chosen.regimes or REGIMES[chosen.mode])
    accounts = open_accounts()
    runs: list[dict[str, Any]] = []
    for number in range(chosen.times or TIMES[chosen.mode]):
        runs.append(measured(accounts, chosen.mode, regimes))
        told = ", ".join(f"{name} {one:.2f}" for name, one in runs[-1]["wall"].items())
        say(f"run {number + 1}: {told}")
        if "failed" in runs[-1]["ended"].values():
            say(f"a training failed, nothing is kept: {runs[-1]['reasons']}")
            return 1
    command = "python -m benchmarks.whole " + " ".join(arguments or sys.argv[1:])
    found = {**_header(command), "regimes": regimes, "runs": runs}
    every = {**_other_modes(chosen.out), chosen.mode: found}
    kept = {mode: every[mode] for mode in TIMES if mode in every}
    write_results(chosen.out, kept)
    print(table(kept))
    if chosen.page:
        put_table(chosen.page, MARK, table(kept))
    return 0


def _header(command: str) -> dict[str, Any]:
    return {
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "code": code_hash(),
        "machine": machine(),
        "versions": library_versions(),
        "peak_mib": round(peak_mib()),
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.whole", description=__doc__)
    parser.add_argument("mode", choices=("blank", "full"))
    parser.add_argument(
        "--times", type=whole(1, 1000), help="trainings in a row, each in a new home"
    )
    parser.add_argument("--regimes", nargs="+", choices=REGIME_NAMES)
    known = results_file(only(*TIMES), holding("", dict, "regimes", "runs", "peak_mib"))
    parser.add_argument("--out", type=known, default=str(RESULTS))
    parser.add_argument("--page", type=page(MARK), help="page to put the table into")
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
        "reasons": {one.partition: one.reason for one in outcomes},
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
    columns = _columns(kept)
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


def _columns(kept: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Runs by the words over them, which tell the regimes, and the code where it is not one."""
    columns, codes = {}, {one.get("code") for one in kept.values()}
    for mode, one in kept.items():
        usual, runs = tuple(one["regimes"]) == REGIMES[mode], one["runs"]
        named = ", ".join(one["regimes"])
        apart = f" ({one['date']}, code {one.get('code', 'unknown')})" if len(codes) > 1 else ""
        if mode == "full":
            columns[f"full, {'three regimes' if usual else named}{apart}"] = runs[0]
            continue
        name, warm = "blank" if usual else f"blank {named}", runs[1:]
        columns[f"{name}, first{apart}"] = runs[0]
        if warm:
            middle = sorted(warm, key=lambda run: run["seconds"])[len(warm) // 2]
            columns[f"{name}, warm{apart}"] = middle
    return columns


def _other_modes(path: Path) -> dict[str, Any]:
    """What stands in the file, without what was charged to other accounts than these."""
    kept = json.loads(path.read_text()) if path.is_file() else {}
    for mode in list(kept):
        if any(set(run["wall"]) != set(ACCOUNTS) for run in kept[mode]["runs"]):
            say(f"{mode} of {kept[mode]['date']} is left out: it was charged to other accounts")
            del kept[mode]
    return kept


def say(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
