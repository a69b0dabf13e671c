"""Row "hyperopt": one trial of step 12, beside an epoch of freqtrade's hyperopt, one core each.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: freqtrade's
way (``peers/hyperopt.py``).  TPE with vectorbt is the row "trial".

The same: bars without gaps between them, the probability, long at the next open where it
reaches a threshold, stop and target as shares of the entry price (Ares is given the close in
place of the ATR), stop first, fees, the share of the account that is staked, the ranges of the
three searched parameters, a file that keeps every trial.  Both load and check bars and signal
once, outside the time.

Not the same: freqtrade proposes with NSGA-III and looks for the Sharpe ratio alone, of closed
trades; it draws from steps of a ten-thousandth; an epoch's row has all of its report.  Ares has
its own sampler, batches and three objectives, on every close.  freqtrade may enter on the signal
of a candle in which it left; its protections forbid that at the common point, which is checked,
not in the timed epochs.  Each draws its own trials, and few trades take less time: freqtrade's
first 30 are random, Ares learns, so "Ares, at random" has trials of the same kind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.hyperopt import FEE, SPACE
from benchmarks.peers.timing import Made, arrays, main
from benchmarks.rows import markets
from benchmarks.turns import Case, Differs, Program, Row, faster

HERE, PEERS = "benchmarks.rows.hyperopt", "benchmarks.peers.hyperopt"
SEED = 23
BATCH, TRIALS = 50, 500
POINT = {"threshold": 0.98, "stop": 0.01, "target": 0.015}
PEER, RANDOM = "freqtrade hyperopt", "Ares, at random"


def ares(folder: Path, options: dict[str, Any]) -> Made:
    """``search_parameters`` as step 12 calls it, with a new journal."""
    import optuna

    from ares_resources.backtesting import StrategyParameters
    from ares_resources.backtesting.parallel import ParallelBacktester
    from ares_resources.backtesting.search import Range, search_parameters

    columns = arrays(folder)
    market = markets.market_of({**columns, "atr": columns["close"]})
    size = columns["probability"] * 0.0 + options["size"]
    tester = ParallelBacktester(market, columns["probability"], size, max_workers=1)

    def strategy(threshold: float, stop: float, target: float) -> StrategyParameters:
        return StrategyParameters(threshold, -np.inf, stop, target, markets.NEVER, FEE, 0.0)

    def evaluate(points: Sequence[Mapping[str, float]]) -> Any:
        return tester.evaluate_many([strategy(**point) for point in points])

    def work() -> Any:
        return search_parameters(
            evaluate,
            {name: Range(*ends) for name, ends in SPACE.items()},
            n_trials=options["trials"],
            batch=BATCH,
            patience=options["trials"],
            seed=options["seed"],
            sampler=optuna.samplers.RandomSampler if options.get("random") else None,
            journal_path=Path(tempfile.mkdtemp(dir=folder)) / "journal.jsonl",
        )

    def tell(found: Any) -> Mapping[str, Any]:
        common = evaluate([options["point"]])[0]
        trades = [one.trades for one in found.trials]
        return {
            "per": len(trades),
            "epochs": len(trades),
            "trades": int(common.trades),
            "total_return": float(common.total_return),
            "mean_trades": sum(trades) / len(trades),
            "best_trades": int(found.chosen.trades),
        }

    return work, tell


def same(results: Mapping[str, Mapping[str, Any]]) -> str:
    """At the common point trades within one, the return within a ten-thousandth of the account."""
    own = results["ares"]
    for name, one in results.items():
        off = abs(one["trades"] - own["trades"]), abs(one["total_return"] - own["total_return"])
        if off[0] > 1 or off[1] > 1e-4:
            raise Differs(f"{name}: off by {off[0]} trades and {off[1]:.2g} of return")
    return "; ".join(
        f"{name} {one['trades']:,} trades, return {one['total_return']:.5f}; of {one['epochs']} "
        f"trials on average {one['mean_trades']:,.0f} trades, of the best {one['best_trades']:,}"
        for name, one in results.items()
    )


def cases(quick: bool) -> Sequence[Case]:
    """600 days of five minutes; 20 epochs of the peer."""
    bars, trials, epochs = (17_280, 100, 5) if quick else (172_800, TRIALS, 20)
    return [
        Case(
            name=f"{bars:,} bars, per trial",
            make=markets.write_market,
            data={"bars": bars, "seed": SEED, "gap": 0.0, "minutes": 5},
            programs=[
                Program("ares", HERE, options={"trials": trials}),
                Program("ares", HERE, label=RANDOM, options={"trials": trials, "random": True}),
                Program(PEER, PEERS, "-freqtrade", 2, {"epochs": epochs, "warmups": 0}),
            ],
            same=same,
            goals=[
                faster([PEER], 500),
                faster([PEER], 500, RANDOM, "where Ares' trials are random"),
            ],
            options={"size": markets.SIZE, "point": POINT, "seed": SEED, "repeats": 1},
            threads=1,
            rounds=1 if quick else 3,
        )
    ]


ROW = Row(
    "hyperopt",
    "one trial of step 12 beside freqtrade's hyperopt, one core",
    cases,
    {"-freqtrade": ["freqtrade", "optuna"]},
)

if __name__ == "__main__":
    main({"ares": ares})
