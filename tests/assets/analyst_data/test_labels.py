"""Labels: each barrier by hand, the kernel against its twin, and no future beyond t1."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.prefix import assert_prefix_invariant, random_cuts
from helpers.random_bars import START_MS, random_market
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.analyst import labels_reference
from ares_assets.analyst.labels import (
    LABEL_COLUMNS,
    sample_events,
    triple_barrier,
    unlabelled,
    volatility,
)
from ares_assets.analyst.labels_kernel import walk_barriers
from ares_resources.errors import BadInput

MINUTE = 60_000


def candles(*rows: tuple[float, float, float, float], minutes=None) -> pd.DataFrame:
    """Bars as (open, high, low, close); a quiet one at 100 is put before them."""
    quiet = (100.0, 100.0, 100.0, 100.0)
    frame = pd.DataFrame([quiet, *rows], columns=["open", "high", "low", "close"])
    times = np.arange(len(frame)) if minutes is None else np.array([0, *minutes])
    frame.insert(0, "timestamp", START_MS + MINUTE * times.astype(np.int64))
    return frame


def label(frame: pd.DataFrame, horizon: int = 4, sigma: float = 0.01, **change) -> pd.DataFrame:
    """One event at row 0; barriers at 2 and 1 per cent when entry is at 100."""
    arguments = {
        "horizon_bars": horizon,
        "upper_width": 1.0,
        "lower_width": 0.5,
        "volatility": np.full(len(frame), sigma),
        "timeframe_ms": MINUTE,
        **change,
    }
    return triple_barrier(frame, np.array([0]), **arguments)


def only(frame: pd.DataFrame) -> tuple:
    assert tuple(frame.columns) == LABEL_COLUMNS
    assert len(frame) == 1
    return tuple(frame.iloc[0])


Q = (100.0, 100.5, 99.5, 100.0)  # touches nothing


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # upper first; entry at the open of row 1, not at the close of row 0
        ([Q, (100, 102.5, 99.5, 101), Q, Q], (0, 2, 1, "upper", 0.02)),
        ([(200, 202, 199, 200), (200, 204.5, 199, 203), Q, Q], (0, 2, 1, "upper", 0.02)),
        # lower first
        ([Q, Q, (100, 100.5, 98.5, 100), Q], (0, 3, 0, "lower", -0.01)),
        # the entry bar itself may touch
        ([(100, 102.5, 99.5, 100), Q, Q, Q], (0, 1, 1, "upper", 0.02)),
        # both in one bar: the adverse one
        ([Q, (100, 103, 98, 101), Q, Q], (0, 2, 0, "lower", -0.01)),
        # a gap through a barrier fills at the open, even where the other is touched later
        ([Q, (103, 103.5, 97, 98), Q, Q], (0, 2, 1, "upper", 0.03)),
        ([Q, (97, 104, 96, 100), Q, Q], (0, 2, 0, "lower", -0.03)),
        # neither: the sign of the return at the close of the horizon's last bar
        ([Q, Q, Q, (100, 101, 99.5, 100.25)], (0, 4, 1, "vertical", 0.0025)),
        ([Q, Q, Q, (100, 101, 99.5, 99.75)], (0, 4, 0, "vertical", -0.0025)),
        ([Q, Q, Q, Q], (0, 4, 0, "vertical", 0.0)),
        # a touch after the horizon does not count
        ([Q, Q, Q, Q, (100, 200, 1, 100)], (0, 4, 0, "vertical", 0.0)),
    ],
)
def test_each_barrier_by_hand(rows, expected):
    found = only(label(candles(*rows)))
    assert found[:4] == expected[:4]
    assert found[4] == pytest.approx(expected[4], abs=1e-12)


def test_a_horizon_that_passes_the_end_gives_no_label_even_after_a_touch():
    frame = candles(Q, (100, 150, 99.5, 100), Q)
    assert len(label(frame)) == 0
    assert len(label(frame, horizon=3)) == 1


def test_missing_bars_shorten_the_path_not_the_time():
    frame = candles(Q, Q, (100, 101, 99.5, 100.5), Q, minutes=[1, 3, 4, 9])
    assert only(label(frame))[1:4] == (3, 1, "vertical")
    # The bar of the deadline, minute 4, is missing: out at the open of the next one.
    touch_too_late = candles(Q, Q, (100.2, 150, 99.5, 100), Q, minutes=[1, 3, 5, 9])
    assert only(label(touch_too_late)) == (0, 3, 1, "vertical", pytest.approx(0.002))


def test_entry_after_a_gap_is_at_the_next_open_within_the_horizon():
    frame = candles((104, 104.5, 103.8, 104.0), Q, minutes=[4, 9])
    assert only(label(frame)) == (0, 1, 0, "vertical", 0.0)
    lost = candles(Q, Q, minutes=[5, 9])
    assert len(label(lost)) == 0
    reasons = unlabelled(
        lost, np.array([0]), horizon_bars=4, volatility=np.ones(3), timeframe_ms=MINUTE
    )
    assert reasons == {"truncated": 0, "no_volatility": 0, "no_bar_in_horizon": 1}


@pytest.mark.parametrize("sigma", [np.nan, 0.0])
def test_without_volatility_there_is_no_label(sigma):
    frame = candles(Q, Q, Q, Q)
    assert len(label(frame, sigma=sigma)) == 0
    reasons = unlabelled(
        frame,
        np.array([0, 2]),
        horizon_bars=4,
        volatility=np.full(5, sigma),
        timeframe_ms=MINUTE,
    )
    assert reasons == {"truncated": 1, "no_volatility": 1, "no_bar_in_horizon": 0}


def test_impossible_arguments_are_refused():
    frame = candles(Q, Q, Q, Q)
    with pytest.raises(BadInput, match="upper_width = 0 must be above 0"):
        label(frame, upper_width=0)
    with pytest.raises(BadInput, match="horizon_bars = 0"):
        label(frame, horizon=0)
    with pytest.raises(BadInput, match=r"rows 0..5 must lie within 0..4"):
        triple_barrier(
            frame,
            np.array([0, 5]),
            horizon_bars=1,
            upper_width=1,
            lower_width=1,
            volatility=np.ones(5),
            timeframe_ms=MINUTE,
        )


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(2, 120),
    horizon=st.integers(1, 40),
    width=st.sampled_from([1e-9, 0.0005, 0.002, 0.01, np.nan]),
    missing=st.sampled_from([0.0, 0.2, 0.6]),
)
def test_kernel_equals_its_twin_exactly(seed, rows, horizon, width, missing):
    market = random_market(rows, seed=seed, missing_share=missing)
    # A coarse price grid makes exact touches and double touches frequent.
    prices = [np.round(market[name].to_numpy(), 1) for name in ("open", "high", "low", "close")]
    events = np.arange(len(market))
    widths = np.full(len(market), width)
    arguments = (market["timestamp"].to_numpy(), *prices, events, widths, 1.5 * widths)
    found = walk_barriers(*arguments, horizon * MINUTE)
    expected = labels_reference.walk_barriers(*arguments, horizon * MINUTE)
    for left, right in zip(found, expected, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("horizon", [1, 64, 65, 240, 5000])
@pytest.mark.parametrize("width", [0.002, 0.02])
def test_many_events_at_once_equal_the_same_ones_alone(horizon, width):
    """Many share tables of extremes, several in a row; a few are walked bar by bar."""
    market = random_market(11_000, seed=horizon, missing_share=0.01)
    columns = [market[name].to_numpy().copy() for name in ("open", "high", "low", "close")]
    columns[1][5000:5010], columns[2][5005:5015] = np.nan, np.nan
    stamps, events = market["timestamp"].to_numpy(), np.arange(len(market))
    widths = np.full(len(market), width)
    widths[::50], widths[1::50] = 0.0, np.nan

    def walked(walk, rows: np.ndarray) -> tuple[np.ndarray, ...]:
        of_rows = (rows, widths[rows], 1.5 * widths[rows])
        return walk(stamps, *columns, *of_rows, horizon * MINUTE)

    found = walked(walk_barriers, events)
    few = events[:: 97 if horizon < 5000 else 997]
    shuffled = np.random.default_rng(1).permutation(events)
    for rows, how in (
        (few, labels_reference.walk_barriers),
        (few, walk_barriers),
        (shuffled, walk_barriers),
    ):
        for whole, part in zip(found, walked(how, rows), strict=True):
            np.testing.assert_array_equal(whole[rows], part)


def test_labels_known_before_a_cut_are_the_same_after_it():
    market = random_market(3000, seed=5, missing_share=0.02)
    stamps = market["timestamp"].to_numpy()

    def labelled(frame: pd.DataFrame) -> pd.DataFrame:
        events = sample_events(
            frame["timestamp"].to_numpy(), np.arange(len(frame)), every_bars=7, timeframe_ms=MINUTE
        )
        return triple_barrier(
            frame,
            events,
            horizon_bars=30,
            upper_width=1.0,
            lower_width=1.0,
            volatility=volatility(frame["close"].to_numpy(), 60),
            timeframe_ms=MINUTE,
        )

    whole = labelled(market)
    assert set(whole["barrier"]) == {"upper", "lower", "vertical"}
    for cut in random_cuts(len(market), 8, seed=6):
        part = labelled(market.iloc[:cut])
        finished = stamps[whole["row"]] + 30 * MINUTE <= stamps[cut - 1]
        pd.testing.assert_frame_equal(part, whole[finished], check_exact=True)
        assert not len(part) or part["t1_row"].max() < cut


def test_volatility_sees_no_future_and_measures_what_it_says():
    market = random_market(2000, seed=1)
    assert_prefix_invariant(
        lambda frame: volatility(frame["close"].to_numpy(), 60),
        market,
        random_cuts(2000, 6, seed=2),
    )
    generator = np.random.default_rng(4)
    close = 100 * np.exp(np.cumsum(0.002 * generator.standard_normal(20_000)))
    found = volatility(close, 500)
    assert np.isnan(found[:500]).all()
    assert np.isfinite(found[500:]).all()
    assert found[-1] == pytest.approx(0.002, rel=0.1)


def test_events_fall_on_absolute_times_whatever_the_window_or_the_rows():
    stamps = START_MS + MINUTE * np.arange(500, dtype=np.int64)
    events = sample_events(stamps, np.arange(500), every_bars=10, timeframe_ms=MINUTE)
    assert events[:3].tolist() == [9, 19, 29]
    assert ((stamps[events] + MINUTE) % (10 * MINUTE) == 0).all()
    later = sample_events(stamps[123:], np.arange(377), every_bars=10, timeframe_ms=MINUTE)
    assert set(stamps[123:][later]) == set(stamps[events][events >= 123])
    some = sample_events(stamps, np.array([31, 29, 9, 300]), every_bars=10, timeframe_ms=MINUTE)
    assert some.tolist() == [9, 29]
