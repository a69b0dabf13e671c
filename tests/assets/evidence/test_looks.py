"""Armitage's figures, and the p-value as it stood after each bar."""

from __future__ import annotations

import numpy as np
import pytest

from ares_assets.evidence.looks import crossings, p_values_by_bar
from ares_assets.evidence.peeking import fixed_test_peeking_error
from ares_assets.evidence.performance import DAY_MS, aggregate_returns
from ares_assets.evidence.sequential import always_valid_test
from ares_resources.errors import BadInput

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("looks", "expected"),
    [(1, 0.05), (2, 0.083), (5, 0.142), (10, 0.193), (50, 0.320), (100, 0.374)],
)
def test_peeking_at_a_fixed_test_errs_as_armitage_found(looks: int, expected: float) -> None:
    assert fixed_test_peeking_error(looks) == pytest.approx(expected, abs=6e-4)


def test_the_integral_agrees_with_walks() -> None:
    walks = np.cumsum(np.random.default_rng(5).normal(size=(20_000, 30)), axis=1)
    hits = (np.abs(walks) > 2.5758293 * np.sqrt(np.arange(1, 31))).any(axis=1)
    assert fixed_test_peeking_error(30, level=0.01) == pytest.approx(hits.mean(), abs=0.005)


def _daily(returns: np.ndarray, stamps: np.ndarray, until: int) -> tuple[np.ndarray, np.ndarray]:
    """Days that are over when the bar that closes at ``until`` has closed, and their returns."""
    seen = stamps + HOUR_MS <= until
    days, daily = aggregate_returns(returns[seen], stamps[seen])
    over = days + DAY_MS <= until
    return days[over], daily[over]


def test_the_p_value_after_a_bar_is_the_same_when_later_bars_are_cut() -> None:
    rng = np.random.default_rng(4)
    kept = np.sort(rng.choice(24 * 60, 24 * 60 - 90, replace=False))
    stamps = 19_000 * DAY_MS + kept * HOUR_MS
    returns = rng.normal(2e-4, 1e-3, stamps.size)
    days, daily = _daily(returns, stamps, int(stamps[-1]) + HOUR_MS)
    p = p_values_by_bar(always_valid_test(daily).p_values, days, stamps, step_ms=HOUR_MS)
    assert p.shape == stamps.shape
    assert p[0] == 1.0
    assert p[-1] < 0.05
    assert (np.diff(p) <= 0.0).all()
    for cut in rng.integers(24, stamps.size, 40):
        until = int(stamps[cut]) + HOUR_MS
        days, daily = _daily(returns[: cut + 1], stamps[: cut + 1], until)
        again = p_values_by_bar(
            always_valid_test(daily).p_values, days, stamps[: cut + 1], step_ms=HOUR_MS
        )
        assert (again == p[: cut + 1]).all()


def test_a_day_counts_from_the_close_of_its_last_bar_not_before() -> None:
    stamps = np.arange(48) * HOUR_MS
    p = p_values_by_bar(np.array([0.5, 0.25]), np.array([0, DAY_MS]), stamps, step_ms=HOUR_MS)
    assert p[22] == 1.0
    assert p[23] == p[46] == 0.5
    assert p[47] == 0.25


def test_bad_options_are_refused() -> None:
    with pytest.raises(BadInput, match="looks = 0"):
        fixed_test_peeking_error(0)
    with pytest.raises(BadInput, match="shape"):
        crossings(np.zeros(5))
