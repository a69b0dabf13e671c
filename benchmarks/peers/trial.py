"""A search by Optuna's TPE on SQLite whose objective is a vectorbt backtest.

Belongs here: that way.  Does not belong here: Ares, measuring (``timing.py``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.backtest import Market, figures, portfolio
from benchmarks.peers.timing import Made, arrays, main


def search(folder: Path, options: dict[str, Any]) -> Made:
    """``study.optimize`` with a storage on the disk."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    columns = arrays(folder)

    def judged(market: Market, point: Mapping[str, float]) -> dict[str, float]:
        return figures(portfolio(market, [{**options, **point}], "auto"), 1)[0]

    def studied(trials: int) -> Any:
        market = Market(columns)  # once a search, as Ares makes its own

        def objective(trial: Any) -> tuple[float, float, float]:
            space = options["space"].items()
            found = judged(market, {name: trial.suggest_float(name, *ends) for name, ends in space})
            return found["sharpe"], found["max_drawdown"], found["turnover"]

        path = Path(tempfile.mkdtemp(dir=folder)) / "study.db"
        study = optuna.create_study(
            storage=f"sqlite:///{path}",
            sampler=optuna.samplers.TPESampler(seed=1),
            directions=["maximize", "minimize", "minimize"],
        )
        study.optimize(objective, n_trials=trials)
        return study

    studied(1)  # compiles vectorbt and prepares SQLAlchemy, which is not timed

    def work() -> Any:
        return studied(options["trials"])

    def tell(study: Any) -> Mapping[str, Any]:
        point = dict(zip(options["space"], options["point"], strict=True))
        return {
            "per": len(study.trials),
            "trials": len(study.trials),
            **judged(Market(columns), point),
        }

    return work, tell


if __name__ == "__main__":
    main({"TPE, SQLite, vectorbt": search})
