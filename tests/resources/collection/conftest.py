"""Fixtures of the collection tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from fakes.binance_history import FUNDING, KLINES, NOW, START
from fakes.fake_binance import FakeBinance, made_up_bars

from ares_resources.exchanges.ccxt_exchange import CcxtExchange
from ares_resources.exchanges.restraints import Restraints
from ares_resources.settings import DataSettings


@pytest.fixture
def fake() -> Iterator[FakeBinance]:
    with FakeBinance(now_ms=NOW) as server:
        for market in ("spot", "linear"):
            server.add_klines(market, "ETHUSDT", "1m", KLINES)
        server.add_bars("spot", "BTCUSDT", "1m", made_up_bars(START, 10, seed=2))
        server.add_funding("ETHUSDT", FUNDING)
        yield server


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def connect(fake: FakeBinance, waits: list[float]) -> Callable[..., CcxtExchange]:
    def make(exchange_id: str = "binance", **options) -> CcxtExchange:
        settings = DataSettings(**{"max_retries": 3, **options.pop("settings", {})})
        options.setdefault("sleep", waits.append)
        options.setdefault("clock", lambda: time.monotonic() + sum(waits))
        options.setdefault("wall", lambda: NOW / 1000 + sum(waits))
        options.setdefault("restraints", Restraints(wall=options["wall"]))
        return CcxtExchange(exchange_id, settings=settings, base_url=fake.url, **options)

    return make
