"""AdaptiveSampler beside Optuna's samplers at an equal budget: ``python -m benchmarks.search``.

Belongs here: which problems, samplers and seeds, one study, keeping what is done.  Does not
belong here: the problems (``search_problems``), tables (``search_tables``), early stopping
(``search_stopping``).

Each study asks and tells in batches of step 12's default, in one thread; what 50 trials found
is the beginning of the same study, since none of the samplers knows its budget.  The constants
of AdaptiveSampler were chosen on seeds 100 to 103, which are not reported.  A command that was
cut off goes on where it stood, unless code, libraries or machine differ.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from ares_resources.provenance import library_versions
from benchmarks.arguments import add_results, add_seeds
from benchmarks.measuring import machine
from benchmarks.pages import put_table, write_results
from benchmarks.recorded import code_hash, continued
from benchmarks.search_problems import FUNCTIONS, Problem, backtests, function
from benchmarks.search_tables import sampler_tables

if TYPE_CHECKING:
    import optuna

MARKETS = ("CONSISTENT", "FLIP")
PROBLEMS = (*MARKETS, *FUNCTIONS)
BATCH, BUDGETS = 10, (50, 200)
MARK = "bench-search"
SAME = ("code", "versions", "machine", "batch")
"""What the recorded figures depend on, beside problem, sampler and seed."""
Run = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    chosen = _parser().parse_args(arguments)
    results: dict[str, Any] = {
        "command": "python -m benchmarks.search " + " ".join(arguments or sys.argv[1:]),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "code": code_hash(),
        "versions": library_versions(),
        "machine": machine(),
        "batch": BATCH,
        "runs": [],
    }
    results = continued(chosen.out, results, SAME)
    for done in _carried_out(chosen, results["runs"]):
        results["runs"] = sorted([*results["runs"], *done], key=_order)
        if chosen.out:
            write_results(chosen.out, results)
    table = sampler_tables(results["runs"])
    print(table)
    if chosen.page:
        put_table(chosen.page, MARK, table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--problems", nargs="+", choices=PROBLEMS, default=list(PROBLEMS))
    parser.add_argument("--samplers", nargs="+", choices=tuple(SAMPLERS), default=list(SAMPLERS))
    add_seeds(parser, first=3001, count=20)
    add_results(parser, "runs", mark=MARK)
    return parser


def _carried_out(chosen: argparse.Namespace, runs: list[Run]) -> Iterator[list[Run]]:
    """The missing runs, those of one problem and seed at a time, telling how long it takes."""
    known = {_order(run) for run in runs}
    tasks = [
        (seed, name)
        for seed in range(chosen.first_seed, chosen.first_seed + chosen.seeds)
        for name in chosen.problems
    ]
    began, worked = time.perf_counter(), 0
    for number, (seed, name) in enumerate(tasks, 1):
        missing = [one for one in chosen.samplers if (name, seed, one) not in known]
        if not missing:
            continue
        problem = backtests(name, seed) if name in MARKETS else function(name)
        yield [_one(problem, name, one, seed) for one in missing]
        worked += 1
        left = (time.perf_counter() - began) / worked * (len(tasks) - number)
        _tell(f"{number}/{len(tasks)} done, about {left:,.0f} s left: {name} {seed}")


def _one(problem: Problem, name: str, sampler: str, seed: int) -> Run:
    volumes, milliseconds = study(problem, SAMPLERS[sampler](seed))
    return {
        "problem": name,
        "seed": seed,
        "sampler": sampler,
        **{f"volume_{budget}": round(volume, 6) for budget, volume in volumes.items()},
        "sampler_ms": round(milliseconds, 3),
    }


def study(
    problem: Problem,
    sampler: optuna.samplers.BaseSampler,
    *,
    trials: int = BUDGETS[-1],
    batch: int = BATCH,
) -> tuple[dict[int, float], float]:
    """Hypervolume at each budget, and processor milliseconds a trial of asking and telling."""
    import optuna

    from ares_resources.backtesting.search import distributions

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    made = optuna.create_study(directions=["minimize"] * problem.objectives, sampler=sampler)
    space, spent = distributions(problem.space), 0.0
    losses, violations, volumes = np.empty((0, problem.objectives)), np.empty(0), {}
    while len(losses) < trials:
        began = time.process_time()
        asked = [made.ask(space) for _ in range(batch)]
        spent += time.process_time() - began
        found, violation = problem.evaluate([one.params for one in asked])
        began = time.process_time()
        for one, values, excess in zip(asked, found.tolist(), violation.tolist(), strict=True):
            one.set_constraint("feasible", excess)
            made.tell(one, values)
        spent += time.process_time() - began
        losses, violations = np.vstack([losses, found]), np.append(violations, violation)
        if len(losses) in BUDGETS:
            volumes[len(losses)] = problem.volume(losses[violations <= 0])
    return volumes, spent / trials * 1e3


def _adaptive(seed: int) -> optuna.samplers.BaseSampler:
    from ares_resources.backtesting.sampler import AdaptiveSampler

    return AdaptiveSampler(seed)


def _optunas(name: str, **options: Any) -> Callable[[int], optuna.samplers.BaseSampler]:
    def make(seed: int) -> optuna.samplers.BaseSampler:
        import warnings

        import optuna

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            made: optuna.samplers.BaseSampler = getattr(optuna.samplers, name)(seed=seed, **options)
        return made

    return make


SAMPLERS: dict[str, Callable[[int], optuna.samplers.BaseSampler]] = {
    "adaptive": _adaptive,
    "TPE": _optunas("TPESampler"),
    "TPE, multivariate": _optunas("TPESampler", multivariate=True, constant_liar=True),
    "NSGA-II": _optunas("NSGAIISampler", population_size=BATCH),
    "NSGA-III": _optunas("NSGAIIISampler", population_size=BATCH),
}
"""A population of a batch: with Optuna's 50, fifty trials are chance and 200 four generations."""


def _order(run: Run) -> tuple[str, int, str]:
    return run["problem"], run["seed"], run["sampler"]


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
