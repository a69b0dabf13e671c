"""The real ccxt client against a fake Binance that fails in every known way."""

from __future__ import annotations

import time

import pytest
from fakes.binance_history import (
    CLOSED,
    MINUTE,
    NOW,
    PERPETUAL,
    START,
    all_bars,
    assert_same,
)
from fakes.fake_binance import BODY_FAULTS, FakeBinance
from hypothesis import given
from hypothesis import strategies as st

from ares_resources.errors import BadInput, ExchangeUnavailable
from ares_resources.exchanges.bounded_session import BoundedSession
from ares_resources.exchanges.ccxt_exchange import CcxtExchange
from ares_resources.exchanges.ccxt_faults import clean
from ares_resources.exchanges.pages import KLINE, UNIFIED, Asked, bars_page
from ares_resources.exchanges.retries import (
    Deadline,
    TransientFailure,
    Wait,
    call_with_retries,
)
from ares_resources.settings import DataSettings

SOON = START + 20 * MINUTE


@pytest.mark.parametrize("kind", [*BODY_FAULTS, "html", "cut", "drop", "500", "503", "504", "429"])
def test_a_fault_that_passes_is_retried(
    connect, fake: FakeBinance, waits: list[float], kind: str
) -> None:
    exchange = connect()
    exchange.check_symbol("ETHUSDT")
    fake.fail(kind)
    assert_same(all_bars(exchange, end=SOON), CLOSED.iloc[:20])
    assert waits == [0.5]
    assert len(fake.asked()) == 2
    assert fake.faults == []


@pytest.mark.parametrize("kind", [*BODY_FAULTS, "html", "cut", "drop", "500", "503", "504", "429"])
def test_a_fault_that_stays_is_unavailable(
    connect, fake: FakeBinance, waits: list[float], kind: str
) -> None:
    fake.fail(kind, times=4)
    with pytest.raises(ExchangeUnavailable, match="ETHUSDT 1m bars: tried 4 times: ") as caught:
        all_bars(connect(), end=SOON)
    assert waits == [0.5, 1.0, 2.0]
    message = str(caught.value)
    assert "\n" not in message
    assert "startTime" not in message  # no query strings


def test_a_forming_candle_is_dropped(connect, fake: FakeBinance, waits: list[float]) -> None:
    fake.fail("forming", times=3)
    assert_same(all_bars(connect()), CLOSED)
    assert waits == []


def test_retry_after_is_honoured(connect, fake: FakeBinance, waits: list[float]) -> None:
    fake.fail("429", retry_after=17)
    assert len(all_bars(connect())) == 2500
    assert waits == [17.0]


def test_a_wait_past_the_deadline_is_not_begun(
    connect, fake: FakeBinance, waits: list[float]
) -> None:
    fake.fail("429", retry_after=3600)
    with pytest.raises(ExchangeUnavailable, match="wait of 3600 s would pass the deadline of 900"):
        all_bars(connect())
    assert waits == []


def test_a_ban_stops_everything(connect, fake: FakeBinance, waits: list[float]) -> None:
    exchange = connect()
    fake.fail("418", retry_after=1)
    with pytest.raises(ExchangeUnavailable, match=r"banned by the exchange \(HTTP 418\)"):
        all_bars(exchange)
    asked = len(fake.requests)
    for question in (
        lambda: all_bars(exchange),
        lambda: exchange.check_symbol("BTCUSDT"),
        lambda: exchange.funding(PERPETUAL, START, NOW),
    ):
        with pytest.raises(ExchangeUnavailable, match=r"not asked: .*418"):
            question()
    assert len(fake.requests) == asked
    assert waits == []


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("451", "not served from this location"),
        ("403", r"refused \(HTTP 403\)"),
        ("400", r"refused \(HTTP 400\)"),
    ],
)
def test_refusals_are_not_retried(
    connect, fake: FakeBinance, waits: list[float], kind: str, expected: str
) -> None:
    exchange = connect()
    exchange.check_symbol("ETHUSDT")
    fake.fail(kind)
    with pytest.raises(ExchangeUnavailable, match=expected):
        all_bars(exchange)
    assert len(fake.asked()) == 1
    assert waits == []


def test_a_symbol_that_only_the_endpoint_refuses_is_bad_input(connect, fake: FakeBinance) -> None:
    fake.fail("bad symbol")
    with pytest.raises(BadInput, match="does not know this symbol"):
        all_bars(connect())


@pytest.mark.parametrize("kind", ["truncated", "html", "dict", "null", "500", "drop"])
@pytest.mark.parametrize("path", ["/exchangeInfo", "/time"])
def test_clock_and_markets_are_retried_too(
    connect, fake: FakeBinance, waits: list[float], kind: str, path: str
) -> None:
    fake.fail(kind, path=path)
    assert len(all_bars(connect(), end=SOON)) == 20
    assert waits == [0.5]


@pytest.mark.parametrize("kind", ["truncated", "html", "dict", "text", "objects", "500"])
def test_bad_funding_is_retried(connect, fake: FakeBinance, waits: list[float], kind: str) -> None:
    exchange = connect()
    fake.fail(kind, path="/fundingRate")
    assert len(exchange.funding(PERPETUAL, START, START + 86_400_000)) == 3
    assert waits == [0.5]


def test_a_dripping_answer_ends_in_time(connect, fake: FakeBinance, waits: list[float]) -> None:
    exchange = connect(settings={"request_timeout_seconds": 0.5})
    exchange.check_symbol("ETHUSDT")
    exchange.now_ms()
    fake.fail("drip")
    start = time.perf_counter()
    assert len(all_bars(exchange)) == 2500
    assert time.perf_counter() - start < 3
    assert waits == [0.5]


def test_a_deadline_is_shared_by_all_requests(connect, fake: FakeBinance) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    settings = {"deadline_seconds": 100, "max_retries": 50}
    exchange = connect(settings=settings, sleep=sleep, clock=lambda: now[0])
    fake.fail("500", times=50)
    with pytest.raises(ExchangeUnavailable, match="deadline of 100 s"):
        all_bars(exchange)
    assert 60 < now[0] <= 100


def test_nobody_there_is_unavailable(waits: list[float]) -> None:
    settings = DataSettings(max_retries=1, request_timeout_seconds=2)
    exchange = CcxtExchange(
        "binance", settings=settings, base_url="http://127.0.0.1:9", sleep=waits.append
    )
    with pytest.raises(ExchangeUnavailable, match="tried 2 times: NetworkError"):
        exchange.now_ms()


def test_messages_carry_no_query_strings() -> None:
    told = clean(ValueError("GET https://api.x.com/a?symbol=E&signature=abc&key=k 500\n<b>no</b>"))
    assert told == "GET https://api.x.com/a 500 <b>no</b>"
    assert len(clean(ValueError("x" * 900))) == 200


@given(st.recursive(st.none() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=12))
def test_no_body_breaks_the_page_check(body: object) -> None:
    asked = Asked(START, START + 10 * MINUTE, MINUTE, NOW, strict=True)
    for shape in (KLINE, UNIFIED):
        try:
            page = bars_page(body, shape, asked)
        except TransientFailure:
            continue
        assert page.empty or page["close"].gt(0).all()


def test_retries_give_the_first_result_and_count() -> None:
    outcomes: list[object] = [TransientFailure("a"), TransientFailure("b", 4.0), "good"]
    waits: list[float] = []
    told: list[Wait] = []

    def action() -> object:
        outcome = outcomes.pop(0)
        if isinstance(outcome, TransientFailure):
            raise outcome
        return outcome

    deadline = Deadline(100, lambda: 0.0)
    result = call_with_retries(
        action, what="x", max_retries=2, deadline=deadline, sleep=waits.append, tell=told.append
    )
    assert result == "good"
    assert waits == [0.5, 4.0]
    assert told == [Wait("x", "a", 2, 3, 0.5), Wait("x", "b", 3, 3, 4.0)]


def test_a_bounded_session_refuses_endless_bodies(
    fake: FakeBinance, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    from ares_resources.exchanges import bounded_session

    address = f"{fake.url}/api/v3/klines?symbol=ETHUSDT&interval=1m&limit=1000"
    whole = BoundedSession(5).get(address)
    assert len(whole.json()) == 1000
    monkeypatch.setattr(bounded_session, "MAXIMUM_BODY_BYTES", 20_000)
    with pytest.raises(requests.RequestException, match="too large"):
        BoundedSession(5).get(address)


@pytest.mark.parametrize(
    "mistake", [RuntimeError("a bug"), MemoryError("much"), KeyboardInterrupt()]
)
def test_a_mistake_in_the_worker_is_raised_unchanged_and_not_retried(
    connect, waits: list[float], mistake: BaseException
) -> None:
    import requests

    class Broken(requests.adapters.HTTPAdapter):
        def send(self, *args: object, **options: object) -> requests.Response:
            raise mistake

    exchange = connect()
    exchange._client.session.mount("http://", Broken())
    with pytest.raises(type(mistake)) as caught:
        exchange.check_symbol("ETHUSDT")
    assert caught.value is mistake
    assert waits == []
