"""Monte Carlo tables by hand and by exact truth where there is one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ares_assets.evidence import monte_carlo as m
from ares_resources.errors import BadInput


def _evaluate(parameters: dict) -> dict[str, float]:
    cost = parameters["fee"] + parameters["slippage"]
    return {
        "profit": parameters["width"] - 100 * cost - 0.5 * parameters["latency_bars"],
        "type_ok": float(isinstance(parameters["latency_bars"], int)),
    }


PARAMETERS = {"fee": 0.004, "slippage": 0.001, "width": 2.0, "latency_bars": 1}


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


def test_jitter_starts_unshaken_and_stays_in_its_range() -> None:
    rows = m.parameter_jitter(
        _evaluate, PARAMETERS, names=["width", "latency_bars"], share=0.1, draws=50, seed=4
    )
    assert len(rows) == 51
    assert rows[0]["parameters"] == PARAMETERS
    widths = np.array([row["parameters"]["width"] for row in rows])
    assert widths.min() >= 1.8
    assert widths.max() <= 2.2
    assert widths.std() > 0.05
    assert all(row["type_ok"] == 1.0 for row in rows)
    again = m.parameter_jitter(
        _evaluate, PARAMETERS, names=["width", "latency_bars"], share=0.1, draws=50, seed=4
    )
    assert again == rows
    assert PARAMETERS["width"] == 2.0


def test_costs_and_latency_eat_the_profit_as_they_must() -> None:
    costs = m.cost_stress(_evaluate, PARAMETERS, multiples=(1.0, 2.0))
    assert [row["profit"] for row in costs] == pytest.approx([1.0, 0.5])
    late = m.latency_stress(_evaluate, PARAMETERS, extra_bars=(0, 1, 2))
    assert [row["profit"] for row in late] == pytest.approx([1.0, 0.5, 0.0])
    summary = m.stress_summary(late, "profit")
    assert summary["share_kept"] == pytest.approx(0.25)
    assert summary["worst"] == pytest.approx(0.0)


def test_what_an_evaluation_cannot_measure_is_none_and_counted() -> None:
    rows = m.latency_stress(
        lambda p: {"sharpe": float("nan") if p["latency_bars"] > 1 else 1.0},
        PARAMETERS,
        extra_bars=(0, 1),
    )
    assert rows[1]["sharpe"] is None
    assert m.stress_summary(rows, "sharpe")["unmeasured"] == 1
    assert m.stress_summary(rows, "sharpe")["share_kept"] is None


def test_unknown_parameters_are_named() -> None:
    with pytest.raises(BadInput, match="spread"):
        m.cost_stress(_evaluate, PARAMETERS, names=("spread",))
