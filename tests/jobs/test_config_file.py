"""A YAML file of settings: nothing in it is lost, and what is wrong is one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares_jobs.cli import run
from ares_jobs.config_file import read_config
from ares_resources.errors import BadInput

FLAGS = ["--timeframe", "1m", "--seed", "7", "--lookback-days", "0.5"]


def refused(text: str | bytes, folder: Path) -> str:
    path = folder / "settings.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadInput) as told:
        read_config(path)
    assert "\n" not in str(told.value)
    assert "settings.yaml" in str(told.value)
    return str(told.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 1\nlabels: {}\nseed: 2\n", "key 'seed' stands twice, in line 1 and in line 3"),
        (
            "labels:\n  horizon_bars: 3\n  upper_width: 1\n  horizon_bars: 4\n",
            "key 'horizon_bars' stands twice, in line 2 and in line 4",
        ),
        ("labels: {a: 1, 'a': 2}\n", "key 'a' stands twice, in line 1 and in line 1"),
        ("a: [{b: 1,\n b: 2}]\n", "key 'b' stands twice, in line 1 and in line 2"),
        ("labels:\n\thorizon_bars: 3\n", "is not YAML"),
        ("a: 1\n---\nb: 2\n", "is not YAML"),
        ("as_of: 2024-13-45\n", "is not YAML"),
        ("? [a]\n: 1\n", "is not YAML"),
        ("a: &x [*y]\n", "is not YAML"),
        ("[" * 5_000, "nested deeper"),
        (b"\xff\xfe\x00seed", "is not YAML"),
        ("- seed\n", "holds list; allowed: a mapping"),
        ("7\n", "holds int; allowed: a mapping"),
    ],
)
def test_what_is_wrong_is_one_line(text: str | bytes, words: str, tmp_path: Path) -> None:
    assert words in refused(text, tmp_path)


def test_equal_keys_in_different_groups_and_merged_groups_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(
        "labels: &base {volatility_halflife_bars: 30, horizon_bars: 9}\n"
        "regimes: {<<: *base, volatility_halflife_bars: 20}\n"
        "again: *base\n"
    )
    base = {"volatility_halflife_bars": 30, "horizon_bars": 9}
    merged = {"volatility_halflife_bars": 20, "horizon_bars": 9}
    assert read_config(path) == {"labels": base, "regimes": merged, "again": base}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n"])
def test_an_empty_file_sets_nothing(text: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    assert read_config(path) == {}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))
    return tmp_path / "home"


@pytest.mark.parametrize("flags", [[], FLAGS])
@pytest.mark.parametrize("command", [["blank"], ["train"], ["train", "--mode", "blank"]])
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data: 3", "data = 3; allowed: a mapping"),
        ("data: [1m]", "data = ['1m']; allowed: a mapping"),
        ("enhanced_training_manager: yes", "enhanced_training_manager = True; allowed: a mapping"),
        (
            "enhanced_training_manager: {blank: 3}",
            "enhanced_training_manager.blank = 3; allowed: a mapping",
        ),
        ("tactician: {maximum_position: true}", "maximum_position = True: allowed: a number"),
        ("tracking: {enabled: 1}", "tracking.enabled = 1: allowed: true or false"),
        ("1: 2", "key 1 is not text"),
        ("tracking: {uri: !!binary aGVsbG8=}", "tracking.uri = b'hello'"),
        ("data: &a {x: *a}", "nested deeper than any setting"),
        ("validation: {confidence: 0.6}", "validation.confidence = 0.6"),
        ("regimes: {minimum_events: 30}", "allowed: 60 or more"),
        ("costs: {latency_bars: 52000000}", "after 52000000 + 1 bars; allowed: "),
    ],
)
def test_flags_over_a_file_never_hide_what_is_wrong_in_it(
    text: str,
    words: str,
    flags: list[str],
    command: list[str],
    home: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text(text)
    # Half a day is too short as it is: a window that fits, so that the file is at fault.
    flags = [flag.replace("0.5", "20") for flag in flags]
    assert run([*command, "ETHUSDT", "SIM", *flags, "--config", str(config)]) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.err.count("\n") == 1
    assert not home.exists()


@pytest.mark.parametrize(
    "text", ["data:", "enhanced_training_manager:", "enhanced_training_manager: {blank: }"]
)
def test_flags_over_an_empty_group_are_heard(
    text: str, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "settings.yaml"
    config.write_text(text)
    for command in ("blank", "train"):
        assert run([command, "ETHUSDT", "SIM", *FLAGS, "--config", str(config)]) == 2
        assert "lookback_days = 0.5 of 1m bars" in capsys.readouterr().err
