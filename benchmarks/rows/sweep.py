"""Row "sweep": many parameter sets over the same bars, beside vectorbt's columns.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: vectorbt's
idiom (``peers/backtest.py``).  vectorbt runs the first few sets only (a thousand columns of
a million bars are 125 GB), four columns at a time; seconds are those of one set.  vectorbt
computes in one thread; Ares in two, and in one beside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.timing import Made, arrays, main
from benchmarks.rows import backtest, markets
from benchmarks.turns import Case, Differs, Figures, Goal, Program, Row, faster, within

SEED = 12
COLUMNS = 4
ALONE = "ares, one thread"
HERE = "benchmarks.rows.sweep"


def points(sets: int) -> list[list[float]]:
    """Margin, stop and target of each set: from a signal in 14 bars to one in 1,000."""
    generator = np.random.default_rng(SEED)
    apart = np.exp(generator.uniform(np.log(14), np.log(1000), sets))
    wide = generator.uniform(1.0, 6.0, (2, sets))
    return [[0.5 - 0.5 / a, s, t] for a, s, t in zip(apart.tolist(), *wide.tolist(), strict=True)]


def ares(folder: Path, options: dict[str, Any]) -> Made:
    """``ParallelBacktester.sweep``, two threads."""
    from ares_resources.backtesting import StrategyParameters
    from ares_resources.backtesting.parallel import ParallelBacktester

    columns = arrays(folder)
    size = columns["probability"] * 0.0 + options["size"]
    tester = ParallelBacktester(
        markets.market_of(columns),
        columns["probability"],
        size,
        max_workers=options.get("threads", 2),
    )
    sets = [
        StrategyParameters(
            enter_long=0.5 + margin,
            enter_short=0.5 - margin,
            stop_width=stop,
            target_width=target,
            time_stop_bars=markets.NEVER,
            fee=options["fee"],
            slippage=options["slippage"],
        )
        for margin, stop, target in points(options["sets"])
    ]

    def tell(found: Any) -> Mapping[str, Any]:
        first = [
            {name: float(getattr(found.result(one), name)) for name in backtest.FIGURES}
            for one in range(options["shown"])
        ]
        return {"per": len(sets), "sets": first}

    return lambda: tester.sweep(sets), tell


def same(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The sets that both ran agree as one backtest does."""
    counts = {len(each["sets"]) for each in results.values()}
    if len(counts) > 1 or 0 in counts:
        raise Differs(f"sets: { ({name: len(each['sets']) for name, each in results.items()}) }")
    for one in range(counts.pop()):
        backtest.same({name: each["sets"][one] for name, each in results.items()})
    return (
        f"{len(results['ares']['sets'])} sets as one backtest: trades within 1, return, drawdown,"
        f" Sharpe and turnover within {backtest.SHARE:.1%} of themselves"
    )


def cases(quick: bool) -> Sequence[Case]:
    """A thousand sets over a million bars."""
    bars, sets, shown = (100_000, 100, 4) if quick else (1_000_000, 1000, 8)
    peer = {"columns": COLUMNS, "repeats": 1, "points": points(sets)[:shown]}
    return [
        Case(
            name=f"{sets:,} sets, {bars:,} bars, per set",
            make=markets.write_market,
            data={"bars": bars, "seed": SEED, "gap": 0.1},
            programs=[
                Program("ares", HERE, options={"repeats": 2}),
                Program("ares", HERE, options={"repeats": 1, "threads": 1}, label=ALONE, threads=1),
                *(
                    Program(one, backtest.PEERS, "-vectorbt", 3, peer, threads=1)
                    for one in backtest.ENGINES
                ),
            ],
            same=same,
            goals=[
                faster(backtest.ENGINES, 400, what="the faster vectorbt engine"),
                within(1.0, "ms", 1000),
                Goal("at most 16 MB more", _added, 16.0, "MB", at_least=False),
            ],
            options=backtest.options(0.0 + 14) | {"sets": sets, "shown": shown},
            rounds=1 if quick else 3,
        )
    ]


def _added(figures: Figures) -> float | None:
    return float(figures["ares"]["added_mib"]) * 1.048576


ROW = Row("sweep", "many parameter sets over the same bars", cases, {"-vectorbt": ["vectorbt"]})

if __name__ == "__main__":
    main({"ares": ares})
