"""The inbox without Dagster: what is taken, rejected, left, and when trainings are due."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares_jobs import inbox, inbox_state
from ares_jobs.inbox import Due, InboxBusy, Reading, read_inbox
from ares_resources.errors import CorruptArtifact
from ares_resources.home import Home
from ares_resources.storage.atomic import file_lock
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.symbols import SymbolKey

START_MS = 1_700_006_400_000
MINUTE = 60_000
ETH = SymbolKey("ETHUSDT", "BINANCE")


def bars(count: int = 300, first: int = 0, step: int = MINUTE) -> pd.DataFrame:
    """A deterministic walk: the same timestamps always carry the same bars."""
    close = 100 + np.cumsum(np.random.default_rng(7).normal(0, 0.05, first + count))
    opens = np.r_[100.0, close[:-1]]
    frame = pd.DataFrame(
        {
            "timestamp": START_MS + np.arange(first + count) * step,
            "open": opens,
            "high": np.maximum(opens, close) + 0.01,
            "low": np.minimum(opens, close) - 0.01,
            "close": close,
            "volume": np.full(first + count, 3.0),
        }
    )
    return frame.iloc[first:].reset_index(drop=True)


def drop(home: Home, name: str, frame: pd.DataFrame | str, where: str = "BINANCE/ETHUSDT") -> Path:
    """Put a file into the inbox as if it had been written a minute ago."""
    path = home.inbox / where / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(frame, str):
        path.write_text(frame)
    else:
        frame.to_csv(path, index=False)
    aged(path)
    return path


def aged(path: Path) -> None:
    minute_ago = time.time() - 60
    os.utime(path, (minute_ago, minute_ago))


def look(home: Home, *handed_over: Due) -> Reading:
    return read_inbox(home, handed_over=[due.ticket for due in handed_over])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.inbox.mkdir(parents=True)
    return made


def test_a_missing_inbox_brings_nothing_and_writes_nothing(tmp_path: Path) -> None:
    assert read_inbox(Home(tmp_path), handed_over=[]) == Reading()
    assert list(tmp_path.iterdir()) == []


def test_a_complete_file_is_ingested_kept_and_due_once(home: Home) -> None:
    path = drop(home, "bars.csv", bars())
    first = look(home)
    (due,) = first.due
    assert (due.symbol, due.timeframe) == (ETH, "1m")
    assert due.as_of_ms == START_MS + 300 * MINUTE
    assert path.is_file()
    assert Catalogue(home.catalogue).coverage(Series(ETH, "bars", "1m")).rows == 300  # type: ignore[union-attr]
    second = look(home, due)
    assert (second.due, second.ingested, second.rejected) == ([], [], [])


def test_runs_stay_due_until_they_are_handed_over(home: Home) -> None:
    drop(home, "bars.csv", bars())
    (due,) = look(home).due
    assert look(home).due == [due]
    assert look(home, due).due == []
    assert look(home).due == []


@pytest.mark.parametrize("name", ["bars.csv", "other.csv"])
def test_the_same_file_again_is_read_and_starts_nothing(home: Home, name: str) -> None:
    drop(home, "bars.csv", bars())
    (due,) = look(home).due
    drop(home, name, bars())
    again = look(home, due)
    assert again.due == []
    assert again.ingested == [f"BINANCE/ETHUSDT/{name}: 0 bars added to ETHUSDT.BINANCE 1m bars"]


def test_a_b_a_trains_once_for_each_and_not_for_the_repetition(home: Home) -> None:
    tickets: list[Due] = []
    for name, frame in (("a.csv", bars(200)), ("b.csv", bars(100, 200)), ("a.csv", bars(200))):
        drop(home, name, frame)
        tickets += look(home, *tickets).due
    assert [due.as_of_ms for due in tickets] == [
        START_MS + 200 * MINUTE,
        START_MS + 300 * MINUTE,
    ]


def test_bars_that_went_and_came_back_are_due_again_under_a_new_ticket(home: Home) -> None:
    drop(home, "a.csv", bars())
    (before,) = look(home).due
    shutil.rmtree(home.catalogue)
    drop(home, "a.csv", bars())
    (after,) = look(home, before).due
    assert after.fingerprint == before.fingerprint
    assert after.ticket != before.ticket


def test_a_kill_after_ingesting_loses_no_run(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    drop(home, "a.csv", bars())
    ingest_one = inbox._ingest

    def killed(*arguments: object) -> str:
        ingest_one(*arguments)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "_ingest", killed)
        with pytest.raises(KeyboardInterrupt):
            look(home)
    reading = look(home)
    assert "0 bars added" in reading.ingested[0]
    assert [due.symbol for due in reading.due] == [ETH]


def test_a_file_still_being_written_waits_and_holds_its_symbol_back(home: Home) -> None:
    drop(home, "a.csv", bars(200))
    growing = drop(home, "b.csv", bars(50, 200))
    other = drop(home, "c.csv", bars(), where="KRAKEN/ETHUSDT")
    os.utime(growing)
    reading = look(home)
    assert reading.waiting == 1
    assert [str(due.symbol) for due in reading.due] == ["ETHUSDT.KRAKEN"]
    growing.write_text(other.read_text())
    aged(growing)
    (due,) = look(home, *reading.due).due
    assert (due.symbol, due.as_of_ms) == (ETH, START_MS + 300 * MINUTE)


def test_a_file_from_the_future_settles_by_staying_the_same(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(home, "a.csv", bars())
    os.utime(path, (time.time() + 9_999, time.time() + 9_999))
    assert look(home).waiting == 1
    monkeypatch.setattr(inbox_state, "SETTLE_SECONDS", 0.0)
    assert len(look(home).due) == 1


@pytest.mark.parametrize("name", [".bars.csv", "bars.csv.tmp", "bars.csv.part"])
def test_names_of_unfinished_files_are_left_alone(home: Home, name: str) -> None:
    path = drop(home, name, "half a li")
    assert look(home) == Reading()
    assert path.is_file()


@pytest.mark.parametrize(
    ("name", "content", "where", "word"),
    [
        ("empty.csv", "", "BINANCE/ETHUSDT", "empty.csv"),
        ("prose.csv", "once upon a time\nthere was\n", "BINANCE/ETHUSDT", "prose.csv"),
        ("stray.csv", "1,2,3\n", "BINANCE", "wrong place"),
        ("deep.csv", "1,2,3\n", "BINANCE/ETHUSDT/2024", "wrong place"),
        ("lower.csv", "1,2,3\n", "binance/ETHUSDT", "'binance'"),
        ("sim.csv", "1,2,3\n", "SIM/ETHUSDT", "simulated"),
    ],
)
def test_a_bad_file_goes_aside_with_a_reason_and_is_not_tried_again(
    home: Home, name: str, content: str, where: str, word: str
) -> None:
    path = drop(home, name, content, where=where)
    reading = look(home)
    aside = home.inbox / "rejected" / name
    reason = aside.with_name(f"{name}.reason.txt").read_text()
    assert not path.exists()
    assert aside.read_text() == content
    assert reason.count("\n") == 1
    assert reason.startswith(f"{where}/{name}: ")
    assert word in reason
    assert reading.rejected == [reason.strip()]
    assert reading.due == []
    assert look(home) == Reading()
    assert not home.catalogue.exists()


def test_a_conflicting_file_is_rejected_and_the_good_one_beside_it_taken(home: Home) -> None:
    wrong = bars(100)
    wrong.loc[3, ["high", "close"]] += 1.0
    drop(home, "a.csv", bars(200))
    drop(home, "b.csv", wrong)
    drop(home, "c.csv", bars(100, 200))
    reading = look(home)
    assert len(reading.ingested) == 2
    assert len(reading.rejected) == 1
    assert [due.as_of_ms for due in reading.due] == [START_MS + 300 * MINUTE]


def test_rejected_files_of_one_name_are_all_kept(home: Home) -> None:
    for content in ("one", "two"):
        drop(home, "bars.csv", content)
        look(home)
    aside = home.inbox / "rejected"
    assert {path.name for path in aside.iterdir()} == {
        "bars.csv",
        "bars.csv.reason.txt",
        "bars.2.csv",
        "bars.2.csv.reason.txt",
    }
    assert (aside / "bars.csv").read_text() == "one"


def test_a_fault_of_the_catalogue_is_not_blamed_on_the_file(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop(home, "a.csv", bars())

    def torn(*arguments: object, **options: object) -> None:
        raise CorruptArtifact("manifest.json does not match its own checksum")

    with monkeypatch.context() as patched:
        patched.setattr(Catalogue, "staging", torn)
        reading = look(home)
    assert reading.troubles == [
        "BINANCE/ETHUSDT/a.csv: manifest.json does not match its own checksum"
    ]
    assert reading.rejected == []
    assert path.is_file()
    assert len(look(home).due) == 1


def test_symbols_with_separators_are_spelled_as_in_the_catalogue(home: Home) -> None:
    drop(home, "a.csv", bars(), where="BINANCE/BTC~sUSDT~cUSDT")
    (due,) = look(home).due
    assert str(due.symbol) == "BTC/USDT:USDT.BINANCE"


def test_each_timeframe_is_due_by_itself(home: Home) -> None:
    drop(home, "minutes.csv", bars(200))
    drop(home, "hours.csv", bars(100, step=60 * MINUTE))
    reading = look(home)
    assert sorted(due.timeframe for due in reading.due) == ["1h", "1m"]
    assert look(home, *reading.due).due == []


def test_without_time_left_a_file_waits_for_the_next_look(home: Home) -> None:
    drop(home, "a.csv", bars())
    assert read_inbox(home, handed_over=[], budget_seconds=-1).waiting == 1
    assert len(look(home).due) == 1


def test_two_readers_at_once_are_refused(home: Home) -> None:
    with file_lock(home.locks / "inbox.lock"), pytest.raises(InboxBusy):
        look(home)


def test_a_torn_state_reads_everything_again_and_asks_for_nothing(home: Home) -> None:
    drop(home, "a.csv", bars())
    (due,) = look(home).due
    (home.inbox / ".state.json").write_text('{"files": [')
    again = look(home, due)
    assert again.due == []
    assert len(again.ingested) == 1
    assert json.loads((home.inbox / ".state.json").read_text())["tickets"] == {}
