"""Backtests: one compiled engine, its cache, its trial ledger and the search over it.

Belongs here: re-exported names.  The compiled kernel is imported when first used.
"""

from ares_resources.backtesting.engine import Signals, backtest, backtest_path, backtest_sweep
from ares_resources.backtesting.market import MarketArrays
from ares_resources.backtesting.results import (
    ENGINE_VERSION,
    EXIT_NAMES,
    BacktestPath,
    BacktestResult,
    SweepResult,
)
from ares_resources.backtesting.strategy import StrategyParameters

__all__ = [
    "ENGINE_VERSION",
    "EXIT_NAMES",
    "BacktestPath",
    "BacktestResult",
    "MarketArrays",
    "Signals",
    "StrategyParameters",
    "SweepResult",
    "backtest",
    "backtest_path",
    "backtest_sweep",
]
