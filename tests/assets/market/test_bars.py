"""Bars: what is rejected, what is joined when, and how slower bars are made."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.prefix import assert_prefix_invariant, random_cuts
from helpers.random_bars import START_MS, random_market

from ares_assets.market.bars import (
    BAR_COLUMNS,
    MARKET_COLUMNS,
    check_bars,
    join_reference,
)
from ares_assets.market.resampling import resample_bars
from ares_resources.errors import BadInput

MINUTE = 60_000


def bars(rows: int = 20) -> pd.DataFrame:
    return random_market(rows, seed=3)[list(BAR_COLUMNS)]


def series(column: str, *points: tuple[int, float]) -> pd.DataFrame:
    times, values = zip(*points, strict=True) if points else ((), ())
    return pd.DataFrame(
        {"timestamp": np.array(times, np.int64), column: np.array(values, np.float64)}
    )


NO_FUNDING, NO_INTEREST = series("funding_rate"), series("open_interest")


def test_valid_bars_and_market_frames_pass():
    check_bars(bars(), "1m")
    check_bars(random_market(50, seed=1, missing_share=0.2), "1m")
    check_bars(bars().assign(taker_buy_share=np.nan), "1m")


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("open", np.nan, r"'open', row 7: missing value"),
        ("close", np.inf, r"'close', row 7: inf must be finite"),
        ("low", 0.0, r"'low', row 7: 0.0 must be above 0"),
        ("high", 1.0, r"'high', row 7: 1.0 must be at least open and close"),
        ("low", 1e9, r"'low', row 7: 1000000000.0 must be at most open and close"),
        ("volume", -2.0, r"'volume', row 7: -2.0 must be at least 0"),
        ("volume", np.nan, r"'volume', row 7: missing value"),
        ("taker_buy_share", 1.2, r"'taker_buy_share', row 7: 1.2 must be within 0 and 1"),
        ("timestamp", START_MS + 5, r"'timestamp', row 7: \d+ is not the open of a 1m bar"),
        ("timestamp", START_MS, r"'timestamp', row 7: \d+ must be later than \d+ before it"),
    ],
)
def test_a_bad_value_is_named_with_column_row_and_what_is_allowed(column, value, message):
    frame = bars()
    frame.loc[7, column] = value
    with pytest.raises(BadInput, match=message) as caught:
        check_bars(frame, "1m")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="open"), "column 'open' is missing"),
        (lambda f: f.assign(colour=1.0), "column 'colour' is unknown"),
        (lambda f: f.assign(volume=1), "column 'volume' is int64"),
        (lambda f: f.assign(timestamp=f["timestamp"].astype(float)), "'timestamp' is float64"),
        (lambda f: f[list(reversed(BAR_COLUMNS))], "columns are ordered"),
        (lambda f: f.iloc[5:], "index must be"),
        (lambda f: pd.concat([f.iloc[:2], f.iloc[1:]], ignore_index=True), "row 2"),
    ],
)
def test_a_wrong_shape_is_named(change, message):
    with pytest.raises(BadInput, match=message):
        check_bars(change(bars()), "1m")


def test_a_value_joins_the_first_bar_that_closes_at_or_after_it():
    frame = bars(6)
    close_of_row_2 = START_MS + 3 * MINUTE
    funding = series("funding_rate", (close_of_row_2, 0.01), (close_of_row_2 + 5, 0.02))
    interest = series("open_interest", (close_of_row_2 + 1, 500.0))
    market = join_reference(frame, funding, interest, "1m")
    assert tuple(market.columns) == MARKET_COLUMNS
    nan = np.nan
    np.testing.assert_array_equal(market["funding_rate"], [nan, nan, 0.01, 0.02, 0.02, 0.02])
    np.testing.assert_array_equal(market["funding_payment"], [0, 0, 0.01, 0.02, 0, 0])
    np.testing.assert_array_equal(market["open_interest"], [nan, nan, nan, 500, 500, 500])
    check_bars(market, "1m")


def test_two_settlements_within_a_bar_are_both_paid():
    frame = bars(3)
    funding = series("funding_rate", (START_MS + 1, 0.01), (START_MS + MINUTE, 0.02))
    market = join_reference(frame, funding, NO_INTEREST, "1m")
    assert market["funding_payment"].tolist() == [pytest.approx(0.03), 0.0, 0.0]


def test_a_settlement_before_the_first_bar_is_known_but_not_paid():
    funding = series("funding_rate", (START_MS - 5 * MINUTE, 0.03), (START_MS, 0.01))
    market = join_reference(bars(4), funding, NO_INTEREST, "1m")
    assert market["funding_payment"].tolist() == [0, 0, 0, 0]
    assert market["gap_payment"].tolist() == [0, 0, 0, 0]
    assert market["funding_rate"].tolist() == [0.01] * 4


@pytest.mark.parametrize(
    ("after_ms", "column", "row"),
    [
        (2 * MINUTE, "funding_payment", 1),  # the close before the gap: held through that bar
        (2 * MINUTE + 1, "gap_payment", 2),
        (4 * MINUTE, "gap_payment", 2),  # the open after the gap: before whoever enters there
        (4 * MINUTE + 1, "funding_payment", 2),
    ],
)
def test_a_settlement_while_bars_are_missing_is_due_over_the_gap(after_ms, column, row):
    frame = bars(6).drop(index=[2, 3]).reset_index(drop=True)
    funding = series("funding_rate", (START_MS + after_ms, 0.02))
    market = join_reference(frame, funding, NO_INTEREST, "1m")
    paid = market[["funding_payment", "gap_payment"]].to_numpy()
    assert market[column].iloc[row] == 0.02
    assert np.count_nonzero(paid) == 1
    check_bars(market, "1m")


def test_several_settlements_of_one_gap_are_all_due_beside_those_of_the_bar():
    frame = bars(6).drop(index=[2, 3]).reset_index(drop=True)
    times = [START_MS + minutes * MINUTE for minutes in (2.5, 3, 3.5, 4.5)]
    rates = zip(map(int, times), (0.01, 0.02, -0.04, 0.08), strict=True)
    market = join_reference(frame, series("funding_rate", *rates), NO_INTEREST, "1m")
    assert market["gap_payment"].tolist() == [0, 0, pytest.approx(-0.01), 0]
    assert market["funding_payment"].tolist() == [0, 0, 0.08, 0]


def test_no_reference_data_leaves_nan_and_zero_payments():
    market = join_reference(bars(), NO_FUNDING, NO_INTEREST, "1m")
    assert market["funding_rate"].isna().all()
    assert market["open_interest"].isna().all()
    assert (market["funding_payment"] == 0).all()
    assert (market["gap_payment"] == 0).all()


@pytest.mark.parametrize(
    ("funding", "message"),
    [
        (series("funding_rate", (2, 0.1), (1, 0.1)), "row 1: 1 must be later than 2"),
        (series("funding_rate", (1, 0.1), (1, 0.1)), "row 1: 1 must be later than 1"),
        (series("funding_rate", (1, np.nan)), "row 0: nan must be finite"),
        (series("rate", (1, 0.1)), "column 'funding_rate' is missing"),
    ],
)
def test_bad_reference_data_is_rejected(funding, message):
    with pytest.raises(BadInput, match=message):
        join_reference(bars(), funding, NO_INTEREST, "1m")


def test_joining_sees_no_future():
    frame = random_market(3000, seed=8, missing_share=0.02)[list(BAR_COLUMNS)]
    times = START_MS + np.arange(1, 300) * 10 * MINUTE + 17
    values = np.random.default_rng(0).normal(size=len(times))
    funding = pd.DataFrame({"timestamp": times, "funding_rate": values})
    interest = pd.DataFrame({"timestamp": times, "open_interest": values})

    def join(part: pd.DataFrame) -> pd.DataFrame:
        known = times <= part["timestamp"].iloc[-1] + MINUTE
        return join_reference(part, funding[known], interest[known], "1m")

    assert_prefix_invariant(join, frame, random_cuts(len(frame), 8, seed=1))


def test_slower_bars_are_made_of_complete_ones_only():
    frame = bars(16).drop(index=8).reset_index(drop=True)
    slow = resample_bars(frame, "1m", "5m")
    assert slow["timestamp"].tolist() == [START_MS, START_MS + 10 * MINUTE]
    first, last = frame.iloc[:5], frame.iloc[9:14]
    for row, part in ((0, first), (1, last)):
        made = slow.iloc[row]
        assert made["open"] == part["open"].iloc[0]
        assert made["close"] == part["close"].iloc[-1]
        assert made["high"] == part["high"].max()
        assert made["low"] == part["low"].min()
        assert made["volume"] == pytest.approx(part["volume"].sum())
        share = np.average(part["taker_buy_share"], weights=part["volume"])
        assert made["taker_buy_share"] == pytest.approx(share)
    check_bars(slow, "5m")


def test_resampled_market_frames_keep_reference_columns():
    market = random_market(960, seed=5)
    slow = resample_bars(market, "1m", "1h")
    assert tuple(slow.columns) == MARKET_COLUMNS
    assert slow["funding_payment"].sum() == pytest.approx(market["funding_payment"].sum())
    assert slow["funding_rate"].iloc[-1] == market["funding_rate"].iloc[-1]
    assert slow["open_interest"].iloc[0] == market["open_interest"].iloc[59]


def test_slower_bars_lose_no_settlement_between_the_first_and_the_last():
    times = START_MS + np.arange(1, 400) * 3 * MINUTE + 7
    rates = np.random.default_rng(5).normal(size=len(times))
    funding = pd.DataFrame({"timestamp": times, "funding_rate": rates})
    frame = random_market(1200, seed=6, missing_share=0.02)[list(BAR_COLUMNS)]
    market = join_reference(frame, funding, NO_INTEREST, "1m")
    slow = resample_bars(market, "1m", "15m")
    assert 5 < len(slow) < 79
    direct = join_reference(slow[list(BAR_COLUMNS)], funding, NO_INTEREST, "15m")
    for name in ("funding_payment", "gap_payment"):
        np.testing.assert_allclose(slow[name], direct[name], rtol=0, atol=1e-12)
    assert np.count_nonzero(slow["gap_payment"]) > 3


def test_a_slower_bar_in_which_nothing_traded_has_the_plain_mean_share():
    frame = bars(5).assign(volume=0.0, taker_buy_share=[0.5, 0.5, 0.5, 0.5, 1.0])
    assert resample_bars(frame, "1m", "5m")["taker_buy_share"].tolist() == [pytest.approx(0.6)]
    assert resample_bars(frame.assign(taker_buy_share=np.nan), "1m", "5m").isna().any(axis=None)


def test_resampling_nothing_gives_nothing_and_a_fraction_is_refused():
    assert len(resample_bars(bars(4), "1m", "5m")) == 0
    assert len(resample_bars(bars(0), "1m", "5m")) == 0
    for slower in ("5m", "1m"):
        with pytest.raises(BadInput, match="not a whole multiple"):
            resample_bars(bars(), "3m", slower)


@pytest.mark.market
def test_real_hours_equal_resampled_minutes(market_dir):
    def load(timeframe: str) -> pd.DataFrame:
        frame = pd.read_parquet(market_dir / "real" / f"binance_ETHUSDT_{timeframe}.parquet")
        stamps = frame["timestamp"].astype("datetime64[ms, UTC]").astype("int64")
        return frame.assign(timestamp=stamps, taker_buy_share=np.nan)

    minutes, hours = load("1m"), load("1h")
    check_bars(minutes, "1m")
    both = resample_bars(minutes, "1m", "1h").merge(hours, on="timestamp", suffixes=("", "_real"))
    assert len(both) > 17_000
    for column in ("open", "high", "low", "close"):
        assert (both[column] == both[f"{column}_real"]).all()
    np.testing.assert_allclose(both["volume"], both["volume_real"], rtol=1e-9)
