"""Whole days: what is seen from open to close counts, what is cut off does not."""

from __future__ import annotations

import numpy as np
import pytest

from ares_assets.evidence.paired_days import (
    at_volatility_of,
    daily_on,
    decides_nothing,
    whole_days,
    whole_days_between,
)
from ares_assets.evidence.performance import DAY_MS, total_return
from ares_assets.evidence.sequential import always_valid_test

HOUR_MS = 3_600_000


def _hours(first: int, count: int) -> np.ndarray:
    return 700 * DAY_MS + np.arange(first, first + count) * HOUR_MS


@pytest.mark.parametrize(
    ("first", "count", "days"),
    [(0, 48, 2), (1, 47, 1), (0, 47, 1), (5, 30, 0), (23, 26, 1), (0, 24, 1), (3, 1, 0)],
)
def test_days_cut_off_at_either_end_are_left_out(first: int, count: int, days: int) -> None:
    stamps = _hours(first, count)
    inside = whole_days(stamps, step_ms=HOUR_MS)
    opens, daily = daily_on(np.full(count, 0.01), stamps, inside)
    assert len(opens) == len(daily) == days
    assert inside.sum() == 24 * days
    assert (opens % DAY_MS == 0).all()
    assert whole_days_between(int(stamps[0]), int(stamps[-1]) + HOUR_MS) == days


def test_a_gap_inside_leaves_its_day() -> None:
    stamps = np.delete(_hours(0, 72), np.arange(30, 40))
    assert whole_days(stamps, step_ms=HOUR_MS).all()


@pytest.mark.parametrize(("sign", "decision"), [(1.0, "better"), (-1.0, "worse")])
def test_days_that_decide_nothing_never_do_and_one_more_can(sign: float, decision: str) -> None:
    assert [decides_nothing(days) for days in (0, 19, 20)] == [True, True, False]
    # Without waiting for days of the other sign, and as clear as can be.
    clear = sign * (0.01 + 0.001 * (np.arange(20) % 2))
    assert always_valid_test(clear, opposed=0).decision == decision
    short = always_valid_test(clear[:19], level=0.29, opposed=0)
    assert (short.decision, short.p_value) == ("undecided", 1.0)


def test_days_of_one_bar_are_whole() -> None:
    stamps = np.arange(5) * DAY_MS
    assert whole_days(stamps, step_ms=DAY_MS).all()


def test_returns_of_a_day_are_compounded() -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, 24)
    stamps = _hours(0, 24)
    _, daily = daily_on(returns, stamps, whole_days(stamps, step_ms=HOUR_MS))
    assert daily[0] == pytest.approx(total_return(returns))


def test_a_rival_is_brought_to_the_models_spread_and_keeps_its_sharpe() -> None:
    rng = np.random.default_rng(2)
    market, model = rng.normal(0.002, 0.04, 90), rng.normal(0.001, 0.01, 90)
    scaled = at_volatility_of(market, model)
    assert scaled.std() == pytest.approx(model.std())
    assert scaled.mean() / scaled.std() == pytest.approx(market.mean() / market.std())
    assert not at_volatility_of(market, np.zeros(90)).any()
    assert at_volatility_of(np.empty(0), np.empty(0)).size == 0
