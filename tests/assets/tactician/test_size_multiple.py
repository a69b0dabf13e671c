"""The searched size: what it changes in a backtest, and the bound it keeps to."""

from __future__ import annotations

import numpy as np
import pytest

from ares_assets.tactician.trading import sizes_within, strategy_parameters
from ares_resources.backtesting.engine import backtest_path
from ares_resources.backtesting.market import MarketArrays
from ares_resources.settings import CostSettings

N = 3_000
CHOSEN = {"enter_margin": 0.02, "stop_width": 2.0, "target_width": 3.0}


def path_of(size: np.ndarray, **chosen: float):
    random = np.random.default_rng(4)
    close = 100 * np.exp(np.cumsum(random.normal(0, 2e-3, N)))
    opened = np.r_[100.0, close[:-1]]
    market = MarketArrays(
        1_700_006_400_000 + np.arange(N) * 60_000,
        opened,
        np.maximum(opened, close) * 1.0003,
        np.minimum(opened, close) * 0.9997,
        close,
        np.full(N, 0.2),
        np.zeros(N),
    )
    parameters = strategy_parameters({**CHOSEN, **chosen}, horizon_bars=30, costs=CostSettings())
    return backtest_path(market, random.uniform(0.3, 0.7, N), size, parameters, None)


@pytest.mark.parametrize("multiple", [0.25, 0.5, 1.5])
def test_turnover_and_drawdown_follow_the_multiple_and_trades_stay(multiple):
    size = np.full(N, 0.1)
    plain, changed = path_of(size).result, path_of(size, size_multiple=multiple).result
    assert changed.trades == plain.trades > 50
    assert changed.turnover == pytest.approx(multiple * plain.turnover, rel=0.02)
    assert changed.max_drawdown == pytest.approx(multiple * plain.max_drawdown, rel=0.1)
    assert (changed.max_drawdown > plain.max_drawdown) == (multiple > 1)
    scaled = path_of(size * multiple).result
    assert scaled.total_return == pytest.approx(changed.total_return, rel=1e-12)


def test_a_model_without_a_multiple_trades_as_with_one():
    size = np.full(N, 0.3)
    assert path_of(size).result == path_of(size, size_multiple=1.0).result


def test_sizes_stay_within_the_largest_position_and_small_ones_as_they_are():
    size = np.array([0.0, 0.2, 0.6, 0.9, 1.0])
    assert sizes_within(size, {}, maximum_position=1.0).tolist() == size.tolist()
    cut = sizes_within(size, {"size_multiple": 1.5}, maximum_position=1.0)
    assert cut[:3].tolist() == size[:3].tolist()
    assert cut * 1.5 == pytest.approx([0.0, 0.3, 0.9, 1.0, 1.0])
