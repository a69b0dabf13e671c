"""Collecting: only what lacks is fetched, gaps are asked for once, and nothing is hidden."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
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
    assert_same,
)
from fakes.fake_binance import FakeBinance, made_up_bars

from ares_resources.collection import collect, window_fingerprint
from ares_resources.errors import BadInput, ExchangeUnavailable
from ares_resources.exchanges.ccxt_exchange import CcxtExchange
from ares_resources.exchanges.offline import OfflineExchange
from ares_resources.exchanges.registry import BASE_URL_VARIABLE, open_exchange
from ares_resources.settings import DataSettings
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.symbols import SymbolKey

SPOT = SymbolKey.parse("ETHUSDT.BINANCE")
SWAP = SymbolKey.parse(f"{PERPETUAL}.BINANCE")
MINUTES = Series(SPOT, "bars", "1m")
END = START + 2500 * MINUTE
ALWAYS = (0, 2**60)


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path)


@pytest.fixture
def gather(catalogue: Catalogue, connect: Callable[..., CcxtExchange]) -> Callable[..., object]:
    def run(start: int = START, end: int = END, symbol: SymbolKey = SPOT, exchange=None, **more):
        source = exchange or connect()
        return collect(catalogue, source, symbol, "1m", start_ms=start, end_ms=end, **more)

    return run


def test_a_first_collection_brings_everything(gather, catalogue: Catalogue) -> None:
    heard: list[tuple[str, int, int]] = []
    report = gather(progress=lambda *said: heard.append(said))
    assert (report.fetched, report.missing_bars, report.stale) == (2500, 0, False)
    assert_same(catalogue.read(MINUTES, *ALWAYS), CLOSED)
    assert [said[1:] for said in heard] == [(1000, 2500), (2000, 2500), (2500, 2500)]
    assert catalogue.sources(MINUTES)[["source", "added"]].values.tolist() == [["BINANCE", 2500]]
    assert report.fingerprint == window_fingerprint(catalogue, SPOT, "1m", START, END)


def test_a_second_collection_fetches_only_the_tail(gather, fake: FakeBinance) -> None:
    gather(end=START + 2400 * MINUTE)
    fake.requests.clear()
    report = gather()
    assert report.fetched == 100
    assert [int(query["startTime"]) for query in fake.asked()] == [START + 2400 * MINUTE]


def test_a_complete_window_asks_for_nothing(gather, fake: FakeBinance) -> None:
    first = gather()
    fake.requests.clear()
    again = gather()
    assert fake.requests == []
    assert (again.fetched, again.fingerprint) == (0, first.fingerprint)


def test_an_earlier_start_fetches_only_the_head(gather, fake: FakeBinance) -> None:
    gather(start=START + 600 * MINUTE)
    fake.requests.clear()
    assert gather().fetched == 600
    assert [(int(q["startTime"]), int(q["endTime"])) for q in fake.asked()] == [
        (START, START + 600 * MINUTE - 1)
    ]


def test_the_way_does_not_change_the_fingerprint(
    gather, connect, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = gather()
    other = Catalogue(tmp_path_factory.mktemp("other"))
    for start, end in ((1500, 1800), (100, 900), (0, 2500)):
        report = collect(
            other,
            connect(),
            SPOT,
            "1m",
            start_ms=START + start * MINUTE,
            end_ms=START + end * MINUTE,
        )
    assert report.fingerprint == whole.fingerprint


def test_a_gap_is_looked_at_twice_and_then_left_alone(
    gather, fake: FakeBinance, catalogue: Catalogue
) -> None:
    holed = BARS[(BARS.index < 700) | (BARS.index >= 780)]
    fake.add_bars("spot", "ETHUSDT", "1m", holed)
    hole = [START + 700 * MINUTE, START + 780 * MINUTE, 80]
    report = gather()
    assert (report.fetched, report.missing_bars, report.stale) == (2420, 80, False)
    assert catalogue.gaps(MINUTES, *ALWAYS).values.tolist() == [hole]
    second_look = [q for q in fake.asked() if int(q["startTime"]) == hole[0] - MINUTE]
    assert [int(query["endTime"]) for query in second_look] == [hole[1] + MINUTE - 1]
    fake.requests.clear()
    assert gather().missing_bars == 80
    assert fake.requests == []


def test_a_gap_is_looked_at_again_at_growing_distances(
    gather, fake: FakeBinance, catalogue: Catalogue
) -> None:
    """What an exchange left out for a while is found; what it never had costs ever less."""
    holed = BARS[(BARS.index < 700) | (BARS.index >= 780)]
    fake.add_bars("spot", "ETHUSDT", "1m", holed)
    asked_at = []
    for hour in range(400):
        fake.requests.clear()
        assert gather(wall=lambda hour=hour: hour * 3600.0).missing_bars == 80
        asked_at += [hour] if fake.asked() else []
    assert asked_at == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256]
    fake.add_bars("spot", "ETHUSDT", "1m", BARS)
    assert gather(wall=lambda: 511 * 3600.0).missing_bars == 80
    assert gather(wall=lambda: 512 * 3600.0).missing_bars == 0
    assert_same(catalogue.read(MINUTES, *ALWAYS), CLOSED)


def test_bars_that_one_answer_left_out_are_found_by_the_second_look(
    gather, fake: FakeBinance, catalogue: Catalogue
) -> None:
    """A server that forgets bars once, in an answer that looks whole."""
    honest = fake._answer_klines
    forgetful = [True]

    def answer(market: str, query: dict[str, str]):
        status, rows = honest(market, query)
        if forgetful.pop() if forgetful else False:
            rows = rows[:300] + rows[310:]
        return status, rows

    fake._answer_klines = answer  # type: ignore[method-assign]
    assert gather().missing_bars == 0
    assert_same(catalogue.read(MINUTES, *ALWAYS), CLOSED)


def test_a_history_that_begins_later_is_remembered(gather, fake: FakeBinance) -> None:
    start = START - 500 * MINUTE
    report = gather(start=start)
    assert (report.fetched, report.missing_bars) == (2500, 500)
    fake.requests.clear()
    assert gather(start=start).missing_bars == 500
    assert fake.asked() == []


def test_the_end_of_a_series_is_asked_for_each_time(gather, fake: FakeBinance) -> None:
    fake.add_bars("spot", "ETHUSDT", "1m", BARS.iloc[:2400])  # as if delisted, or late
    assert gather().missing_bars == 100
    fake.add_bars("spot", "ETHUSDT", "1m", BARS)
    report = gather()
    assert (report.fetched, report.missing_bars) == (100, 0)


def test_files_and_exchange_complete_each_other(
    gather, fake: FakeBinance, catalogue: Catalogue
) -> None:
    plain = CLOSED.iloc[1000:1500].drop(columns="taker_buy_share")
    catalogue.append(MINUTES, plain, source="file.csv")
    assert gather().fetched == 2000
    held = catalogue.read(MINUTES, *ALWAYS)
    pd.testing.assert_frame_equal(held[plain.columns], CLOSED[plain.columns].reset_index(drop=True))
    assert held["taker_buy_share"].isna().sum() == 500


def test_funding_and_open_interest_come_along(
    gather, fake: FakeBinance, catalogue: Catalogue
) -> None:
    interest = pd.DataFrame(
        {"timestamp": START + np.arange(400) * 300_000, "open_interest": np.arange(400) + 1e4}
    )
    fake.add_open_interest("ETHUSDT", interest)
    report = gather(symbol=SWAP)
    assert (report.fetched, report.funding_fetched, report.open_interest_fetched) == (2500, 6, 400)
    held = catalogue.read(Series(SWAP, "funding"), *ALWAYS)
    pd.testing.assert_frame_equal(held, FUNDING)
    held = catalogue.read(Series(SWAP, "open_interest", "1m"), *ALWAYS)
    pd.testing.assert_frame_equal(held, interest)
    fake.requests.clear()
    assert gather(symbol=SWAP).fingerprint == report.fingerprint
    assert fake.requests == []


def test_late_funding_is_found_when_the_window_grows(
    gather, fake: FakeBinance, catalogue: Catalogue
) -> None:
    fake.add_funding("ETHUSDT", FUNDING.iloc[:3])  # the fourth is published late
    gather(symbol=SWAP, end=START + 1500 * MINUTE)
    fake.add_funding("ETHUSDT", FUNDING)
    gather(symbol=SWAP)
    pd.testing.assert_frame_equal(catalogue.read(Series(SWAP, "funding"), *ALWAYS), FUNDING)


def test_an_interrupted_collection_keeps_its_pages(
    gather, connect, fake: FakeBinance, catalogue: Catalogue
) -> None:
    exchange = connect()
    honest, left = fake._answer_klines, [2]

    def answer(market: str, query: dict[str, str]):
        left[0] -= 1
        return honest(market, query) if left[0] >= 0 else (500, {"code": -1000, "msg": "no"})

    fake._answer_klines = answer  # type: ignore[method-assign]
    report = gather(exchange=exchange)
    assert (report.fetched, report.missing_bars, report.stale) == (2000, 500, True)
    assert "tried 4 times" in report.reason
    assert catalogue.stale(MINUTES) == report.reason
    fake._answer_klines = honest  # type: ignore[method-assign]
    fake.requests.clear()
    report = gather()
    assert (report.fetched, report.stale, report.reason) == (500, False, "")
    assert catalogue.stale(MINUTES) is None
    assert [int(query["startTime"]) for query in fake.asked()] == [START + 2000 * MINUTE]


def test_an_exchange_out_of_reach_leaves_what_is_there(
    gather, catalogue: Catalogue, fake: FakeBinance
) -> None:
    first = gather(end=START + 2000 * MINUTE)
    nobody = CcxtExchange(
        "binance",
        settings=DataSettings(max_retries=0),
        base_url="http://127.0.0.1:9",
    )
    report = gather(exchange=nobody)
    assert (report.fetched, report.missing_bars, report.stale) == (0, 500, True)
    assert "NetworkError" in report.reason
    assert catalogue.stale(MINUTES) == report.reason
    held = window_fingerprint(catalogue, SPOT, "1m", START, START + 2000 * MINUTE)
    assert held == first.fingerprint
    fresh = SymbolKey.parse("BTCUSDT.BINANCE")
    with pytest.raises(ExchangeUnavailable, match=r"no 1m bars of BTCUSDT\.BINANCE from .*tried"):
        gather(exchange=nobody, symbol=fresh)
    assert fresh not in catalogue.symbols()


def test_offline_uses_what_is_there(gather, catalogue: Catalogue, fake: FakeBinance) -> None:
    offline = OfflineExchange("binance", as_of_ms=NOW)
    assert offline.now_ms() == NOW
    with pytest.raises(BadInput, match="offline nothing is fetched; there: none at all"):
        gather(exchange=offline)
    catalogue.append(MINUTES, CLOSED.iloc[:2400], source="file.csv")
    asked = len(fake.requests)
    complete = gather(exchange=offline, end=START + 2400 * MINUTE)
    assert (complete.fetched, complete.stale) == (0, False)
    short = gather(exchange=offline)
    assert (short.missing_bars, short.stale) == (100, True)
    assert short.reason == "BINANCE is not asked: offline"
    with pytest.raises(BadInput, match=r"there: 2023-11-14T22:14:00Z to "):
        gather(exchange=offline, start=END, end=END + 100 * MINUTE)
    assert len(fake.requests) == asked


def test_windows_and_symbols_that_cannot_be(gather, catalogue: Catalogue) -> None:
    with pytest.raises(BadInput, match="holds no whole 1m bar"):
        gather(start=START + 1, end=START + MINUTE)
    with pytest.raises(BadInput, match=r"'ETHUSTD' is not traded .*ETH/USDT"):
        gather(symbol=SymbolKey.parse("ETHUSTD.BINANCE"))
    with pytest.raises(BadInput, match="the exchange has none"):
        gather(start=START - 900 * MINUTE, end=START - 600 * MINUTE)
    assert catalogue.symbols() == []


def test_a_contradiction_of_a_record_that_is_there_is_an_error(
    gather, fake: FakeBinance, catalogue: Catalogue
) -> None:
    wrong = FUNDING.iloc[:1].assign(funding_rate=0.01)
    catalogue.append(Series(SWAP, "funding"), wrong, source="file.csv")
    with pytest.raises(BadInput, match="1 conflicting duplicate timestamps"):
        gather(symbol=SWAP)


def test_exchanges_by_name(fake: FakeBinance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BASE_URL_VARIABLE, fake.url)
    settings = DataSettings(max_retries=0)
    binance = open_exchange("Binance", settings=settings, as_of_ms=None, offline=False)
    assert (binance.name, binance.now_ms() // 1000) == ("BINANCE", NOW // 1000)
    early = open_exchange("BINANCE", settings=settings, as_of_ms=START, offline=False)
    assert early.now_ms() == START
    asked = len(fake.requests)
    offline = open_exchange("BINANCE", settings=settings, as_of_ms=START, offline=True)
    assert (offline.name, offline.now_ms()) == ("BINANCE", START)
    for simulated in (
        open_exchange("sim", settings=settings, as_of_ms=None, offline=False),
        open_exchange("SIM", settings=settings, as_of_ms=None, offline=True),
    ):
        assert simulated.name == "SIM"
    assert len(fake.requests) == asked
    for name, expected in (("NASDAQ", "not known; nearest"), ("../x", "not usable; allowed")):
        with pytest.raises(BadInput, match=expected):
            open_exchange(name, settings=settings, as_of_ms=None, offline=False)


def test_the_simulated_exchange_is_collected_like_any_other(catalogue: Catalogue) -> None:
    symbol = SymbolKey.parse("ETHUSDT.SIM")
    exchange = open_exchange("SIM", settings=DataSettings(), as_of_ms=None, offline=False)
    end = exchange.now_ms()
    for days in (2, 3):
        report = collect(
            catalogue, exchange, symbol, "1m", start_ms=end - days * 86_400_000, end_ms=end
        )
    assert (report.fetched, report.missing_bars, report.stale) == (1440, 0, False)
    held = catalogue.read(Series(symbol, "bars", "1m"), *ALWAYS)
    assert held["taker_buy_share"].between(0, 1).all()


@pytest.fixture
def halted(market_dir: Path) -> Iterator[tuple[FakeBinance, pd.DataFrame]]:
    """Binance of 2023-03-24: real bars, and the captured page of the halt laid over them."""
    frame = pd.read_parquet(market_dir / "real" / "binance_ETHUSDT_1m.parquet")
    stamps = frame["timestamp"].astype("datetime64[ms, UTC]").astype("int64")
    day = frame.assign(timestamp=stamps)[stamps.between(1_679_616_000_000, 1_679_702_399_999)]
    samples = market_dir / "rest_samples" / "spot_api_v3_klines_ETHUSDT_1m_outage.json"
    rows = {row[0]: row for row in json.loads(samples.read_text())}
    with FakeBinance(now_ms=1_679_702_400_000) as server:
        server.add_bars("spot", "ETHUSDT", "1m", day.reset_index(drop=True))
        served = [rows.get(row[0], row) for row in server._klines["spot", "ETHUSDT", "1m"]]
        assert sum(row[0] in rows for row in served) == 110
        server.add_klines("spot", "ETHUSDT", "1m", served)
        yield server, day.reset_index(drop=True)


@pytest.mark.market
def test_the_halt_of_2023_03_24_is_in_the_gap_ledger(
    halted: tuple[FakeBinance, pd.DataFrame], catalogue: Catalogue
) -> None:
    fake, day = halted
    exchange = CcxtExchange("binance", settings=DataSettings(), base_url=fake.url)
    start, end = 1_679_616_000_000, 1_679_702_400_000
    report = collect(catalogue, exchange, SPOT, "1m", start_ms=start, end_ms=end)
    assert (report.fetched, report.missing_bars, report.stale) == (1360, 80, False)
    ledger = catalogue.gaps(MINUTES, start, end).values.tolist()
    assert ledger == [[1_679_661_600_000, 1_679_666_400_000, 80]]  # 12:40 to 14:00
    held = catalogue.read(MINUTES, start, end)
    pd.testing.assert_frame_equal(held[day.columns], day)
    flat = held[held["volume"] == 0]
    assert len(flat) == 72
    assert flat["taker_buy_share"].isna().all()
    fake.requests.clear()
    again = collect(catalogue, exchange, SPOT, "1m", start_ms=start, end_ms=end)
    assert again.fingerprint == report.fingerprint
    assert fake.requests == []


def test_made_up_bars_are_the_same_each_time() -> None:
    pd.testing.assert_frame_equal(made_up_bars(START, 2510), BARS)
