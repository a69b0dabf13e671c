"""CSV goes through in constant memory, every row once, and bad rows are named."""

from __future__ import annotations

import gzip
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from ares_resources.errors import BadInput
from ares_resources.storage.atomic import read_parquet
from ares_resources.streaming import StreamingDataProcessor

SMALL = StreamingDataProcessor(block_bytes=2048)


def bars(rows: int) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "timestamp": np.arange(rows) * 60_000,
            "close": np.round(random.uniform(1, 2, rows), 6),
            "volume": random.integers(0, 9, rows),
        }
    )


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "bars.csv"
    bars(5000).to_csv(path, index=False)
    return path


def test_chunks_are_the_rows_in_order(csv):
    chunks = list(SMALL.chunks(csv))
    assert len(chunks) > 20
    pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), bars(5000))


def test_threads_do_not_change_the_rows(csv):
    threaded = StreamingDataProcessor(block_bytes=2048, threads=2)
    pd.testing.assert_frame_equal(pd.concat(threaded.chunks(csv)), pd.concat(SMALL.chunks(csv)))


def test_conversion_keeps_every_row_and_is_the_same_bytes_twice(csv, tmp_path):
    report = SMALL.convert(csv, tmp_path / "a.parquet")
    assert (report.rows_read, report.rows_written) == (5000, 5000)
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "a.parquet"), bars(5000))
    SMALL.convert(csv, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_transform_sees_every_chunk(csv, tmp_path):
    def some(frame: pd.DataFrame) -> pd.DataFrame:
        kept = frame[frame["volume"] > 4]
        return kept.assign(value=kept["close"] * kept["volume"])

    report = SMALL.convert(csv, tmp_path / "a.parquet", some)
    expected = some(bars(5000)).reset_index(drop=True)
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "a.parquet"), expected)
    assert report.rows_written == len(expected) < report.rows_read == 5000


def test_process_folds_over_the_chunks(csv):
    total = []
    report = SMALL.process(csv, lambda frame: total.append(int(frame["volume"].sum())))
    assert sum(total) == bars(5000)["volume"].sum()
    assert report.chunks == len(total)


def test_gzip_and_files_without_header(tmp_path):
    path = tmp_path / "bars.csv.gz"
    with gzip.open(path, "wt") as file:
        bars(300).to_csv(file, index=False, header=False)
    named = StreamingDataProcessor(block_bytes=2048, column_names=["timestamp", "close", "volume"])
    pd.testing.assert_frame_equal(pd.concat(named.chunks(path), ignore_index=True), bars(300))


def test_a_column_that_only_looked_whole_is_read_again(tmp_path):
    frame = bars(3000).astype({"volume": float})
    frame.loc[2999, "volume"] = 0.5
    text = frame.astype({"volume": object}).copy()
    text["volume"] = [f"{value:g}" for value in frame["volume"]]
    path = tmp_path / "bars.csv"
    text.to_csv(path, index=False)
    report = SMALL.convert(path, tmp_path / "a.parquet")
    assert report.widened == ("volume",)
    assert report.rows_read == 3000
    pd.testing.assert_frame_equal(read_parquet(tmp_path / "a.parquet"), frame)
    with pytest.raises(BadInput, match="'volume'"):
        list(SMALL.chunks(path))


def test_declared_types_hold(tmp_path):
    path = tmp_path / "bars.csv"
    bars(100).to_csv(path, index=False)
    typed = StreamingDataProcessor(column_types={"volume": "float64"})
    assert pd.concat(typed.chunks(path))["volume"].dtype == np.float64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        ("timestamp,close\n", "has no rows"),
        ("timestamp,close\n" + "1,2.0\n" * 900 + "2\n", "Expected 2 columns, got 1"),
        ("timestamp,close\n" + "1,2.0\n" * 900 + "2,abc\n", "'abc'"),
        ("timestamp,close\n" + "1,2.0\n" * 900 + "1.5,2.0\n", r"'1\.5'"),
    ],
)
def test_bad_files_are_named_and_nothing_is_published(tmp_path, text, message):
    path, target = tmp_path / "bad.csv", tmp_path / "out" / "a.parquet"
    path.write_text(text)
    with pytest.raises(BadInput, match=message) as caught:
        SMALL.convert(path, target)
    assert "bad.csv" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(target.parent.iterdir()) == []


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"none\.csv does not exist"):
        list(SMALL.chunks(tmp_path / "none.csv"))


def test_columns_must_not_change_on_the_way(csv, tmp_path):
    def drifting(frame: pd.DataFrame) -> pd.DataFrame:
        return frame if frame["timestamp"].iloc[0] == 0 else frame[["close"]]

    with pytest.raises(BadInput, match="columns change on the way"):
        SMALL.convert(csv, tmp_path / "a.parquet", drifting)


def test_bad_options_are_named():
    with pytest.raises(BadInput, match="block_bytes 10"):
        StreamingDataProcessor(block_bytes=10)


_PROGRAM = """
import resource, sys
from pathlib import Path
from ares_resources.streaming import StreamingDataProcessor
import pandas, pyarrow.csv, pyarrow.parquet
folder = Path(sys.argv[1])
streaming = StreamingDataProcessor(block_bytes=1 << 20)
streaming.convert(folder / "small.csv", folder / "small.parquet")
small = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
streaming.convert(folder / "large.csv", folder / "large.parquet")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - small) // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    chunk = bars(100_000).to_csv(index=False, header=False)
    for name, repeats in (("small", 20), ("large", 80)):
        with (tmp_path / f"{name}.csv").open("w") as file:
            file.write("timestamp,close,volume\n")
            for _ in range(repeats):
                file.write(chunk)
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True
    )
    grown_mib, file_mib = int(done.stdout), (tmp_path / "large.csv").stat().st_size >> 20
    assert file_mib > 120
    assert grown_mib < 30
