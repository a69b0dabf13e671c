"""Equal values get equal keys everywhere; different values never collide."""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import os
import pathlib
import subprocess
import sys
from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_resources.errors import BadInput
from ares_resources.hashing import (
    arrays_fingerprint,
    cache_key,
    frame_fingerprint,
    make_hashable,
)
from ares_resources.settings import Settings


class Side(enum.IntEnum):
    LONG = 1
    SHORT = -1


class Other(enum.IntEnum):
    LONG = 1


@dataclass(frozen=True)
class Point:
    x: float
    y: float


@dataclass(frozen=True)
class Pair:
    x: float
    y: float


Named = namedtuple("Named", "x y")

DISTINCT = [
    None, True, False, 1, 0, -1, 2**70, 10**5000, 1.0, 0.0, -1.0, math.nan, math.inf, -math.inf,
    1j, "1", "", "True", "None", "nan", b"1", b"", [], (), {}, set(), [1], (1,), {1}, {1: 1},
    [[]], [()], ([],), [1, 2], [2, 1], [[1], 2], [[1, 2]], {1: 2}, {2: 1}, {"a": {"b": 1}},
    {"a": {"b": 2}}, {"a": [1, 2]}, {"a": (1, 2)}, {"ab": 1}, {"a": "b1"}, ["a", "b"], ["ab"],
    ["a,b"], Side.LONG, Side.SHORT, Other.LONG, Point(1.0, 2.0), Point(2.0, 1.0), Pair(1.0, 2.0),
    Named(1.0, 2.0), (1.0, 2.0), pathlib.Path("a/b"), "a/b", pathlib.PureWindowsPath("a/b"),
    np.array([1, 2]), np.array([1.0, 2.0]), np.array([1, 2], np.int32), np.array([[1, 2]]),
    np.array([[1], [2]]), np.array([1.0, np.nan]), np.array([]), np.array(["a", "b"]),
    np.array(["a", "b"], object), np.array([None, "b"], object), np.array([True, False]),
    np.array(1), np.datetime64("2024-01-01"), np.datetime64("2024-01-01", "ns"),
    np.timedelta64(1, "s"), pd.NaT, pd.NA, pd.Timestamp("2024-01-01"),
    pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-01-01 01:00", tz="Europe/Berlin"),
    datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC),
    datetime.date(2024, 1, 1), datetime.time(1, 2), datetime.timedelta(seconds=1),
    decimal.Decimal("1.5"), decimal.Decimal("NaN"), range(3), range(4), pd.Series([1, 2]),
    pd.Series([1.0, 2.0]), pd.Series([1, 2], name="a"), pd.Series([1, 2], index=[1, 2]),
    pd.Series([1, None], dtype="Int64"), pd.Series([1, 2], dtype="Int64"),
    pd.Series(["a", "b"], dtype="category"), pd.Series(["b", "a"], dtype="category"),
    pd.Series(pd.to_datetime(["2024-01-01"], utc=True)), pd.Index([1, 2]),
    pd.MultiIndex.from_tuples([(1, 2)]), pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"b": [1, 2]}),
    pd.DataFrame({"a": [1, 2], "b": [3, 4]}), pd.DataFrame({"b": [3, 4], "a": [1, 2]}),
    pd.DataFrame({"a": [1, 2]}, index=[5, 6]), Settings(), Settings(seed=8),
]  # fmt: skip

SAME = [
    (math.nan, -math.nan),
    (0.0, -0.0),
    (3, np.int64(3)),
    (np.int8(3), np.uint32(3)),
    (0.5, np.float32(0.5)),
    (True, np.bool_(True)),
    ("a", np.str_("a")),
    (b"a", bytearray(b"a")),
    ({"a": 1, "b": 2}, OrderedDict([("b", 2), ("a", 1)])),
    ({1, "a", None}, frozenset([None, "a", 1])),
    (np.array([0.0, np.nan]), np.array([-0.0, -np.nan])),
    (np.array([1, 2], ">i8"), np.array([1, 2], "<i8")),
    (np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6).reshape(2, 3))),
    (np.array([0j]), np.array([complex(-0.0, -0.0)])),
    (pd.Timestamp("2024-01-01").as_unit("s"), pd.Timestamp("2024-01-01").as_unit("ns")),
    (pd.Timedelta("1s"), datetime.timedelta(seconds=1)),
    (decimal.Decimal("1.0"), decimal.Decimal("1.00")),
    (pd.Series([1, 2], index=pd.RangeIndex(2)), pd.Series([1, 2], index=[0, 1])),
]


def test_every_pair_of_different_values_has_different_keys():
    keys = [make_hashable(value) for value in DISTINCT]
    assert len({cache_key(value) for value in DISTINCT}) == len(DISTINCT)
    assert len(set(keys)) == len(DISTINCT)


@pytest.mark.parametrize(("one", "other"), SAME, ids=[str(n) for n in range(len(SAME))])
def test_the_same_value_has_the_same_key(one, other):
    assert make_hashable(one) == make_hashable(other)
    assert hash(make_hashable(one)) == hash(make_hashable(other))
    assert cache_key({"deep": [one]}) == cache_key({"deep": [other]})


_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, 1.0, -1.0, 2.5, math.nan, math.inf])
    | st.text("ab(1:", max_size=3)
    | st.binary(max_size=2)
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def same(one: object, other: object) -> bool:
    """Equality by an independent rule: types count, NaN equals NaN, dict order does not."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


@settings(max_examples=1500, deadline=None)
@given(_VALUES, _VALUES)
def test_keys_are_equal_exactly_for_the_same_value(one, other):
    assert (make_hashable(one) == make_hashable(other)) == same(one, other)
    assert (cache_key(one) == cache_key(other)) == same(one, other)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=4), _VALUES, max_size=5), st.randoms())
def test_order_of_a_mapping_does_not_count(mapping, random):
    names = list(mapping)
    random.shuffle(names)
    assert cache_key({name: mapping[name] for name in names}) == cache_key(mapping)


_PROGRAM = """
import numpy as np, pandas as pd
from ares_resources.hashing import cache_key, frame_fingerprint
frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None], "c": pd.Categorical(["u", "v"])})
value = {"set": {"a", "b", "c", 1, None}, "array": np.arange(3), "x": float("nan"), "f": frame}
print(cache_key(value), frame_fingerprint(frame))
"""


def test_keys_are_the_same_in_every_process():
    outputs = set()
    for seed in ("0", "1", "4711"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1


def test_keys_are_the_same_on_every_day():
    # Literal digests: a change here would orphan every stored cache entry.
    assert (
        cache_key({"a": [1, 2.5, None, "x"]})
        == "8097d4d372f0d611f6944ed19247a2777481a9d16cef18e7763a376017a5f9d3"
    )
    assert arrays_fingerprint({"a": np.arange(4)}) == "429a3573d8eae59a42d258149e6c1353"


@pytest.mark.parametrize(
    "value", [object(), len, int, iter([]), np.longdouble(1), np.ma.array([1]), lambda: 1]
)
def test_unknown_types_are_refused_by_name(value):
    with pytest.raises(BadInput, match="key"):
        make_hashable({"deep": [value]})


def test_a_value_that_contains_itself_is_refused():
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(BadInput, match="contains itself"):
        make_hashable(loop)


FRAME = pd.DataFrame(
    {
        "timestamp": np.arange(5) * 60_000,
        "close": [1.0, 2.0, np.nan, 4.0, 5.0],
        "small": np.arange(5, dtype=np.int8),
        "text": ["a", "bc", None, "", "d"],
        "kind": pd.Categorical(["x", "y", "x", "y", "x"]),
        "when": pd.date_range("2024-01-01", periods=5, tz="UTC"),
        "maybe": pd.array([1, None, 3, 4, 5], dtype="Int64"),
        "flag": [True, False, True, False, True],
    }
)


@pytest.mark.parametrize("column", list(FRAME.columns))
def test_a_fingerprint_sees_every_cell(column):
    seen = {frame_fingerprint(FRAME)}
    changes = 0
    for row in range(5):
        changed = FRAME.copy()
        changed.loc[row, column] = changed[column].iloc[(row + 1) % 5]
        changes += not changed.equals(FRAME)
        seen.add(frame_fingerprint(changed))
    assert len(seen) == changes + 1 > 3


def test_a_fingerprint_sees_the_schema():
    plain = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
    variants = [
        plain,
        plain[["b", "a"]],
        plain.rename(columns={"a": "c"}),
        plain.astype({"a": np.int32}),
        plain.astype({"a": np.float64}),
        plain.set_axis([1, 2]),
        plain.iloc[:1],
        plain[["a"]],
        pd.DataFrame({"a": [1, 2, 3, 4]}),
    ]
    assert len({frame_fingerprint(frame) for frame in variants}) == len(variants)


def test_text_boundaries_count():
    assert frame_fingerprint(pd.DataFrame({"a": ["ab", "c"]})) != frame_fingerprint(
        pd.DataFrame({"a": ["a", "bc"]})
    )


def test_a_fingerprint_does_not_see_memory_layout():
    plain = pd.DataFrame({"a": np.arange(6.0), "b": np.arange(6.0)})
    wide = pd.concat([plain, plain])[:6]
    strided = pd.DataFrame(np.asfortranarray(plain.to_numpy()), columns=["a", "b"])
    assert frame_fingerprint(plain) == frame_fingerprint(wide) == frame_fingerprint(strided)
    table = pa.table({"a": [9, 1, 2, 3], "t": ["z", "x", None, "yy"]})
    whole = pa.table({"a": [1, 2, 3], "t": ["x", None, "yy"]})
    assert frame_fingerprint(table.slice(1)) == frame_fingerprint(whole)
    assert frame_fingerprint(table) != frame_fingerprint(whole)


def test_what_has_no_buffer_is_refused():
    with pytest.raises(BadInput, match="'odd'"):
        frame_fingerprint(pd.DataFrame({"odd": [object()]}))
    with pytest.raises(BadInput, match="list"):
        frame_fingerprint([1, 2])
