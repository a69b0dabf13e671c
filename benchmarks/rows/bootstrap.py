"""Row "bootstrap": Sharpe ratio and drawdown of resampled paths, beside arch and numpy.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: the peers'
way (``peers/bootstrap.py``).  arch draws other random numbers, so quantiles are compared, within
their Monte-Carlo error; Ares' paths must be the same for one thread and two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.timing import Made, arrays, main
from benchmarks.turns import Case, Differs, Program, Row, faster

HERE, PEERS = "benchmarks.rows.bootstrap", "benchmarks.peers.bootstrap"
SEED = 16


def write(folder: Path, data: Mapping[str, Any]) -> None:
    """Returns with volatility that clusters."""
    generator, rows = np.random.default_rng(SEED), int(data["rows"])
    scale = 1e-3 * np.exp(0.5 * np.sin(np.arange(rows) / 700))
    np.save(folder / "returns.npy", generator.normal(2e-6, 1, rows) * scale)


def ares(folder: Path, options: dict[str, Any]) -> Made:
    """``bootstrap_paths``."""
    from ares_assets.evidence.bootstrap import bootstrap_paths

    returns = arrays(folder)["returns"]

    def paths(count: int, threads: int) -> Any:
        return bootstrap_paths(
            returns, paths=count, seed=SEED, mean_block=options["block"], threads=threads
        )

    def tell(found: Any) -> Mapping[str, Any]:
        one, two = paths(64, 1), paths(64, 2)
        equal = all(
            np.array_equal(getattr(one, name), getattr(two, name))
            for name in ("sharpe", "max_drawdown", "total_return")
        )
        quantiles = summary(found.total_return, found.max_drawdown)
        return {"per": options["paths"], "threads_equal": equal, **quantiles}

    return lambda: paths(options["paths"], options["threads"]), tell


def summary(total: np.ndarray, drawdown: np.ndarray) -> dict[str, float]:
    """Mean and deviation of log growth and of drawdown over the paths."""
    growth = np.log1p(total)
    return {
        "paths": float(len(total)),
        "growth": float(growth.mean()),
        "growth_deviation": float(growth.std()),
        "drawdown": float(drawdown.mean()),
        "drawdown_deviation": float(drawdown.std()),
    }


def same(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Means within four standard errors, and the same paths for every number of threads."""
    own, other = results["ares"], results["arch and numpy"]
    if not own["threads_equal"]:
        raise Differs("Ares' paths depend on the number of threads")
    worst = 0.0
    for name in ("growth", "drawdown"):
        error = other[f"{name}_deviation"] * (1 / other["paths"] + 1 / own["paths"]) ** 0.5
        worst = max(worst, abs(own[name] - other[name]) / error)
    if worst > 4:
        raise Differs(f"means differ by {worst:.1f} standard errors")
    return f"means within {worst:.1f} standard errors; equal for one thread and two"


def cases(quick: bool) -> Sequence[Case]:
    """Short and long blocks."""
    rows, paths, theirs = (5_000, 1_000, 100) if quick else (50_000, 10_000, 300)
    return [
        Case(
            name=f"{paths:,} paths x {rows:,}, mean block {block}, per path",
            make=write,
            data={"rows": rows, "seed": SEED},
            programs=[
                Program("ares", HERE, options={"repeats": 3}),
                Program("arch and numpy", PEERS, "", 5, {"repeats": 1, "paths": theirs}),
            ],
            same=same,
            goals=[faster(["arch and numpy"], times)],
            options={"paths": paths, "block": block, "threads": 2},
            rounds=1 if quick else 5,
        )
        for block, times in ((50, 25), (500, 150))
    ]


ROW = Row("bootstrap", "statistics of resampled paths, two cores", cases, {"": ["arch", "numpy"]})

if __name__ == "__main__":
    main({"ares": ares})
