"""What a feed may hold: nothing absurd, nothing from the future, nothing that says two things."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.rolled import DAY_MS, LIVE_FROM, Rolled, begun

from ares_jobs import live_feed_file
from ares_jobs.rollout import rollouts
from ares_resources.errors import BadInput
from ares_resources.symbols import SymbolKey


@pytest.fixture
def rolled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rolled:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    return begun(tmp_path)


def _refused(rolled: Rolled, capsys: pytest.CaptureFixture[str], path: Path, *words: str) -> None:
    rows = len(rolled.kept().live())
    capsys.readouterr()
    assert rolled.call("--feed", path) == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert all(word in printed for word in words), printed
    assert (len(rolled.kept().live()), rolled.state()["seen_rows"]) == (rows, rows)


SCALES: list[tuple[dict[str, Any], str]] = [
    ({"challenger_return": np.full(70, 42_000.0)}, "challenger_return in row 1 is 42000.0"),
    ({"champion_return": np.full(70, 42_000.0)}, "champion_return in row 1 is 42000.0"),
    ({"challenger_return": np.r_[np.zeros(69), 0.51]}, "challenger_return in row 70 is 0.51"),
    ({"challenger_return": np.r_[np.zeros(69), -0.51]}, "allowed: -0.5 to 0.5"),
    ({"challenger_return": np.tile([0.5, -0.3, 0.2, 0.4, -0.2], 14)}, "the median day by"),
]


@pytest.mark.parametrize(("columns", "words"), SCALES)
def test_prices_and_per_cents_are_refused_and_the_rollout_goes_on(
    rolled: Rolled, columns: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _refused(rolled, capsys, rolled.feed("bad.csv", 0, 70, **columns), words, "per cent")
    assert rolled.call() == 0
    assert rolled.call("--feed", rolled.feed("good.csv", 0, 8)) == 0
    assert rolled.store.shares()[rolled.new.sha256] == 0.05


def test_hours_in_per_cent_are_refused_too(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    hours = 24 * 8
    rng = np.random.default_rng(5)
    columns = {
        "timestamp": LIVE_FROM + 3_600_000 * np.arange(hours),
        "challenger_return": np.clip(rng.normal(0.0, 0.15, hours), -0.49, 0.49),
        "champion_return": np.zeros(hours),
    }
    _refused(rolled, capsys, rolled.feed("h.csv", 0, hours, **columns), "the median day by")


def test_a_true_crash_is_no_unit_error(rolled: Rolled) -> None:
    fell = np.r_[np.full(8, 0.004), -0.45]
    assert rolled.call("--feed", rolled.feed("c.csv", 0, 9, challenger_return=fell)) == 3
    assert "drawdown 45.00%" in str(rolled.store.withdrawn(rolled.new.sha256))


def test_a_model_that_may_hold_more_than_its_equity_may_move_more(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = {"tracking": {"enabled": False}, "tactician": {"maximum_position": 2.0}}
    rolled.store.amend_record(rolled.new.sha256, settings=settings)
    gains = np.r_[0.8, np.zeros(7)]
    assert rolled.call("--feed", rolled.feed("a.csv", 0, 8, challenger_return=gains)) == 0
    more = rolled.feed("b.csv", 8, 1, challenger_return=[1.01])
    _refused(rolled, capsys, more, "-1 to 1", "maximum_position is 2")


def test_returns_that_no_number_can_hold_are_counted_before_they_are_kept(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = 4_000
    columns = {
        "timestamp": LIVE_FROM + 60_000 * np.arange(rows),
        "challenger_return": np.full(rows, 0.5),
        "champion_return": np.zeros(rows),
    }
    _refused(rolled, capsys, rolled.feed("a.csv", 0, rows, **columns), "a.csv", "counted")
    assert rolled.call("--rollback", "halt") == 3


def _fed(rolled: Rolled, path: Path, now_ms: int) -> None:
    key = SymbolKey("ETHUSDT", rolled.exchange)
    rollouts(rolled.home, key, ["bull"], feed=path, now_ms=now_ms)


def test_rows_that_are_not_over_are_refused(tmp_path: Path) -> None:
    rolled = begun(tmp_path, exchange="BINANCE")
    now = LIVE_FROM + DAY_MS * 5 + 1
    for bad in (rolled.feed("a.csv", 0, 6), rolled.feed("b.csv", 27_400, 1)):
        with pytest.raises(BadInput, match=r"timestamp in row \d is \d+; allowed: rows that clo"):
            _fed(rolled, bad, now)
    assert rolled.kept().live().empty
    _fed(rolled, rolled.feed("c.csv", 0, 5), now)
    # How long a single row is, those before it say.
    with pytest.raises(BadInput, match=f"row 1 is .* now, {now}; these are 86400000 ms"):
        _fed(rolled, rolled.feed("d.csv", 5, 1), now)
    _fed(rolled, rolled.feed("e.csv", 5, 1), LIVE_FROM + DAY_MS * 6)
    assert rolled.state()["seen_rows"] == 6


def test_the_machines_clock_is_asked_where_no_time_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ARES_HOME", str(tmp_path / "home"))
    rolled = begun(tmp_path, exchange="BINANCE")
    _refused(rolled, capsys, rolled.feed("far.csv", 27_400, 1), "closed by now")
    assert rolled.call("--feed", rolled.feed("a.csv", 0, 8)) == 0


def test_simulated_time_may_run_ahead(rolled: Rolled) -> None:
    assert rolled.call("--feed", rolled.feed("far.csv", 27_400, 8)) == 0


FLAGS = ["False", "true", "0", "1.0", "no"]


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_no_words_for_a_fallback(
    rolled: Rolled, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = rolled.feed("a.csv", 0, 3, degraded=["", flag, ""])
    _refused(rolled, capsys, path, "degraded in row 2 is", "words for a fallback")


def test_no_fallback_may_be_said_in_many_ways(rolled: Rolled) -> None:
    path = rolled.feed("a.csv", 0, 4)
    frame = pd.read_csv(path).assign(degraded=["None", None, "nan", " "])
    frame.to_parquet(path.with_suffix(".parquet"))
    assert rolled.call("--feed", path.with_suffix(".parquet")) == 0
    assert list(rolled.kept().live()["degraded"]) == [""] * 4


def test_the_same_log_as_csv_and_as_parquet_is_the_same(rolled: Rolled) -> None:
    path = rolled.feed("a.csv", 0, 200)
    assert rolled.call("--feed", path) == 0
    stored = rolled.kept().live()
    exact = pd.read_csv(path, float_precision="round_trip")
    assert (stored["challenger_return"] == exact["challenger_return"]).all()
    exact.to_parquet(path.with_suffix(".parquet"))
    assert rolled.call("--feed", path.with_suffix(".parquet")) == 0
    assert rolled.state()["seen_rows"] == 200


def _parquet(rolled: Rolled, **columns: Any) -> Path:
    frame = pd.read_csv(rolled.feed("p.csv", 0, 2)).assign(**columns)
    frame.to_parquet(rolled.folder / "p.parquet")
    return rolled.folder / "p.parquet"


PARQUETS: list[tuple[dict[str, Any], str]] = [
    ({"degraded": [False, True]}, "degraded in row 1 is False"),
    ({"trades": [[1], [2]]}, "trades in row 1 is [1]"),
    ({"trades": pd.array([1, None], dtype="Int64")}, "trades in row 2 is nan"),
    ({"timestamp": pd.to_datetime([LIVE_FROM, LIVE_FROM + 1], unit="ms")}, "holds dates"),
    ({"timestamp": [LIVE_FROM, LIVE_FROM + 2**60]}, "timestamp in row 2"),
    ({"model": ["a", "a"]}, "model in row 1 is a"),
]


@pytest.mark.parametrize(("columns", "words"), PARQUETS)
def test_wrong_types_in_parquet_are_told(
    rolled: Rolled, columns: dict[str, Any], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _refused(rolled, capsys, _parquet(rolled, **columns), words)


def test_a_few_letters_of_a_version_do_not_name_it(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    short = [rolled.new.sha256[:3]] * 2
    _refused(rolled, capsys, rolled.feed("a.csv", 0, 2, model=short), "8 or more first letters")


def test_columns_that_occur_twice_and_rows_that_are_shifted_are_refused(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ["timestamp", "challenger_return", "champion_return", "trades", "trades"]
    arrays = [pa.array([LIVE_FROM]), *(pa.array([0.0]) for _ in range(2)), pa.array([1])]
    twice = rolled.folder / "twice.parquet"
    pq.write_table(pa.Table.from_arrays([*arrays, pa.array([2])], names=names), twice)
    _refused(rolled, capsys, twice, "column 'trades' twice")
    shifted = rolled.folder / "shifted.csv"
    shifted.write_text(f"timestamp,challenger_return,trades\n{LIVE_FROM},0.1,1,7\n")
    _refused(rolled, capsys, shifted, "more cells than its header")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_feed_of_too_many_rows_or_bytes_is_refused(
    rolled: Rolled,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = rolled.feed("a.csv", 0, 8)
    if kind == "parquet":
        path = path.with_suffix(".parquet")
        pd.read_csv(path.with_suffix(".csv")).to_parquet(path)
    monkeypatch.setattr(live_feed_file, "MAXIMUM_ROWS", 7)
    _refused(rolled, capsys, path, "more than 7 rows")
    monkeypatch.setattr(live_feed_file, "MAXIMUM_ROWS", 8)
    monkeypatch.setattr(live_feed_file, "MAXIMUM_BYTES", 100)
    _refused(rolled, capsys, path, "allowed: at most 100")
    monkeypatch.setattr(live_feed_file, "MAXIMUM_BYTES", 10_000)
    assert rolled.call("--feed", path) == 0


def test_a_small_parquet_file_of_much_is_refused_before_it_is_unpacked(
    rolled: Rolled, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, rows = rolled.folder / "bomb.parquet", 200_000
    frame = pd.DataFrame({"timestamp": np.zeros(rows), "challenger_return": np.arange(rows) * 0.0})
    frame.assign(trades=np.arange(rows) // 1000).to_parquet(
        path, compression="zstd", use_dictionary=False
    )
    monkeypatch.setattr(live_feed_file, "MAXIMUM_BYTES", 1_000_000)
    assert path.stat().st_size < 200_000
    _refused(rolled, capsys, path, "unpacked", "at most 1000000")


def test_what_cannot_be_opened_is_bad_input(
    rolled: Rolled, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for suffix in ("csv", "parquet"):
        folder = rolled.folder / f"folder.{suffix}"
        folder.mkdir()
        _refused(rolled, capsys, folder, "is not a file")
        path = rolled.folder / f"loop.{suffix}"
        path.symlink_to(path)
        _refused(rolled, capsys, path, "is not a file")

    # The superuser may read all: the system's answer to anybody else.
    path, is_file = rolled.feed("a.csv", 0, 8), Path.is_file

    def denied(self: Path) -> bool:
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return is_file(self)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "is_file", denied)
        capsys.readouterr()
        assert rolled.call("--feed", path) == 2
        assert "Permission denied" in capsys.readouterr().err
    gone = rolled.folder / "gone.parquet"
    with monkeypatch.context() as patched:
        patched.setattr(live_feed_file, "_check_size", lambda path, size: path.unlink())
        pd.read_csv(path).to_parquet(gone)
        _refused(rolled, capsys, gone, "gone.parquet cannot be read")


def test_days_without_results_are_told(rolled: Rolled, capsys: pytest.CaptureFixture[str]) -> None:
    assert rolled.call("--feed", rolled.feed("a.csv", 0, 3)) == 0
    assert "days without results" not in capsys.readouterr().out
    assert rolled.call("--feed", rolled.feed("b.csv", 7, 3)) == 0
    assert "4 days without results" in capsys.readouterr().out
    assert rolled.state()["plan"]["stage"] == 0


def test_two_feeds_out_of_turn_lose_nothing_unsaid(
    rolled: Rolled, capsys: pytest.CaptureFixture[str]
) -> None:
    assert rolled.call("--feed", rolled.feed("late.csv", 8, 8)) == 0
    _refused(rolled, capsys, rolled.feed("early.csv", 0, 8), "earlier than the last that stand")
