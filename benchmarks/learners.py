"""How much of what can be known the analysts find: ``make bench-learners``.

Belongs here: which markets, lengths and seeds, carrying them out in processes, keeping what is
done.  Does not belong here: one experiment (``simulated_year``), tables (``learner_tables``).

FLIP and CONSISTENT: steps 1 to 7 are trained on each length of development and judged on the
year after it, beside the exact oracle.  NULL: nothing can be known, and the experts' fold AUCs
have to stay within noise.  The results file keeps every finished seed; a command that was cut
off goes on where it stood, and seeds that other code or options made are made anew.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ares_resources.provenance import code_fingerprint, library_versions
from benchmarks.arguments import add_results, add_seeds, whole
from benchmarks.learner_tables import markdown
from benchmarks.measuring import machine
from benchmarks.pages import put_table, write_results

KNOWABLE = ("FLIP", "CONSISTENT")
NULL = "NULL"
TRIALS = 100
MARK = "bench-learners"


@dataclass(frozen=True)
class Task:
    """One experiment."""

    market: str
    days: int
    seed: int
    trials: int


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    chosen = _parser().parse_args(arguments)
    results = {
        "command": "python -m benchmarks.learners " + " ".join(arguments or sys.argv[1:]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "code": code_fingerprint(),
        "trials": chosen.trials,
        "versions": library_versions(),
        "machine": machine(),
        "runs": [],
    }
    tasks = _tasks(chosen)
    results["runs"] = _kept(Path(chosen.out), results, tasks) if chosen.out else []
    for run in _carried_out(_left(tasks, results["runs"]), chosen.workers):
        results["runs"].append(run)
        results["runs"].sort(key=_order)
        if chosen.out:
            write_results(Path(chosen.out), results)
    table = markdown(results)
    print(table)
    if chosen.out:
        write_results(Path(chosen.out), results)
    if chosen.page:
        put_table(Path(chosen.page), MARK, table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.learners", description=__doc__)
    parser.add_argument(
        "--markets", nargs="+", choices=(*KNOWABLE, NULL), default=[*KNOWABLE, NULL]
    )
    parser.add_argument(
        "--days", type=int, nargs="+", choices=range(30, 366), metavar="DAYS", default=[180, 365]
    )
    add_seeds(parser, first=907, count=20)
    parser.add_argument(
        "--trials", type=whole(1, 10_000), default=TRIALS, help="n_trials of step 6"
    )
    parser.add_argument(
        "--workers", type=whole(1, 256), default=2, help="processes of one thread each"
    )
    add_results(parser, "runs", mark=MARK)
    return parser


def _tasks(chosen: argparse.Namespace) -> list[Task]:
    """Seed by seed, so that what is done when it is cut off is whole seeds."""
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.seeds)
    return [
        Task(market, days, seed, chosen.trials)
        for seed in seeds
        for days in chosen.days
        for market in chosen.markets
    ]


def _kept(path: Path, results: dict[str, Any], tasks: Sequence[Task]) -> list[dict[str, Any]]:
    """Runs that an earlier command finished with the same code, libraries and options.

    Null runs without ``null_folds`` kept a noise that counted whole windows: they are made anew.
    """
    import json

    if not path.is_file():
        return []
    before = json.loads(path.read_text(encoding="utf-8"))
    if any(before.get(name) != results[name] for name in ("code", "trials")):
        _tell(f"{path}: made by other code or options; all anew")
        return []
    wanted = {(task.market, task.days, task.seed) for task in tasks}
    whole = [run for run in before["runs"] if run["market"] != NULL or "null_folds" in run]
    return [run for run in whole if _order(run) in wanted]


def _left(tasks: Sequence[Task], runs: Sequence[dict[str, Any]]) -> list[Task]:
    done = {_order(run) for run in runs}
    return [task for task in tasks if (task.market, task.days, task.seed) not in done]


def _order(run: dict[str, Any]) -> tuple[str, int, int]:
    return run["market"], run["days"], run["seed"]


def _carried_out(tasks: Sequence[Task], workers: int) -> Iterator[dict[str, Any]]:
    """Each run as it finishes, telling on stderr how many are left and for how long."""
    began = time.perf_counter()
    # Read when numpy loads in the child, so it has to stand before that.
    os.environ["OMP_NUM_THREADS"] = "1"
    # A fresh process for each worker: OpenMP's threads and a fork do not go together.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        running = [pool.submit(carry_out, task) for task in tasks]
        try:
            for done, future in enumerate(as_completed(running), 1):
                run = future.result()
                left = (time.perf_counter() - began) / done * (len(tasks) - done)
                _tell(f"{done}/{len(tasks)} done, {left:,.0f} s left: {_order(run)}")
                yield run
        finally:
            pool.shutdown(cancel_futures=True)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def carry_out(task: Task) -> dict[str, Any]:
    """One experiment in this process."""
    from benchmarks.simulated_year import judged_year, null_folds

    began, spent = time.perf_counter(), time.process_time()
    if task.market == NULL:
        found = null_folds(task.market, task.days, task.seed)
    else:
        found = judged_year(task.market, task.days, task.seed, task.trials)
    return {
        "market": task.market,
        "days": task.days,
        "seed": task.seed,
        "wall_seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(time.process_time() - spent, 1),
        **found,
    }


if __name__ == "__main__":
    raise SystemExit(main())
