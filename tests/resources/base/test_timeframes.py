"""Timeframes: which can be used, how long their bars are, and where they open."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares_assets.analyst.labels import sample_events
from ares_assets.market.bars import check_bars
from ares_assets.market.resampling import resample_bars
from ares_assets.tactician.multi_timeframe import slower_bars
from ares_resources.errors import BadInput
from ares_resources.settings import load_settings
from ares_resources.storage.frames import first_fault
from ares_resources.timeframes import (
    DAY_MS,
    TIMEFRAMES,
    WEEK_MS,
    grid_ceil,
    grid_floor,
    timeframe_ms,
)

MONDAY = 1_704_067_200_000  # 2024-01-01 was one


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("1s", 1_000),
        ("1m", 60_000),
        ("8h", 28_800_000),
        ("90m", 5_400_000),
        ("1d", DAY_MS),
        ("1w", WEEK_MS),
    ],
)
def test_lengths(name: str, length: int) -> None:
    assert timeframe_ms(name) == length


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("3d", "no calendar says on which day"),
        ("2w", "no calendar says on which day"),
        ("36h", "no calendar says on which day"),
        ("1M", "months and years have no one length"),
        ("1y", "months and years have no one length"),
        ("7m", "does not divide a day"),
        ("60m", "allowed: 1h"),
        ("24h", "allowed: 1d"),
        ("7d", "allowed: 1w"),
        ("0m", "is not known"),
        ("1H", "is not known"),
        ("01m", "is not known"),
        ("m", "is not known"),
        ("../../x", "is not known"),
        ("9" * 500 + "m", "is not known"),
        (5, "is not known"),
        (None, "is not known"),
    ],
)
def test_others_are_refused_in_one_line_that_says_what_to_do(name: object, words: str) -> None:
    with pytest.raises(BadInput, match="allowed: ") as refused:
        timeframe_ms(name)  # type: ignore[arg-type]
    message = str(refused.value)
    assert words in message
    assert "\n" not in message
    assert len(message) < 300


def test_settings_refuse_them_too_and_say_where() -> None:
    assert load_settings({"data": {"timeframe": "8h"}}).data.timeframe == "8h"
    for tree, where in (
        ({"data": {"timeframe": "3d"}}, "data.timeframe = '3d'"),
        ({"features": {"timeframes": ["1M"]}}, "features.timeframes.0 = '1M'"),
        ({"data": {"timeframe": 5}}, "data.timeframe = 5"),
    ):
        with pytest.raises(BadInput) as refused:
            load_settings(tree)
        assert str(refused.value).startswith(f"configuration: {where}: ")


@given(moment=st.integers(0, 2**42), name=st.sampled_from(sorted(TIMEFRAMES)))
def test_boundaries_lie_around_every_moment(moment: int, name: str) -> None:
    step = TIMEFRAMES[name]
    before, after = grid_floor(moment, step), grid_ceil(moment, step)
    assert before <= moment <= after
    assert after - before in (0, step)
    assert (before - MONDAY) % step == 0


def test_weeks_open_on_mondays() -> None:
    assert grid_floor(MONDAY + 3 * DAY_MS, WEEK_MS) == MONDAY
    days = _days(MONDAY - 3 * DAY_MS, 24)
    weeks = resample_bars(days, "1d", "1w")
    assert weeks["timestamp"].tolist() == [MONDAY + n * WEEK_MS for n in range(3)]
    assert weeks["open"].tolist() == [4.0, 11.0, 18.0]
    slower = slower_bars(days, base_timeframe="1d", timeframe="1w")
    assert slower["timestamp"].tolist()[1:] == weeks["timestamp"].tolist()


def test_checks_know_the_grid_of_weeks() -> None:
    weeks = _days(MONDAY, 3).assign(timestamp=MONDAY + np.arange(3) * WEEK_MS)
    check_bars(weeks, "1w")
    assert first_fault(weeks, "bars", step_ms=WEEK_MS) is None
    thursdays = weeks.assign(timestamp=weeks["timestamp"] + 3 * DAY_MS)
    assert "Mondays 00:00 UTC" in str(first_fault(thursdays, "bars", step_ms=WEEK_MS))
    with pytest.raises(BadInput, match="Mondays"):
        check_bars(thursdays, "1w")


def test_decisions_on_weekly_bars_fall_on_every_kth() -> None:
    stamps = MONDAY + np.arange(50) * WEEK_MS
    rows = sample_events(stamps, np.arange(50), every_bars=10, timeframe_ms=WEEK_MS)
    assert len(rows) == 5
    assert set(np.diff(rows)) == {10}


def _days(start_ms: int, count: int) -> pd.DataFrame:
    prices = np.arange(1.0, count + 1)
    columns = {"timestamp": start_ms + np.arange(count) * DAY_MS}
    columns |= dict.fromkeys(("open", "high", "low", "close", "volume"), prices)
    return pd.DataFrame({**columns, "taker_buy_share": np.full(count, 0.5)})
