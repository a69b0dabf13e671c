"""What searches are compared on: backtests of simulated markets, and functions from papers.

Belongs here: problems with their search spaces, and the hypervolume each is judged by.  Does
not belong here: who searches (``search``), tables (``search_tables``).

The functions are written from their formulas: ZDT1 and ZDT3 from Zitzler, Deb and Thiele (2000),
Comparison of Multiobjective Evolutionary Algorithms, section 4, with 30 variables; DTLZ2 from
Deb, Thiele, Laumanns and Zitzler (2002), Scalable Multi-Objective Optimization Test Problems,
with three objectives and 12 variables.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.cross_validation import PurgedKFold
from ares_assets.analyst.dataset import Examples, everything_of
from ares_assets.analyst.experts.base import get_expert
from ares_assets.engine import Request
from ares_assets.tactician.trading import market_arrays, strategy_parameters
from ares_resources.backtesting.engine import Signals
from ares_resources.backtesting.market import MarketArrays
from ares_resources.backtesting.pareto import hypervolume
from ares_resources.backtesting.search import Range, Space, bent
from ares_resources.exchanges.simulated.recipe import MINUTE_MS
from ares_resources.home import Home
from ares_resources.settings import Settings
from ares_resources.symbols import SymbolKey
from ares_resources.timeframes import DAY_MS, timeframe_ms
from ares_resources.workspace import Workspace
from benchmarks.partitions import train_regime
from benchmarks.simulated_year import DEVELOPMENT_END_MS, settings_for, window_minutes

DAYS = 90
SIZE = 0.5
SPACE_NAMES = ("enter_margin", "stop_width", "target_width")


@dataclass(frozen=True)
class Problem:
    """A search: its space, losses of a batch ``(n, objectives)`` with violation ``(n,)``.

    ``volume`` is the hypervolume of feasible losses ``(n, objectives)``, in the problem's own
    unit; a violation above 0 makes a point infeasible.
    """

    name: str
    space: Space
    objectives: int
    evaluate: Callable[[Sequence[Mapping[str, Any]]], tuple[np.ndarray, np.ndarray]]
    volume: Callable[[np.ndarray], float]


@dataclass(frozen=True)
class LabelledMarket:
    """Bars of a simulated market's development, its labelled events, and the settings."""

    bars: MarketArrays
    events: Examples
    settings: Settings


def labelled_market(market: str, days: int, seed: int) -> LabelledMarket:
    """Steps 1 to 4 of the product on one simulated symbol; the events of all regimes."""
    settings = settings_for(days, 1)
    after = window_minutes(days) * MINUTE_MS - days * DAY_MS
    symbol = SymbolKey(f"{market}{seed}USDT", "SIM")
    request = Request(symbol, "bull", settings, DEVELOPMENT_END_MS + after, False, "benchmark")
    with tempfile.TemporaryDirectory(prefix="ares-bench-") as folder:
        home = Home(Path(folder))
        home.create()
        found = train_regime(request, Workspace(home), 4)
        frame: pd.DataFrame = found["market_data"].load()
        events = everything_of(found["analyst_dataset"].load(), "development").everything
    end = int(events.t1_rows.max()) + 1
    bars = market_arrays(frame.iloc[:end], timeframe_ms(settings.data.timeframe))
    return LabelledMarket(bars, events, settings)


def backtests(market: str, seed: int) -> Problem:
    """Step 12's own search: entry margin, stop and target, on out-of-fold probabilities.

    A linear expert on five purged folds gives them; every trial is a real backtest.
    """
    known = labelled_market(market, DAYS, seed)
    analyst, events = known.settings.analyst, known.events
    probability, size = np.full(len(known.bars), np.nan), np.zeros(len(known.bars))
    expert = get_expert("linear")
    splitter = PurgedKFold(analyst.folds, analyst.embargo_bars)
    for train, test in splitter.split(events.rows, events.t1_rows):
        part = events.part(train)
        model = expert.fit(
            part.features, part.labels, part.weights, parameters={}, seed=seed, threads=1
        )
        probability[events.rows[test]] = model.probability(events.features.iloc[test])
    size[events.rows] = SIZE
    signals = Signals(known.bars, probability, size)

    def evaluate(points: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        sets = [strategy(known.settings, point) for point in points]
        found = signals.sweep(sets, threads=1)
        losses = np.column_stack([-found.sharpe, found.max_drawdown, found.turnover])
        return losses, known.settings.search.minimum_trades - found.trades.astype(np.float64)

    space = {name: Range(*getattr(known.settings.search, name)) for name in SPACE_NAMES}
    return Problem(f"backtests, {market}", space, 3, evaluate, backtest_volume)


def strategy(settings: Settings, point: Mapping[str, Any]) -> Any:
    """The kernel's parameters of a point."""
    return strategy_parameters(
        dict(point), horizon_bars=settings.labels.horizon_bars, costs=settings.costs
    )


def backtest_volume(losses: np.ndarray) -> float:
    """The measure that step 12's patience goes by."""
    return hypervolume(bent(losses)) if len(losses) else 0.0


FUNCTIONS: dict[str, tuple[int, int, float]] = {
    # name: variables, objectives, the corner that the hypervolume is measured from
    "ZDT1": (30, 2, 11.0),
    "ZDT3": (30, 2, 11.0),
    "DTLZ2": (12, 3, 2.5),
}


def function(name: str) -> Problem:
    """One of ``FUNCTIONS``; its hypervolume is a share of the box up to its corner."""
    variables, objectives, corner = FUNCTIONS[name]
    space = {f"x{i:02}": Range(0.0, 1.0) for i in range(variables)}

    def evaluate(points: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        x = np.array([[point[key] for key in space] for point in points])
        return _FORMULAS[name](x), np.full(len(x), -1.0)

    def volume(losses: np.ndarray) -> float:
        return hypervolume(np.maximum(corner - losses, 0.0) / corner) if len(losses) else 0.0

    return Problem(name, space, objectives, evaluate, volume)


def _zdt1(x: np.ndarray) -> np.ndarray:
    g = 1 + 9 * x[:, 1:].mean(axis=1)
    return np.column_stack([x[:, 0], g * (1 - np.sqrt(x[:, 0] / g))])


def _zdt3(x: np.ndarray) -> np.ndarray:
    first, g = x[:, 0], 1 + 9 * x[:, 1:].mean(axis=1)
    shape = 1 - np.sqrt(first / g) - first / g * np.sin(10 * math.pi * first)
    return np.column_stack([first, g * shape])


def _dtlz2(x: np.ndarray) -> np.ndarray:
    g = ((x[:, 2:] - 0.5) ** 2).sum(axis=1)
    a, b = x[:, 0] * math.pi / 2, x[:, 1] * math.pi / 2
    parts = [np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)]
    return np.column_stack(parts) * (1 + g)[:, None]


_FORMULAS = {"ZDT1": _zdt1, "ZDT3": _zdt3, "DTLZ2": _dtlz2}
