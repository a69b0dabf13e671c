"""Runs every compiled kernel once on a few thousand simulated bars.

Belongs here: making numba compile (at set-up) or load (for the doctor) what a training will
need.  Does not belong here: measuring, and checking results; the tests do that.

Each kernel is reached through the function that the steps call, so that it is compiled for
the very types that the steps give it.
"""

from __future__ import annotations

import time

import numpy as np

from ares_resources.timeframes import DAY_MS

_DAYS = 4
_CLOCK_MS = 1_704_067_200_000


def warm() -> float:
    """Run them all; returns the seconds it took."""
    started = time.perf_counter()
    frame = _bars()
    regimes = _regimes(frame)
    events = _events(frame)
    _features(frame)
    _tactician(frame, regimes, events)
    _backtests(frame)
    _bootstrap()
    return time.perf_counter() - started


def _bars():  # type: ignore[no-untyped-def]
    from ares_assets.market.bars import join_reference
    from ares_resources.exchanges.simulated.exchange import SimulatedExchange

    exchange = SimulatedExchange(as_of_ms=_CLOCK_MS)
    start = _CLOCK_MS - _DAYS * DAY_MS
    bars = next(iter(exchange.bars("ETHUSDT", "1m", start, _CLOCK_MS)))
    funding = exchange.funding("ETHUSDT", start, _CLOCK_MS)
    interest = exchange.open_interest("ETHUSDT", "1m", start, _CLOCK_MS)
    return join_reference(bars, funding, interest, "1m")


def _regimes(frame):  # type: ignore[no-untyped-def]
    from ares_assets.market.classification import classify
    from ares_assets.market.regimes.registry import ALGORITHM_NAMES
    from ares_resources.settings import RegimeSettings

    everything = np.ones(len(frame), bool)
    named = {}
    for name in ALGORITHM_NAMES:
        settings = RegimeSettings(algorithm=name)
        named[name] = classify(
            frame, fit_rows=everything, timeframe="1m", settings=settings, seed=1
        )[0]
    return named[RegimeSettings().algorithm]


def _events(frame):  # type: ignore[no-untyped-def]
    from ares_assets.analyst.events import labelled_events
    from ares_resources.settings import LabelSettings

    rows = np.arange(len(frame) // 2, len(frame))
    return labelled_events(frame, rows, settings=LabelSettings(), timeframe_ms=60_000)


def _features(frame) -> None:  # type: ignore[no-untyped-def]
    from ares_assets.analyst.features import compute_features
    from ares_resources.settings import FeatureSettings

    compute_features(frame, timeframe="1m", settings=FeatureSettings())


def _tactician(frame, regimes, events):  # type: ignore[no-untyped-def]
    from ares_assets.release.partition_model import make_signals
    from ares_assets.tactician.model import TacticianContext
    from ares_resources.settings import CostSettings, LabelSettings, TacticianSettings

    labels = LabelSettings()
    context = TacticianContext("1m", labels.horizon_bars, CostSettings(), TacticianSettings())
    chance = np.full(len(events), 0.6)
    signals = make_signals(frame, events["row"].to_numpy(), chance, labels)
    context.features(frame, regimes, signals, context.label(frame, signals))


def _backtests(frame):  # type: ignore[no-untyped-def]
    from ares_assets.tactician.trading import market_arrays, strategy_parameters
    from ares_resources.backtesting.engine import Signals, backtest_path
    from ares_resources.settings import CostSettings

    chosen = {"enter_margin": 0.05, "stop_width": 3.0, "target_width": 3.0}
    parameters = strategy_parameters(chosen, horizon_bars=60, costs=CostSettings())
    market = market_arrays(frame, 60_000)
    chance, size = np.full(len(frame), np.nan), np.full(len(frame), 0.5)
    chance[1000::500] = 0.7
    backtest_path(market, chance, size, parameters)
    Signals(market, chance, size).sweep([parameters], threads=2, daily=True)


def _bootstrap() -> None:
    from ares_assets.evidence.bootstrap import resample_many
    from ares_assets.evidence.monte_carlo import monte_carlo

    returns = np.random.default_rng(1).normal(0.0, 0.01, 64)
    monte_carlo(returns, paths=16, seed=1, ruin_drawdown=0.5)
    resample_many(64, mean_block=2.0, seed=1, paths=2, draws=8)


if __name__ == "__main__":
    warm()
