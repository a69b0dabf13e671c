"""Bans, pauses and outages: who remembers them, and for how long."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fakes.binance_history import NOW, START, all_bars
from fakes.fake_binance import FakeBinance

from ares_jobs.doctor import examine
from ares_resources.errors import CorruptArtifact, ExchangeUnavailable, OutOfReach
from ares_resources.exchanges.restraints import Restraints, note_outage, one_run, outage
from ares_resources.home import Home
from ares_resources.progress import Silent, listening

DAY = 86_400.0


class Watch(Silent):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.waits: list[tuple[str, str, int, int, float]] = []

    def waiting(self, what: str, reason: str, attempt: int, attempts: int, seconds: float) -> None:
        self.waits.append((what, reason, attempt, attempts, seconds))


@pytest.fixture
def seconds() -> list[float]:
    return [NOW / 1000]


@pytest.fixture
def shared(tmp_path: Path, seconds: list[float]) -> Restraints:
    return Restraints(tmp_path, lambda: seconds[0])


def test_a_ban_holds_for_every_process_until_it_ends(
    connect, fake: FakeBinance, tmp_path: Path, seconds: list[float]
) -> None:
    def another() -> Restraints:
        return Restraints(tmp_path, lambda: seconds[0])

    fake.fail("418", retry_after=600)
    with pytest.raises(ExchangeUnavailable, match=r"HTTP 418.*nothing is asked until 2023-11-16T"):
        all_bars(connect(restraints=another()))
    asked = len(fake.requests)
    seconds[0] += 599
    with pytest.raises(ExchangeUnavailable, match="not asked: banned by the exchange until"):
        all_bars(connect(restraints=another()))
    assert len(fake.requests) == asked
    seconds[0] += 2
    assert len(all_bars(connect(restraints=another()))) == 2500


def test_bans_without_a_time_grow_and_are_forgiven(
    shared: Restraints, seconds: list[float]
) -> None:
    lengths = []
    for _ in range(13):
        shared.ban("X", None, "told")
        begun = seconds[0]
        while shared.refusal("X"):
            seconds[0] += 60
        lengths.append(seconds[0] - begun)
    assert lengths[:4] == [120, 240, 480, 960]
    assert lengths[-1] == 3 * DAY
    seconds[0] += 2 * DAY
    shared.ban("X", None, "told")
    seconds[0] += 121
    assert shared.refusal("X") is None
    assert shared.refusal("Y") is None


@pytest.mark.parametrize("retry_after", [None, 0, -3600, 5])
def test_a_ban_that_names_no_time_to_come_is_one(
    shared: Restraints, seconds: list[float], retry_after: float | None
) -> None:
    shared.ban("X", retry_after, "told")
    seconds[0] += 119
    assert shared.refusal("X")
    seconds[0] += 2
    assert shared.refusal("X") is None
    shared.ban("X", retry_after, "told")
    seconds[0] += 239
    assert shared.refusal("X")


def test_retry_after_zero_on_a_418_stops_the_asking(connect, fake: FakeBinance) -> None:
    exchange = connect()
    fake.fail("418", retry_after=0)
    with pytest.raises(ExchangeUnavailable, match="HTTP 418"):
        all_bars(exchange)
    asked = len(fake.requests)
    with pytest.raises(ExchangeUnavailable, match="not asked: banned"):
        all_bars(exchange)
    assert len(fake.requests) == asked


def test_no_header_stops_this_machine_for_years(
    shared: Restraints, seconds: list[float], tmp_path: Path
) -> None:
    shared.ban("X", 999_999_999, "told")
    shared.pause("Y", 999_999_999)
    assert shared.seconds_to_wait("Y") == 3600
    old = {"banned_until": 4e9, "paused_until": 4e9, "noted": seconds[0], "bans": 1}
    (tmp_path / "Z.json").write_text(json.dumps(old))  # as it was written without bounds
    assert shared.seconds_to_wait("Z") == 3600
    seconds[0] += 3 * DAY - 1
    assert shared.refusal("X")
    assert shared.refusal("Z")
    seconds[0] += 2
    assert shared.refusals() == {}


@pytest.mark.parametrize("status", ["418", "429"])
def test_an_absurd_wait_gives_up_at_once_and_is_not_kept_for_ever(
    connect,
    fake: FakeBinance,
    waits: list[float],
    seconds: list[float],
    shared: Restraints,
    status: str,
) -> None:
    fake.fail(status, retry_after=999_999_999)
    with pytest.raises(ExchangeUnavailable):
        all_bars(connect(restraints=shared))
    assert waits == []
    assert shared.seconds_to_wait("BINANCE") <= 3600
    seconds[0] += 3 * DAY + 1
    assert shared.refusals() == {}


def test_a_pause_is_listed_among_the_refusals(shared: Restraints, seconds: list[float]) -> None:
    shared.pause("X", 90)
    assert list(shared.refusals()) == ["X"]
    assert shared.refusals()["X"].startswith("asked for a pause until 2023-11-16T")
    assert shared.refusal("X") is None  # it is waited for
    seconds[0] += 91
    assert shared.refusals() == {}


def test_a_later_shorter_ban_does_not_end_a_longer_one(
    shared: Restraints, seconds: list[float]
) -> None:
    shared.ban("X", 1000, "long")
    shared.ban("X", 10, "short")
    seconds[0] += 999
    assert shared.refusal("X")


def test_a_record_by_a_clock_that_was_wrong_holds_nobody_up(
    shared: Restraints, seconds: list[float]
) -> None:
    shared.ban("X", 600, "told")
    shared.pause("X", 600)
    seconds[0] -= 30
    assert shared.refusal("X")
    seconds[0] -= 365 * DAY
    assert shared.refusal("X") is None
    assert shared.seconds_to_wait("X") == 0
    shared.ban("X", 600, "told")
    assert shared.refusal("X")


def test_a_pause_is_waited_for_by_other_processes(
    connect, fake: FakeBinance, tmp_path: Path
) -> None:
    waits: list[float] = []

    def wall() -> float:
        return NOW / 1000 + sum(waits)

    def another() -> Restraints:
        return Restraints(tmp_path, wall)

    another().pause("BINANCE", 30)
    watch = Watch()
    with listening(watch):
        frame = all_bars(connect(restraints=another(), sleep=waits.append, wall=wall))
    assert len(frame) == 2500
    assert waits == [30]
    assert watch.waits[0][1:] == ("the exchange asked for a pause (HTTP 429)", 1, 1, 30)
    another().pause("BINANCE", 3000)
    with pytest.raises(OutOfReach, match="left alone for 3000 s, past the deadline of 900 s"):
        all_bars(connect(restraints=another()))


def test_after_a_pause_a_ban_that_came_meanwhile_counts(
    connect, fake: FakeBinance, shared: Restraints, seconds: list[float]
) -> None:
    def sleep(length: float) -> None:
        seconds[0] += length
        shared.ban("BINANCE", 600, "another process was banned")

    shared.pause("BINANCE", 30)
    with pytest.raises(ExchangeUnavailable, match="not asked: banned by the exchange until"):
        connect(restraints=shared, sleep=sleep).check_symbol("ETHUSDT")
    assert fake.requests == []


def test_a_pause_that_grew_meanwhile_is_waited_out_within_the_deadline(
    connect, fake: FakeBinance, shared: Restraints, seconds: list[float]
) -> None:
    begun, slept, grows = seconds[0], [0.0], [20.0]

    def sleep(length: float) -> None:
        seconds[0] += length
        slept.append(length)
        if grows:
            shared.pause("BINANCE", grows.pop())

    exchange = connect(restraints=shared, sleep=sleep, clock=lambda: seconds[0])
    shared.pause("BINANCE", 30)
    exchange.check_symbol("ETHUSDT")
    assert slept[1:] == [30, 20]
    asked = len(fake.requests)
    grows.append(890.0)
    shared.pause("BINANCE", 30)
    with pytest.raises(OutOfReach, match="left alone for 890 s, past the deadline"):
        exchange.check_symbol("BTCUSDT")
    assert len(fake.requests) == asked
    assert seconds[0] - begun == 80


def test_a_429_leaves_its_pause_for_others(connect, fake: FakeBinance, tmp_path: Path) -> None:
    fake.fail("429", retry_after=3600)
    shared = Restraints(tmp_path, lambda: NOW / 1000)
    with pytest.raises(OutOfReach, match="would pass the deadline"):
        all_bars(connect(restraints=shared))
    assert shared.seconds_to_wait("BINANCE") == 3600


def test_within_a_run_an_outage_costs_its_retries_once(
    connect, fake: FakeBinance, waits: list[float]
) -> None:
    with one_run():
        fake.fail("503", times=4)
        with pytest.raises(OutOfReach, match="tried 4 times"):
            all_bars(connect())
        assert len(waits) == 3
        asked = len(fake.requests)
        for _ in range(2):
            with pytest.raises(OutOfReach, match=r"not asked again in this run: .*tried 4"):
                connect().check_symbol("ETHUSDT")
        assert (len(waits), len(fake.requests)) == (3, asked)
    assert len(all_bars(connect())) == 2500  # the next run asks


def test_runs_that_overlap_in_threads_leave_nothing_behind() -> None:
    noted, left = threading.Event(), threading.Event()
    known: dict[str, str | None] = {}

    def other_run() -> None:
        with one_run():
            note_outage("X", "down")
            noted.set()
            left.wait(10)
            known["other"] = outage("X")

    with ThreadPoolExecutor(1) as pool:
        with one_run():
            running = pool.submit(other_run)
            assert noted.wait(10)
            known["this"] = outage("X")
        left.set()
        running.result(10)
    known["after"] = outage("X")
    with one_run():
        known["new"] = outage("X")
    assert known == {"other": "down", "this": None, "after": None, "new": None}


def test_a_thread_of_a_run_and_a_run_within_it_share_what_is_known() -> None:
    def inner() -> None:
        with one_run():
            note_outage("X", "down")

    async def outer() -> str | None:
        with one_run():
            await asyncio.to_thread(inner)
            return outage("X")

    assert asyncio.run(outer()) == "down"
    assert outage("X") is None


def test_every_wait_is_told_without_addresses(connect, fake: FakeBinance) -> None:
    watch = Watch()
    fake.fail("503", times=2)
    with listening(watch):
        all_bars(connect())
    assert [wait[2:] for wait in watch.waits] == [(2, 4, 0.5), (3, 4, 1.0)]
    what, reason = watch.waits[0][:2]
    assert what == "BINANCE: ETHUSDT 1m bars"
    assert "overloaded" in reason
    assert str(START) not in reason


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "[1]",
        '{"other": 1}',
        '{"noted": "x"}',
        '{"noted": null}',
        '{"banned_until": [1]}',
        '{"banned_until": Infinity}',
        '{"paused_until": "x", "noted": 1}',
        '{"banned_until": 1' + 400 * "0" + "}",
        '{"bans": 1.5}',
        '{"bans": true}',
        '{"told": 3}',
        "[" * 200_000,
    ],
)
def test_a_record_that_is_none_says_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "BINANCE.json").write_text(content)
    broken = Restraints(tmp_path)
    for use in (
        lambda: broken.refusal("BINANCE"),
        lambda: broken.seconds_to_wait("BINANCE"),
        lambda: broken.ban("BINANCE", None, "told"),
        broken.refusals,
    ):
        with pytest.raises(CorruptArtifact, match=r"BINANCE\.json .*remove it"):
            use()


def test_the_doctor_names_a_ban(tmp_path: Path) -> None:
    home = Home(tmp_path)
    Restraints(home.restraints).ban("BINANCE", 600, "way too many requests")
    found = {finding.what: finding for finding in examine(home)}
    assert not found["exchanges"].ok
    assert "BINANCE: banned by the exchange until" in found["exchanges"].detail


def test_the_doctor_names_a_pause(tmp_path: Path) -> None:
    home = Home(tmp_path)
    Restraints(home.restraints).pause("BINANCE", 600)
    found = {finding.what: finding for finding in examine(home)}
    assert not found["exchanges"].ok
    assert "BINANCE: asked for a pause until" in found["exchanges"].detail
