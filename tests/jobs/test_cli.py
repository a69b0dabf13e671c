"""The command line: one line and exit 2 for whatever is mistyped, and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import xxhash
from fakes.fake_binance import made_up_bars

from ares_jobs import cli_output
from ares_jobs.cli import run
from ares_jobs.runner import PartitionOutcome, TrainingRequest, check_request, request_tags
from ares_resources.errors import BadInput
from ares_resources.home import Home
from ares_resources.symbols import SymbolKey


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "home"
    monkeypatch.setenv("ARES_HOME", str(root))
    monkeypatch.setenv("DAGSTER_HOME", str(root / "dagster"))
    return root


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("blnk ETHUSDT SIM", ["blnk", "blank"]),
        ("blank ETHUSDT", ["exchange"]),
        ("blank ETHUSDT SIM --regmie bull", ["--regmie", "--regime"]),
        ("blank ETHUSDT SIM --regime bul", ["bul", "sideways"]),
        ("blank NOSUCH SIM", ["NOSUCH", "ETHUSDT"]),
        ("blank ethusdt SIM", ["ethusdt", "A-Z"]),
        ("blank ../../x SIM", ["../../x"]),
        ("blank a|b SIM", ["a|b"]),
        ("blank ETHUSDT NOSUCHEXCHANGE", ["NOSUCHEXCHANGE"]),
        ("blank ETHUSDT BINANC", ["BINANC", "binance"]),
        ("train ETHUSDT SIM --mode fast", ["fast", "full, blank"]),
        ("blank ETHUSDT SIM --timeframe 7m", ["7m", "15m"]),
        ("blank ETHUSDT SIM --seed seven", ["seven", "seed"]),
        ("blank ETHUSDT SIM --lookback-days -3", ["-3", "lookback_days"]),
        ("blank ETHUSDT SIM --as-of yesterday", ["yesterday", "2024-01-01T00:00:00Z"]),
        ("blank ETHUSDT SIM --as-of 2024-01-01T00:00:00", ["zone"]),
        ("blank ETHUSDT SIM --as-of 1999-01-01", ["1999-01-01"]),
        ("blank ETHUSDT SIM --config /no/such/file.yaml", ["/no/such/file.yaml"]),
        ("blank ETHUSDT BINANCE --offline", ["ETHUSDT.BINANCE", "ares ingest"]),
        ("ingest /no/such/file.csv --symbol ETHUSDT --exchange BINANCE", ["/no/such/file.csv"]),
        ("ingest / --symbol ETHUSDT --exchange BINANCE", ["folder"]),
        ("ingest x --symbol ETHUSDT --exchange BINANCE --stamped-at noon", ["noon", "auto, open"]),
        ("ingest x --symbol ETHUSDT --exchange BINANCE --utc-offset 8", ["8", "+08:00"]),
        ("ingest x --symbol ETHUSDT --exchange BINANCE --volume-unit lot", ["lot", "quote"]),
        ("ingest x --symbol ETHUSDT --exchange BINANCE --on-conflict x", ["keep_first"]),
        ("ingest x --symbol ETHUSDT --exchange BINANCE --timeframe 7m", ["7m", "5m"]),
        ("init --symbol ETHUSDT", ["ETHUSDT", "ETHUSDT.BINANCE"]),
        ("init --symbol NOPE.SIM", ["NOPE"]),
        ("init --symbol ETHUSDT.BINANC", ["BINANC", "binance"]),
        ("ingest bars.csv --symbol ETHUSDT --exchange SIM", ["SIM", "makes its own"]),
        ("ingest bars.csv --symbol ETHUSDT --exchange BINANC", ["BINANC", "binance"]),
        ("blank ETHUSDT SIM --lookback-days 0.01", ["0.01", "decisions", "days or more"]),
        ("blank ETHUSDT SIM --timeframe 1h", ["1h", "30", "150 decisions", "92.3 days or more"]),
        ("blank ETHUSDT SIM --timeframe 1d", ["1d", "30", "150 decisions", "2215 days or more"]),
        ("blank ETHUSDT SIM --timeframe 1w", ["1w", "30", "150 decisions", "15505 days or more"]),
        ("blank ETHUSDT SIM --timeframe 3d", ["3d", "no calendar", "1d, and resample"]),
        ("blank ETHUSDT SIM --timeframe 1M", ["1M", "no one length"]),
        ("blank ETHUSDT SIM --timeframe 1s", ["1s", "SIM", "1m or slower"]),
        ("blank ETHUSDT SIM --lookback-days 1e300", ["1e300", "36500"]),
        ("blank ETHUSDT SIM --seed 99999999999999999999", ["seed"]),
    ],
)
def test_what_is_mistyped_is_named_in_one_line_and_nothing_is_written(
    line: str, words: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split(" ")) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("ares: ")
    assert printed.err.count("\n") == 1
    assert [word for word in words if word not in printed.err] == []
    assert not home.exists()


def test_an_empty_symbol_and_an_endless_one_are_refused(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for symbol in ("", "A" * 200):
        assert run(["blank", symbol, "SIM"]) == 2
        assert len(capsys.readouterr().err) < 300
    assert not home.exists()


def test_an_empty_file_is_refused(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    assert run(["ingest", str(empty), "--symbol", "ETHUSDT", "--exchange", "BINANCE"]) == 2
    assert "empty" in capsys.readouterr().err
    assert not (home / "catalogue" / "ETHUSDT.BINANCE").exists()


def test_a_wrong_setting_in_a_file_names_its_nearest_match(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text("enhanced_training_manager:\n  n_trails: 3\n")
    assert run(["blank", "ETHUSDT", "SIM", "--config", str(config)]) == 2
    assert "n_trials" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "settings", "words"),
    [
        ("", "features: {timeframes: [30s]}", "features.timeframes = '30s' is not longer than"),
        ("", "features: {timeframes: [1m]}", "features.timeframes = '1m' is not longer than"),
        ("", "tactician: {timeframes: [1m]}", "tactician.timeframes = '1m' is not longer than"),
        (
            "--timeframe 15m",
            "features: {timeframes: [20m]}",
            "features.timeframes = '20m' is not a whole multiple of the 15m bars; allowed: 30m",
        ),
        ("", "costs: {fee_bp: 1.0e+9}", "costs.fee_bp = 1000000000.0: "),
        ("", "costs: {slippage_bp: 9000}", "costs.slippage_bp = 9000, each way, times"),
    ],
)
def test_settings_that_no_step_could_use_are_refused_before_anything_is_written(
    options: str,
    settings: str,
    words: str,
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text(settings)
    assert run(["blank", "ETHUSDT", "SIM", *options.split(), "--config", str(config)]) == 2
    told = capsys.readouterr().err
    assert words in told
    assert told.count("\n") == 1
    assert not home.exists()


@pytest.mark.parametrize("command", ["blank ETHUSDT SIM", "init"])
def test_a_home_that_cannot_be_made_is_one_line(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARES_HOME", "/dev/null/x")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    assert run(command.split()) == 2
    printed = capsys.readouterr().err
    assert "/dev/null/x" in printed
    assert printed.count("\n") == 1


def test_json_errors_are_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["blank", "NOSUCH", "SIM", "--json"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 2
    assert "NOSUCH" in told["error"]


def test_status_of_an_empty_home_writes_nothing(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["series"] == []
    assert not home.exists()


def test_ingest_then_status(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bars = tmp_path / "bars.csv"
    lines = [f"{1_700_000_040_000 + i * 60_000},100,101,99,100.5,7" for i in range(50)]
    bars.write_text("timestamp,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    arguments = ["ingest", str(bars), "--symbol", "ETHUSDT", "--exchange", "BINANCE"]
    assert run(arguments) == 0
    capsys.readouterr()
    assert run(["status", "--json"]) == 0
    (series,) = json.loads(capsys.readouterr().out)["series"]
    assert series["bars"] == 50
    assert series["gaps"] == 0


def outcome(status: str, degraded: list[str] | None = None) -> PartitionOutcome:
    return PartitionOutcome("bull|X.SIM", status, "why", "r", False, degraded or [], {}, None)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ([outcome("released"), outcome("insufficient evidence")], 0),
        ([outcome("kept"), outcome("skipped")], 3),
        ([outcome("kept", ["stale"])], 3),
        ([outcome("rolled back")], 3),
        ([outcome("not released")], 3),
        ([outcome("superseded")], 0),
        ([outcome("skipped"), outcome("failed")], 1),
    ],
)
def test_exit_codes(outcomes: list[PartitionOutcome], code: int) -> None:
    assert cli_output.exit_code(outcomes) == code


def test_a_request_travels_in_tags() -> None:
    request = TrainingRequest(
        SymbolKey("ETHUSDT", "SIM"), mode="blank", overrides={"seed": 3}, as_of="2023-06-01"
    )
    assert request_tags(request) == {
        "ares/mode": "blank",
        "ares/offline": "false",
        "ares/as_of": "2023-06-01",
        "ares/config": '{"seed": 3}',
    }


def test_a_request_is_checked_before_anything_is_made(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    with pytest.raises(BadInput, match="NOSUCH"):
        check_request(TrainingRequest(SymbolKey("NOSUCH", "SIM")), home)
    assert not home.root.exists()


def test_status_shows_where_bars_came_from_and_what_lacks(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = made_up_bars(1_700_000_040_000, 100)
    path = home.parent / "with a gap.csv"
    bars.drop(index=range(40, 45)).to_csv(path, index=False)
    ingested = ["ingest", str(path), "--symbol", "ETHUSDT", "--exchange", "BINANCE"]
    assert run(ingested) == 0
    capsys.readouterr()
    assert run(["status", "--json"]) == 0
    (series,) = json.loads(capsys.readouterr().out)["series"]
    assert series["gap_ledger"] == [
        {"start": "2023-11-14 22:54", "after": "2023-11-14 22:59", "missing_bars": 5}
    ]
    (source,) = series["source_ledger"]
    assert (source["source"], source["added"]) == ("with a gap.csv", 95)
    assert len(source["spans"]) == 2
    assert source["content"] == xxhash.xxh3_128(path.read_bytes()).hexdigest()
    assert run(["status", "--ledgers"]) == 0
    told = capsys.readouterr().out
    assert "gap from 2023-11-14 22:54 to 2023-11-14 22:59: 5 bars" in told
