"""SIM behind the exchange interface: symbols, clock, pages, timeframes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ares_resources.errors import BadInput
from ares_resources.exchanges.base import Exchange
from ares_resources.exchanges.simulated import SimulatedExchange, simulate
from ares_resources.exchanges.simulated.oracle import oracle_filter, oracle_forecast
from ares_resources.exchanges.simulated.recipe import GENESIS_MS
from ares_resources.exchanges.simulated.symbols import DRIFT_BREAK_MS, LABORATORY, find_listing
from ares_resources.timeframes import DAY_MS, TIMEFRAMES, grid_ceil, grid_floor

COLUMNS = ["timestamp", "open", "high", "low", "close", "volume", "taker_buy_share"]
CLOCK = GENESIS_MS + 70 * DAY_MS + 12_345_678  # 70 days, 3 h 25 min 45.678 s


@pytest.fixture(scope="module")
def exchange() -> SimulatedExchange:
    return SimulatedExchange(CLOCK)


def collect(exchange: Exchange, timeframe: str, start: int = 0, end: int = CLOCK) -> pd.DataFrame:
    return pd.concat(list(exchange.bars("FLIPUSDT", timeframe, start, end)), ignore_index=True)


def test_clock_stands_at_its_default() -> None:
    exchange: Exchange = SimulatedExchange()
    assert exchange.name == "SIM"
    assert pd.Timestamp(exchange.now_ms(), unit="ms") == pd.Timestamp("2024-01-01")
    assert pd.Timestamp(DRIFT_BREAK_MS, unit="ms") == pd.Timestamp("2023-11-15")


@pytest.mark.parametrize("moment", [0, -1, GENESIS_MS, 1_924_992_000_001, 10**17, 10**30])
def test_clock_out_of_bounds_is_refused(moment: int) -> None:
    with pytest.raises(BadInput, match="2021-01-31T00:00:00Z to 2031-01-01T00:00:00Z"):
        SimulatedExchange(moment)


def collect_from(exchange: SimulatedExchange, instrument: str) -> pd.DataFrame:
    return pd.concat(list(exchange.bars(instrument, "1m", 0, CLOCK)), ignore_index=True)


@pytest.mark.parametrize(
    ("instrument", "market", "seed"),
    [
        ("FLIPUSDT", "flip", 0),
        ("FLIP7USDT", "flip", 7),
        ("CONSISTENT12USDT", "consistent", 12),
        ("NULL999999USDT", "null", 999_999),
        ("DRIFTUSDT", "drift", 0),
        ("THIN3USDT", "thin", 3),
        ("PLACEBO4USDT", "placebo", 4),
    ],
)
def test_symbol_chooses_market_and_seed(instrument: str, market: str, seed: int) -> None:
    listing = find_listing(instrument)
    assert (listing.recipe.name, listing.seed) == (market, seed)


def test_default_symbols_have_a_moderate_edge() -> None:
    for instrument, signal in (("ETHUSDT", "FLIP"), ("BTCUSDT", "CONSISTENT")):
        recipe = find_listing(instrument).recipe
        assert recipe.loading == pytest.approx(0.6 * LABORATORY[signal].loading)


@pytest.mark.parametrize(
    "instrument",
    ["", "ETH", "flipusdt", "FLIP0USDT", "FLIP07USDT", "FLIP1000000USDT", "ETH7USDT", "NULL/USDT"],
)
def test_unknown_symbol_is_named_with_what_is_allowed(instrument: str) -> None:
    exchange = SimulatedExchange()
    calls = (
        lambda: exchange.check_symbol(instrument),
        lambda: exchange.bars(instrument, "1m", 0, 1),
        lambda: exchange.funding(instrument, 0, 1),
        lambda: exchange.open_interest(instrument, "1m", 0, 1),
    )
    for call in calls:
        with pytest.raises(BadInput, match=r"ETHUSDT.*FLIPUSDT.*FLIP7USDT") as caught:
            call()
        assert repr(instrument) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_unknown_timeframe_is_refused_before_the_first_page(exchange: SimulatedExchange) -> None:
    with pytest.raises(BadInput, match="7m"):
        exchange.bars("FLIPUSDT", "7m", 0, 1)
    with pytest.raises(BadInput, match="7m"):
        exchange.open_interest("FLIPUSDT", "7m", 0, 1)


def test_minutes_are_those_of_the_simulation(exchange: SimulatedExchange) -> None:
    bars = collect(exchange, "1m")
    market = simulate(LABORATORY["FLIP"], seed=0, minutes=len(bars))
    pd.testing.assert_frame_equal(bars, market.bars(), check_exact=True)
    assert bars["timestamp"].iloc[-1] + 60_000 <= CLOCK < bars["timestamp"].iloc[-1] + 120_000


@pytest.mark.parametrize("timeframe", [name for name in TIMEFRAMES if not name.endswith("s")])
def test_every_timeframe_is_closed_aligned_and_adds_up(
    timeframe: str, exchange: SimulatedExchange
) -> None:
    step = TIMEFRAMES[timeframe]
    bars = collect(exchange, timeframe)
    assert list(bars.columns) == COLUMNS
    assert bars["timestamp"].dtype == np.int64
    assert (np.diff(bars["timestamp"]) == step).all()
    assert bars["timestamp"].iloc[0] == grid_ceil(GENESIS_MS, step)
    assert bars["timestamp"].iloc[-1] + step <= CLOCK < bars["timestamp"].iloc[-1] + 2 * step
    minutes = collect(exchange, "1m")
    group = minutes.groupby(grid_floor(minutes["timestamp"], step))
    expected = group.agg(
        open=("open", "first"),
        high=("high", "max"),
        low=("low", "min"),
        close=("close", "last"),
        volume=("volume", "sum"),
    )
    bought = (minutes["taker_buy_share"] * minutes["volume"]).groupby(group.ngroup()).sum()
    expected["taker_buy_share"] = bought.to_numpy() / expected["volume"].to_numpy()
    ours = bars.set_index("timestamp")
    pd.testing.assert_frame_equal(ours, expected.loc[ours.index], rtol=1e-12, check_names=False)


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        (0, GENESIS_MS, 0),
        (0, GENESIS_MS + 1, 1),
        (GENESIS_MS, GENESIS_MS + 3_600_000, 1),
        (GENESIS_MS + 1, GENESIS_MS + 3_600_001, 1),
        (GENESIS_MS + 1, GENESIS_MS + 3_600_000, 0),
        (GENESIS_MS + 7_200_000, GENESIS_MS, 0),
        (CLOCK, 10**15, 0),
        (0, 10**15, 70 * 24 + 3),
    ],
)
def test_range_is_half_open(start: int, end: int, count: int, exchange: SimulatedExchange) -> None:
    pages = list(exchange.bars("FLIPUSDT", "1h", start, end))
    assert sum(map(len, pages)) == count
    assert all(len(page) and page.index[0] == 0 for page in pages)
    for page in pages:
        assert page["timestamp"].between(start, end - 1).all()


def test_pages_are_of_thirty_days_and_in_order(exchange: SimulatedExchange) -> None:
    pages = list(exchange.bars("FLIPUSDT", "1m", GENESIS_MS + DAY_MS, CLOCK))
    assert [len(page) for page in pages] == [43_200, 43_200, 69 * 1_440 + 205 - 86_400]
    joined = np.concatenate([page["timestamp"] for page in pages])
    assert (np.diff(joined) == 60_000).all()


def test_history_does_not_depend_on_the_clock(exchange: SimulatedExchange) -> None:
    earlier = SimulatedExchange(CLOCK - 5 * DAY_MS)
    for timeframe in ("1m", "4h"):
        short, long = collect(earlier, timeframe), collect(exchange, timeframe)
        pd.testing.assert_frame_equal(short, long.iloc[: len(short)], check_exact=True)
        assert len(short) < len(long)


@pytest.mark.parametrize(
    ("instrument", "high", "low", "close", "volume", "share"),
    [
        ("ETHUSDT", 733.86888795, 733.08816354, 733.60078604, 327.8315648, 0.58923312),
        ("BTCUSDT", 28474.553975, 28352.839204, 28404.015624, 545.404042, 0.71273722),
        ("FLIPUSDT", 2051.5794525, 2048.8606512, 2049.6403138, 424.608677, 0.55711314),
    ],
)
def test_bars_are_the_same_on_every_machine_and_day(
    instrument: str, high: float, low: float, close: float, volume: float, share: float
) -> None:
    """Minute 1000 of the default markets; a change of it changes every result built on SIM."""
    moment = GENESIS_MS + 1_000 * 60_000
    (page,) = SimulatedExchange(CLOCK).bars(instrument, "1m", moment, moment + 1)
    ours = page[["high", "low", "close", "volume", "taker_buy_share"]].to_numpy()[0]
    assert ours == pytest.approx([high, low, close, volume, share], rel=2e-8)


def test_a_reader_cannot_change_what_the_next_one_reads(exchange: SimulatedExchange) -> None:
    first = next(exchange.bars("FLIPUSDT", "1m", GENESIS_MS, CLOCK))
    kept = first.copy()
    first.loc[:, "close"] = -1.0
    again = next(exchange.bars("FLIPUSDT", "1m", GENESIS_MS, CLOCK))
    pd.testing.assert_frame_equal(again, kept, check_exact=True)


def test_funding_is_half_open_and_settled(exchange: SimulatedExchange) -> None:
    eight_hours = 8 * 3_600_000
    funding = exchange.funding("FLIPUSDT", 0, 10**15)
    assert list(funding.columns) == ["timestamp", "funding_rate"]
    assert funding["timestamp"].dtype == np.int64
    assert funding["timestamp"].iloc[0] == GENESIS_MS + eight_hours
    assert funding["timestamp"].iloc[-1] <= CLOCK < funding["timestamp"].iloc[-1] + eight_hours
    part = exchange.funding("FLIPUSDT", GENESIS_MS + eight_hours, GENESIS_MS + 3 * eight_hours)
    assert part["timestamp"].tolist() == [GENESIS_MS + eight_hours, GENESIS_MS + 2 * eight_hours]
    assert len(exchange.funding("FLIPUSDT", 5, 5)) == 0


def test_placebo_has_the_prices_of_null_and_the_features_of_another_market() -> None:
    clock = GENESIS_MS + 40 * 86_400_000
    exchange = SimulatedExchange(as_of_ms=clock)
    own, null = (collect_from(exchange, name) for name in ("PLACEBO7USDT", "NULL7USDT"))
    prices = ["timestamp", "open", "high", "low", "close", "volume"]
    pd.testing.assert_frame_equal(own[prices], null[prices], check_exact=True)
    other = simulate(LABORATORY["CONSISTENT"], seed=1_000_007, minutes=len(own))
    assert own["taker_buy_share"].tolist() == other.taker_buy_share.tolist()
    funding = exchange.funding("PLACEBO7USDT", 0, clock + 1)
    assert funding["funding_rate"].tolist() == other.funding_rate.tolist()


def test_placebo_publishes_an_open_interest_that_knows_no_future() -> None:
    short, long = (SimulatedExchange(as_of_ms=GENESIS_MS + d * 86_400_000) for d in (40, 41))
    early, late = (one.open_interest("PLACEBOUSDT", "1h", 0, CLOCK) for one in (short, long))
    assert len(early) == 40 * 24
    assert early["timestamp"].iloc[0] == GENESIS_MS + 3_600_000
    pd.testing.assert_frame_equal(early, late.iloc[: len(early)], check_exact=True)
    part = long.open_interest("PLACEBOUSDT", "1h", GENESIS_MS + 3_600_000, GENESIS_MS + 7_200_000)
    assert part["timestamp"].tolist() == [GENESIS_MS + 3_600_000]
    assert (np.abs(np.diff(np.log(late["open_interest"]))) > 0).all()


def test_what_thin_earns_is_less_than_it_costs() -> None:
    """The oracle, an hour at a time: a clear edge without costs, next to none at 10 bp."""
    recipe = LABORATORY["THIN"]
    market = simulate(recipe, seed=1, minutes=365 * 1440)
    belief = oracle_filter(recipe, market.bars(), market.funding())
    expected = oracle_forecast(recipe, belief, horizon=60).expected[59:-60:60]
    hourly = market.close[119::60] / market.close[59:-60:60] - 1.0
    earned = np.sign(expected) * hourly
    assert earned.mean() / earned.std() * np.sqrt(365 * 24) > 2.0
    assert (np.abs(expected) > 0.001).mean() < 0.01
    assert (earned - 0.001)[np.abs(expected) > 0.001].sum() < 0.05


def test_the_recipe_has_no_open_interest(exchange: SimulatedExchange) -> None:
    frame = exchange.open_interest("FLIPUSDT", "1h", 0, CLOCK)
    assert list(frame.columns) == ["timestamp", "open_interest"]
    assert len(frame) == 0
    assert frame["timestamp"].dtype == np.int64
