"""Exchanges of ccxt whose candles come unified: each has its own idea of a page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from fakes.binance_history import BARS, MINUTE, NOW, START

from ares_resources.collection import collect
from ares_resources.errors import ExchangeUnavailable, HistoryUnavailable
from ares_resources.exchanges.ccxt_candles import page_limit
from ares_resources.exchanges.ccxt_exchange import CcxtExchange
from ares_resources.exchanges.pages import KLINE, Asked, bars_page, wanted_bars
from ares_resources.settings import DataSettings
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.storage.frames import utc
from ares_resources.symbols import SymbolKey

Row = list[float]
ROWS: list[Row] = [
    [int(row[0]), *row[1:6]] for row in BARS.itertuples(index=False, name=None) if row[0] <= NOW
]
PLAIN = BARS.columns[:6]


def _honours_start(since: int, limit: int) -> list[Row]:
    return [row for row in ROWS if row[0] >= since][:limit]


def _starts_one_early(since: int, limit: int) -> list[Row]:
    return [row for row in ROWS if row[0] >= since - MINUTE][:limit]


def _only_within_the_span(since: int, limit: int) -> list[Row]:
    """Empty where nothing traded between the start and ``limit`` bars later."""
    return [row for row in ROWS if since <= row[0] < since + limit * MINUTE]


def _only_the_latest(since: int, limit: int) -> list[Row]:
    return [row for row in ROWS[-720:] if row[0] >= since]


def _ignores_start(since: int, limit: int) -> list[Row]:
    return ROWS[-limit:]


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Callable[..., CcxtExchange]:
    """A Kraken that answers from ``ROWS`` the way ``pages`` does."""

    def make(pages: Callable[[int, int], list[Row]], retries: int = 0) -> CcxtExchange:
        settings = DataSettings(max_retries=retries)
        exchange = CcxtExchange("kraken", settings=settings, sleep=lambda _: None)
        client = exchange._client
        market = {"id": "XETHZUSD", "symbol": "ETH/USD", "base": "ETH", "quote": "USD"}
        client.set_markets([client.safe_market_structure({**market, "type": "spot", "spot": True})])
        monkeypatch.setattr(client, "fetch_time", lambda: NOW)
        monkeypatch.setattr(client, "fetch_ohlcv", lambda _, __, since, limit: pages(since, limit))
        return exchange

    return make


def _all(exchange: CcxtExchange, start: int = START) -> pd.DataFrame:
    return pd.concat(exchange.bars("ETHUSD", "1m", start, NOW), ignore_index=True)


@pytest.mark.parametrize("pages", [_honours_start, _starts_one_early, _only_within_the_span])
@pytest.mark.parametrize("early", [0, 3000])
def test_every_closed_bar_arrives_once(other, pages, early: int) -> None:
    frame = _all(other(pages), START - early * MINUTE)
    pd.testing.assert_frame_equal(frame[PLAIN], BARS[PLAIN].iloc[:2500])
    assert frame["taker_buy_share"].isna().all()


@pytest.mark.parametrize("pages", [_only_the_latest, _ignores_start])
def test_a_span_that_an_exchange_cannot_page_back_to_is_named(other, pages, tmp_path: Path) -> None:
    exchange, frames = other(pages), []

    def read_all() -> None:
        for page in exchange.bars("ETHUSD", "1m", START, NOW):
            frames.append(page)

    with pytest.raises(HistoryUnavailable, match=r"cannot be had: .* latest ones only") as caught:
        read_all()
    held = len(frames[0])
    assert caught.value.span == (START, START + (2500 - held) * MINUTE)
    assert utc(caught.value.span[1]) in str(caught.value)
    pd.testing.assert_frame_equal(
        frames[0][PLAIN], BARS[PLAIN].iloc[2500 - held : 2500].reset_index(drop=True)
    )
    catalogue, symbol = Catalogue(tmp_path), SymbolKey("ETHUSD", "KRAKEN")
    for _ in range(2):  # it is no gap that is believed: the next collection says so again
        report = collect(catalogue, exchange, symbol, "1m", start_ms=START, end_ms=NOW)
        assert (report.missing_bars, report.stale) == (2500 - held, True)
        assert "ares ingest brings older ones" in report.reason
    old = BARS.iloc[: 2500 - held]
    catalogue.append(Series(symbol, "bars", "1m"), old, source="file.csv")
    whole = collect(catalogue, exchange, symbol, "1m", start_ms=START, end_ms=NOW)
    assert (whole.missing_bars, whole.stale) == (0, False)


def test_newest_first_is_a_style_and_not_a_fault(other) -> None:
    frame = _all(other(lambda since, limit: _honours_start(since, limit)[::-1]))
    pd.testing.assert_frame_equal(frame[PLAIN], BARS[PLAIN].iloc[:2500])


def test_without_a_clock_the_dates_of_answers_count(other, monkeypatch) -> None:
    exchange = other(_honours_start)
    monkeypatch.setitem(exchange._client.has, "fetchTime", False)

    def load(reload: bool = False) -> object:
        exchange._requests.answer.dated = (float(NOW - 60_000), exchange._clock())
        return exchange._client.markets

    monkeypatch.setattr(exchange._client, "load_markets", load)
    assert 0 <= exchange.now_ms() - (NOW - 60_000) < 5_000
    assert len(_all(exchange)) == 2499


def test_a_clock_of_dates_that_disagree_does_not_reload_the_markets(other, monkeypatch) -> None:
    exchange = other(_honours_start)
    client, answer = exchange._client, exchange._requests.answer
    monkeypatch.setitem(client.has, "fetchTime", False)
    loaded, asked, dates = [], [], []

    def load(reload: bool = False) -> object:
        loaded.append(reload)
        answer.dated = (float(NOW), exchange._clock())
        return client.markets

    def bars(name: str, timeframe: str, since: int | None, limit: int) -> list[Row]:
        asked.append((name, since, limit))
        dates.append(float(NOW + len(asked) % 2 * 3_600_000))
        answer.dated = (dates[-1], exchange._clock())
        return ROWS[-1:]

    monkeypatch.setattr(client, "load_markets", load)
    monkeypatch.setattr(client, "fetch_ohlcv", bars)
    exchange.check_symbol("ETHUSD")
    with pytest.raises(ExchangeUnavailable, match="9 answers lie up to 3600 s apart"):
        exchange.now_ms()
    assert loaded == [False]
    assert asked == [("ETH/USD", None, 1)] * 8  # the list of markets was dated, too


def test_a_date_that_came_lately_is_the_time_without_a_request(other, monkeypatch) -> None:
    exchange = other(_honours_start)
    monkeypatch.setitem(exchange._client.has, "fetchTime", False)
    exchange._wall = exchange._time._wall = lambda: NOW / 1000
    exchange._requests.answer.dated = (float(NOW), exchange._clock())
    monkeypatch.setattr(exchange._client, "load_markets", lambda reload=False: pytest.fail("asked"))
    assert 0 <= exchange.now_ms() - NOW < 5_000


def test_the_own_name_of_a_market_counts(other) -> None:
    exchange = other(_honours_start)
    for name in ("XETHZUSD", "ETH/USD", "ETHUSD", "ETH-USD"):
        exchange.check_symbol(name)


@pytest.mark.parametrize("bad", [None, "<html>", {"a": 1}, [None], [[START, 1, 1, 1, 1]]])
def test_bad_pages_are_unavailable(other, bad: object) -> None:
    with pytest.raises(ExchangeUnavailable, match="tried 2 times"):
        _all(other(lambda since, limit: bad, retries=1))


def test_failures_inside_the_client_are_unavailable(other) -> None:
    def broken(since: int, limit: int) -> list[Row]:
        raise KeyError(0)

    with pytest.raises(ExchangeUnavailable, match=r"unexpected shape \(KeyError\)"):
        _all(other(broken))


def test_page_limits_come_from_the_exchange(other) -> None:
    exchange = other(_honours_start)
    assert page_limit(exchange._client, exchange._market("ETH/USD")) == 720


def test_only_closed_bars_are_wanted() -> None:
    asked = Asked(START, START + 10 * MINUTE, MINUTE, START + 4 * MINUTE - 1, strict=True)
    rows = [[*map(str, row), 0, 0, 0, "0", 0, 0] for row in ROWS[:4]]
    page = wanted_bars(bars_page(rows, KLINE, asked), asked)
    assert page["timestamp"].tolist() == [START + n * MINUTE for n in range(3)]
