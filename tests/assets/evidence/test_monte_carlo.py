"""Monte Carlo tables by hand and by exact truth where there is one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ares_assets.evidence import monte_carlo as m


def test_report_is_json_and_ordered() -> None:
    returns = np.random.default_rng(0).normal(0.001, 0.02, 300)
    report = m.monte_carlo(returns, paths=500, seed=1, ruin_drawdown=0.3)
    tree = report.as_dict()
    json.dumps(tree, allow_nan=False)
    for name in ("sharpe", "total_return", "max_drawdown"):
        values = [tree[name][key] for key in ("1%", "5%", "25%", "50%", "75%", "95%", "99%")]
        assert values == sorted(values)
    assert 0.0 < report.ruin_share < 1.0


def test_ruin_share_is_that_of_a_fair_coin() -> None:
    """+10 % or -10 %: two losses in a row are ruin, counted exactly."""
    returns = np.tile([0.1, -0.1], 2)
    report = m.monte_carlo(returns, paths=40_000, seed=2, ruin_drawdown=0.185, mean_block=1.0)
    ruined = 0
    for code in range(16):
        steps = [0.1 if code >> k & 1 else -0.1 for k in range(4)]
        equity = np.r_[1.0, np.cumprod(1.0 + np.array(steps))]
        ruined += (1 - equity / np.maximum.accumulate(equity)).max() >= 0.185
    assert report.ruin_share == pytest.approx(ruined / 16, abs=0.01)


def test_a_strategy_that_never_trades_measures_nothing_and_ruins_nothing() -> None:
    tree = m.monte_carlo(np.zeros(40), paths=50, seed=0, ruin_drawdown=0.5).as_dict()
    json.dumps(tree, allow_nan=False)
    assert tree["sharpe"]["50%"] is None
    assert tree["ruin_share"] == 0.0


def test_shuffled_trades_end_alike_but_fall_differently() -> None:
    trades = np.array([0.2, -0.1, -0.1])
    falls = m.shuffled_drawdowns(trades, paths=3000, seed=3)
    together, apart = 1 - 0.9 * 0.9, 0.1
    assert np.unique(falls.round(12)) == pytest.approx([apart, together])
    assert np.mean(falls > 0.15) == pytest.approx(2 / 3, abs=0.03)


def test_paths_of_a_year_meet_more_ruin_than_those_of_a_month() -> None:
    returns = np.random.default_rng(1).normal(0.0, 0.02, 30)
    options = {"paths": 2000, "seed": 4, "ruin_drawdown": 0.2, "mean_block": 1.0}
    month, year = m.monte_carlo(returns, **options), m.monte_carlo(returns, periods=365, **options)
    assert (month.periods, year.periods) == (30, 365)
    assert month.ruin_share < 0.3 < 0.7 < year.ruin_share


def test_shuffled_drawdowns_do_not_depend_on_how_they_are_cut_into_chunks() -> None:
    trades = np.random.default_rng(2).normal(0.0, 0.02, 40)
    whole = m.shuffled_drawdowns(trades, paths=60, seed=5)
    longest = 1.0 - np.prod(1.0 + trades[trades < 0.0])
    assert ((whole > 0.0) & (whole <= longest + 1e-12)).all()
    assert np.unique(whole).size > 50
    assert m.shuffled_drawdowns(np.array([0.01]), paths=3, seed=1).tolist() == [0.0] * 3
    assert m.shuffled_drawdowns(np.array([-0.1]), paths=2, seed=1) == pytest.approx(0.1)
