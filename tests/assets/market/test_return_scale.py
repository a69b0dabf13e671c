"""The scale of returns: when a slow baseline is used, what it does, and that it is causal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.prefix import assert_prefix_invariant, random_cuts

from ares_assets.market.regimes.return_scale import ReturnScale
from ares_resources.settings import RegimeSettings

ROWS = 40_000
SETTINGS = RegimeSettings(volatility_halflife_bars=30, baseline_halflife_bars=2_000)


def market(level: np.ndarray, seed: int = 4) -> pd.DataFrame:
    """Bars whose volatility is 1e-3 times ``level``, times regimes of about a thousand bars."""
    generator = np.random.default_rng(seed)
    regimes = np.repeat(generator.choice([0.5, 1.0, 2.0], ROWS // 500), 500)
    returns = 1e-3 * level * regimes * generator.standard_normal(ROWS)
    timestamp = 60_000 * np.arange(ROWS, dtype=np.int64)
    return pd.DataFrame({"timestamp": timestamp, "close": 100 * np.exp(np.cumsum(returns))})


def steady() -> pd.DataFrame:
    return market(np.ones(ROWS))


def wandering() -> pd.DataFrame:
    return market(np.exp(1.5 * np.sin(np.arange(ROWS) / 6_000)))


def fit(frame: pd.DataFrame, settings: RegimeSettings = SETTINGS) -> ReturnScale:
    return ReturnScale.fit(frame, np.arange(ROWS * 7 // 10), settings)


def test_a_wandering_level_calls_for_a_baseline_and_a_steady_one_does_not():
    assert fit(wandering()).baseline[0] == 2_000
    assert fit(steady()).baseline[0] == 0


@pytest.mark.parametrize("halflife", [0, 5_000])
def test_there_is_none_where_it_is_off_or_the_rows_are_too_few(halflife):
    settings = SETTINGS.model_copy(update={"baseline_halflife_bars": halflife})
    assert fit(wandering(), settings).baseline[0] == 0


def test_the_baseline_takes_most_of_the_level_out():
    frame, scale = wandering(), fit(wandering())
    off = ReturnScale(scale.intraday, (0.0, scale.baseline[1]))
    assert _reach(scale.standardised(frame)) < _reach(off.standardised(frame)) / 3


def _reach(returns: np.ndarray) -> float:
    """Largest over smallest mean size of 4 000 bars."""
    sizes = pd.Series(np.abs(returns)).rolling(4_000).mean().dropna().to_numpy()
    return float(sizes.max() / sizes.min())


def test_the_baseline_is_the_average_before_each_bar():
    scale = ReturnScale((0.0, 0.0, 0.0, 0.0), (2.0, 0.01))
    returns = np.array([0.03, 0.0, -0.02])
    keep = 0.5**0.5
    second = keep * 0.01 + (1 - keep) * 0.03
    third = keep * second
    expected = np.array([0.01, second, third]) / 0.01
    np.testing.assert_allclose(scale._relative_baseline(returns), expected)


def test_it_sees_no_future_and_no_row_after_those_fitted_on():
    frame = wandering()
    scale = fit(frame)
    assert_prefix_invariant(scale.standardised, frame, random_cuts(ROWS, 30, seed=2))
    later = frame.copy()
    later.loc[ROWS * 7 // 10 :, "close"] = 55.5
    assert fit(later) == scale


def test_a_market_that_stops_moving_stays_finite():
    frame = wandering()
    frame.loc[20_000:, "close"] = 100.0
    assert np.isfinite(ReturnScale((0.0,) * 4, (50.0, 1e-3)).standardised(frame)).all()
