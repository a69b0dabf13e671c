"""A training whose exchange fails: degraded if something is there, one line if nothing is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes.fake_binance import FakeBinance, made_up_bars

from ares_jobs.cli import run
from ares_resources.exchanges.registry import BASE_URL_VARIABLE

HOUR, START = 3_600_000, 1_672_531_200_000
BARS = made_up_bars(START, 3000, "1h")
DAY_90, DAY_91 = "2023-04-01T00:00:00Z", "2023-04-02T00:00:00Z"
LINE = ["blank", "ETHUSDT", "BINANCE", "--timeframe", "1h", "--lookback-days", "80", "--json"]


@pytest.fixture
def fake() -> Iterator[FakeBinance]:
    with FakeBinance(now_ms=START + 2400 * HOUR + 5) as server:
        server.add_bars("spot", "ETHUSDT", "1h", BARS)
        yield server


@pytest.fixture
def line(fake: FakeBinance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))
    monkeypatch.setenv(BASE_URL_VARIABLE, fake.url)
    settings = tmp_path / "settings.yaml"
    # As many decisions as all of development holds: no regime has them, so nothing is trained.
    tree = {"data": {"warmup_bars": 200, "max_retries": 2}, "regimes": {"minimum_events": 120}}
    settings.write_text(json.dumps(tree))
    return [*LINE, "--config", str(settings)]


def test_an_outage_degrades_a_training_and_costs_its_retries_once(
    line: list[str], fake: FakeBinance, capsys: pytest.CaptureFixture[str]
) -> None:
    run([*line, "--as-of", DAY_90])
    capsys.readouterr()
    fake.requests.clear()
    fake.fail("503", times=1000)
    assert run([*line, "--as-of", DAY_91]) == 3
    printed = capsys.readouterr()
    partitions = json.loads(printed.out)["partitions"]
    assert len(partitions) == 3
    for partition in partitions:
        (reason,) = [text for text in partition["degraded"] if "stale data" in text]
        assert "tried 3 times" in reason
    assert len(fake.asked()) == 3
    told = [text for text in printed.err.splitlines() if "waiting" in text]
    assert [text.rpartition("; ")[2] for text in told] == [
        "waiting 0.5 s, then try 2 of 3",
        "waiting 1 s, then try 3 of 3",
    ]
    assert "startTime" not in printed.err


def test_a_ban_with_nothing_there_is_one_line_and_holds(
    line: list[str], fake: FakeBinance, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.fail("418", path="exchangeInfo", retry_after=3600)
    assert run([*line, "--as-of", DAY_90]) == 1
    (told,) = capsys.readouterr().err.splitlines()
    assert "banned by the exchange (HTTP 418)" in told
    asked = len(fake.requests)
    assert run([*line, "--as-of", DAY_90]) == 1
    assert "not asked: banned by the exchange until" in capsys.readouterr().err
    assert len(fake.requests) == asked
