"""The table of speed, row by row, beside the peers: ``python -m benchmarks.bench``.

Belongs here: choosing rows, keeping what was measured.  Does not belong here: the table, the
rows (``rows/``), turns and ratios (``turns.py``), peers (``peers/``).

Every row that is done is written at once, so a run that was killed goes on with ``--resume``,
which leaves out the rows that this very code has measured in this size, all programs of them.
Small rows are kept in ``tmp``, and are for no page; a page tells which rows other code measured.
It ends with 1 if results differ or Ares fails, with 3 if some peer did not run, so that its result
is compared with nothing.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.agreeing import NOT_COMPARED, agreement
from benchmarks.arguments import folder, holding, page
from benchmarks.arguments import results as results_file
from benchmarks.bench_table import table
from benchmarks.measuring import machine, peer_versions, versions
from benchmarks.pages import put_table, write_results
from benchmarks.recorded import code_hash, commit
from benchmarks.turns import ARES, ROOT, Case, Differs, Figures, Row, take_turns

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
QUICK_RESULTS = ROOT / "tmp" / "bench.json"
MARK = "bench"
ELSEWHERE = 0.1
ABSENT = "this row has no module yet"


def main(arguments: list[str] | None = None) -> int:
    """Measure the chosen rows, keep them, print the table; returns the exit code."""
    options = _options(arguments)
    rows: dict[str, Any] = _rows_of(options.out)
    for name in options.rows or ROWS:
        stamp = {"code": code_hash(), "quick": options.quick}
        if options.resume and _is_known(rows.get(name, {}), stamp):
            say(f"{name}: known")
            continue
        found = measured(name, options.quick, options.folder)
        rows[name] = {**stamp, "commit": commit(), "machine": machine(), **found}
        write_results(options.out, {"rows": _ordered(rows)})
    chosen = {name: rows[name] for name in options.rows or ROWS if name in rows}
    print(table(chosen))
    if options.page:
        put_table(options.page, MARK, table(_ordered(rows), code_hash()))
    cases = [case for row in chosen.values() for case in row["cases"]]
    if any(case["differs"] for case in cases):
        return 1
    return 0 if all(_all_ran(case) for case in cases) else 3


def _is_known(row: Mapping[str, Any], stamp: Mapping[str, Any]) -> bool:
    """Whether this very code has measured the row in this size, and every program ran."""
    same = all(row.get(key) == value for key, value in stamp.items())
    return same and all(_all_ran(case) and not case["differs"] for case in row["cases"])


def _ordered(rows: Mapping[str, Any]) -> dict[str, Any]:
    return {name: rows[name] for name in ROWS if name in rows}


def _rows_of(path: Path) -> dict[str, Any]:
    rows: dict[str, Any] = json.loads(path.read_text())["rows"] if path.is_file() else {}
    return rows


def _all_ran(case: Mapping[str, Any]) -> bool:
    return NOT_COMPARED not in case["equal"]


def _options(arguments: list[str] | None) -> argparse.Namespace:
    """The command's options, with the file that rows of this size are kept in."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.quick and options.page:
        parser.error("argument --page: rows of --quick are for no page")
    named = options.out or str(QUICK_RESULTS if options.quick else RESULTS)
    try:
        options.out = results_file(holding("rows", dict, "cases"), _of_size(options.quick))(named)
    except argparse.ArgumentTypeError as error:
        parser.error(f"argument --out: {error}")
    return options


def _of_size(quick: bool) -> Callable[[dict[str, Any]], str | None]:
    """No file holds rows of both sizes: a small one would stand in place of a full one."""

    def wrong(held: dict[str, Any]) -> str | None:
        if all(row.get("quick") == quick for row in held["rows"].values()):
            return None
        return f"holds {'full' if quick else 'small'} rows"

    return wrong


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench", description=__doc__)
    parser.add_argument(
        "rows", nargs="*", type=_row, metavar="ROW", help=f"some of: {', '.join(ROWS)}"
    )
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    parser.add_argument("--resume", action="store_true", help="go on where a run was killed")
    parser.add_argument("--out", help=f"{_shown(RESULTS)}, or {_shown(QUICK_RESULTS)} if --quick")
    parser.add_argument("--page", type=page(MARK), help="page to put the table into")
    parser.add_argument(
        "--folder",
        type=folder,
        default=tempfile.gettempdir(),
        help="where the data of a case are written, and removed with it (1.5 GB)",
    )
    return parser


def _row(text: str) -> str:
    if text not in ROWS:
        raise argparse.ArgumentTypeError(f"no row {text!r}; there are: {', '.join(ROWS)}")
    return text


def measured(name: str, quick: bool, folder: Path) -> dict[str, Any]:
    """A row of ``ROWS``, measured now."""
    if importlib.util.find_spec(f"benchmarks.rows.{name}") is None:
        return {"work": name, "cases": [], "absent": ABSENT}
    row: Row = importlib.import_module(f"benchmarks.rows.{name}").ROW
    say(f"{name}: {row.work}")
    cases = [_case(replace(case, rounds=1) if quick else case, folder) for case in row.cases(quick)]
    return {
        "work": row.work,
        "command": f"python -m benchmarks.bench {name}{' --quick' if quick else ''}",
        "date": datetime.now(UTC).date().isoformat(),
        "versions": _versions(row),
        "cases": cases,
    }


def _case(case: Case, folder: Path) -> dict[str, Any]:
    figures: Figures = {}
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # A folder of its own: data of another seed, size or generator are never taken for these.
        with tempfile.TemporaryDirectory(prefix="ares-bench-", dir=folder) as own:
            figures = take_turns(case, Path(own), say)
        if "failed" in figures.get(ARES, {}):
            raise Differs(f"Ares did not run: {figures[ARES]['failed']}")
        equal, differs = agreement(case, figures), False
        if NOT_COMPARED in equal:
            say(f"{case.name}: {equal}")
    except Differs as error:
        say(f"{case.name}: FAILED: {error}")
        equal, differs = str(error), True
    return {
        "case": case.name,
        "data": dict(case.data),
        "threads": _threads(case, figures),
        "rounds": case.rounds,
        "equal": equal,
        "differs": differs,
        "figures": {name: _numbers(one) for name, one in figures.items()},
        "goals": [goal.judged(figures, case.reasons) for goal in case.goals if _ran(figures)],
    }


def _ran(figures: Figures) -> bool:
    return "seconds" in figures.get(ARES, {})


def _threads(case: Case, figures: Figures) -> dict[str, int]:
    """What each program has a use for; all, if other threads of a peer than the calling one worked.

    Ares is told how many, and computes in threads of its own also where it is told one.
    """
    busy = {name for name, one in figures.items() if one.get("elsewhere", 0) > ELSEWHERE}
    return {
        one.shown: case.threads if one.is_peer and one.shown in busy else case.threads_of(one)
        for one in case.programs
    }


def _numbers(figure: Mapping[str, Any]) -> dict[str, Any]:
    """A program's figures; of its results the single numbers, not what was compared in bulk."""
    plain = {
        name: value
        for name, value in figure.get("result", {}).items()
        if isinstance(value, int | float | str)
    }
    kept = {name: value for name, value in figure.items() if name not in ("result", "results")}
    return {**kept, "result": plain} if plain else kept


def _versions(row: Row) -> dict[str, Any]:
    own = versions("ares", "numpy", "numba", "pyarrow", "pandas", "optuna", "catboost")
    peers = {f"peers{env}": peer_versions(env, names) for env, names in row.packages.items()}
    return {"ares": own, **peers}


def say(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
