"""Kernels against their plain twins, TA-Lib, pandas and published values; blocks and states."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pandas as pd
import pytest
import talib
from helpers.random_bars import random_market
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.analyst import (
    element_kernel,
    element_reference,
    recursive_kernel,
    recursive_reference,
    window_kernel,
    window_reference,
)
from ares_assets.analyst.indicators import BarSeries

STOCKCHARTS_CLOSES = (
    44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826,
    45.8931, 46.0328, 45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439,
)  # fmt: skip
STOCKCHARTS_RSI = (70.53, 66.32, 66.55, 69.41, 66.36, 57.97)

cuts = st.lists(st.integers(0, 300), max_size=4).map(lambda found: [0, *sorted(found), 300])
spans = st.integers(1, 90)


def numbers(seed: int, shape: tuple[int, ...] = (300,), *, spikes: bool = True) -> np.ndarray:
    """Values about a level, with stretches that stand still and a few huge ones."""
    generator = np.random.default_rng(np.random.SeedSequence([seed]))
    values = 5.0 + generator.standard_normal(shape)
    values[generator.integers(0, 200) :][:60] = 7.5
    if spikes:
        values[generator.integers(0, 300, 2)] *= 1e9
    return values


def pieces(cuts: list[int], fill, width: int = 1) -> np.ndarray:  # type: ignore[no-untyped-def]
    """What a kernel gives when it is called from cut to cut; ``fill(start, stop, out)``."""
    out = np.full((width, 300), np.nan)
    for start, stop in itertools.pairwise(cuts):
        part = np.full((width, stop - start), np.nan)
        fill(start, stop, part)
        out[:, start:stop] = part
    return out


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), span=spans, cuts=cuts)
def test_sums_are_the_plain_ones_and_the_same_from_any_row(seed, span, cuts):
    values = numbers(seed, (300, 6))

    def fill(start: int, stop: int, out: np.ndarray) -> None:
        begin = max(0, start - 2 * span + 2)
        window_kernel.rolling_sums(
            np.ascontiguousarray(values.T[:, begin:stop]), begin, span, start, stop, out
        )

    found = pieces(cuts, fill, 6)
    np.testing.assert_array_equal(found, pieces([0, 300], fill, 6))
    np.testing.assert_allclose(found.T, window_reference.rolling_sums(values, span), rtol=1e-13)


def test_a_huge_value_leaves_no_dust_behind():
    values = np.full((300, 1), 0.1)
    values[50] = 1e18
    out = np.empty((1, 300))
    window_kernel.rolling_sums(values.reshape(1, -1), 0, 10, 0, 300, out)
    np.testing.assert_allclose(out[0, 60:], 1.0, rtol=1e-15)
    values[50] = np.nan
    window_kernel.rolling_sums(values.reshape(1, -1), 0, 10, 0, 300, out)
    assert np.flatnonzero(np.isnan(out[0])).tolist() == list(range(50, 60))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), span=spans, cuts=cuts)
def test_extremes_are_the_plain_ones_and_the_same_from_any_row(seed, span, cuts):
    high, low = numbers(seed), numbers(seed + 1)

    def fill(start: int, stop: int, out: np.ndarray) -> None:
        window_kernel.rolling_extremes(high, low, span, start, stop, out[0], out[1])

    found = pieces(cuts, fill, 2)
    np.testing.assert_array_equal(found, window_reference.rolling_extremes(high, low, span))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), span=spans, cuts=cuts, missing=st.booleans())
def test_scores_are_the_plain_ones_and_the_same_from_any_row(seed, span, cuts, missing):
    values = numbers(seed, spikes=False)
    if missing:
        values[:40] = np.nan
        values[numbers(seed + 1, spikes=False) > 6.5] = np.nan

    def fill(start: int, stop: int, out: np.ndarray) -> None:
        window_kernel.rolling_score(values, span, start, stop, out[0], out[1])

    found = pieces(cuts, fill, 2)
    np.testing.assert_array_equal(found, pieces([0, 300], fill, 2))
    plain = window_reference.rolling_score(values, span)
    np.testing.assert_allclose(found, plain, rtol=1e-7, atol=1e-9)
    still = plain[1] == 0
    np.testing.assert_array_equal(found[1][still], 0.0)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), span=st.integers(3, 90), cuts=cuts)
def test_lines_are_the_plain_ones_and_the_same_from_any_row(seed, span, cuts):
    values = np.cumsum(numbers(seed, spikes=False) - 5.0)
    values[100:200] = values[100]

    def fill(start: int, stop: int, out: np.ndarray) -> None:
        window_kernel.rolling_line(values, span, start, stop, out[0], out[1])

    found = pieces(cuts, fill, 2)
    np.testing.assert_array_equal(found, pieces([0, 300], fill, 2))
    plain = window_reference.rolling_line(values, span)
    full = slice(span - 1, None)
    np.testing.assert_allclose(found[0, full], plain[0][full], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found[1, full], plain[1][full], rtol=1e-6, atol=1e-8)


def candles(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    frame = random_market(300, seed=seed)
    return tuple(frame[name].to_numpy() for name in ("high", "low", "close"))  # type: ignore[return-value]


def wilder_pieces(bars: tuple[np.ndarray, ...], cuts: list[int]) -> np.ndarray:
    state = np.zeros(recursive_kernel.WILDER_STATE)

    def fill(start: int, stop: int, out: np.ndarray) -> None:
        recursive_kernel.wilder(*bars, start, stop, state, out)

    return pieces(cuts, fill, 4)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=cuts, last=st.integers(30, 299))
def test_wilders_are_the_plain_ones_and_the_same_from_any_row(seed, cuts, last):
    bars = candles(seed)
    found = wilder_pieces(bars, cuts)
    np.testing.assert_array_equal(found, wilder_pieces(bars, [0, 300]))
    high, low, close = (list(column[: last + 1]) for column in bars)
    index, difference = recursive_reference.directional(high, low, close)
    plain = [
        recursive_reference.relative_strength(close),
        index,
        difference,
        recursive_reference.average_true_range(high, low, close),
    ]
    np.testing.assert_allclose(found[:, last], plain, rtol=1e-9, atol=1e-9)


def test_wilders_are_talibs_from_their_first_value():
    high, low, close = candles(3)
    strength, index, difference, reach = wilder_pieces((high, low, close), [0, 300])
    plus, minus = talib.PLUS_DI(high, low, close, 14), talib.MINUS_DI(high, low, close, 14)
    for found, theirs in (
        (strength, talib.RSI(close, 14)),
        (index, talib.ADX(high, low, close, 14)),
        (difference, plus - minus),
        (reach, talib.ATR(high, low, close, 14)),
    ):
        known = ~np.isnan(theirs)
        assert known.sum() > 270
        np.testing.assert_allclose(found[known], theirs[known], rtol=1e-10, atol=1e-10)


def test_macd_is_talibs_and_the_plain_one():
    close = candles(4)[2]
    out, state = np.empty(300), np.zeros(recursive_kernel.MACD_STATE)
    recursive_kernel.macd_histogram(close, 0, 300, state, out)
    theirs = talib.MACD(close, 12, 26, 9)[2]
    known = ~np.isnan(theirs)
    np.testing.assert_allclose(out[known], theirs[known], atol=1e-11)
    for last in (33, 34, 100, 299):
        plain = recursive_reference.macd_histogram(list(close[: last + 1]))
        assert out[last] == pytest.approx(plain, abs=1e-11)


def test_relative_strength_is_the_stockcharts_one():
    closes = np.array(STOCKCHARTS_CLOSES)
    out, state = np.empty((4, 20)), np.zeros(recursive_kernel.WILDER_STATE)
    recursive_kernel.wilder(closes, closes, closes, 0, 20, state, out)
    np.testing.assert_allclose(out[0, 14:], STOCKCHARTS_RSI, atol=0.006)


def test_prices_of_any_size_have_the_same_strength():
    # TA-Lib takes a movement below 1e-14 for none, which a coin of 1e-9 dollars is at once.
    bars = candles(5)
    tiny = tuple(column * 2.0**-60 for column in bars)
    np.testing.assert_array_equal(
        wilder_pieces(bars, [0, 300])[:3], wilder_pieces(tiny, [0, 300])[:3]
    )


HALFLIVES = (1, 10, 120)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), cuts=cuts)
def test_weighted_means_are_pandas_and_the_plain_ones_from_any_row(seed, cuts):
    values = numbers(seed, spikes=False)
    values[values > 6.0] = np.nan
    decays = np.array([math.exp2(-1 / halflife) for halflife in HALFLIVES])

    def smoothed(cuts: list[int]) -> np.ndarray:
        state = np.zeros((3, recursive_kernel.MEAN_STATE))

        def fill(start: int, stop: int, out: np.ndarray) -> None:
            recursive_kernel.weighted_means(values[start:stop], decays, start, stop, state, out)

        return pieces(cuts, fill, 3)

    found = smoothed(cuts)
    np.testing.assert_array_equal(found, smoothed([0, 300]))
    for halflife, means in zip(HALFLIVES, found, strict=True):
        theirs = pd.Series(values).ewm(halflife=halflife).mean().where(~np.isnan(values))
        np.testing.assert_allclose(means, theirs, rtol=1e-9)
        for row in (0, 9, 299):
            plain = recursive_reference.weighted_mean(list(values[: row + 1]), halflife)
            assert means[row] == pytest.approx(plain, rel=1e-9, nan_ok=True)


def test_log_changes_are_missing_where_a_value_is():
    values = np.array([0.0, 1.0, math.e, np.nan, 1.0, -1.0, 2.0])
    out = np.empty(7)
    element_kernel.log_change(values, 1, 0, 7, out)
    assert np.isnan(out).tolist() == [True, True, False, True, True, True, True]
    assert out[2] == pytest.approx(1.0)
    element_kernel.log_change(values, 2, 4, 7, out[:3])
    assert np.isnan(out[:3]).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("name", "columns", "width", "reads_returns"),
    [
        ("squares", (), 1, True),
        ("cubes", (), 1, True),
        ("candle_elements", ("open", "high", "low", "close", "volume"), 8, True),
        ("trade_elements", ("high", "low", "close", "volume"), 4, True),
        ("money_flows", ("high", "low", "close", "volume"), 2, False),
    ],
)
def test_elements_are_the_plain_ones_from_any_row(name, columns, width, reads_returns):
    frame = random_market(50, seed=7)
    frame.loc[10:13, "volume"] = 0.0
    frame.loc[20:22, ["open", "high", "low", "close"]] = frame["close"].iloc[19]
    bars = {column: list(frame[column]) for column in frame.columns}
    inputs = [frame[column].to_numpy() for column in columns]
    if reads_returns:
        logs, returns = np.empty(50), np.empty(50)
        element_kernel.log_returns(frame["close"].to_numpy(), 0, 20, logs, returns)
        element_kernel.log_returns(frame["close"].to_numpy(), 20, 50, logs, returns)
        inputs.append(returns)
    whole, part = np.empty((width, 50)), np.empty((width, 30))
    getattr(element_kernel, name)(*inputs, 0, 50, whole)
    getattr(element_kernel, name)(*inputs, 20, 50, part)
    np.testing.assert_array_equal(part, whole[:, 20:])
    plain = [getattr(element_reference, name)(bars, i) for i in range(50)]
    np.testing.assert_allclose(whole.T, plain, rtol=1e-11, atol=1e-16)


def test_taker_flow_is_a_normal_quantile_clipped_and_balanced_without_trades():
    shares = np.concatenate(
        [[np.nan, 0.7, np.nan, np.nan], np.linspace(0, 1, 2001), [1e-4, 0.9995]]
    )
    volume = np.ones(len(shares))
    volume[[0, 2]] = 0.0
    out, seen = np.empty(len(shares)), np.zeros(1)
    element_kernel.taker_flow(shares, volume, 0, len(shares), seen, out)
    assert np.isnan(out[:4]).tolist() == [True, False, False, True]
    assert out[2] == 0
    bars = {"taker_buy_share": list(shares), "volume": list(volume)}
    plain = [element_reference.taker_flow(bars, i) for i in range(len(shares))]
    np.testing.assert_allclose(out, plain, rtol=1e-13, atol=1e-15)
    assert out[-1] == -out[-2] == pytest.approx(statistics.NormalDist().inv_cdf(0.999))


def test_trading_measures_its_stops_in_talibs_true_range():
    frame = random_market(300, seed=8)
    theirs = talib.ATR(*(frame[name].to_numpy() for name in ("high", "low", "close")), 14)
    np.testing.assert_array_equal(BarSeries(frame, 60_000).average_true_range, theirs)


def test_missing_columns_read_as_missing_values():
    bars = BarSeries(random_market(5, seed=1).drop(columns="open_interest"), 60_000)
    assert np.isnan(bars.column("open_interest")).all()


def test_the_kernel_orders_columns_as_the_features_read_them():
    from ares_assets.analyst import element_columns, element_kernel

    names = [name for name in vars(element_columns) if name.isupper()]
    assert len(names) == 12
    assert all(getattr(element_kernel, n) == getattr(element_columns, n) for n in names)
