"""Reading files of bars: each format means the same bars, each fault one clear line."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xxhash
from fakes.fake_binance import klines_of, made_up_bars
from helpers.market_files import read_bars_file

from ares_resources.errors import BadInput, DataConflict
from ares_resources.exchanges.files.ingest import ingest
from ares_resources.exchanges.files.reader import MarketFile
from ares_resources.storage.catalogue import Catalogue, Series
from ares_resources.streaming import StreamingDataProcessor
from ares_resources.symbols import SymbolKey

START = 1_672_531_200_000  # 2023-01-01
BARS = made_up_bars(START, 120)
PLAIN = BARS.drop(columns="taker_buy_share")
KEY = SymbolKey.parse("ETHUSDT.BINANCE")
MINUTES = Series(KEY, "bars", "1m")
HEADER = "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
HEADER += "taker_buy_volume,taker_buy_quote_volume,ignore\n"


def _dump(factor: int = 1, header: str = "") -> bytes:
    rows = [[row[0] * factor, *row[1:]] for row in klines_of(BARS, "1m")]
    return (header + "".join(",".join(map(str, row)) + "\n" for row in rows)).encode()


def _moments() -> pd.Series:
    return pd.to_datetime(PLAIN["timestamp"], unit="ms", utc=True)


def _csv(frame: pd.DataFrame, **options) -> bytes:
    return frame.to_csv(index=False, **options).encode()


def _zipped(*members: tuple[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return sink.getvalue()


def _bytes_of(write: Callable[[io.BytesIO], object]) -> bytes:
    sink = io.BytesIO()
    write(sink)
    return sink.getvalue()


def _crypto_data_download() -> bytes:
    frame = PLAIN.iloc[::-1]
    unix = [t if n % 3 else t // 1000 for n, t in enumerate(frame["timestamp"])]
    table = pd.DataFrame({"unix": unix, "date": "whatever", "symbol": "ETH/USDT"})
    for name in ("open", "high", "low", "close"):
        table[name] = frame[name].to_numpy()
    table["Volume USDT"], table["Volume ETH"] = 1.0, frame["volume"].to_numpy()
    return b"https://www.CryptoDataDownload.com\n" + _csv(table)


def _dates(spelling: str) -> bytes:
    moments = _moments().dt.strftime(spelling)
    return _csv(PLAIN.drop(columns="timestamp").assign(Date=moments))


def _freqtrade() -> bytes:
    return json.dumps(PLAIN.to_numpy().tolist()).replace(".0,", ",", 1).encode()


def _frame_file(**times) -> pd.DataFrame:
    return PLAIN.drop(columns="timestamp").assign(**times)


WITH_TAKER = {
    "dump": _dump(),
    "dump in microseconds": _dump(1000),
    "dump with header": _dump(header=HEADER),
    "dump with mark and CRLF": b"\xef\xbb\xbf" + _dump(header=HEADER).replace(b"\n", b"\r\n"),
    "zip": _zipped(("x.csv", _dump())),
    "gz": gzip.compress(_dump()),
    "REST rows": json.dumps(klines_of(BARS, "1m")).encode(),
    "own columns": _csv(BARS),
    "own Parquet": _bytes_of(lambda sink: BARS.to_parquet(sink)),
}
WITHOUT_TAKER = {
    "CSV": _csv(PLAIN),
    "CSV in capitals, semicolons": _csv(PLAIN.rename(columns=str.upper), sep=";"),
    "CSV in seconds": _csv(PLAIN.assign(timestamp=PLAIN["timestamp"] // 1000)),
    "CSV in nanoseconds": _csv(PLAIN.assign(timestamp=PLAIN["timestamp"] * 10**6)),
    "CSV in float seconds": _csv(PLAIN.assign(timestamp=PLAIN["timestamp"] / 1000)),
    "ISO dates": _dates("%Y-%m-%dT%H:%M:%SZ"),
    "naive dates": _dates("%Y-%m-%d %H:%M:%S"),
    "dates with an offset": _dates("%Y-%m-%d %H:%M:%S+00:00"),
    "CryptoDataDownload": _crypto_data_download(),
    "freqtrade JSON": json.dumps(
        [[int(row[0]), *row[1:]] for row in PLAIN.to_numpy().tolist()]
    ).encode(),
    "freqtrade JSON.gz": gzip.compress(_freqtrade()),
    "feather": _bytes_of(lambda sink: _frame_file(date=_moments()).to_feather(sink)),
    "Parquet": _bytes_of(lambda sink: _frame_file(ts=_moments()).to_parquet(sink)),
    "Parquet, indexed": _bytes_of(
        lambda sink: _frame_file().set_index(pd.DatetimeIndex(_moments())).to_parquet(sink)
    ),
}


@pytest.mark.parametrize("name", sorted(WITH_TAKER))
def test_formats_with_taker_volume(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bars.bin"  # the name says nothing; the content does
    path.write_bytes(WITH_TAKER[name])
    file = read_bars_file(path)
    assert file.timeframe == "1m"
    pd.testing.assert_frame_equal(file.frame[PLAIN.columns], PLAIN)
    np.testing.assert_allclose(file.frame["taker_buy_share"], BARS["taker_buy_share"], rtol=1e-14)


@pytest.mark.parametrize("name", sorted(WITHOUT_TAKER))
def test_formats_without_taker_volume(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bars.bin"
    path.write_bytes(WITHOUT_TAKER[name])
    file = read_bars_file(path)
    frame = file.frame.sort_values("timestamp", ignore_index=True)
    pd.testing.assert_frame_equal(frame[PLAIN.columns], PLAIN)
    assert frame["taker_buy_share"].isna().all()


def test_assumptions_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(_crypto_data_download())
    notes = " ".join(read_bars_file(path).notes)
    assert "s in 40 rows, ms in 80 rows" in notes
    assert "volume_eth" in notes
    path.write_bytes(_dates("%Y-%m-%d %H:%M:%S"))
    assert "taken as UTC" in " ".join(read_bars_file(path).notes)


def test_half_day_hours(tmp_path: Path) -> None:
    """CryptoDataDownload's second spelling, mixed with the first."""
    stamps = pd.to_datetime(START + np.arange(48) * 3_600_000, unit="ms")
    dates = [t.strftime("%Y-%m-%d %I-%p" if n < 30 else "%Y-%m-%d %H:%M:%S")
             for n, t in enumerate(stamps)]  # fmt: skip
    path = tmp_path / "x.csv"
    path.write_bytes(_csv(PLAIN.iloc[:48].drop(columns="timestamp").assign(date=dates)))
    file = read_bars_file(path)
    assert file.timeframe == "1h"
    assert file.frame["timestamp"].tolist() == (START + np.arange(48) * 3_600_000).tolist()


def test_zero_volume_has_no_taker_share(tmp_path: Path) -> None:
    rows = klines_of(BARS, "1m")
    rows[5][5], rows[5][9] = "0.0", "0.0"
    path = tmp_path / "x"
    path.write_bytes(json.dumps(rows).encode())
    share = read_bars_file(path).frame["taker_buy_share"]
    assert share.isna().tolist() == [n == 5 for n in range(120)]


def test_bars_stamped_by_their_close_are_moved_back(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(_csv(PLAIN.assign(timestamp=PLAIN["timestamp"] + 60_000)))
    file = read_bars_file(path, stamped_at="close")
    pd.testing.assert_frame_equal(file.frame[PLAIN.columns], PLAIN)
    assert "moved back by one bar" in " ".join(file.notes)
    with pytest.raises(BadInput, match=r"stamped_at 'middle'.*open, close"):
        read_bars_file(path, stamped_at="middle")


def _cell(row: int, column: str, value: object) -> bytes:
    frame = PLAIN.astype(object)
    frame.loc[row - 1, column] = value
    return _csv(frame)


FAULTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n", "is empty"),
    "no rows": (b"timestamp,open,high,low,close,volume\n", "no rows|Empty CSV"),
    "binary": (b"\x7fELF\x00\x01\x02" * 30, "no known format.*allowed: CSV"),
    "utf-16": ("timestamp,open".encode("utf-16"), "no known format"),
    "prose": (b"Dear reader,\nthese are my bars.\n", "these are not bars"),
    "funding": (
        b'"Time","Funding Rate"\n"2025-03-13 08:00:00","0.1%"\n',
        "holds funding, and .* 1m bars",
    ),
    "headerless, 6": (b"1,2,3,4,5,6\n" * 3, "6 columns without a header; allowed.*12"),
    "text price": (_cell(7, "close", "abc"), "row 7: close = 'abc'; allowed: numbers"),
    "nan price": (_cell(7, "close", ""), "row 7: close = nan; allowed: finite prices"),
    "infinite": (_cell(7, "high", "inf"), "row 7: high = inf; allowed: finite prices"),
    "negative": (_cell(9, "low", -3.5), "row 9: low = -3.5; allowed: finite prices above 0"),
    "zero": (_cell(9, "open", 0), "row 9: open = 0.0; allowed: finite prices above 0"),
    "high too low": (_cell(3, "high", 0.5), "row 3: high = 0.5; allowed: at least"),
    "low too high": (_cell(3, "low", 2950), "row 3: (low|high) = .*; allowed: at (most|least)"),
    "negative volume": (_cell(3, "volume", -1), "row 3: volume = -1.0; allowed"),
    "no volume": (_cell(3, "volume", ""), "row 3: volume = nan; allowed"),
    "off the grid": (_cell(4, "timestamp", START + 180_007), "row 4: timestamp = .*60000 ms"),
    "1970": (_cell(4, "timestamp", 180_000), "row 4: timestamp = .*from 2009-01-01"),
    "far future": (_cell(4, "timestamp", 9_999_999_960_000), "row 4: timestamp = .*2009"),
    "bad date": (_dates("%Y-%m-%d %H:%M:%S").replace(b"00:05:00", b"00:61:00"), "row 6: time ="),
    "missing time": (_cell(4, "timestamp", ""), "row 4: time = "),
    "ragged": (_csv(PLAIN) + b"1,2\n", "broken csv.*Expected 6 columns, got 2"),
    "steps of 7 s": (
        _csv(PLAIN.assign(timestamp=START + np.arange(120) * 7000)),
        "mostly 7000 ms apart.*allowed: 1s",
    ),
    "one bar": (_csv(PLAIN.iloc[:1]), "one bar only.*--timeframe"),
    "JSON object": (b'{"a": 1}', "JSON object"),
    "broken JSON": (b"[[1, 2, 3", "broken JSON"),
    "deep JSON": (b"[" * 100_000, "broken JSON|allowed: arrays"),
    "ragged JSON": (b"[[1,2,3,4,5,6],[1,2,3]]", "row 2 holds.*arrays of 6"),
    "JSON texts": (b'[[1672531200000,"a",1,1,1,1],[1672531260000,1,1,1,1,1]]', "row 1: open"),
    "torn Parquet": (WITHOUT_TAKER["Parquet"][:-20], "broken parquet"),
    "torn feather": (WITHOUT_TAKER["feather"][:-20], "broken feather"),
    "torn gz": (gzip.compress(_dump())[:-30], "broken gzip"),
    "torn zip": (_zipped(("x.csv", _dump()))[:-40], "broken or encrypted zip"),
    "two in a zip": (_zipped(("a.csv", _dump()), ("b.csv", b"")), "holds 2 files.*allowed: one"),
    "test network": (
        _csv(PLAIN.assign(high=PLAIN["high"].where(PLAIN.index % 20 != 9, 9e4))),
        "row 10: .*one of 6 bars among 120 that leap.*test networks",
    ),
}


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_each_fault_is_one_line_and_writes_nothing(tmp_path: Path, name: str) -> None:
    data, expected = FAULTS[name]
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_bytes(_csv(PLAIN))
    bad.write_bytes(data)
    catalogue = Catalogue(tmp_path / "catalogue")
    with pytest.raises(BadInput, match=expected) as caught:
        ingest(catalogue, [good, bad], KEY)
    message = str(caught.value)
    assert message.startswith(str(bad))
    assert message.count(str(bad)) == 1
    assert "\n" not in message
    assert len(message) < 700
    assert not catalogue.root.exists()


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a folder"):
        read_bars_file(tmp_path)
    with pytest.raises(BadInput, match=r"nope\.csv cannot be read: No such file"):
        read_bars_file(tmp_path / "nope.csv")


def test_a_parquet_bomb_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ares_resources import csv_blocks
    from ares_resources.exchanges.files import containers, tables

    path = tmp_path / "x"
    for name in ("Parquet", "feather"):
        path.write_bytes(WITHOUT_TAKER[name])
        with monkeypatch.context() as patched:
            patched.setattr(tables, "MAXIMUM_ROWS", 119)
            with pytest.raises(BadInput, match="120 rows; allowed: at most 119"):
                read_bars_file(path)
    monkeypatch.setattr(containers, "MAXIMUM_WHOLE_BYTES", 10_000)
    monkeypatch.setattr(csv_blocks, "LONGEST_LINE", 10_000)
    for content, refusal in (
        (b"[" + b"1" * 10_001, "unpacks to more than 10000"),
        (HEADER.encode() + b"1" * 10_001, "a line of more than 10000 bytes"),
    ):
        for data in (gzip.compress(content), _zipped(("x", content))):
            path.write_bytes(data)
            with pytest.raises(BadInput, match=refusal):
                read_bars_file(path)


def test_the_present_bounds_the_times(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(_csv(PLAIN))
    with pytest.raises(BadInput, match="row 1: timestamp"):
        read_bars_file(path, now_ms=START - 86_400_001)
    assert len(read_bars_file(path, now_ms=START).frame) == 120


def test_the_timeframe_can_be_said_but_not_wrongly(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(_csv(PLAIN.iloc[:1]))
    assert read_bars_file(path, timeframe="1m").timeframe == "1m"
    path.write_bytes(_csv(PLAIN))
    with pytest.raises(BadInput, match="5m was asked for; the file holds 1m"):
        read_bars_file(path, timeframe="5m")


def test_ingest_reports_what_became_of_each_file(tmp_path: Path) -> None:
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_bytes(_csv(PLAIN.iloc[:50]))
    two.write_bytes(_csv(PLAIN.iloc[40:].drop(index=70)))
    catalogue, heard = Catalogue(tmp_path / "c"), []
    report = ingest(catalogue, [one, two], KEY, progress=lambda *said: heard.append(said))
    assert [(file.added, file.repeated) for file in report.files] == [(50, 0), (69, 10)]
    assert (report.added, report.gaps, report.missing_bars) == (119, 1, 1)
    assert "1 gaps (1 bars)" in report.lines()[-1]
    sizes = [path.stat().st_size for path in (one, two)]
    assert heard == [("reading 1.csv", *sizes[:1] * 2), ("reading 2.csv", *sizes[1:] * 2)]
    assert ingest(catalogue, [one], KEY).added == 0


def test_files_that_contradict_each_other_leave_nothing(tmp_path: Path) -> None:
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_bytes(_csv(PLAIN))
    two.write_bytes(_csv(PLAIN.assign(volume=PLAIN["volume"] + 1).iloc[:3]))
    catalogue = Catalogue(tmp_path / "c")
    with pytest.raises(DataConflict, match="3 conflicting duplicate timestamps"):
        ingest(catalogue, [one, two], KEY)
    assert catalogue.coverage(MINUTES) is None
    report = ingest(catalogue, [one, two], KEY, on_conflict="keep_first")
    assert report.files[1].conflicting == 3
    held = catalogue.read(MINUTES, 0, 2**60)
    pd.testing.assert_frame_equal(held[PLAIN.columns], PLAIN)


def test_mixed_timeframes_and_no_files_are_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_bytes(_csv(PLAIN))
    two.write_bytes(_csv(PLAIN.iloc[::5]))
    with pytest.raises(BadInput, match=r"holds 5m bars, and .* 1m bars; allowed: one"):
        ingest(Catalogue(tmp_path / "c"), [one, two], KEY)
    with pytest.raises(BadInput, match="no files"):
        ingest(Catalogue(tmp_path / "c"), [], KEY)


def test_a_dump_is_held_against_the_checksum_beside_it(tmp_path: Path) -> None:
    dump = tmp_path / "x.zip"
    dump.write_bytes(_zipped(("x.csv", _dump())))
    beside = tmp_path / "x.zip.CHECKSUM"
    digest = hashlib.sha256(dump.read_bytes()).hexdigest()
    beside.write_text(f"{digest}  x.zip\n")
    catalogue = Catalogue(tmp_path / "c")
    report = ingest(catalogue, [dump, beside], KEY)  # as a glob gives them
    assert "SHA-256 matches its .CHECKSUM" in report.files[0].notes
    beside.write_text(f"{digest[::-1]}  x.zip\n")
    with pytest.raises(BadInput, match=r"does not match its checksum.*download it again"):
        ingest(Catalogue(tmp_path / "d"), [dump], KEY)
    beside.write_text("nothing")
    with pytest.raises(BadInput, match="holds no SHA-256"):
        ingest(Catalogue(tmp_path / "d"), [dump], KEY)
    assert not (tmp_path / "d").exists()


def test_the_ledger_names_a_file_by_its_content(tmp_path: Path) -> None:
    plain, packed = tmp_path / "x.csv", tmp_path / "x.csv.gz"
    plain.write_bytes(_dump())
    packed.write_bytes(gzip.compress(_dump()))
    catalogue = Catalogue(tmp_path / "c")
    ingest(catalogue, [plain, packed], KEY)
    contents = catalogue.sources(MINUTES)["content"].tolist()
    assert contents == [xxhash.xxh3_128(path.read_bytes()).hexdigest() for path in (plain, packed)]


def test_rows_are_numbered_through_all_blocks(tmp_path: Path) -> None:
    path, small = tmp_path / "x.csv", StreamingDataProcessor(block_bytes=1024, threads=2)
    path.write_bytes(_cell(97, "close", "abc"))
    with pytest.raises(BadInput, match="row 97: close = 'abc'"):
        list(MarketFile(path, processor=small).blocks())
    path.write_bytes(_cell(98, "low", -1))
    with pytest.raises(BadInput, match=r"row 98: low = -1\.0"):
        list(MarketFile(path, processor=small).blocks())
    path.write_bytes(_csv(PLAIN))
    blocks = list(MarketFile(path, processor=small).blocks())
    assert len(blocks) > 5
    assert sum(len(block["timestamp"]) for block in blocks) == 120


@pytest.mark.parametrize("blank", ["\n" * 70, "\r\n" * 40, " " * 64 + "\n"])
def test_blank_lines_after_the_header_lose_no_row(tmp_path: Path, blank: str) -> None:
    head, rest = _csv(PLAIN).decode().split("\n", 1)
    path = tmp_path / "x.csv"
    path.write_text(f"{head}\n{blank}{rest}", newline="")
    if " " in blank:
        with pytest.raises(BadInput, match="Expected 6 columns, got 1"):
            read_bars_file(path)
    else:
        assert len(read_bars_file(path).frame) == 120


@pytest.mark.parametrize("column", ["Date", "close"])
def test_quotes_that_begin_late_are_quotes(tmp_path: Path, column: str) -> None:
    lines = _dates("%Y-%m-%d %H:%M:%S").decode().splitlines()
    place = lines[0].split(",").index(column)
    for row in range(90, len(lines)):
        cells = lines[row].split(",")
        cells[place] = f'"{cells[place]}"'
        lines[row] = ",".join(cells)
    path, small = tmp_path / "x.csv", StreamingDataProcessor(block_bytes=1024, threads=2)
    path.write_text("\n".join(lines))
    blocks = list(MarketFile(path, processor=small).blocks())
    assert np.concatenate([b["timestamp"] for b in blocks]).tolist() == BARS["timestamp"].tolist()
    assert np.concatenate([b["close"] for b in blocks]).tolist() == BARS["close"].tolist()


_PROGRAM = """
import resource, sys
from pathlib import Path
from ares_resources.exchanges.files.ingest import ingest
from ares_resources.storage.catalogue import Catalogue
from ares_resources.symbols import SymbolKey
folder, key = Path(sys.argv[1]), SymbolKey("ETHUSDT", "BINANCE")
peaks = []
for name in ("small", "large"):
    ingest(Catalogue(folder / name), [folder / f"{name}.csv"], key)
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print((peaks[1] - peaks[0]) // 1024)
assert "pandas" not in sys.modules
"""


def test_a_file_ten_times_the_memory_limit_comes_in(tmp_path: Path) -> None:
    """What a file needs beyond a tenth of it is less than a tenth of its size."""
    rows = 600_000
    stamps = START + 60_000 * np.arange(rows)
    line = ",1800.04000000,1801.15000000,1799.99000000,1800.00000000,46.04070000,0,"
    line += "82873.26000000,71,20.21040000,36378.72000000,0\n"
    for name, count in (("small", rows // 10), ("large", rows)):
        (tmp_path / f"{name}.csv").write_text(
            "".join(f"{stamp}{line}" for stamp in stamps[:count].tolist())
        )
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True
    )
    limit_mib = (tmp_path / "large.csv").stat().st_size / 10 / 2**20
    assert limit_mib > 5
    assert int(done.stdout) < limit_mib


def test_two_timeframes_in_one_file_are_refused_and_sparse_bars_are_not(tmp_path: Path) -> None:
    path, hours = tmp_path / "x.csv", made_up_bars(START + 3 * 3_600_000, 60, "1h")
    path.write_bytes(_csv(pd.concat([PLAIN, hours[PLAIN.columns]])))
    with pytest.raises(BadInput, match=r"row 121: from here on .* bars are 3600000 ms apart"):
        read_bars_file(path)
    sparse = PLAIN.sample(40, random_state=5).sort_values("timestamp")
    path.write_bytes(_csv(sparse))
    assert len(read_bars_file(path, timeframe="1m").frame) == 40


def test_volumes_that_are_not_in_coins_are_refused_until_said(tmp_path: Path) -> None:
    path, catalogue = tmp_path / "x.csv", Catalogue(tmp_path / "c")
    path.write_bytes(_csv(PLAIN.rename(columns={"volume": "Volume USDT"})))
    with pytest.raises(BadInput, match=r"volume_usdt, which is in the quote currency.*quote"):
        read_bars_file(path)
    converted = read_bars_file(path, volume_unit="quote").frame["volume"]
    prices = PLAIN[["open", "high", "low", "close"]].mean(axis=1)
    np.testing.assert_allclose(converted, PLAIN["volume"] / prices)
    path.write_bytes(_dump())
    with pytest.raises(BadInput, match="inverse contracts counts contracts"):
        ingest(catalogue, [path], SymbolKey.parse("BTC/USD:BTC.BINANCE"))
    assert ingest(catalogue, [path], SymbolKey.parse("BTC/USDT:USDT.BINANCE")).added == 120


def test_a_crash_can_be_insisted_on(tmp_path: Path) -> None:
    path, (data, _) = tmp_path / "x.csv", FAULTS["test network"]
    path.write_bytes(data)
    with pytest.raises(BadInput, match="--allow-jumps"):
        read_bars_file(path)
    assert len(read_bars_file(path, allow_jumps=True).frame) == 120


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="is a pipe or device"):
        read_bars_file(tmp_path / "pipe")


def test_a_short_row_is_named_by_its_place_in_the_file(tmp_path: Path) -> None:
    path, small = tmp_path / "x.csv", StreamingDataProcessor(block_bytes=1024)
    lines = _csv(PLAIN).decode().splitlines()
    path.write_text("\n".join([*lines[:101], "1,2", *lines[101:]]))
    with pytest.raises(BadInput, match="row 101: Expected 6 columns, got 2"):
        list(MarketFile(path, processor=small).blocks())
