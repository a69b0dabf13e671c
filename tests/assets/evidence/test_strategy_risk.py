"""AFML chapter 15 by its own example, by inversion and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ares_assets.evidence import strategy_risk as r
from ares_resources.errors import BadInput


def test_book_example_needs_396_bets() -> None:
    assert r.implied_bets(0.55, 2.0) == pytest.approx(396.0)


@pytest.mark.parametrize(("profit", "loss"), [(1.0, -1.0), (0.02, -0.01), (0.005, -0.02)])
@pytest.mark.parametrize("target", [-1.0, 0.5, 2.0])
def test_precision_frequency_and_sharpe_invert_each_other(
    profit: float, loss: float, target: float
) -> None:
    precision = r.implied_precision(260, target, profit=profit, loss=loss)
    assert r.binary_sharpe(precision, 260, profit=profit, loss=loss) == pytest.approx(target)
    if target > 0:
        assert r.implied_bets(precision, target, profit=profit, loss=loss) == pytest.approx(260)


def test_a_losing_bet_never_gets_there() -> None:
    assert r.implied_bets(0.45, 1.0) == math.inf


def test_probability_of_failure_is_that_of_simulated_futures() -> None:
    trades = np.r_[np.full(60, 0.01), np.full(40, -0.01)]
    stated = r.probability_of_failure(trades, 100, annual_sharpe=1.0, years=1.0)
    wins = np.random.default_rng(0).binomial(100, 0.6, 200_000) / 100
    needed = r.implied_precision(100, 1.0, profit=0.01, loss=-0.01)
    assert stated == pytest.approx(np.mean(wins < needed), abs=0.005)


def test_one_sided_trades_are_refused() -> None:
    with pytest.raises(BadInput, match="0 losses"):
        r.probability_of_failure([0.01, 0.02], 100, annual_sharpe=1.0)


def test_the_report_holds_the_formulas_and_says_where_they_have_no_answer() -> None:
    trades = np.r_[np.full(60, 0.02), np.full(40, -0.01)]
    report = r.bet_report(trades, 100.0)
    assert report["precision"] == 0.6
    assert (report["mean_win"], report["mean_loss"]) == pytest.approx((0.02, -0.01))
    assert report["targets"]["0"]["precision"] == pytest.approx(1 / 3)
    assert report["targets"]["0"]["bets_a_year"] == 0.0
    one = report["targets"]["1"]
    assert r.binary_sharpe(one["precision"], 100.0, profit=0.02, loss=-0.01) == pytest.approx(1.0)
    chances = [report["targets"][name]["chance_of_missing"] for name in ("0", "1", "2")]
    assert chances == sorted(chances)
    for one_sided in ([], [0.01, 0.02], [-0.01]):
        assert r.bet_report(one_sided, 100.0)["targets"] is None
