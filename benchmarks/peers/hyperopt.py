"""freqtrade's hyperopt over bars and a given probability, offline.

Belongs here: giving freqtrade its files, running its search, reading what it kept.  Does not
belong here: the strategy (``hyperopt_strategy.py``), the local table of markets (``whole.py``),
Ares, measuring (``timing.py``).

Loading, indicators and the pickle of both, which freqtrade makes once a run, are outside the
time; one epoch at the common point goes before it, with a pause of a candle after each exit, as
Ares has.  The timed epochs are without: freqtrade would take longer with it.
"""

from __future__ import annotations

import json
import logging
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main
from benchmarks.peers.whole import without_exchange, write_files

FEE = 0.0005
SPACE = {"threshold": (0.9, 0.995), "stop": (0.005, 0.03), "target": (0.005, 0.03)}


def hyperopt(folder: Path, options: dict[str, Any]) -> Made:
    """What ``freqtrade hyperopt --job-workers 1`` does after loading."""
    from freqtrade.commands.optimize_commands import setup_optimize_configuration
    from freqtrade.enums import RunMode
    from freqtrade.optimize.hyperopt import Hyperopt

    logging.disable(logging.CRITICAL)
    without_exchange()
    arguments = _files(folder, options["size"]) | {
        "strategy": "HyperoptStrategy",
        "strategy_path": str(Path(__file__).parent),
        "hyperopt_loss": "SharpeHyperOptLossDaily",
        "spaces": ["buy", "stoploss", "roi"],
        "epochs": options["epochs"],
        "hyperopt_jobs": 1,
        "hyperopt_random_state": options["seed"],
        "hyperopt_min_trades": 1,
        "enable_protections": True,
        "disableparamexport": True,  # else it writes a file beside the strategy
    }
    begun = time.perf_counter()
    search = Hyperopt(setup_optimize_configuration(arguments, RunMode.HYPEROPT))
    search.hyperopter.prepare_hyperopt()
    loading = time.perf_counter() - begun
    search.hyperopter.prepare_hyperopt = lambda: None  # start() would do it again
    common = search.hyperopter.generate_optimizer(_point(options["point"]))["results_metrics"]
    search.hyperopter.backtesting.enable_protections = False

    def work() -> Any:
        search.start()
        return search

    def tell(search: Any) -> Mapping[str, Any]:
        lines = search.results_file.read_text().splitlines()
        trades = [json.loads(line)["results_metrics"]["total_trades"] for line in lines]
        return {
            "per": len(trades),
            "epochs": len(trades),
            "trades": int(common["total_trades"]),
            "total_return": float(common["profit_total"]),
            "mean_trades": sum(trades) / len(trades),
            "best_trades": int(search.current_best_epoch["results_metrics"]["total_trades"]),
            "loading_seconds": loading,
        }

    return work, tell


def _files(folder: Path, size: float) -> dict[str, Any]:
    """A folder of its own with candles, settings and the probability; arguments that name them."""
    import pandas as pd

    columns = arrays(folder)
    home = Path(tempfile.mkdtemp(dir=folder))
    (home / "hyperopt_results").mkdir()
    dates = pd.to_datetime(columns["timestamp"], unit="ms", utc=True)
    known = pd.DataFrame({"date": dates, "probability": columns["probability"]})
    known.to_feather(home / "probability.feather")
    more = {
        "stake_amount": "unlimited",  # that is, this share of what the account holds
        "tradable_balance_ratio": size,
        "dry_run_wallet": 1_000_000,
        "fee": FEE,
    }
    bars = {**columns, "volume": columns["close"] * 0.0 + 1.0}
    return {
        "config": [str(write_files(home, bars, ["5m"], more))],
        "user_data_dir": str(home),
        "datadir": str(home / "data"),
    }


def _point(point: Mapping[str, float]) -> dict[str, float]:
    return {
        "threshold": point["threshold"],
        "stoploss": -point["stop"],
        "target": point["target"],
    }


if __name__ == "__main__":
    main({"freqtrade hyperopt": hyperopt})
