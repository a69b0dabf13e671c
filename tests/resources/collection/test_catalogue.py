"""The catalogue: months, conflicts, ledgers, and what a kill or a flipped bit does to it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes.fake_binance import made_up_bars

from ares_resources.errors import BadInput, CorruptArtifact, DataConflict
from ares_resources.storage import catalogue as catalogue_module
from ares_resources.storage import staging
from ares_resources.storage.catalogue import AppendReport, Catalogue, Coverage, Series
from ares_resources.symbols import SymbolKey

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NEW_YEAR = 1_672_531_200_000  # 2023-01-01
ALWAYS = (0, 2**60)
KEY = SymbolKey.parse("ETHUSDT.BINANCE")
HOURS = Series(KEY, "bars", "1h")


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "catalogue")


@pytest.fixture
def bars() -> pd.DataFrame:
    """Sixty days of hours around a turn of the year: three months."""
    return made_up_bars(NEW_YEAR - 30 * DAY, 24 * 60, "1h")


def test_reads_back_what_was_appended(catalogue: Catalogue, bars: pd.DataFrame) -> None:
    report = catalogue.append(HOURS, bars, source="file.csv")
    assert report == AppendReport(1440, 0, 0)
    pd.testing.assert_frame_equal(catalogue.read(HOURS, *ALWAYS), bars)
    months = sorted(path.name[:7] for path in catalogue.root.rglob("*.parquet"))
    assert months == ["2022-12", "2023-01"]
    last = int(bars["timestamp"].iloc[-1])
    assert catalogue.coverage(HOURS) == Coverage(int(bars["timestamp"].iloc[0]), last, 1440)


def test_reads_half_open_windows_across_months(catalogue: Catalogue, bars: pd.DataFrame) -> None:
    catalogue.append(HOURS, bars, source="x")
    start, end = NEW_YEAR - 5 * HOUR, NEW_YEAR + 3 * HOUR
    window = catalogue.read(HOURS, start, end)
    assert window["timestamp"].tolist() == list(range(start, end, HOUR))
    assert isinstance(window.index, pd.RangeIndex)


def test_the_past_does_not_depend_on_the_future(catalogue: Catalogue, bars: pd.DataFrame) -> None:
    catalogue.append(HOURS, bars.iloc[:700], source="x")
    cut = int(bars["timestamp"].iloc[600])
    before, fingerprint = catalogue.read(HOURS, 0, cut), catalogue.fingerprint(HOURS, 0, cut)
    catalogue.append(HOURS, bars.iloc[700:], source="x")
    pd.testing.assert_frame_equal(catalogue.read(HOURS, 0, cut), before)
    assert catalogue.fingerprint(HOURS, 0, cut) == fingerprint


def test_nothing_there_gives_an_empty_typed_frame(catalogue: Catalogue) -> None:
    frame = catalogue.read(HOURS, *ALWAYS)
    assert frame.empty
    assert frame.dtypes.astype(str).tolist() == ["int64"] + ["float64"] * 6
    assert catalogue.coverage(HOURS) is None
    assert catalogue.symbols() == []
    assert not catalogue.root.exists()  # reading leaves no trace


def test_conflicts_are_refused_with_count_time_and_both_values(
    catalogue: Catalogue, bars: pd.DataFrame
) -> None:
    catalogue.append(HOURS, bars, source="x")
    wrong = bars.iloc[10:15].copy()
    wrong.loc[wrong.index[2:], "volume"] += 1
    before = catalogue.fingerprint(HOURS, *ALWAYS)
    with pytest.raises(DataConflict) as caught:
        catalogue.append(HOURS, wrong, source="other.csv")
    message = str(caught.value)
    assert "3 conflicting duplicate timestamps (of 5 duplicates)" in message
    assert "2022-12-02T12:00:00Z" in message
    assert f"volume {bars['volume'].iloc[12]:.10g}" in message
    assert f"volume {bars['volume'].iloc[12] + 1:.10g}" in message
    assert message.index("x says (") < message.index("other.csv says (")
    assert "\n" not in message
    assert catalogue.fingerprint(HOURS, *ALWAYS) == before
    assert catalogue.sources(HOURS)["source"].tolist() == ["x"]


@pytest.mark.parametrize(("policy", "kept"), [("keep_first", 0.0), ("keep_last", 1.0)])
def test_conflicts_can_be_resolved(
    catalogue: Catalogue, bars: pd.DataFrame, policy: str, kept: float
) -> None:
    catalogue.append(HOURS, bars, source="x")
    wrong = bars.iloc[10:15].assign(volume=bars["volume"] + 1)
    report = catalogue.append(HOURS, wrong, source="y", on_conflict=policy)
    assert report == AppendReport(0, 0, 5)
    volume = catalogue.read(HOURS, *ALWAYS)["volume"]
    np.testing.assert_array_equal(volume[10:15], bars["volume"][10:15] + kept)
    np.testing.assert_array_equal(volume[15:], bars["volume"][15:])


def test_an_unknown_taker_share_is_completed_and_is_no_conflict(
    catalogue: Catalogue, bars: pd.DataFrame
) -> None:
    plain = bars.drop(columns="taker_buy_share")
    catalogue.append(HOURS, plain, source="without")
    assert catalogue.read(HOURS, *ALWAYS)["taker_buy_share"].isna().all()
    assert catalogue.append(HOURS, bars, source="with") == AppendReport(0, len(bars), 0)
    assert catalogue.append(HOURS, plain, source="without") == AppendReport(0, len(bars), 0)
    pd.testing.assert_frame_equal(catalogue.read(HOURS, *ALWAYS), bars)


def test_a_row_that_wins_a_dispute_takes_nothing_from_the_loser(
    catalogue: Catalogue, bars: pd.DataFrame
) -> None:
    catalogue.append(HOURS, bars, source="x")
    other = bars.iloc[:1].assign(volume=7.0, taker_buy_share=np.nan)
    catalogue.append(HOURS, other, source="y", on_conflict="keep_last")
    first = catalogue.read(HOURS, *ALWAYS).iloc[0]
    assert first["volume"] == 7.0
    assert np.isnan(first["taker_buy_share"])


def test_parts_are_published_together_or_not_at_all(
    catalogue: Catalogue, bars: pd.DataFrame
) -> None:
    wrong = bars.iloc[100:101].assign(volume=1e6)
    with pytest.raises(DataConflict, match="from 2 sources"):
        catalogue.append_parts(HOURS, [("good", bars), ("bad", wrong)])
    assert catalogue.coverage(HOURS) is None


@pytest.mark.parametrize(
    ("column", "value", "allowed"),
    [
        ("close", np.nan, "finite prices"),
        ("open", -1.0, "finite prices"),
        ("high", 1.0, "at least open, close and low"),
        ("low", 1e9, "at least open, close and low|at most open"),
        ("volume", np.inf, "at least 0"),
        ("taker_buy_share", 1.5, "share from 0 to 1"),
        ("timestamp", NEW_YEAR + 1, "multiples of 3600000"),
        ("timestamp", 36 * HOUR, "from 2009-01-01"),
        ("timestamp", 4_102_444_800_000, "from 2009-01-01"),
    ],
)
def test_rows_that_cannot_be_true_are_refused(
    catalogue: Catalogue, bars: pd.DataFrame, column: str, value: float, allowed: str
) -> None:
    bad = bars.copy()
    bad.loc[41, column] = value
    with pytest.raises(BadInput, match=f"row 42: .*({allowed})"):
        catalogue.append(HOURS, bad, source="x")
    assert catalogue.coverage(HOURS) is None


def test_gap_ledger(catalogue: Catalogue, bars: pd.DataFrame) -> None:
    stamps = bars["timestamp"]
    inside = stamps.between(NEW_YEAR - 5 * HOUR, NEW_YEAR + 2 * HOUR)  # over the month's end
    catalogue.append(HOURS, bars[~inside & (stamps != stamps[10])], source="x")
    gaps = catalogue.gaps(HOURS, *ALWAYS)
    assert gaps.values.tolist() == [
        [stamps[10], stamps[11], 1],
        [NEW_YEAR - 5 * HOUR, NEW_YEAR + 3 * HOUR, 8],
    ]
    clipped = catalogue.gaps(HOURS, NEW_YEAR - HOUR, NEW_YEAR + HOUR)
    assert clipped.values.tolist() == [[NEW_YEAR - HOUR, NEW_YEAR + HOUR, 2]]
    assert len(catalogue.read(HOURS, *ALWAYS)) == 1440 - 9  # never filled


def test_missing_spans_leave_out_what_was_answered(
    catalogue: Catalogue, bars: pd.DataFrame
) -> None:
    stamps = bars["timestamp"]
    catalogue.append(HOURS, bars[(stamps != stamps[10]) & (stamps != stamps[20])], source="x")
    start, end = int(stamps[0]) - 3 * HOUR, int(stamps.iloc[-1]) + 4 * HOUR
    spans = [
        (start, int(stamps[0])),
        (int(stamps[10]), int(stamps[11])),
        (int(stamps[20]), int(stamps[21])),
        (int(stamps.iloc[-1]) + HOUR, end),
    ]
    assert catalogue.missing(HOURS, start, end) == spans
    catalogue.mark_answered(HOURS, *spans[1])
    assert catalogue.missing(HOURS, start, end) == [spans[0], *spans[2:]]
    assert len(catalogue.gaps(HOURS, *ALWAYS)) == 2


def test_source_ledger_joins_the_pages_of_one_source(
    catalogue: Catalogue, bars: pd.DataFrame
) -> None:
    catalogue.append(HOURS, bars.iloc[:100], source="a.csv")
    for first in range(50, 350, 100):
        catalogue.append(HOURS, bars.iloc[first : first + 100], source="BINANCE")
    ledger = catalogue.sources(HOURS)
    stamps = bars["timestamp"]
    assert ledger.iloc[:, :6].values.tolist() == [
        ["a.csv", 100, 0, 0, stamps[0], stamps[99]],
        ["BINANCE", 250, 50, 0, stamps[50], stamps[349]],
    ]
    assert ledger["spans"].tolist() == [
        ((stamps[0], stamps[100]),),
        ((stamps[100], stamps[350]),),
    ]
    assert (ledger["began"] <= ledger["ended"]).all()
    assert pd.to_datetime(ledger["ended"]).is_monotonic_increasing


def test_source_ledger_says_which_bars_stand_as_who_gave_them(
    catalogue: Catalogue, bars: pd.DataFrame
) -> None:
    stamps = bars["timestamp"]
    catalogue.append(HOURS, bars.iloc[:100], source="a.csv")
    catalogue.append(
        HOURS, bars.iloc[40:42].assign(volume=1.0), source="b", on_conflict="keep_last"
    )
    catalogue.append(
        HOURS, bars.iloc[10:20].assign(volume=1.0), source="c", on_conflict="keep_first"
    )
    ledger = catalogue.sources(HOURS).set_index("source")["spans"]
    assert ledger["a.csv"] == ((stamps[0], stamps[40]), (stamps[42], stamps[100]))
    assert ledger["b"] == ((stamps[40], stamps[42]),)
    assert ledger["c"] == ()


def test_the_ledger_of_settlements_credits_each_to_its_giver(catalogue: Catalogue) -> None:
    series, stamps = Series(KEY, "funding"), NEW_YEAR + np.arange(90) * 8 * HOUR
    funding = pd.DataFrame({"timestamp": stamps, "funding_rate": np.arange(90) * 1e-6})
    catalogue.append(series, funding, source="A")
    ends = funding.iloc[[0, -1]].assign(funding_rate=0.5)
    catalogue.append(series, ends, source="B", on_conflict="keep_last")
    one, other = catalogue.ledger(series)
    assert other.spans == ((stamps[0], stamps[0] + 1), (stamps[-1], stamps[-1] + 1))
    assert one.spans == ((stamps[0] + 1, stamps[-1]),)


def test_a_settlement_stamped_some_milliseconds_apart_is_the_same(catalogue: Catalogue) -> None:
    series, stamps = Series(KEY, "funding"), NEW_YEAR + np.arange(90) * 8 * HOUR
    funding = pd.DataFrame({"timestamp": stamps + 5, "funding_rate": np.arange(90) * 1e-6})
    catalogue.append(series, funding, source="exchange")
    rounded = funding.assign(timestamp=stamps)
    assert catalogue.append(series, rounded, source="file") == AppendReport(0, 90, 0)
    pd.testing.assert_frame_equal(catalogue.read(series, *ALWAYS), funding)
    with pytest.raises(DataConflict, match="90 conflicting"):
        catalogue.append(series, rounded.assign(funding_rate=0.5), source="other")


def test_a_manifest_of_the_first_format_is_still_read(
    catalogue: Catalogue, bars: pd.DataFrame
) -> None:
    catalogue.append(HOURS, bars.iloc[:100], source="a.csv")
    path = next(catalogue.root.rglob("manifest.json"))
    record = json.loads(path.read_text())
    del record["sha256"]
    record["format"] = 1
    for source in record["sources"]:
        for later in ("spans", "content", "began", "ended"):
            del source[later]
    text = json.dumps(record, sort_keys=True)
    record["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    path.write_text(json.dumps(record))
    assert catalogue.sources(HOURS)["added"].tolist() == [100]
    assert catalogue.append(HOURS, bars, source="b") == AppendReport(1340, 100, 0)
    assert catalogue.sources(HOURS)["source"].tolist() == ["a.csv", "b"]


def test_a_long_source_is_merged_in_pieces(
    catalogue: Catalogue, bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the order of rows and wherever the pieces end, the series is the same."""
    monkeypatch.setattr(staging, "HELD_ROWS", 100)
    for name, rows in (
        ("ascending", bars),
        ("descending", bars.iloc[::-1]),
        ("shuffled", bars.sample(frac=1, random_state=3)),
    ):
        series = Series(SymbolKey("ETHUSDT", name.upper()), "bars", "1h")
        with catalogue.staging(series, ["x"]) as writer:
            for first in range(0, len(rows), 37):
                writer.add(0, rows.iloc[first : first + 37])
        assert writer.reports == [AppendReport(1440, 0, 0)]
        pd.testing.assert_frame_equal(catalogue.read(series, *ALWAYS), bars)
        files = list((catalogue.root / series.symbol.folder).rglob("*.parquet"))
        assert len(files) == 2  # none is left of the pieces


def test_conflicts_are_counted_over_all_pieces(
    catalogue: Catalogue, bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "HELD_ROWS", 100)
    again = pd.concat([bars, bars.iloc[5:900].assign(volume=1.0)])
    with pytest.raises(DataConflict, match="895 conflicting duplicate timestamps"):
        catalogue.append(HOURS, again, source="x")
    assert list(catalogue.root.rglob("*.parquet")) == []
    assert catalogue.coverage(HOURS) is None


def test_a_timestamp_disputed_in_several_pieces_counts_once(
    catalogue: Catalogue, bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "HELD_ROWS", 100)
    copies = [bars.iloc[:300].assign(volume=float(n)) for n in range(1, 6)]
    for rows in (pd.concat(copies), pd.concat(copies).sample(frac=1, random_state=2)):
        with pytest.raises(DataConflict, match=r"300 conflicting .* \(of 300 duplicates\)"):
            catalogue.append(HOURS, rows, source="x")


def test_bars_of_seconds_rest_by_day(catalogue: Catalogue) -> None:
    seconds = made_up_bars(NEW_YEAR + DAY - 90_000, 180, "1s")
    series = Series(KEY, "bars", "1s")
    catalogue.append(series, seconds, source="x")
    days = sorted(path.name[:10] for path in catalogue.root.rglob("*.parquet"))
    assert days == ["2023-01-01", "2023-01-02"]
    pd.testing.assert_frame_equal(catalogue.read(series, *ALWAYS), seconds)


def test_fingerprint_is_of_the_rows_not_of_their_way(tmp_path: Path, bars: pd.DataFrame) -> None:
    one, other = Catalogue(tmp_path / "1"), Catalogue(tmp_path / "2")
    one.append(HOURS, bars, source="x")
    for part in (bars.iloc[900:], bars.iloc[:1000].iloc[::-1]):
        other.append(HOURS, part, source="y")
    assert one.fingerprint(HOURS, *ALWAYS) == other.fingerprint(HOURS, *ALWAYS)
    changed = bars.copy()
    changed.loc[1000, "close"] = np.nextafter(changed.loc[1000, "close"], np.inf)
    changed.loc[1000, "high"] += 1e-9
    another = Catalogue(tmp_path / "3")
    another.append(HOURS, changed, source="x")
    assert one.fingerprint(HOURS, *ALWAYS) != another.fingerprint(HOURS, *ALWAYS)
    early = (0, int(bars["timestamp"][1000]))
    assert one.fingerprint(HOURS, *early) == another.fingerprint(HOURS, *early)


def test_symbols_and_series_are_spelled_reversibly(
    catalogue: Catalogue, bars: pd.DataFrame
) -> None:
    keys = [SymbolKey.parse(text) for text in ("BTC/USDT:USDT.BYBIT", "BTC/USDT.BYBIT")]
    for key in keys:
        catalogue.append(Series(key, "bars", "1h"), bars, source="x")
    catalogue.append(
        Series(keys[0], "funding", "8h"),
        pd.DataFrame({"timestamp": [NEW_YEAR], "funding_rate": [1e-4]}),
        source="x",
    )
    assert catalogue.symbols() == sorted(keys)
    assert catalogue.series(keys[0]) == [Series(keys[0], "bars", "1h"), Series(keys[0], "funding")]
    assert {path.parent for path in catalogue.root.iterdir()} == {catalogue.root}


def test_stale_marks(catalogue: Catalogue, bars: pd.DataFrame) -> None:
    catalogue.append(HOURS, bars, source="x")
    assert catalogue.stale(HOURS) is None
    catalogue.mark_stale(HOURS, "the exchange is out of reach")
    assert Catalogue(catalogue.root).stale(HOURS) == "the exchange is out of reach"
    catalogue.clear_stale(HOURS)
    assert catalogue.stale(HOURS) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda: Series(KEY, "trades", "1m"),
        lambda: Series(KEY, "bars", "7m"),
        lambda: Series(KEY, "bars", "../x"),
        lambda: Series(KEY, "open_interest"),
    ],
)
def test_unknown_series_are_refused(make) -> None:
    with pytest.raises(BadInput, match="allowed"):
        make()


def test_an_unknown_policy_is_refused(catalogue: Catalogue, bars: pd.DataFrame) -> None:
    with pytest.raises(BadInput, match=r"on_conflict 'merge'.*keep_first"):
        catalogue.append(HOURS, bars, source="x", on_conflict="merge")


def test_a_flipped_bit_is_found_and_named(catalogue: Catalogue, bars: pd.DataFrame) -> None:
    catalogue.append(HOURS, bars, source="x")
    path = sorted(catalogue.root.rglob("*.parquet"))[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(CorruptArtifact, match=path.name):
        catalogue.read(HOURS, *ALWAYS)
    with pytest.raises(CorruptArtifact, match=path.name):
        catalogue.append(HOURS, bars, source="x")
    assert len(catalogue.read(HOURS, NEW_YEAR, 2**60)) > 0  # the other month is sound


def test_a_missing_month_and_a_changed_manifest_are_found(
    catalogue: Catalogue, bars: pd.DataFrame
) -> None:
    catalogue.append(HOURS, bars, source="x")
    month = sorted(catalogue.root.rglob("*.parquet"))[0]
    data = month.read_bytes()
    month.unlink()
    with pytest.raises(CorruptArtifact, match=month.name):
        catalogue.read(HOURS, *ALWAYS)
    month.write_bytes(data)
    manifest = next(catalogue.root.rglob("manifest.json"))
    manifest.write_text(manifest.read_text().replace('"rows": ', '"rows": 1'))
    with pytest.raises(CorruptArtifact, match=r"manifest\.json"):
        catalogue.read(HOURS, *ALWAYS)


class _Killed(BaseException):
    """Stands for the end of the process: nothing may catch it."""


@pytest.mark.parametrize("survives", range(3))
def test_a_kill_between_writes_leaves_the_old_series(
    catalogue: Catalogue, bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, survives: int
) -> None:
    catalogue.append(HOURS, bars.iloc[:1000], source="x")
    old = catalogue.read(HOURS, *ALWAYS)
    writes = []

    def dying(real):
        def write(*args):
            if len(writes) == survives:
                raise _Killed
            writes.append(args)
            return real(*args)

        return write

    with monkeypatch.context() as patched:
        patched.setattr(staging, "write_month", dying(staging.write_month))
        patched.setattr(
            catalogue_module, "publish_manifest", dying(catalogue_module.publish_manifest)
        )
        later = bars.assign(timestamp=bars["timestamp"] + 1000 * HOUR)  # touches two months
        with pytest.raises(_Killed):
            catalogue.append(HOURS, later.iloc[:800], source="y")
    pd.testing.assert_frame_equal(catalogue.read(HOURS, *ALWAYS), old)
    assert catalogue.append(HOURS, bars, source="y") == AppendReport(440, 1000, 0)
    pd.testing.assert_frame_equal(catalogue.read(HOURS, *ALWAYS), bars)
    assert len(list(catalogue.root.rglob("*.parquet"))) == 2  # nothing left of the killed one


def test_a_reader_survives_a_writer_that_replaces_its_files(
    catalogue: Catalogue, bars: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue.append(HOURS, bars.iloc[:1000], source="x")
    real, calls = catalogue_module.read_month, []

    def read_while_written(folder, month):
        calls.append(month)
        if len(calls) == 1:
            monkeypatch.setattr(catalogue_module, "read_month", real)
            Catalogue(catalogue.root).append(HOURS, bars, source="y")
            monkeypatch.setattr(catalogue_module, "read_month", read_while_written)
        return real(folder, month)

    monkeypatch.setattr(catalogue_module, "read_month", read_while_written)
    pd.testing.assert_frame_equal(catalogue.read(HOURS, *ALWAYS), bars)


_APPENDER = """
import sys
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from fakes.fake_binance import made_up_bars
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.symbols import SymbolKey
bars = made_up_bars(1669939200000, 20000)
series = Series(SymbolKey.parse("ETHUSDT.BINANCE"), "bars", "1m")
for first in range(0, 20000, 200):
    Catalogue(Path(sys.argv[1])).append(series, bars.iloc[first:first + 200], source="x")
    print(first + 200, flush=True)
"""


@pytest.mark.slow
def test_kill_9_leaves_whole_appends(tmp_path: Path) -> None:
    """Twelve processes die while they append: every confirmed append is there, none is torn."""
    bars = made_up_bars(1_669_939_200_000, 20_000)
    series = Series(KEY, "bars", "1m")
    here = Path(__file__).resolve()
    paths = [str(here.parents[3]), str(here.parents[2])]
    generator = np.random.default_rng(5)
    for number in range(12):
        root = tmp_path / str(number)
        command = [sys.executable, "-c", _APPENDER, str(root), *paths]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            confirmed = int(process.stdout.readline())
            time.sleep(generator.uniform(0.01, 0.4))
            os.kill(process.pid, signal.SIGKILL)
            confirmed = max([confirmed, *map(int, process.stdout.read().split())])
        held = Catalogue(root).read(series, *ALWAYS)
        assert len(held) % 200 == 0
        assert len(held) >= confirmed
        pd.testing.assert_frame_equal(held, bars.iloc[: len(held)])
        Catalogue(root).append(series, bars, source="y")
        pd.testing.assert_frame_equal(Catalogue(root).read(series, *ALWAYS), bars)
