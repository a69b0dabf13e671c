"""Row "trial": one trial of step 12, beside Optuna's TPE on SQLite with vectorbt.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: the peer's
way (``peers/trial.py``), what step 12 keeps (``step12.py``).  Freqtrade's hyperopt is the row
"hyperopt".

All searches have as many trials, and their start is in the time: for Ares checking the bars,
hashing them, making the block extremes, the cache, the ledger and the journal, for the peer
making the study and its database.  Compiling and reading the bars are not.  "ares" is what step
12 does at its default settings; the others say what the batch costs and what the stores do.  Each
search draws its own trials; the check is that one and the same point is backtested alike by both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main
from benchmarks.rows import backtest, markets, step12
from benchmarks.turns import Case, Figures, Goal, Program, Row, faster, ratio

HERE, PEERS = "benchmarks.rows.trial", "benchmarks.peers.trial"
SEED = 19
LARGE_BATCH = 50
NAMES = ("margin", "stop", "target")
POINT = (markets.margin(240.0), 2.0, 3.0)
TPE = "Ares with TPE"


def _searching(kind: str, *, stores: bool = True) -> Callable[[Path, dict[str, Any]], Made]:
    def program(folder: Path, options: dict[str, Any]) -> Made:
        import optuna

        from ares_resources.backtesting.parallel import ParallelBacktester
        from ares_resources.backtesting.search import Range, search_parameters

        samplers: dict[str, Any] = {
            "adaptive": None,
            "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
            "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
        }
        columns = arrays(folder)
        size = columns["probability"] * 0.0 + markets.SIZE
        space = {one: Range(*options["space"][one]) for one in NAMES}

        def signals() -> dict[str, Any]:
            # Anew for each search: a market keeps its hash and its block extremes once made.
            market = markets.market_of(columns)
            return {"market": market, "probability": columns["probability"], "size": size}

        def evaluator() -> Any:
            bare = ParallelBacktester(**signals(), max_workers=options["threads"])
            return lambda points: bare.evaluate_many([_strategy(**point) for point in points])

        def work() -> Any:
            shared = {"seed": SEED, "sampler": samplers[kind]}
            if stores:
                return step12.search(
                    folder,
                    signals(),
                    _strategy,
                    space,
                    trials=options["trials"],
                    threads=options["threads"],
                    batch=options.get("batch"),
                    **shared,
                )
            return search_parameters(
                evaluator(),
                space,
                n_trials=options["trials"],
                batch=options["batch"],
                patience=step12.NEVER,
                **shared,
            )

        def tell(found: Any) -> Mapping[str, Any]:
            one = evaluator()([dict(zip(NAMES, POINT, strict=True))])[0]
            told = {name: float(getattr(one, name)) for name in backtest.FIGURES}
            return {"per": len(found.trials), "trials": len(found.trials), **told}

        return work, tell

    return program


def _strategy(margin: float, stop: float, target: float) -> Any:
    from ares_resources.backtesting import StrategyParameters

    return StrategyParameters(
        0.5 + margin, 0.5 - margin, stop, target, markets.NEVER, markets.FEE, markets.SLIPPAGE
    )


def cases(quick: bool) -> Sequence[Case]:
    """Step 12's default number of trials over a million bars."""
    bars, trials = (100_000, 20) if quick else (1_000_000, 200)
    options = backtest.options(240.0) | {
        "trials": trials,
        "space": {
            "margin": [markets.margin(14.0), markets.margin(1000.0)],
            "stop": [1.0, 6.0],
            "target": [1.0, 6.0],
        },
        "point": list(POINT),
        "threads": 2,
    }
    large = {"batch": LARGE_BATCH}
    programs = [
        Program("ares adaptive", HERE, label="ares"),
        Program("ares adaptive", HERE, label=f"Ares, batch {LARGE_BATCH}", options=large),
        Program("ares bare", HERE, label=f"Ares, batch {LARGE_BATCH}, no stores", options=large),
        Program("ares nsga2", HERE, label="Ares with NSGA-II"),
        Program("ares tpe", HERE, label=TPE, rounds=2),
    ]
    peer = Program("TPE, SQLite, vectorbt", PEERS, "-vectorbt", 2, {"warmups": 0}, threads=1)

    def tpe(figures: Figures) -> float | None:
        return figures[TPE]["seconds"] * 1000 if "seconds" in figures.get(TPE, {}) else None

    return [
        Case(
            name=f"{bars:,} bars, {trials} trials, per trial",
            make=markets.write_market,
            data={"bars": bars, "seed": SEED, "gap": 0.1},
            programs=[*programs, peer],
            same=backtest.same,
            goals=[
                Goal("at most 1.3 ms", lambda f: f["ares"]["seconds"] * 1000, 1.3, "ms", False),
                Goal("TPE at most 5 ms", tpe, 5.0, "ms", at_least=False),
                faster([peer.name], 200),
                Goal("TPE 40 x", lambda f: ratio(f, peer.name, TPE), 40, "times"),
            ],
            options=options | {"repeats": 1},
            rounds=1 if quick else 3,
            reasons={
                "at most 1.3 ms": "batches of 10 with cache, ledger and journal, which the"
                " goal's prototype had not: see the other ways of Ares beside it"
            },
        )
    ]


ROW = Row("trial", "one trial of step 12", cases, {"-vectorbt": ["optuna", "vectorbt"]})

if __name__ == "__main__":
    ways = {f"ares {kind}": _searching(kind) for kind in ("adaptive", "nsga2", "tpe")}
    main(ways | {"ares bare": _searching("adaptive", stores=False)})
