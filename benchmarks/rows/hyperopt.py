"""Row "hyperopt": one trial of step 12, beside an epoch of freqtrade's hyperopt, one core each.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: freqtrade's
way (``peers/hyperopt.py``).  TPE with vectorbt is the row "trial".

The same: bars without gaps between them, the probability, long at the next open where it
reaches a threshold, stop and target as shares of the entry price (Ares is given the close in
place of the ATR), stop first, fees, the share of the account that is staked, the ranges of the
three searched parameters, the number of trials, a file that keeps every trial.  Both read the
bars once, outside the time.  Ares checks and hashes them within it, makes its stores and block
extremes there, and has all that step 12 keeps at its default settings.

Not the same: freqtrade proposes with NSGA-III and looks for the Sharpe ratio alone, of closed
trades; it draws from steps of a ten-thousandth; an epoch's row has all of its report.  Ares has
its own sampler, batches and three objectives, on every close, and a ledger and a cache.
freqtrade may enter on the signal of a candle in which it left; its protections forbid that at the
common point, which is checked, not in the timed epochs.  Each draws its own trials, and few trades
take less time: freqtrade's first 30 are random, Ares learns, so "Ares, at random" has trials of the
same kind.  Ares takes longer to propose the more trials there are: "Ares, 200 trials" is step 12's
default number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.agreeing import off_by, peers_in
from benchmarks.peers.hyperopt import FEE, SPACE
from benchmarks.peers.timing import Made, arrays, main
from benchmarks.rows import markets, step12
from benchmarks.turns import ARES, Case, Differs, Program, Row, faster

HERE, PEERS = "benchmarks.rows.hyperopt", "benchmarks.peers.hyperopt"
SEED = 23
LONG = 200
POINT = {"threshold": 0.98, "stop": 0.01, "target": 0.015}
PEER, RANDOM = "freqtrade hyperopt", "Ares, at random"
SHARE = 1e-3


def ares(folder: Path, options: dict[str, Any]) -> Made:
    """The search as step 12 runs it, in one thread, with new stores."""
    import optuna

    from ares_resources.backtesting import StrategyParameters
    from ares_resources.backtesting.parallel import ParallelBacktester
    from ares_resources.backtesting.search import Range

    columns = arrays(folder)
    size = columns["probability"] * 0.0 + options["size"]

    def signals() -> dict[str, Any]:
        # Anew for each search: a market keeps its hash and its block extremes once made.
        market = markets.market_of({**columns, "atr": columns["close"]})
        return {"market": market, "probability": columns["probability"], "size": size}

    def strategy(threshold: float, stop: float, target: float) -> StrategyParameters:
        return StrategyParameters(threshold, -np.inf, stop, target, markets.NEVER, FEE, 0.0)

    def work() -> Any:
        return step12.search(
            folder,
            signals(),
            strategy,
            {name: Range(*ends) for name, ends in SPACE.items()},
            trials=options["trials"],
            seed=options["seed"],
            threads=1,
            sampler=optuna.samplers.RandomSampler if options.get("random") else None,
        )

    def tell(found: Any) -> Mapping[str, Any]:
        tester = ParallelBacktester(**signals(), max_workers=1)
        common = tester.evaluate_many([strategy(**options["point"])])[0]
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
    """At the common point trades within one, the return within a share of itself; trials equal."""
    own = results[ARES]
    for name, one in peers_in(results).items():
        off_by(name, "trades", one["trades"], own["trades"], 1)
        allowed = SHARE * abs(own["total_return"])
        off_by(name, "total_return", one["total_return"], own["total_return"], allowed)
    if PEER in results and results[PEER]["epochs"] != own["epochs"]:
        raise Differs(f"{PEER}: {results[PEER]['epochs']} trials, Ares {own['epochs']}")
    return "; ".join(
        f"{name} {one['trades']:,} trades, return {one['total_return']:.5f}; of {one['epochs']} "
        f"trials on average {one['mean_trades']:,.0f} trades, of the best {one['best_trades']:,}"
        for name, one in results.items()
    )


def cases(quick: bool) -> Sequence[Case]:
    """600 days of five minutes."""
    bars, trials, long = (17_280, 10, 20) if quick else (172_800, 60, LONG)
    return [
        Case(
            name=f"{bars:,} bars, {trials} trials, per trial",
            make=markets.write_market,
            data={"bars": bars, "seed": SEED, "gap": 0.0, "minutes": 5},
            programs=[
                Program("ares", HERE, options={"trials": trials}),
                Program("ares", HERE, label=RANDOM, options={"trials": trials, "random": True}),
                Program("ares", HERE, label=f"Ares, {long} trials", options={"trials": long}),
                Program(PEER, PEERS, "-freqtrade", 2, {"epochs": trials, "warmups": 0}),
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
    "one trial of step 12 beside freqtrade's hyperopt",
    cases,
    {"-freqtrade": ["freqtrade", "optuna"]},
)

if __name__ == "__main__":
    main({"ares": ares})
