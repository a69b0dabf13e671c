"""Slower timeframes and signal features: nothing is used before it was available."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.tactician.multi_timeframe import (
    ascending_timeframes,
    join_available,
    slower_bars,
    timeframe_context,
)
from ares_assets.tactician.tactician_features import (
    FEATURE_COLUMNS,
    hit_rate,
    tactician_features,
    volume_z,
)
from ares_resources.errors import BadInput
from ares_resources.settings import CostSettings

MINUTE = 60_000


def minutes(n: int, seed: int = 1, *, holes: float = 0.0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(0.001 * generator.standard_normal(n)))
    frame = pd.DataFrame(
        {
            "timestamp": MINUTE * np.arange(n, dtype=np.int64),
            "open": close,
            "high": close * 1.001,
            "low": close * 0.999,
            "close": close,
            "volume": generator.lognormal(size=n),
        }
    )
    kept = generator.random(n) >= holes
    kept[0] = True
    return frame[kept].reset_index(drop=True)


def test_only_longer_whole_multiples_are_slower() -> None:
    assert ascending_timeframes("5m", ("1h", "5m", "1m", "15m", "3m")) == ("15m", "1h")
    with pytest.raises(BadInput, match="'1m' is not longer than the 1m bars"):
        slower_bars(minutes(10), base_timeframe="1m", timeframe="1m")


def test_slower_bars_by_hand_and_the_forming_one_left_out() -> None:
    frame = minutes(13)
    frame["close"] = np.arange(13.0) + 1
    frame["open"], frame["high"], frame["low"] = frame["close"], frame["close"], frame["close"]
    frame["volume"] = 1.0
    got = slower_bars(frame, base_timeframe="1m", timeframe="5m")
    assert got["timestamp"].tolist() == [0, 5 * MINUTE]
    assert got["available"].tolist() == [5 * MINUTE, 10 * MINUTE]
    assert got[["open", "high", "low", "close", "volume"]].to_numpy().tolist() == [
        [1, 5, 1, 5, 5],
        [6, 10, 6, 10, 5],
    ]


def test_join_is_by_availability_and_not_by_open() -> None:
    slower = pd.DataFrame({"available": [5, 10], "x": [1.0, 2.0]})
    got = join_available(np.array([4, 5, 9, 10, 19]), slower)
    assert got["x"].tolist() == pytest.approx([np.nan, 1, 1, 2, 2], nan_ok=True)
    aged = join_available(np.array([9, 10, 19]), slower, maximum_age_ms=5)
    assert aged["x"].tolist() == pytest.approx([1, 2, np.nan], nan_ok=True)
    with pytest.raises(BadInput, match="decision times must ascend"):
        join_available(np.array([5, 4]), slower)


@given(st.lists(st.integers(0, 100), max_size=20), st.lists(st.integers(0, 100), max_size=20))
def test_join_equals_the_obvious_search(decisions: list[int], available: list[int]) -> None:
    moments, ready = np.sort(np.array(decisions, np.int64)), np.sort(np.array(available, np.int64))
    slower = pd.DataFrame({"available": ready, "x": np.arange(ready.size, dtype=float)})
    got = join_available(moments, slower)["x"].to_numpy()
    obvious = [max((i for i, t in enumerate(ready) if t <= m), default=np.nan) for m in moments]
    np.testing.assert_array_equal(got, np.array(obvious, dtype=float))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 500),
    cut=st.integers(300, 2999),
    timeframe=st.sampled_from(["5m", "15m", "1h"]),
)
def test_context_prefix(seed: int, cut: int, timeframe: str) -> None:
    frame = minutes(3000, seed, holes=0.05)
    cut = min(cut, len(frame))
    row = np.arange(7, len(frame), 13)
    side = np.where(row % 2 == 0, 1, -1)
    past = row < cut

    def context(bars: pd.DataFrame, keep: np.ndarray) -> pd.DataFrame:
        return timeframe_context(
            bars, row[keep], side[keep], base_timeframe="1m", timeframe=timeframe
        )

    whole = context(frame, np.ones(row.size, bool))[past].reset_index(drop=True)
    pd.testing.assert_frame_equal(whole, context(frame.iloc[:cut], past))


def test_context_points_along_the_trade() -> None:
    frame, row = minutes(3000), np.array([2500, 2600])
    up = timeframe_context(frame, row, np.array([1, 1]), base_timeframe="1m", timeframe="15m")
    down = timeframe_context(frame, row, np.array([-1, -1]), base_timeframe="1m", timeframe="15m")
    assert list(up) == ["trend_15m", "position_15m", "volatility_15m"]
    assert up.notna().all(axis=None)
    np.testing.assert_array_equal(up["trend_15m"], -down["trend_15m"])
    np.testing.assert_array_equal(up["volatility_15m"], down["volatility_15m"])


def test_a_gap_makes_the_context_unknown_and_not_stale() -> None:
    frame = minutes(3000).drop(index=range(2000, 2400)).reset_index(drop=True)
    row = np.array([1999, 2000, 2030])  # before, at the first minute after, half an hour after
    got = timeframe_context(frame, row, np.ones(3), base_timeframe="1m", timeframe="15m")
    assert got["volatility_15m"].notna().tolist() == [True, False, True]


def features(frame: pd.DataFrame, row: np.ndarray, closed: pd.DataFrame | None = None):
    n = len(frame)
    regimes = pd.DataFrame(np.full((n, 3), 1 / 3), columns=["p_bull", "p_bear", "p_sideways"])
    probability = np.random.default_rng(5).random(row.max() + 1)[row]
    none = pd.DataFrame({"row": [], "t1_row": [], "take": []}, dtype="int64")
    return tactician_features(
        frame,
        row,
        probability,
        regime_probability=regimes,
        volatility=np.full(n, 0.01),
        closed=none if closed is None else closed,
        costs=CostSettings(fee_bp=4, slippage_bp=1),
        base_timeframe="1m",
    )


def test_features_by_hand() -> None:
    got = features(minutes(500), np.array([10, 359]))
    assert list(got) == list(FEATURE_COLUMNS)
    assert got["conviction"].tolist() == pytest.approx((got["analyst_probability"] - 0.5).abs())
    assert got["cost_to_volatility"].tolist() == pytest.approx([0.1, 0.1])
    assert got["hour_sin"][1] == pytest.approx(1.0)  # row 359 closes at 06:00
    assert got["hour_cos"][1] == pytest.approx(0.0, abs=1e-12)
    assert got["volume_z"].isna().tolist() == [True, False]
    assert got["hit_rate"].tolist() == [0.5, 0.5]


def test_hit_rate_counts_only_what_had_ended() -> None:
    closed = pd.DataFrame({"row": [1, 2, 3], "t1_row": [8, 5, 9], "take": [1, 1, 0]})
    got = hit_rate(np.array([5, 6, 9, 10]), closed)
    assert got.tolist() == pytest.approx([5 / 10, 6 / 11, 7 / 12, 7 / 13])


def test_volume_that_never_changes_is_not_unusual() -> None:
    assert volume_z(pd.Series(np.full(100, 3.0)))[70] == 0.0
    burst = volume_z(pd.Series([1.0, 2.0] * 40 + [1000.0]))
    assert burst[-1] > 5


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 300), cut=st.integers(100, 1999))
def test_features_prefix(seed: int, cut: int) -> None:
    frame, row = minutes(2000, seed), np.arange(5, 2000, 11)
    generator = np.random.default_rng(seed)
    closed = pd.DataFrame(
        {
            "row": row,
            "t1_row": row + generator.integers(1, 60, row.size),
            "take": generator.integers(0, 2, row.size),
        }
    )
    whole = features(frame, row, closed)
    noisy = closed.copy()
    noisy.loc[closed["t1_row"] >= cut, "take"] = 1 - noisy["take"]
    changed = frame.copy()
    changed.loc[cut:, ["open", "high", "low", "close", "volume"]] *= 5.0
    past = row < cut
    pd.testing.assert_frame_equal(whole[past], features(changed, row, noisy)[past])


def test_unusable_inputs_are_named() -> None:
    with pytest.raises(BadInput, match=r"within 0\.\.49"):
        features(minutes(50), np.array([3, 50]))
