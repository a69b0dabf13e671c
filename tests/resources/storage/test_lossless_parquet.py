"""Exact Parquet: bit for bit, small, readable by others, and the same bytes twice."""

from __future__ import annotations

import io
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fakes.fake_binance import made_up_bars
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ares_resources.storage.atomic import read_parquet, write_parquet
from ares_resources.storage.lossless_parquet import from_ticks, to_ticks, write_rows, write_table
from ares_resources.storage.parquet_reading import read_rows, read_table

FLOATS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.decimals(-(10**9), 10**9, places=4).map(float),
    st.integers(-(2**60), 2**60).map(float),
    st.sampled_from([0.0, -0.0, 0.1, 1e-8, 5e-324, 1e308, 2.0**53, 2.0**53 + 2]),
)


@settings(max_examples=300, deadline=None)
@given(values=st.lists(FLOATS, min_size=1, max_size=40))
@example(values=[-0.0])
@example(values=[0.1, 0.2, 0.1 + 0.2])
def test_every_double_comes_back_bit_for_bit(values: list[float]) -> None:
    column = np.array(values)
    rows = {"timestamp": np.arange(len(values)), "x": column}
    back = read_rows(write_rows(rows))
    assert back["x"].dtype == np.float64
    same = back["x"].view(np.int64) == column.view(np.int64)
    assert (same | (np.isnan(back["x"]) & np.isnan(column))).all()
    np.testing.assert_array_equal(back["timestamp"], rows["timestamp"])


@settings(max_examples=300, deadline=None)
@given(values=st.lists(FLOATS, min_size=1, max_size=20))
def test_ticks_are_exact_or_refused(values: list[float]) -> None:
    column = np.array(values)
    found = to_ticks(column)
    if found is None:
        return
    ticks, places = found
    assert from_ticks(ticks, places).tobytes() == column.tobytes()
    for value, tick in zip(values, ticks.tolist(), strict=True):
        assert float(Decimal(tick).scaleb(-places)) == value
    assert places == 0 or (ticks % 10 != 0).any()  # the least number of places


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.0, 0.1 + 0.2, 1 / 3])
def test_one_value_that_is_no_decimal_keeps_the_column_as_it_is(bad: float) -> None:
    column = np.round(np.random.default_rng(1).uniform(1, 9, 5000), 2)
    assert to_ticks(column) is not None
    column[3777] = bad  # not among the values that are tried first
    assert to_ticks(column) is None
    back = read_rows(write_rows({"timestamp": np.arange(5000), "x": column}))["x"]
    np.testing.assert_array_equal(back, column)


def test_prices_rest_as_whole_ticks_in_little_room() -> None:
    bars = made_up_bars(1_700_000_040_000, 5000)
    data = write_rows({name: bars[name].to_numpy() for name in bars})
    field = pq.read_schema(pa.BufferReader(data)).field("close")
    assert (field.type, field.metadata[b"ares.decimal_places"]) == (pa.int32(), b"2")
    plain = pq.read_table(pa.BufferReader(data))
    np.testing.assert_array_equal(plain["close"].to_numpy() / 100, bars["close"])
    sink = io.BytesIO()
    bars.to_parquet(sink)
    assert len(data) * 2 < len(sink.getvalue())
    assert data == write_rows({name: bars[name].to_numpy() for name in bars})


def test_frames_of_any_kind_keep_their_types(tmp_path) -> None:
    frame = pd.DataFrame(
        {
            "timestamp": np.arange(4) * 10**12,
            "price": [1.25, 2.5, 3.75, 4.0],
            "share": [0.1, np.nan, 1 / 3, 0.4],
            "small": np.array([1, 2, 3, 4], dtype="int32"),
            "half": np.array([0.5, 1.5, 2.5, 3.5], dtype="float32"),
            "regime": ["bull", "bear", None, "bull"],
            "flag": [True, False, True, False],
            "moment": pd.date_range("2024-01-01", periods=4, tz="UTC"),
            "none": [None] * 4,
        }
    )
    for part in (frame, frame.iloc[:0]):
        write_parquet(tmp_path / "x.parquet", part)
        pd.testing.assert_frame_equal(
            read_parquet(tmp_path / "x.parquet"), part.reset_index(drop=True), check_exact=True
        )


def test_files_from_before_columns_were_stored_bare_are_read() -> None:
    """The catalogue of a user keeps its months: nullable, delta-packed 64-bit ticks."""
    ticks = np.array([101, 102, 2**40 + 1])
    fields = [
        pa.field("timestamp", pa.int64()),
        pa.field("close", pa.int64(), metadata={"ares.decimal_places": "2"}),
        pa.field("share", pa.float64()),
    ]
    columns = [pa.array([1, 2, 3]), pa.array(ticks), pa.array([0.1, np.nan, None])]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(columns, schema=pa.schema(fields)), sink)
    rows = read_rows(sink.getvalue().to_pybytes())
    np.testing.assert_array_equal(rows["timestamp"], [1, 2, 3])
    np.testing.assert_array_equal(rows["close"], ticks / 100)
    np.testing.assert_array_equal(rows["share"], [0.1, np.nan, np.nan])


def test_tables_keep_their_schema() -> None:
    fields = [
        pa.field("a", pa.float64(), True, {"unit": "price"}),
        pa.field("b", pa.float64(), False),
        pa.field("c.d", pa.int64()),
        pa.field("e", pa.float64()),
    ]
    columns = [[0.25, 0.5], [0.1, 1 / 3], [1, 2], [1.0, None]]
    table = pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, fields, strict=True)],
        schema=pa.schema(fields, metadata={"made": "here"}),
    )
    for part in (table, table.drop_columns(["c.d"]), table.select(["e"]), table.slice(0, 0)):
        sink = pa.BufferOutputStream()
        write_table(part, sink)
        back = read_table(pa.BufferReader(sink.getvalue()))
        assert back.equals(part)
        nullable = [field.nullable for field in back.schema]
        assert nullable == [field.nullable for field in part.schema]
        assert back.schema.metadata[b"made"] == b"here"


def test_large_frames_are_read_by_two_threads_into_arrays_of_their_own(tmp_path) -> None:
    rng = np.random.default_rng(4)
    rows = 300_000
    frame = pd.DataFrame(
        {
            "timestamp": np.arange(rows) * 60_000,
            "open": np.round(rng.uniform(1, 9, rows), 2),
            "word": ["up", "down"] * (rows // 2),
            "close": rng.normal(size=rows),
            "holes": np.where(rng.random(rows) < 0.1, np.nan, 1.5),
            "row": np.arange(rows),
        }
    )
    for part in (frame, frame[["open", "close"]]):
        write_parquet(tmp_path / "x.parquet", part)
        back = read_parquet(tmp_path / "x.parquet")
        pd.testing.assert_frame_equal(back, part, check_exact=True)
        assert all(back[name].to_numpy().flags.writeable for name in ("open", "close"))
    assert np.shares_memory(back.to_numpy(), back["open"].to_numpy())


def test_a_flipped_bit_in_a_page_is_found() -> None:
    rng = np.random.default_rng(2)
    data = bytearray(write_rows({"timestamp": np.arange(3000), "x": rng.normal(size=3000)}))
    data[len(data) // 2] ^= 4
    with pytest.raises(OSError, match=r"(?i)crc|checksum"):
        read_table(pa.BufferReader(bytes(data)))
