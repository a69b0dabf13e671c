"""The table of speed, row by row, beside the peers: ``python -m benchmarks.bench``.

Belongs here: choosing rows, keeping what was measured, the table.  Does not belong here: the
rows (``rows/``), turns and ratios (``turns.py``), peers (``peers/``).

Every row that is done is written at once, so a run that was killed goes on with ``--resume``,
which leaves out the rows that this very code has measured in this size.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measuring import machine, versions
from benchmarks.pages import put_table, write_results
from benchmarks.turns import ARES, ROOT, Case, Differs, Figures, Row, ratio, take_turns

ROWS = (
    "backtest",
    "sweep",
    "cache",
    "fingerprint",
    "indicators",
    "barriers",
    "parquet",
    "csv",
    "training",
    "refits",
    "trial",
    "hyperopt",
    "bootstrap",
    "whole",
)
RESULTS = ROOT / "benchmarks" / "results" / "bench.json"
PAGE = ROOT / "docs" / "benchmarks.md"
ABSENT = "this row has no module yet"


def main(arguments: list[str] | None = None) -> int:
    """Measure the chosen rows, keep them, print the table; 1 if results differ, else 0."""
    options = _parser().parse_args(arguments)
    kept = json.loads(options.out.read_text()) if options.out.is_file() else {"rows": {}}
    rows: dict[str, Any] = kept["rows"]
    for name in options.rows or ROWS:
        stamp = {"commit": _commit(), "quick": options.quick}
        known = rows.get(name, {})
        if options.resume and all(known.get(key) == value for key, value in stamp.items()):
            say(f"{name}: known")
            continue
        rows[name] = {**stamp, **measured(name, options.quick, options.folder)}
        ordered = {one: rows[one] for one in ROWS if one in rows}
        write_results(options.out, {"machine": machine(), "rows": ordered})
    found = {name: rows[name] for name in options.rows or ROWS if name in rows}
    print(table(found))
    if options.page:
        every = {one: rows[one] for one in ROWS if one in rows}
        put_table(options.page, "bench", table(every))
    return 1 if any(case.get("differs") for row in found.values() for case in row["cases"]) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"some of: {', '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    parser.add_argument("--resume", action="store_true", help="go on where a run was killed")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--page", type=Path, default=None, help="page to put the table into")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "ares-bench")
    return parser


def measured(name: str, quick: bool, folder: Path) -> dict[str, Any]:
    """A row, measured now.

    Raises
    ------
    SystemExit
        If there is no such row.
    """
    if name not in ROWS:
        sys.exit(f"no row {name!r}; there are: {', '.join(ROWS)}")
    if importlib.util.find_spec(f"benchmarks.rows.{name}") is None:
        return {"work": name, "cases": [], "absent": ABSENT}
    row: Row = importlib.import_module(f"benchmarks.rows.{name}").ROW
    say(f"{name}: {row.work}")
    size = "quick" if quick else "full"
    cases = [
        _case(replace(case, rounds=1) if quick else case, folder / name / f"{size}-{number}")
        for number, case in enumerate(row.cases(quick))
    ]
    return {
        "work": row.work,
        "command": f"python -m benchmarks.bench {name}{' --quick' if quick else ''}",
        "date": datetime.now(UTC).date().isoformat(),
        "versions": _versions(row),
        "cases": cases,
    }


def _case(case: Case, folder: Path) -> dict[str, Any]:
    figures: Figures = {}
    try:
        figures = take_turns(case, folder, say)
        results = {name: one["result"] for name, one in figures.items() if "result" in one}
        equal, differs = case.same(results), False
    except Differs as error:
        say(f"{case.name}: RESULTS DIFFER: {error}")
        equal, differs = str(error), True
    return {
        "case": case.name,
        "data": dict(case.data),
        "threads": case.threads,
        "rounds": case.rounds,
        "equal": equal,
        "differs": differs,
        "figures": {name: _numbers(one) for name, one in figures.items()},
        "goals": [goal.judged(figures, case.reasons) for goal in case.goals] if figures else [],
    }


def _numbers(figure: Mapping[str, Any]) -> dict[str, Any]:
    """A program's figures; of its results the single numbers, not what was compared in bulk."""
    plain = {
        name: value
        for name, value in figure.get("result", {}).items()
        if isinstance(value, int | float | str)
    }
    if plain:
        return {**figure, "result": plain}
    return {k: v for k, v in figure.items() if k != "result"}


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The rows as Markdown: Ares, each peer over Ares, memory, equality, goals."""
    lines = [
        "| work | Ares | peers: times Ares' time (peak MiB) | Ares' peak MiB (added) "
        "| equal results | goal: figure |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        if row.get("absent"):
            lines.append(f"| **{name}** | | | | | not measured: {row['absent']} |")
        for case in row["cases"]:
            lines.append(f"| **{name}**, {case['case']} | {_cells(case)} |")
    return "\n".join(lines)


def _cells(case: Mapping[str, Any]) -> str:
    figures: Figures = case["figures"]
    own = figures.get(ARES, {})
    peers = [_peer(figures, name) for name in figures if name != ARES]
    cells = [
        _seconds(own["seconds"]) if own else "failed",
        "; ".join(peers),
        f"{own['peak_mib']:.0f} ({own['added_mib']:.1f})" if own else "",
        ("DIFFERS: " if case["differs"] else "") + case["equal"],
        "; ".join(_goal(goal) for goal in case["goals"]),
    ]
    return " | ".join(cells).replace("\n", " ")


def _peer(figures: Figures, name: str) -> str:
    one = figures[name]
    if "failed" in one:
        return f"{name}: could not run ({one['failed']})"
    times = ratio(figures, name)
    shown = "?" if times is None else f"{times:,.3g}" if times < 1000 else f"{times:,.0f}"
    return f"{name} {shown} ({one['peak_mib']:.0f})"


def _goal(goal: Mapping[str, Any]) -> str:
    if goal["met"]:
        return f"{goal['goal']}: **{goal['figure']:g}**, met"
    figure = "none" if goal["figure"] is None else f"{goal['figure']:g}"
    reason = f" ({goal['reason']})" if goal["reason"] else ""
    return f"{goal['goal']}: **{figure}**, not met{reason}"


def _seconds(value: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if value * scale >= 1 or unit == "us":
            return f"{value * scale:.3g} {unit}"
    raise AssertionError


def _versions(row: Row) -> dict[str, Any]:
    own = versions("ares", "numpy", "numba", "pyarrow", "pandas", "optuna", "catboost")
    return {"ares": own, **{f"peers{env}": _of(env, names) for env, names in row.packages.items()}}


def _of(environment: str, packages: Sequence[str]) -> dict[str, str]:
    python = ROOT / f".venv-peers{environment}" / "bin" / "python"
    code = "import sys, importlib.metadata as m; print(*(m.version(n) for n in sys.argv[1:]))"
    if not python.is_file():
        return dict.fromkeys(packages, "not installed")
    told = subprocess.run([python, "-c", code, *packages], capture_output=True, text=True)
    if told.returncode:
        return dict.fromkeys(packages, "not installed")
    return dict(zip(packages, told.stdout.split(), strict=True))


def _commit() -> str:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    )
    return told.stdout.strip() or "unknown"


def say(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
