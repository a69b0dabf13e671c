"""Row "trial": one trial of step 12, beside Optuna's TPE on SQLite with vectorbt.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: the peer's
way (``peers/trial.py``).  Freqtrade's hyperopt is the row "hyperopt".  Each search
draws its own trials; the check is that one and the same point is backtested alike by both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main
from benchmarks.rows import backtest, markets
from benchmarks.turns import Case, Figures, Goal, Program, Row, faster, ratio

HERE, PEERS = "benchmarks.rows.trial", "benchmarks.peers.trial"
SEED = 19
BATCH = 50
POINT = (markets.margin(240.0), 2.0, 3.0)
TPE = "Ares with TPE"


def _searching(kind: str) -> Callable[[Path, dict[str, Any]], Made]:
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
        tester = ParallelBacktester(
            markets.market_of(columns), columns["probability"], size, max_workers=2
        )

        def evaluate(points: Sequence[Mapping[str, float]]) -> Any:
            return tester.evaluate_many([_strategy(**point) for point in points])

        names = ("margin", "stop", "target")
        space = {one: Range(*options["space"][one]) for one in names}

        def work() -> Any:
            return search_parameters(
                evaluate,
                space,
                n_trials=options["trials"],
                batch=BATCH,
                patience=10**6,
                seed=SEED,
                sampler=samplers[kind],
            )

        def tell(found: Any) -> Mapping[str, Any]:
            one = evaluate([dict(zip(names, POINT, strict=True))])[0]
            told = {
                name: float(getattr(one, name))
                for name in ("trades", "max_drawdown", "total_return")
            }
            return {"per": len(found.trials), **told}

        return work, tell

    return program


def _strategy(margin: float, stop: float, target: float) -> Any:
    from ares_resources.backtesting import StrategyParameters

    return StrategyParameters(
        0.5 + margin, 0.5 - margin, stop, target, markets.NEVER, markets.FEE, markets.SLIPPAGE
    )


def cases(quick: bool) -> Sequence[Case]:
    """A study of 500 trials over a million bars; the peer's first 20."""
    bars, trials = (100_000, 100) if quick else (1_000_000, 500)
    options = backtest.options(240.0) | {
        "trials": trials,
        "space": {
            "margin": [markets.margin(14.0), markets.margin(1000.0)],
            "stop": [1.0, 6.0],
            "target": [1.0, 6.0],
        },
        "point": list(POINT),
    }
    ares = Program("ares adaptive", HERE, label="ares")
    other = [
        Program("ares nsga2", HERE, label="Ares with NSGA-II"),
        Program("ares tpe", HERE, label=TPE, rounds=2),
    ]
    peer = Program("TPE, SQLite, vectorbt", PEERS, "-vectorbt", 2, {"trials": 5 if quick else 20})

    def tpe(figures: Figures) -> float | None:
        return figures.get(TPE, {}).get("seconds", float("nan")) * 1000

    return [
        Case(
            name=f"{bars:,} bars, per trial",
            make=markets.write_market,
            data={"bars": bars, "seed": SEED, "gap": 0.1},
            programs=[ares, *other, peer],
            same=backtest.same,
            goals=[
                Goal("at most 1.3 ms", lambda f: f["ares"]["seconds"] * 1000, 1.3, "ms", False),
                Goal("TPE at most 5 ms", tpe, 5.0, "ms", at_least=False),
                faster([peer.name], 200),
                Goal("TPE 40 x", lambda f: ratio(f, peer.name, TPE), 40, "times"),
            ],
            options=options | {"repeats": 1},
            rounds=1 if quick else 3,
        )
    ]


ROW = Row("trial", "one trial of step 12, two cores", cases, {"-vectorbt": ["optuna", "vectorbt"]})

if __name__ == "__main__":
    main({f"ares {kind}": _searching(kind) for kind in ("adaptive", "nsga2", "tpe")})
