"""Symbols: three that look alike live side by side, and bad ones enter nowhere."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from ares_assets.partitions import SYMBOLS, parse_partition, partition_key, partition_tags
from ares_jobs import EnhancedTrainingManager
from ares_jobs.cli import run
from ares_jobs.definitions import defs
from ares_jobs.inbox import read_inbox
from ares_jobs.setup import initialise
from ares_resources.errors import BadInput
from ares_resources.home import Home
from ares_resources.storage.artifacts import ArtifactStore, Place
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.storage.releases import ReleaseStore
from ares_resources.symbols import SymbolKey

ALIKE = ("BTC/USDT", "BTC/USDT:USDT", "BTC/USD:T")
START = 1_700_006_400_000
BAD = [
    "../../x",
    "a|b",
    "A|B",
    "",
    "A" * 200,
    "ethusdt",
    "ETH USDT",
    "ETH\nUSDT",
    "\u0395TH",
    "~sX",
]
NAMES = ["up", "bar", "BAR", "empty", "long", "lower", "space", "newline", "greek", "tilde"]
bad_symbols = pytest.mark.parametrize("symbol", BAD, ids=NAMES)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    root = tmp_path / "home"
    monkeypatch.setenv("ARES_HOME", str(root))
    monkeypatch.setenv("DAGSTER_HOME", str(root / "dagster"))
    return Home(root)


def _bars(level: float) -> pd.DataFrame:
    stamps = START + pd.RangeIndex(40).to_numpy() * 60_000
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), level)
    return pd.DataFrame({"timestamp": stamps, **prices})


def _drop(home: Home, folder: str, level: float) -> Path:
    path = home.inbox / "BINANCE" / folder / "bars.csv"
    path.parent.mkdir(parents=True)
    _bars(level).to_csv(path, index=False)
    minute_ago = time.time() - 60
    os.utime(path, (minute_ago, minute_ago))
    return path


def test_three_that_look_alike_live_side_by_side(home: Home) -> None:
    keys = [SymbolKey(name, "BINANCE") for name in ALIKE]
    assert initialise(home, [str(key) for key in keys]).symbols == sorted(map(str, keys))
    for level, key in enumerate(keys, start=1):
        assert parse_partition(partition_key("bull", key)) == ("bull", key)
        _drop(home, key.folder.rpartition(".")[0], float(level))
    reading = read_inbox(home, handed_over=())
    assert sorted(due.symbol for due in reading.due) == sorted(keys)
    catalogue = Catalogue(home.catalogue)
    store = ArtifactStore(home.artifacts, home.runs)
    assert catalogue.symbols() == sorted(keys)
    for level, key in enumerate(keys, start=1):
        held = catalogue.read(Series(key, "bars", "1m"), 0, 2**60)
        assert held["close"].tolist() == [float(level)] * 40
        place = Place("market_data", key.folder, None)
        artifact = store.publish(
            place,
            "0" * 32,
            {"level": level},
            kind="report",
            inputs={},
            metadata={},
            degraded=[],
            skipped=None,
            cost={},
        )
        store.point(artifact, run_id=None, mode="full")
        release = ReleaseStore(home.releases, key.folder, "bull").publish(
            {"model": str(level).encode()}, {"level": level}
        )
        assert release.folder.is_relative_to(home.releases / key.folder)
    for level, key in enumerate(keys, start=1):
        pointed = store.pointed(Place("market_data", key.folder, None), run_id=None, mode="full")
        assert pointed is not None
        assert pointed.load() == {"level": level}
    assert len({path.parent for path in home.releases.glob("*/bull")}) == 3


@bad_symbols
@pytest.mark.parametrize("command", ["train", "blank", "ingest", "init"])
def test_the_command_line_refuses_it_in_one_line_and_writes_nothing(
    command: str, symbol: str, home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bars.csv"
    _bars(1.0).to_csv(file, index=False)
    lines = {
        "train": ["train", symbol, "BINANCE"],
        "blank": ["blank", symbol, "SIM"],
        "ingest": ["ingest", str(file), "--symbol", symbol, "--exchange", "BINANCE"],
        "init": ["init", "--symbol", f"{symbol}.BINANCE"],
    }
    assert run(lines[command]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert len(printed.err) < 300
    assert "allowed: " in printed.err
    if symbol == "ethusdt":
        assert "'ETHUSDT'" in printed.err
    assert not home.root.exists()


@bad_symbols
def test_the_training_manager_refuses_it(symbol: str, home: Home) -> None:
    manager = EnhancedTrainingManager(home=home)
    with pytest.raises(BadInput, match="allowed: ") as refused:
        asyncio.run(manager.execute_enhanced_training({"symbol": symbol, "exchange": "BINANCE"}))
    assert "\n" not in str(refused.value)
    assert not home.root.exists()


@bad_symbols
def test_a_run_of_the_job_refuses_its_tags(symbol: str, home: Home) -> None:
    key = f"{symbol}.SIM"
    tags = {
        "dagster/partition": f"bull|{key}",
        "dagster/partition/regime": "bull",
        "dagster/partition/symbol": key,
    }
    with dg.DagsterInstance.ephemeral() as instance:
        job = defs.resolve_job_def("blank_training")
        with pytest.raises(dg.DagsterError) as refused:
            job.execute_in_process(instance=instance, tags=tags)
        assert isinstance(refused.value.__cause__, BadInput)
        assert "is not usable; allowed: " in str(refused.value.__cause__)
        assert instance.get_dynamic_partitions(SYMBOLS) == []
    assert not home.root.exists()


def test_good_tags_carry_a_symbol_with_separators() -> None:
    tags = partition_tags("bear", SymbolKey("BTC/USD:T", "BINANCE"))
    assert tags["dagster/partition"] == "bear|BTC/USD:T.BINANCE"


@pytest.mark.parametrize(
    "folder", ["a|b", "A|B", "A" * 200, "ethusdt", "~s..~sX", "~sX", "..", "ETH~sUSDT~x", "ETH~"]
)
def test_an_inbox_folder_that_spells_no_symbol_is_rejected(folder: str, home: Home) -> None:
    path = home.inbox / "BINANCE" / folder / "bars.csv"
    if folder == "..":  # inbox/BINANCE/../bars.csv is inbox/bars.csv
        path = home.inbox / "bars.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    _bars(1.0).to_csv(path, index=False)
    minute_ago = time.time() - 60
    os.utime(path, (minute_ago, minute_ago))
    reading = read_inbox(home, handed_over=())
    assert reading.due == []
    assert len(reading.rejected) == 1
    assert "allowed: " in reading.rejected[0]
    assert not home.catalogue.exists()
