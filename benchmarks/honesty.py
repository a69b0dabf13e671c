"""Does the gate release what it should not?  ``make bench-honesty``.

Belongs here: which markets and seeds, carrying them out in processes, keeping what is done.
Does not belong here: one market (``honesty_markets``), the table (``honesty_tables``).

Each market is a whole training, steps 1 to 16, in a home of its own: markets with nothing to
find, with an edge below costs, with placebo features, and with a planted edge, all by one
configuration (``honesty.yaml``) and one gate.  The results file keeps every finished market; a
command that was cut off goes on where it stood, and refuses to mix what other code made.

    python -m benchmarks.honesty --out benchmarks/results/honesty.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
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

import yaml

from ares_assets.market.regimes import REGIMES
from ares_resources.provenance import code_fingerprint, library_versions
from benchmarks.arguments import LARGEST_SEED, add_results, whole
from benchmarks.honesty_markets import FAMILIES, judged_market
from benchmarks.honesty_tables import markdown
from benchmarks.measuring import machine
from benchmarks.pages import put_table, write_results

CONFIGURATION = Path(__file__).with_name("honesty.yaml")
FIRST_SEED = 5001
MARK = "bench-honesty"
SAMPLE = {"null": 1, "placebo": 1, "planted": 1}
# The sample is run at every change of the code, so its markets are of those that were tuned on.
SAMPLE_SEED = 901
# What has to be the same for the markets of one file to be of one experiment.
SAME = ("code", "bench", "configuration", "costs", "regimes", "versions")
_SOURCES = ("honesty.py", "honesty_markets.py", "partitions.py")


@dataclass(frozen=True)
class Task:
    """One market."""

    family: str
    seed: int


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 if a market ended in an error or a promotion was false, 2 if refused."""
    chosen = _parser().parse_args(arguments)
    results = _header(chosen, arguments if arguments is not None else sys.argv[1:])
    path = chosen.out
    if path and path.is_file() and not chosen.anew:
        try:
            results = _continued(path, results)
        except ValueError as refusal:
            print(f"error: {refusal}", file=sys.stderr)
            return 2
    done = {(one["family"], one["seed"]) for one in results["markets"]}
    left = [task for task in _tasks(chosen) if (task.family, task.seed) not in done]
    for market in _carried_out(left, tuple(results["regimes"]), chosen.workers):
        results["markets"].append(market)
        results["markets"].sort(key=lambda one: (list(FAMILIES).index(one["family"]), one["seed"]))
        if path:
            write_results(path, results)
    print(markdown(results))
    if chosen.page:
        put_table(chosen.page, MARK, markdown(results))
    return int(any(_is_bad(market) for market in results["markets"]))


def configuration(family: str) -> dict[str, Any]:
    """The settings of every market, with the family's costs."""
    chosen: dict[str, Any] = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    return {**chosen, "costs": dict(FAMILIES[family].costs)}


def carry_out(task: Task, regimes: tuple[str, ...]) -> dict[str, Any]:
    """One market in this process."""
    from ares_resources.settings import load_settings

    settings = load_settings(configuration(task.family), mode="blank")
    return judged_market(task.family, task.seed, settings, regimes)


def _header(chosen: argparse.Namespace, arguments: Sequence[str]) -> dict[str, Any]:
    command = " ".join(["python -m benchmarks.honesty", *arguments])
    return {
        "command": command,
        "sessions": [
            {
                "command": command,
                "date": datetime.now(UTC).strftime("%Y-%m-%d"),
                "machine": machine(),
            }
        ],
        "code": code_fingerprint(),
        "bench": _own_fingerprint(),
        "configuration": hashlib.sha256(CONFIGURATION.read_bytes()).hexdigest(),
        "costs": {name: dict(family.costs) for name, family in FAMILIES.items()},
        "regimes": list(chosen.regimes),
        "versions": library_versions(),
        "markets": [],
    }


def _own_fingerprint() -> str:
    """Of what makes a market here; ``code`` covers the product."""
    own = Path(__file__).parent
    return hashlib.sha256(b"".join((own / name).read_bytes() for name in _SOURCES)).hexdigest()


def _tasks(chosen: argparse.Namespace) -> list[Task]:
    """Seed by seed, so that what is done when it is cut off is alike in every family."""
    wanted = SAMPLE if chosen.sample else {n: FAMILIES[n].markets for n in chosen.families}
    if chosen.seeds is not None:
        wanted = dict.fromkeys(wanted, chosen.seeds)
    last = max(wanted.values())
    first = chosen.first_seed
    if first is None:
        first = SAMPLE_SEED if chosen.sample else FIRST_SEED
    return [
        Task(family, first + number)
        for number in range(last)
        for family, count in wanted.items()
        if number < count
    ]


def _continued(path: Path, results: dict[str, Any]) -> dict[str, Any]:
    """With the markets that earlier commands finished, all but those that ended in an error.

    Raises
    ------
    ValueError
        If another experiment made the file.
    """
    before = json.loads(path.read_text(encoding="utf-8"))
    other = [name for name in SAME if before.get(name) != results[name]]
    if other:
        raise ValueError(f"{path} was made by other {', '.join(other)}; --anew replaces it")
    kept = [market for market in before["markets"] if "error" not in market]
    return {**results, "sessions": before["sessions"] + results["sessions"], "markets": kept}


def _carried_out(
    tasks: Sequence[Task], regimes: tuple[str, ...], workers: int
) -> Iterator[dict[str, Any]]:
    """Each market as it finishes, telling on stderr how many are left and for how long."""
    began = time.perf_counter()
    # Read when numpy loads in the child, so it has to stand before that.
    os.environ["OMP_NUM_THREADS"] = "1"
    # A fresh process for each worker: OpenMP's threads and a fork do not go together.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, max_tasks_per_child=20) as pool:
        running = [pool.submit(carry_out, task, regimes) for task in tasks]
        try:
            for done, future in enumerate(as_completed(running), 1):
                market = future.result()
                left = (time.perf_counter() - began) / done * (len(tasks) - done)
                _tell(f"{done}/{len(tasks)} done, {left:,.0f} s left: {_in_short(market)}")
                yield market
        finally:
            pool.shutdown(cancel_futures=True)


def _in_short(market: dict[str, Any]) -> str:
    found = market.get("partitions", {})
    verdicts = [f"{regime} {one['verdict']}" for regime, one in found.items()]
    return f"{market['family']} {market['seed']}: {market.get('error') or ', '.join(verdicts)}"


def _is_bad(market: dict[str, Any]) -> bool:
    if "error" in market:
        return True
    released = any(one.get("released") for one in market["partitions"].values())
    return released and not FAMILIES[market["family"]].true_edge


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.honesty")
    parser.add_argument("--families", nargs="+", choices=tuple(FAMILIES), default=list(FAMILIES))
    parser.add_argument(
        "--seeds", type=whole(1, 10_000), help="markets of each family, not its own count"
    )
    parser.add_argument("--first-seed", type=whole(0, LARGEST_SEED), help=f"default {FIRST_SEED}")
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=list(REGIMES))
    parser.add_argument("--sample", action="store_true", help="one market of each kind, for CI")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--workers",
        type=whole(1, 256),
        default=cores,
        help=f"processes of one thread each; default all cores, here {cores}",
    )
    parser.add_argument("--anew", action="store_true", help="replace results of other code")
    add_results(parser, "markets", mark=MARK)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
