"""FreqAI's backtesting of a walk forward, offline: refits, predictions, trades.

Belongs here: giving freqtrade its files and a local table of markets, and running it.  Does not
belong here: the strategy (``whole_strategy.py``), Ares, measuring (``timing.py``).

freqtrade asks an exchange for its markets before it does anything; here ccxt's
``load_markets`` answers from a table of one pair, and nothing else is replaced.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main

PAIR = "ETH/USDT"
MARKET = {
    "id": "ETHUSDT",
    "symbol": PAIR,
    "base": "ETH",
    "quote": "USDT",
    "baseId": "ETH",
    "quoteId": "USDT",
    "type": "spot",
    "spot": True,
    "margin": False,
    "swap": False,
    "future": False,
    "option": False,
    "contract": False,
    "active": True,
    "taker": 0.0004,
    "maker": 0.0004,
    "precision": {"amount": 0.0001, "price": 0.01},
    "limits": {
        "amount": {"min": 0.0001, "max": 9000.0},
        "price": {"min": 0.01, "max": 1e6},
        "cost": {"min": 5.0, "max": 9e6},
        "leverage": {"min": None, "max": None},
    },
    "info": {},
}


def freqai(folder: Path, options: dict[str, Any]) -> Made:
    """A whole `freqtrade backtesting --freqaimodel LightGBMClassifier`, from configuration on.

    The files of candles and settings are made before; a last block alone has been run, so that
    everything is imported.
    """
    from freqtrade.configuration import Configuration
    from freqtrade.enums import RunMode
    from freqtrade.optimize.backtesting import Backtesting

    logging.disable(logging.CRITICAL)
    without_exchange()
    columns = arrays(folder)

    def prepared(days: int) -> tuple[Path, dict[str, Any]]:
        # A folder of its own: FreqAI keeps its predictions and would read them back.
        home = Path(tempfile.mkdtemp(dir=folder))
        settings = write_files(home, columns, options["timeframes"], _freqai(options))
        return home, {
            "config": [str(settings)],
            "user_data_dir": str(home),
            "datadir": str(home / "data"),
            "strategy": "WholeStrategy",
            "strategy_path": str(Path(__file__).parent),
            "freqaimodel": "LightGBMClassifier",
            "timerange": _timerange(columns, days),
            "backtest_cache": "none",
            "export": "none",
        }

    def run(home: Path, arguments: dict[str, Any]) -> Any:
        tester = Backtesting(Configuration(arguments, RunMode.BACKTEST).get_config())
        tester.start()
        return home, tester

    run(*prepared(options["block_days"]))
    homes = [prepared(options["days"]) for _ in range(options["repeats"])]

    def tell(value: Any) -> Mapping[str, Any]:
        home, tester = value
        found = tester.strategylist[0].predicted
        known = found[found["do_predict"] == 1]
        stamps = known["date"].astype("int64").to_numpy() // _unit(known["date"])
        models = list((home / "models").rglob("*_metadata.json"))
        return {
            "refits": len(models),
            "features": len(json.loads(models[0].read_text())["training_features_list"]),
            "predictions": len(known),
            "auc": auc_ahead(columns, stamps, known["up"].to_numpy(), options["ahead"]),
            "trades": int(tester.results["strategy"]["WholeStrategy"]["total_trades"]),
        }

    return lambda: run(*homes.pop()), tell


def auc_ahead(columns: Mapping[str, Any], stamps: Any, probability: Any, ahead: int) -> float:
    """AUC of P(up) at these bars for the direction of the close so many bars later."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    close = columns["close"]
    place = np.searchsorted(columns["timestamp"], stamps)
    kept = place + ahead < len(close)
    place = place[kept]
    return float(roc_auc_score(close[place + ahead] > close[place], np.asarray(probability)[kept]))


def _unit(dates: Any) -> int:
    """How many of a time column's units make a millisecond."""
    return {"ns": 1_000_000, "us": 1_000, "ms": 1}[dates.dt.unit]


def _timerange(columns: Mapping[str, Any], days: int) -> str:
    last = int(columns["timestamp"][-1]) + 300_000
    first = last - days * 86_400_000
    return "-".join(
        datetime.fromtimestamp(one / 1000, UTC).strftime("%Y%m%d") for one in (first, last)
    )


def write_files(
    home: Path, columns: Mapping[str, Any], timeframes: Sequence[str], more: Mapping[str, Any]
) -> Path:
    """The candles of each timeframe as feather, and the settings with ``more`` of them."""
    import pandas as pd

    (home / "data").mkdir()
    base = pd.DataFrame(
        {
            "date": pd.to_datetime(columns["timestamp"], unit="ms", utc=True),
            **{name: columns[name] for name in ("open", "high", "low", "close", "volume")},
        }
    )
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    for timeframe in timeframes:
        rule = timeframe.replace("m", "min")
        candles = base.resample(rule, on="date").agg(how).reset_index()
        name = f"{PAIR.replace('/', '_')}-{timeframe}.feather"
        candles.to_feather(home / "data" / name, compression="lz4")
    settings = home / "config.json"
    settings.write_text(json.dumps({**_settings(), **more}))
    return settings


def _settings() -> dict[str, Any]:
    pricing = {"price_side": "same", "use_order_book": False, "order_book_top": 1}
    return {
        "max_open_trades": 1,
        "stake_currency": "USDT",
        "stake_amount": 1000,
        "tradable_balance_ratio": 0.99,
        "dry_run": True,
        "dry_run_wallet": 10_000,
        "timeframe": "5m",
        "trading_mode": "spot",
        "dataformat_ohlcv": "feather",
        "fee": 0.0005,
        "entry_pricing": pricing,
        "exit_pricing": pricing,
        "exchange": {"name": "binance", "pair_whitelist": [PAIR], "enable_ws": False},
        "pairlists": [{"method": "StaticPairList"}],
    }


def _freqai(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "freqai": {
            "enabled": True,
            "identifier": "whole",
            "purge_old_models": 2,
            "train_period_days": options["train_days"],
            "backtest_period_days": options["block_days"],
            "activate_tensorboard": False,
            "save_backtest_models": False,
            "feature_parameters": {
                "include_timeframes": options["timeframes"],
                "include_corr_pairlist": [],
                "label_period_candles": options["ahead"],
                "include_shifted_candles": 0,
                "indicator_periods_candles": [10, 20],
                "DI_threshold": 0,
                "weight_factor": 0,
                "principal_component_analysis": False,
                "use_SVM_to_remove_outliers": False,
            },
            "data_split_parameters": {"test_size": options["held"], "shuffle": False},
            "model_training_parameters": options["lightgbm"],
        },
    }


def without_exchange() -> None:
    """Let ccxt answer with the local table of markets."""
    import ccxt
    import ccxt.pro

    async def answered(self: Any, reload: bool = False, params: Any = None) -> Any:
        return self.set_markets([dict(MARKET)])

    def answered_at_once(self: Any, reload: bool = False, params: Any = None) -> Any:
        return self.set_markets([dict(MARKET)])

    ccxt.pro.binance.load_markets = answered
    ccxt.binance.load_markets = answered_at_once


if __name__ == "__main__":
    main({"FreqAI": freqai})
