"""The real ccxt client against the fake Binance: pages, the clock, names, funding."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes.binance_history import (
    BARS,
    CLOSED,
    FUNDING,
    MINUTE,
    NOW,
    PERPETUAL,
    START,
    all_bars,
    assert_same,
)
from fakes.fake_binance import FakeBinance, klines_of

from ares_resources.errors import BadInput
from ares_resources.exchanges.ccxt_exchange import CcxtExchange
from ares_resources.exchanges.pages import UNIFIED, Asked, bars_page, wanted_bars
from ares_resources.settings import DataSettings


@pytest.mark.parametrize("instrument", ["ETHUSDT", "ETH/USDT", PERPETUAL])
def test_pages_together_are_the_source(connect, fake: FakeBinance, instrument: str) -> None:
    assert_same(all_bars(connect(), instrument), CLOSED)
    assert [query["limit"] for query in fake.asked()] == ["1000"] * 3
    path = "/fapi/v1/klines" if ":" in instrument else "/api/v3/klines"
    assert {request.path for request in fake.requests if "klines" in request.path} == {path}


def test_no_key_and_no_private_endpoint_is_used(connect, fake: FakeBinance) -> None:
    all_bars(connect())
    assert {request.path for request in fake.requests} == {
        "/api/v3/exchangeInfo",
        "/api/v3/time",
        "/api/v3/klines",
    }
    assert not any("signature" in request.query for request in fake.requests)


def test_windows_are_half_open_and_cut_to_closed_bars(connect) -> None:
    exchange = connect()
    window = pd.concat(exchange.bars("ETHUSDT", "1m", START + 1, START + 10 * MINUTE))
    assert window["timestamp"].tolist() == [START + n * MINUTE for n in range(1, 10)]
    assert all_bars(exchange, end=NOW + 10**9)["timestamp"].iloc[-1] == START + 2499 * MINUTE
    assert list(exchange.bars("ETHUSDT", "1m", NOW, NOW + 10**9)) == []


def test_as_of_stops_the_clock(connect) -> None:
    exchange = connect(as_of_ms=START + 100 * MINUTE + 30_000)
    assert exchange.now_ms() == START + 100 * MINUTE + 30_000
    assert len(all_bars(exchange)) == 100


def test_the_clock_is_the_exchanges_and_runs_on(connect, fake: FakeBinance) -> None:
    seconds = [50.0]
    exchange = connect(clock=lambda: seconds[0], wall=lambda: NOW / 1000 - 50 + seconds[0])
    assert exchange.now_ms() == NOW
    seconds[0] += 7.5
    assert exchange.now_ms() == NOW + 7_500
    assert len(fake.asked("/time")) == 1


def test_the_past_does_not_depend_on_the_future(connect) -> None:
    exchange, whole = connect(), CLOSED
    for cut in (1, 999, 1000, 1001, 2345):
        assert_same(all_bars(exchange, end=START + cut * MINUTE), whole.iloc[:cut])


def test_a_hole_is_passed_over(connect, fake: FakeBinance) -> None:
    holed = BARS[(BARS.index < 700) | (BARS.index >= 2400)]
    fake.add_bars("spot", "ETHUSDT", "1m", holed)
    assert_same(all_bars(connect()), holed[holed.index < 2500])


@pytest.mark.parametrize(
    ("exchange_id", "instrument", "symbol"),
    [
        ("binance", "ETHUSDT", "ETH/USDT"),
        ("binance", "ETH/USDT", "ETH/USDT"),
        ("binance", PERPETUAL, PERPETUAL),
        ("binanceusdm", "ETHUSDT", PERPETUAL),
        ("binanceusdm", "ETH/USDT", PERPETUAL),
    ],
)
def test_spellings_of_symbols(connect, exchange_id: str, instrument: str, symbol: str) -> None:
    assert connect(exchange_id)._market(instrument)["symbol"] == symbol


@pytest.mark.parametrize("instrument", ["ETHUSTD", "ETHUSD", "ETH/BTC", "ETH/USDT:BTC"])
def test_unknown_symbols_are_refused_with_the_nearest(connect, instrument: str) -> None:
    with pytest.raises(BadInput, match=f"'{instrument}' is not traded on BINANCE; .*ETH/USDT"):
        connect().check_symbol(instrument)


def test_unknown_exchanges_are_refused_with_the_nearest() -> None:
    with pytest.raises(BadInput, match="'BINANC' is not known; nearest: binance"):
        CcxtExchange("binanc", settings=DataSettings())
    with pytest.raises(BadInput, match="base URL 'ftp://x' is not usable"):
        CcxtExchange("binance", settings=DataSettings(), base_url="ftp://x")


def test_a_timeframe_that_the_exchange_lacks_is_refused(connect) -> None:
    exchange = connect("kraken", settings={"max_retries": 0})
    exchange._client.markets = {"ETH/USDT": {"symbol": "ETH/USDT", "id": "ETHUSDT"}}
    exchange._client.markets_by_id = {"ETHUSDT": []}
    with pytest.raises(BadInput, match="'3m' is not offered by KRAKEN; allowed: 1m, 5m"):
        next(exchange.bars("ETH/USDT", "3m", START, START + 10 * MINUTE))


def test_funding_of_a_perpetual_and_none_of_spot(connect, fake: FakeBinance) -> None:
    exchange = connect()
    end = int(FUNDING["timestamp"][5])
    pd.testing.assert_frame_equal(exchange.funding(PERPETUAL, START, end), FUNDING.iloc[:5])
    late = exchange.funding(PERPETUAL, START + 4, end + 1)["timestamp"].tolist()
    assert late == FUNDING["timestamp"].tolist()[1:]
    assert exchange.funding("ETHUSDT", START, end).empty
    assert exchange.open_interest("ETHUSDT", "1m", START, end).empty


def test_funding_is_paged(connect, fake: FakeBinance) -> None:
    many = pd.DataFrame(
        {"timestamp": START + np.arange(2300) * 3_600_000, "funding_rate": np.full(2300, 1e-4)}
    )
    fake.now_ms = int(many["timestamp"].iloc[-1]) + 1
    fake.add_funding("ETHUSDT", many)
    pd.testing.assert_frame_equal(connect().funding(PERPETUAL, START, fake.now_ms), many)
    assert len(fake.asked("/fundingRate")) == 3


def test_open_interest_at_the_nearest_slower_timeframe(connect, fake: FakeBinance) -> None:
    held = pd.DataFrame(
        {"timestamp": START + np.arange(20) * 300_000, "open_interest": np.arange(20) + 1e4}
    )
    fake.add_open_interest("ETHUSDT", held)
    frame = connect().open_interest(PERPETUAL, "1m", START, NOW)
    pd.testing.assert_frame_equal(frame, held)
    assert fake.asked("/openInterestHist")[0]["period"] == "5m"


def test_unified_rows_outside_the_span_are_dropped_not_refused() -> None:
    rows = [[row[0], *map(float, row[1:6])] for row in klines_of(BARS.iloc[:2502], "1m")]
    asked = Asked(START + 5 * MINUTE, START + 9 * MINUTE, MINUTE, NOW, strict=False)
    page = wanted_bars(bars_page(rows[:2501], UNIFIED, asked), asked)
    assert page["timestamp"].tolist() == [START + n * MINUTE for n in range(5, 9)]
    assert page["taker_buy_share"].isna().all()


@pytest.mark.market
def test_captured_samples_are_understood(market_dir: Path, waits: list[float]) -> None:
    samples = market_dir / "rest_samples"

    def load(name: str):
        return json.loads((samples / name).read_text())

    page = load("spot_api_v3_klines_ETHUSDT_1m_limit1000.json")
    info = {
        "spot": load("spot_api_v3_exchangeInfo_BTCUSDT_ETHUSDT.json"),
        "linear": load("usdm_fapi_v1_exchangeInfo.json"),
    }
    first, now = page[0][0], page[-1][0] + MINUTE
    with FakeBinance(now_ms=now, exchange_info=info) as fake:
        fake.add_klines("spot", "ETHUSDT", "1m", page)
        fake.add_klines("linear", "ETHUSDT", "1m", page)
        exchange = CcxtExchange("binance", settings=DataSettings(), base_url=fake.url)
        bars = pd.concat(exchange.bars("ETHUSDT", "1m", first, now))
        swap = pd.concat(exchange.bars(PERPETUAL, "1m", first, now))
    assert len(bars) == 1000
    pd.testing.assert_frame_equal(bars, swap)
    row = page[123]
    assert bars.iloc[123].tolist() == [
        row[0],
        *map(float, row[1:6]),
        float(row[9]) / float(row[5]),
    ]


@pytest.mark.market
def test_captured_funding_is_understood(market_dir: Path) -> None:
    path = market_dir / "rest_samples" / "usdm_fapi_v1_fundingRate_ETHUSDT.json"
    records = json.loads(path.read_text())
    with FakeBinance(now_ms=records[-1]["fundingTime"] + 1) as fake:
        fake.add_bars("linear", "ETHUSDT", "1m", BARS)
        fake._records["fundingRate", "ETHUSDT"] = records
        exchange = CcxtExchange("binance", settings=DataSettings(), base_url=fake.url)
        start = records[0]["fundingTime"]
        frame = exchange.funding(PERPETUAL, start, fake.now_ms)
    assert frame["timestamp"].tolist() == [record["fundingTime"] for record in records]
    assert frame["funding_rate"].tolist() == [float(record["fundingRate"]) for record in records]
