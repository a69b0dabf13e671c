"""Frames shrink only within the tolerance, never in their times; CSV copies stay true."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_resources.errors import BadInput, CorruptArtifact
from ares_resources.storage.data_manager import MemoryEfficientDataManager

MANAGER = MemoryEfficientDataManager()


def dtype_after(values, **options) -> np.dtype:
    frame, _ = MANAGER.optimize_dataframe(pd.DataFrame({"x": values}), **options)
    return frame["x"].dtype


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5))
def test_whole_numbers_are_exact_in_the_smallest_type(values):
    frame, _ = MANAGER.optimize_dataframe(pd.DataFrame({"x": np.array(values, np.int64)}))
    assert frame["x"].astype(object).tolist() == values
    sizes = [
        k
        for k in (np.int8, np.int16, np.int32, np.int64)
        if np.iinfo(k).min <= min(values) and max(values) <= np.iinfo(k).max
    ]
    assert frame["x"].dtype == sizes[0]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=6),
    st.sampled_from([0.0, 1e-9, 1e-7, 1e-3]),
)
def test_numbers_keep_their_relative_precision(values, tolerance):
    before = pd.DataFrame({"x": np.array(values)})
    after, report = MANAGER.optimize_dataframe(before, tolerance=tolerance)
    old, new = before["x"].to_numpy(), after["x"].to_numpy().astype(float)
    special = ~np.isfinite(old) | (old == 0)
    np.testing.assert_array_equal(old[special], new[special])
    with np.errstate(over="ignore"):
        error = np.abs(new[~special] - old[~special]) / np.abs(old[~special])
    assert (error <= tolerance).all()
    for change in report.changes:
        assert change.relative_error <= tolerance


def test_types_by_range_and_tolerance():
    assert dtype_after([1.5, np.nan, np.inf]) == np.float32
    assert dtype_after([0.1, 0.2]) == np.float32
    assert dtype_after([0.1, 0.2], tolerance=0.0) == np.float64
    assert dtype_after([0.5, 0.25], tolerance=0.0) == np.float32
    assert dtype_after([1e300, 1.0]) == np.float64
    assert dtype_after([1e-300, 1.0]) == np.float64
    assert dtype_after([1, 127]) == np.int8
    assert dtype_after([1, 128]) == np.int16
    assert dtype_after(np.array([1, 255], np.uint64)) == np.uint8
    assert dtype_after([2**40]) == np.int64


def test_times_and_what_is_not_a_number_stay():
    frame = pd.DataFrame(
        {
            "timestamp": np.array([1, 2]),
            "close_timestamp": np.array([1, 2]),
            "settled_ms": np.array([1, 2]),
            "when": pd.to_datetime([0, 1], unit="ms"),
            "zoned": pd.to_datetime([0, 1], unit="ms", utc=True),
            "span": pd.to_timedelta([1, 2]),
            "flag": [True, False],
            "text": ["a", "b"],
            "kind": pd.Categorical(["a", "b"]),
            "maybe": pd.array([1, None], dtype="Int64"),
        }
    )
    smaller, report = MANAGER.optimize_dataframe(frame)
    pd.testing.assert_frame_equal(smaller, frame)
    assert report.changes == ()


def test_the_report_counts_bytes_and_the_frame_given_is_untouched():
    frame = pd.DataFrame({"a": np.arange(100), "b": np.linspace(0, 1, 100)}, index=range(5, 105))
    before = frame.copy()
    smaller, report = MANAGER.optimize_dataframe(frame)
    pd.testing.assert_frame_equal(frame, before)
    assert (report.bytes_before, report.bytes_after) == (1600, 500)
    assert report.saved_share == pytest.approx(1 - 5 / 16)
    assert [(c.column, c.before, c.after) for c in report.changes] == [
        ("a", "int64", "int8"),
        ("b", "float64", "float32"),
    ]
    assert smaller.index.equals(frame.index)


def test_odd_frames():
    twice = pd.DataFrame([[1, 2.5], [3, 4.5]], columns=["x", "x"])
    smaller, _ = MANAGER.optimize_dataframe(twice)
    assert list(smaller.columns) == ["x", "x"]
    assert [str(kind) for kind in smaller.dtypes] == ["int8", "float32"]
    for empty in (pd.DataFrame(), pd.DataFrame({"a": np.array([], float)})):
        pd.testing.assert_frame_equal(MANAGER.optimize_dataframe(empty)[0], empty)
    with pytest.raises(BadInput, match="tolerance 1"):
        MANAGER.optimize_dataframe(twice, tolerance=1.0)


def test_a_csv_is_converted_once_and_its_copy_used(tmp_path):
    path = tmp_path / "bars.csv"
    frame = pd.DataFrame({"timestamp": np.arange(50), "close": np.linspace(1, 2, 50)})
    frame.to_csv(path, index=False)
    manager = MemoryEfficientDataManager(tmp_path / "copies")
    first, made = manager.load_or_convert(path)
    second, used = manager.load_or_convert(path)
    assert (made.source, used.source) == ("converted", "copy")
    pd.testing.assert_frame_equal(first, frame)
    pd.testing.assert_frame_equal(second, frame)


def test_a_changed_file_is_read_anew_whatever_its_time_says(tmp_path):
    path = tmp_path / "bars.csv"
    manager = MemoryEfficientDataManager(tmp_path / "copies")
    path.write_text("timestamp,close\n1,2.5\n")
    manager.load_or_convert(path)
    stamp = path.stat()
    path.write_text("timestamp,close\n1,3.5\n")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    frame, report = manager.load_or_convert(path)
    assert frame["close"].tolist() == [3.5]
    assert report.source == "converted"


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_copy_is_made_again(tmp_path, damage):
    path = tmp_path / "bars.csv"
    frame = pd.DataFrame({"timestamp": np.arange(500), "close": np.linspace(1, 2, 500)})
    frame.to_csv(path, index=False)
    manager = MemoryEfficientDataManager(tmp_path / "copies")
    _, report = manager.load_or_convert(path)
    data = bytearray(report.path.read_bytes())
    if damage == "truncated":
        data = data[: len(data) // 2]
    else:
        data[200] ^= 4
    report.path.write_bytes(data)
    again, repaired = manager.load_or_convert(path)
    assert repaired.source == "repaired"
    pd.testing.assert_frame_equal(again, frame)
    assert manager.load_or_convert(path)[1].source == "copy"


def odd_frame(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(rows)
    close = np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows))
    words = rng.choice(["bull", "bear"], rows)
    return pd.DataFrame({"timestamp": np.arange(rows), "close": close, "regime": words})


def test_a_hot_frame_is_mapped_and_follows_its_file(tmp_path):
    manager, path = MemoryEfficientDataManager(tmp_path / "copies"), tmp_path / "x.parquet"
    for rows in (400, 500):
        manager.write_frame(path, odd_frame(rows))
        first, second = manager.read_hot(path), manager.read_hot(path)
        for frame in (first, second):
            pd.testing.assert_frame_equal(frame, odd_frame(rows), check_exact=True)
            assert not frame["close"].to_numpy().flags.writeable
    assert len(list((tmp_path / "copies" / "hot").glob("*.arrow"))) == 2
    path.unlink()
    with pytest.raises(CorruptArtifact, match="cannot be read"):
        manager.read_hot(path)
    with pytest.raises(BadInput, match="needs a folder"):
        MANAGER.read_hot(path)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "checksum", "nothing"])
def test_a_damaged_hot_copy_is_made_again(tmp_path, damage):
    manager, path = MemoryEfficientDataManager(tmp_path / "copies"), tmp_path / "x.parquet"
    manager.write_frame(path, odd_frame())
    manager.read_hot(path)
    (copy,) = (tmp_path / "copies" / "hot").glob("*.arrow")
    sound = copy.read_bytes()
    if damage == "truncated":
        copy.write_bytes(sound[: len(sound) // 2])
    elif damage == "flipped":
        copy.write_bytes(sound[:900] + bytes([sound[900] ^ 4]) + sound[901:])
    elif damage == "checksum":
        copy.with_suffix(".xxh3").unlink()
        os.utime(copy)  # to this process it is another file
    pd.testing.assert_frame_equal(manager.read_hot(path), odd_frame(), check_exact=True)
    assert copy.read_bytes() == sound
    assert copy.with_suffix(".xxh3").is_file()


def test_hot_copies_are_bounded_and_the_newest_stays(tmp_path):
    manager = MemoryEfficientDataManager(tmp_path / "copies", hot_bytes=1)
    for rows in (100, 200):
        manager.write_frame(tmp_path / f"{rows}.parquet", odd_frame(rows))
        assert len(manager.read_hot(tmp_path / f"{rows}.parquet")) == rows
        assert len(list((tmp_path / "copies" / "hot").glob("*.arrow"))) == 1


def test_bad_calls_are_named(tmp_path):
    with pytest.raises(BadInput, match="needs a folder"):
        MANAGER.load_or_convert(tmp_path / "x.csv")
    with pytest.raises(BadInput, match=r"x\.csv does not exist"):
        MemoryEfficientDataManager(tmp_path).load_or_convert(tmp_path / "x.csv")
    with pytest.raises(BadInput, match="tolerance -1"):
        MemoryEfficientDataManager(tolerance=-1)
