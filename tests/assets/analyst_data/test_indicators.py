"""Indicators against published values, TA-Lib, plain definitions, and zero denominators."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib
from helpers.prefix import assert_prefix_invariant
from helpers.random_bars import random_market
from scipy.stats import norm

from ares_assets.analyst import indicators as ind
from ares_assets.analyst.indicators import BarSeries

STOCKCHARTS_CLOSES = (
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826,
    45.8931, 46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439,
)  # fmt: skip
STOCKCHARTS_RSI = (70.53, 66.32, 66.55, 69.41, 66.36, 57.97)


def series(rows: int = 600, *, seed: int = 1) -> BarSeries:
    return BarSeries(random_market(rows, seed=seed), 60_000)


def flat(rows: int = 400) -> BarSeries:
    prices = dict.fromkeys(("open", "high", "low", "close"), 5.0)
    return BarSeries(random_market(rows, seed=1).assign(volume=0.0, **prices), 60_000)


def test_relative_strength_is_the_stockcharts_one():
    bars = BarSeries(pd.DataFrame({"close": STOCKCHARTS_CLOSES}), 60_000)
    found = ind.relative_strength(bars)
    assert np.isnan(found[:14]).all()
    np.testing.assert_allclose(found[14:], STOCKCHARTS_RSI, atol=0.006)


def test_trend_indicators_are_talibs():
    bars = series()
    candles = bars.high, bars.low, bars.close
    np.testing.assert_array_equal(ind.average_directional_index(bars), talib.ADX(*candles, 14))
    np.testing.assert_array_equal(bars.average_true_range, talib.ATR(*candles, 14))
    np.testing.assert_array_equal(
        ind.directional_difference(bars), talib.PLUS_DI(*candles, 14) - talib.MINUS_DI(*candles, 14)
    )


def test_spans_look_back_exactly_so_far():
    bars = series()
    close = bars.close
    assert ind.log_return(bars, 5)[100] == pytest.approx(np.log(close[100] / close[95]))
    assert np.isnan(ind.log_return(bars, 5)[:5]).all()
    steps = np.diff(np.log(close))
    assert ind.realised_volatility(bars, 30)[100] == pytest.approx(
        np.sqrt(np.mean(steps[70:100] ** 2))
    )
    z = (close[100] - close[81:101].mean()) / close[81:101].std()
    assert ind.rolling_z(close, 20)[100] == pytest.approx(z)
    low, high = bars.low[41:101].min(), bars.high[41:101].max()
    place = (close[100] - low) / (high - low) - 0.5
    assert ind.range_position(bars, 60)[100] == pytest.approx(place)


def test_smoothing_weighs_by_half_life():
    values = np.array([1.0, 0.0, 0.0])
    weights = np.array([0.25, 0.5, 1.0])
    assert ind.smoothed(values, 1)[2] == pytest.approx(weights @ values / weights.sum())
    assert np.isnan(ind.smoothed(np.array([1.0, np.nan]), 1)[1])


def test_a_market_that_does_not_move_gives_neutral_values():
    bars = flat()
    last = {
        "strength": ind.relative_strength(bars)[-1],
        "macd": ind.macd_histogram(bars)[-1],
        "z": ind.rolling_z(bars.close, 20)[-1],
        "volume_z": ind.rolling_z(bars.column("volume"), 20)[-1],
        "volatility": ind.realised_volatility(bars, 30)[-1],
        "place": ind.range_position(bars, 60)[-1],
        "adx": ind.average_directional_index(bars)[-1],
    }
    assert last == {
        "strength": 50, "macd": 0, "z": 0, "volume_z": 0, "volatility": 0, "place": 0, "adx": 0
    }  # fmt: skip


def test_a_halt_after_movement_leaves_no_rounding_dust():
    frame = random_market(600, seed=4)
    halted = np.arange(600) >= 400
    for name in ("open", "high", "low", "close"):
        frame.loc[halted, name] = frame["close"].iloc[399]
    bars = BarSeries(frame, 60_000)
    assert ind.realised_volatility(bars, 30)[-1] == 0
    assert ind.rolling_z(bars.close, 20)[-1] == 0


def test_taker_flow_is_a_normal_quantile_and_clipped():
    frame = random_market(5, seed=1)
    frame["taker_buy_share"] = [0.5, norm.cdf(0.35), 0.0, 1.0, np.nan]
    flow = BarSeries(frame, 60_000).taker_flow
    np.testing.assert_allclose(flow[:2], [0, 0.35], atol=1e-12)
    assert flow[3] == -flow[2] == pytest.approx(norm.ppf(0.999))
    assert np.isnan(flow[4])


def test_a_bar_without_trades_is_balanced_once_a_share_was_seen():
    frame = random_market(4, seed=1).assign(
        taker_buy_share=[np.nan, 0.7, np.nan, np.nan], volume=[0.0, 1.0, 0.0, 1.0]
    )
    flow = BarSeries(frame, 60_000).taker_flow
    assert np.isnan(flow).tolist() == [True, False, False, True]
    assert flow[2] == 0


def test_missing_columns_read_as_missing_values():
    bars = BarSeries(random_market(5, seed=1).drop(columns="open_interest"), 60_000)
    assert np.isnan(bars.column("open_interest")).all()
    assert np.isnan(ind.log_change(bars.column("open_interest"), 2)).all()
    assert np.isnan(ind.log_change(np.array([0.0, 1.0, 2.0]), 1)).tolist() == [True, True, False]


def test_indicators_see_no_future_and_the_helper_catches_one_that_does():
    frame = random_market(900, seed=6)

    def honest(part: pd.DataFrame) -> pd.DataFrame:
        bars = BarSeries(part, 60_000)
        return pd.DataFrame(
            {"z": ind.rolling_z(bars.close, 20), "flow": ind.smoothed(bars.taker_flow, 30)}
        )

    def leaking(part: pd.DataFrame) -> pd.Series:
        return part["close"].rolling(21, center=True).mean()

    assert_prefix_invariant(honest, frame, [1, 50, 500, 899])
    with pytest.raises(AssertionError, match="row 490 saw the future"):
        assert_prefix_invariant(leaking, frame, [500])
