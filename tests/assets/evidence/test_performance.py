"""Performance figures against empyrical and by hand."""

from __future__ import annotations

import json
import math

import empyrical
import numpy as np
import pytest

from ares_assets.evidence import performance as p
from ares_resources.errors import BadInput

DAY = 86_400_000


@pytest.fixture(params=[0, 1, 2])
def daily(request: pytest.FixtureRequest) -> np.ndarray:
    rng = np.random.default_rng(request.param)
    return 0.02 * rng.standard_t(4, 400) / math.sqrt(2) + 0.001


def test_ratios_agree_with_empyrical(daily: np.ndarray) -> None:
    year = {"annualization": 365}
    assert p.sharpe_ratio(daily) == pytest.approx(empyrical.sharpe_ratio(daily, **year), rel=1e-10)
    assert p.sortino_ratio(daily) == pytest.approx(
        empyrical.sortino_ratio(daily, **year), rel=1e-10
    )
    assert p.max_drawdown(daily) == pytest.approx(-empyrical.max_drawdown(daily), rel=1e-10)
    assert p.annual_growth(daily) == pytest.approx(empyrical.cagr(daily, **year), rel=1e-10)
    assert p.calmar_ratio(daily) == pytest.approx(empyrical.calmar_ratio(daily, **year), rel=1e-10)
    assert p.annual_volatility(daily) == pytest.approx(
        empyrical.annual_volatility(daily, **year), rel=1e-10
    )


def test_bars_compound_into_the_day_they_open_in() -> None:
    stamps = np.array([DAY - 60_000, DAY, DAY + 60_000, 3 * DAY])
    days, returns = p.aggregate_returns([0.1, 0.1, -0.5, 0.2], stamps)
    assert days.tolist() == [0, DAY, 3 * DAY]
    assert returns == pytest.approx([0.1, 1.1 * 0.5 - 1, 0.2])


def test_days_keep_their_past_when_the_future_is_cut() -> None:
    rng = np.random.default_rng(3)
    stamps = np.arange(5000) * 3_600_000
    returns = rng.normal(0, 0.01, 5000)
    days, full = p.aggregate_returns(returns, stamps)
    for cut in rng.integers(50, 5000, 20):
        part_days, part = p.aggregate_returns(returns[:cut], stamps[:cut])
        assert (part_days == days[: part.size]).all()
        assert (part[:-1] == full[: part.size - 1]).all()


def test_drawdown_counts_a_fall_from_the_start() -> None:
    assert p.max_drawdown([-0.2, 0.1]) == pytest.approx(0.2)
    assert p.max_drawdown([0.5, -0.5, 0.5]) == pytest.approx(0.5)


def test_turnover_counts_entering_and_turning() -> None:
    stamps = np.array([0, 1, DAY, DAY + 1])
    assert p.daily_turnover([1.0, 1.0, -1.0, 0.0], stamps) == pytest.approx((1 + 2 + 1) / 2)


def test_report_of_a_strategy_that_never_trades_has_no_nan() -> None:
    stamps = np.arange(48) * 3_600_000
    report = p.performance_report(
        np.zeros(48), stamps, position=np.zeros(48), trade_returns=np.array([])
    )
    json.dumps(report, allow_nan=False)
    assert report["sharpe"] is None
    assert report["trades"] == 0
    assert report["max_drawdown"] == 0.0


def test_report_sees_falls_inside_a_day() -> None:
    stamps = np.arange(3) * 60_000
    report = p.performance_report([0.0, -0.5, 1.0], stamps)
    assert report["max_drawdown"] == pytest.approx(0.5)
    assert report["total_return"] == pytest.approx(0.0)


def test_trade_statistics_by_hand() -> None:
    measured = p.trade_statistics([0.02, -0.01, 0.03, 0.0])
    assert measured["hit_rate"] == 0.5
    assert measured["profit_factor"] == pytest.approx(5.0)


@pytest.mark.parametrize("bad", [[0.1, np.nan], [0.1, -1.0], [np.inf, 0.0], [[0.1]]])
def test_returns_that_cannot_be_compounded_are_refused(bad: list) -> None:
    with pytest.raises(BadInput):
        p.sharpe_ratio(bad)


def test_unsorted_timestamps_are_refused() -> None:
    with pytest.raises(BadInput, match="ascend"):
        p.aggregate_returns([0.1, 0.1], np.array([2, 1]))
