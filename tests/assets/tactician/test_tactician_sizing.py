"""Size rules: exact values, and the properties that keep an account alive."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares_assets.tactician.sizing import (
    Payoffs,
    average_payoffs,
    braked_sizes,
    drawdown_brake,
    kelly_size,
    position_size,
    volatility_cap,
)
from ares_resources.errors import BadInput
from ares_resources.settings import TacticianSettings

SETTINGS = TacticianSettings()
payoffs_strategy = st.builds(Payoffs, st.floats(1e-4, 0.1), st.floats(1e-4, 0.1))


def test_kelly_of_even_money_is_two_p_minus_one() -> None:
    got = kelly_size(np.array([0.6, 0.5, 0.4, np.nan]), Payoffs(1.0, 1.0), fraction=1.0)
    assert got.tolist() == pytest.approx([0.2, 0.0, 0.0, 0.0])


def test_kelly_maximises_log_growth() -> None:
    p, win, loss = 0.55, 0.4, 0.5
    stake = float(kelly_size(np.array([0.65]), Payoffs(win, loss), fraction=1.0)[0])
    grid = np.linspace(0, 1.9, 20_001)
    growth = 0.65 * np.log1p(win * grid) + 0.35 * np.log1p(-loss * grid)
    assert stake == pytest.approx(grid[np.argmax(growth)], abs=2e-4)
    assert kelly_size(np.array([p]), Payoffs(win, loss), fraction=1.0)[0] == 0.0


def test_payoffs_of_what_was_seen() -> None:
    assert average_payoffs(np.array([0.02, -0.01, 0.04, -0.03])) == Payoffs(
        pytest.approx(0.03), pytest.approx(0.02)
    )
    assert average_payoffs(np.array([-0.01])) == Payoffs(0.0, 0.01)
    assert average_payoffs(np.array([0.01])) == Payoffs(0.01, 0.01)
    assert average_payoffs(np.empty(0)) == Payoffs(0.0, 0.0)


def test_nothing_ever_won_means_size_zero() -> None:
    assert kelly_size(np.array([0.99]), Payoffs(0.0, 0.01), fraction=1.0).tolist() == [0.0]


def test_volatility_cap() -> None:
    cap = volatility_cap(
        np.array([0.1, 0.4, 0.0, np.nan, np.inf]), target_volatility=0.2, maximum_position=1.0
    )
    assert cap.tolist() == pytest.approx([1.0, 0.5, 0.0, 0.0, 0.0])


def test_brake_is_linear() -> None:
    assert drawdown_brake(np.array([0.0, 0.05, 0.2, 0.5]), brake=0.2).tolist() == pytest.approx(
        [1.0, 0.75, 0.0, 0.0]
    )


@given(
    p=st.lists(st.floats(0, 1), min_size=2, max_size=20),
    payoffs=payoffs_strategy,
    volatility=st.floats(0.01, 5),
    drawdown=st.floats(0, 1),
)
def test_size_is_monotone_in_probability_and_bounded(p, payoffs, volatility, drawdown) -> None:
    ordered = np.sort(np.array(p))
    size = position_size(
        kelly_size(ordered, payoffs, fraction=SETTINGS.kelly_fraction),
        annual_volatility=np.full(ordered.size, volatility),
        drawdown=drawdown,
        settings=SETTINGS,
    )
    assert (np.diff(size) >= 0).all()
    assert (size >= 0).all()
    assert (size <= SETTINGS.maximum_position).all()
    assert (size * volatility <= SETTINGS.target_volatility * (1 + 1e-12)).all()


@given(payoffs=payoffs_strategy, below=st.floats(0, 1), volatility=st.floats(0.01, 5))
def test_size_is_zero_without_edge(payoffs, below, volatility) -> None:
    fair = payoffs.average_loss / (payoffs.average_win + payoffs.average_loss)
    size = position_size(
        kelly_size(np.array([fair * below * (1 - 1e-9)]), payoffs, fraction=1.0),
        annual_volatility=np.array([volatility]),
        drawdown=0.0,
        settings=SETTINGS,
    )
    assert size.tolist() == [0.0]


@given(shallow=st.floats(0, 1), deeper=st.floats(0, 1))
def test_size_never_grows_with_drawdown(shallow, deeper) -> None:
    sizes = [
        position_size(
            np.array([10.0]),
            annual_volatility=np.array([0.5]),
            drawdown=d,
            settings=SETTINGS,
        )[0]
        for d in sorted((shallow, deeper))
    ]
    assert sizes[1] <= sizes[0]


def test_brake_sees_only_trades_that_have_ended() -> None:
    size, net = np.ones(4), np.array([-0.1, 0.0, 0.0, 0.0])
    row, exit_row = np.array([0, 5, 6, 7]), np.array([6, 9, 9, 9])
    got = braked_sizes(size, net, row, exit_row, brake=0.2)
    assert got.tolist() == pytest.approx([1.0, 1.0, 1.0, 0.5])  # closed at 6: known at 7


def test_signals_inside_an_open_trade_are_not_traded_again() -> None:
    net, row = np.full(6, -0.05), np.arange(0, 60, 10)
    crowded = braked_sizes(np.ones(6), net, row, row + 25, brake=0.2)
    # The trades at 0 and 30 count; the four signals inside their windows lose nothing.
    assert crowded.tolist() == pytest.approx([1.0, 1.0, 1.0, 0.75, 0.75, 0.75])
    alone = braked_sizes(np.ones(6), net, row, row + 5, brake=0.2)
    assert alone[2] == pytest.approx(1 - (1 - 0.95 * (1 - 0.75 * 0.05)) / 0.2)


@given(seed=st.integers(0, 500), cut=st.integers(1, 29))
def test_brake_prefix(seed: int, cut: int) -> None:
    generator = np.random.default_rng(seed)
    row = np.sort(generator.choice(200, 30, replace=False))
    exit_row, net = row + generator.integers(1, 20, 30), 0.1 * generator.standard_normal(30)
    size = generator.random(30)
    whole = braked_sizes(size, net, row, exit_row, brake=0.3)
    changed = np.where(exit_row >= row[cut], 9.0, net)
    np.testing.assert_array_equal(
        braked_sizes(size, changed, row, exit_row, brake=0.3)[: cut + 1], whole[: cut + 1]
    )
    assert (whole >= 0).all()
    assert (whole <= size).all()


def test_brake_refuses_disorder() -> None:
    with pytest.raises(BadInput, match="ascend"):
        braked_sizes(np.ones(2), np.zeros(2), np.array([3, 1]), np.array([4, 5]), brake=0.2)
