"""Row "bootstrap": Sharpe ratio and drawdown of resampled paths, beside arch and numpy.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: the peers'
way (``peers/bootstrap.py``).  arch draws other random numbers, so moments are compared, within
their Monte-Carlo error; Ares' paths must be the same for one thread and two.  arch computes in one
thread; Ares in two, and in one beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.agreeing import off_by, peers_in
from benchmarks.peers.bootstrap import FIGURES, summary
from benchmarks.peers.timing import Made, arrays, main
from benchmarks.turns import ARES, Case, Differs, Program, Row, faster

HERE, PEERS = "benchmarks.rows.bootstrap", "benchmarks.peers.bootstrap"
SEED = 16
ALONE = "ares, one thread"


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
        moments = summary(found.sharpe, found.total_return, found.max_drawdown)
        return {"per": options["paths"], "threads_equal": equal, **moments}

    return lambda: paths(options["paths"], options["threads"]), tell


def same(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Means and deviations within four standard errors; the same paths for any number of threads.

    The standard error of a deviation is taken as that of the mean, which is that of a distribution
    with kurtosis 5: more than a normal one has.
    """
    own, worst = results[ARES], 0.0
    if not own["threads_equal"]:
        raise Differs("Ares' paths depend on the number of threads")
    for program, other in peers_in(results).items():
        for name in FIGURES:
            spread = own[f"{name}_deviation"]
            error = spread * (1 / other["paths"] + 1 / own["paths"]) ** 0.5
            for figure in (name, f"{name}_deviation"):
                off = off_by(program, figure, other[figure], own[figure], 4 * error)
                worst = max(worst, off / error)
    return (
        f"means and deviations of {', '.join(FIGURES)} within {worst:.1f} standard errors;"
        " Ares' paths equal for one thread and two"
    )


def cases(quick: bool) -> Sequence[Case]:
    """Short and long blocks."""
    rows, paths, theirs = (5_000, 1_000, 100) if quick else (50_000, 10_000, 300)
    return [
        Case(
            name=f"{paths:,} paths x {rows:,}, mean block {block}, per path",
            make=write,
            data={"rows": rows, "seed": SEED},
            programs=[
                Program("ares", HERE),
                Program("ares", HERE, label=ALONE, options={"threads": 1}, threads=1),
                Program("arch and numpy", PEERS, "", 5, {"repeats": 1, "paths": theirs}, threads=1),
            ],
            same=same,
            goals=[faster(["arch and numpy"], times)],
            options={"paths": paths, "block": block, "threads": 2, "repeats": 3},
            rounds=1 if quick else 5,
        )
        for block, times in ((50, 25), (500, 150))
    ]


ROW = Row("bootstrap", "statistics of resampled paths", cases, {"": ["arch", "numpy"]})

if __name__ == "__main__":
    main({"ares": ares})
