"""Keys of values of many kinds, against an oracle that knows nothing of keys."""

from __future__ import annotations

import datetime
import decimal
import enum
import math
import zoneinfo
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_resources.errors import BadInput
from ares_resources.hashing import cache_key, make_hashable


class Side(enum.Enum):
    LONG = 1
    SHORT = -1


class Word(enum.StrEnum):
    A = "a"


@dataclass(frozen=True)
class Point:
    x: Any
    y: Any


_ZONES = st.sampled_from(
    [
        None,
        datetime.UTC,
        datetime.timezone(datetime.timedelta(hours=1)),
        datetime.timezone(datetime.timedelta(hours=1), "X"),
        datetime.timezone(datetime.timedelta(hours=2), "X"),
        zoneinfo.ZoneInfo("Europe/Berlin"),
        zoneinfo.ZoneInfo("Europe/Paris"),
    ]
)
_NUMBERS = st.sampled_from([0.0, -0.0, 1.0, 2.0, math.nan, math.inf, -math.inf, 0.5])
_MOMENTS = st.sampled_from([datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, 1)])
_LEAVES = st.one_of(
    st.sampled_from([None, True, False, Side.LONG, Side.SHORT, Word.A]),
    st.integers(-1, 2),
    _NUMBERS,
    st.sampled_from(["", "1", "a", "1:", "s1:a", "()", "nan"]),
    st.sampled_from([b"", b"1", b"a"]),
    st.sampled_from([np.int8(1), np.int64(1), np.float32(0.5), np.float64(-0.0), np.True_]),
    st.sampled_from(["1", "1.0", "-0", "0", "NaN", "0.1"]).map(decimal.Decimal),
    st.builds(lambda at, zone: at.replace(tzinfo=zone), _MOMENTS, _ZONES),
    st.builds(lambda at, zone: pd.Timestamp(at, tz=zone), _MOMENTS, _ZONES),
    st.builds(
        lambda values, kind, shape: np.array(values).astype(kind).reshape(shape),
        st.lists(st.sampled_from([0.0, -0.0, 1.0]), min_size=2, max_size=2),
        st.sampled_from(["f8", ">f8", "f4", "i8", "c16", "O"]),
        st.sampled_from([(2,), (1, 2), (2, 1)]),
    ),
    st.builds(lambda values: pd.Series(values, dtype="f8"), st.lists(_NUMBERS, max_size=2)),
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.lists(inner, max_size=2).map(tuple),
        st.sets(st.sampled_from([0, 1, "a", b"a", Word.A, None, 2.0]), max_size=2),
        st.dictionaries(st.sampled_from(["a", "b", 0, None]), inner, max_size=2),
        st.builds(Point, inner, inner),
    ),
    max_leaves=6,
)


def _zone(value: Any) -> tuple[object, ...]:
    zone = value.tzinfo
    return (str(zone), value.utcoffset())


def _real(one: Any, other: Any) -> bool:
    return bool(one == other or (one != one and other != other))


def _elements(value: Any) -> list[Any]:
    return [(i, part) for i, part in np.ndenumerate(value)]


def _kind(value: Any) -> object:
    """The kind of a value: numbers by kind and not by width, everything else by class."""
    for kind, classes in (
        ("bool", (bool, np.bool_)),
        ("float", (float, np.floating)),
        ("int", np.integer),
    ):
        if isinstance(value, classes):
            return kind
    return "int" if type(value) is int else type(value)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same by the module's rules, told from the values alone."""
    kind = _kind(one)
    if kind != _kind(other):
        return False
    if kind in (float, "float", decimal.Decimal):
        return _real(one, other)
    if kind in (datetime.datetime, pd.Timestamp):
        return _zone(one) == _zone(other) and bool(one == other)
    if kind is np.ndarray:
        one, other = (v.astype(v.dtype.newbyteorder("=")) for v in (one, other))
        pairs = zip(_elements(one), _elements(other), strict=False)
        return (one.dtype, one.shape) == (other.dtype, other.shape) and all(
            a[0] == b[0] and same(a[1], b[1]) for a, b in pairs
        )
    if kind is np.complex128:
        return _real(one.real, other.real) and _real(one.imag, other.imag)
    if kind is pd.Series:
        return len(one) == len(other) and all(map(_real, one, other))
    if kind in (list, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if kind is set:
        return len(one) == len(other) and all(any(same(a, b) for b in other) for a in one)
    if kind is dict:
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if kind is Point:
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(Point))
    return bool(one == other)


@settings(max_examples=3000, deadline=None)
@given(_VALUES, _VALUES)
def test_keys_are_equal_exactly_for_the_same_value(one, other):
    expected = same(one, other)
    assert (make_hashable(one) == make_hashable(other)) == expected
    assert (cache_key(one) == cache_key(other)) == expected


@settings(max_examples=1000, deadline=None)
@given(_LEAVES, _LEAVES)
def test_leaves_are_told_apart(one, other):
    assert (cache_key(one) == cache_key(other)) == same(one, other)
    assert cache_key([one, other]) != cache_key([[one], other])
    assert cache_key({"a": one}) != cache_key({"b": one})


def test_a_name_that_equals_text_is_not_the_text():
    cache_key({"a": 1})
    assert cache_key({Word.A: 1}) != cache_key({"a": 1})
    assert cache_key({np.str_("a"): 1}) == cache_key({"a": 1})
    assert cache_key({1: 0}) != cache_key({True: 0})


def test_orders_of_many_mappings_are_forgotten_without_a_trace():
    first = {"b": 1, "a": 2, "long name": 3}
    key = make_hashable(first)
    for number in range(3000):
        make_hashable({f"name {number}": 0, "a": 1})
    assert make_hashable(first) == key == make_hashable(dict(reversed(first.items())))


class Nameless(datetime.tzinfo):
    """A zone that only its address tells from others."""

    def utcoffset(self, _: datetime.datetime | None) -> datetime.timedelta:
        return datetime.timedelta(0)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (datetime.datetime(2024, 1, 1, tzinfo=Nameless()), "Nameless"),
        (np.zeros(2, [("a", "i4")]), "ndarray of"),
        (np.void(b"a"), "numpy.void"),
        (pd.Interval(0, 1), "Interval"),
        ({"deep": [{"er": object()}]}, "builtins.object"),
        ({1, frozenset({lambda: 1})}, "function"),
        ([zoneinfo], "module"),
    ],
)
def test_what_has_no_key_is_named(value, named):
    with pytest.raises(BadInput, match=named) as caught:
        cache_key(value)
    assert "\n" not in str(caught.value)


def test_deep_nesting_is_refused_and_not_an_overflow():
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(BadInput, match="nested too deeply"):
        cache_key(value)


def test_zones_of_one_name_at_one_instant_are_told_apart():
    one, two = (datetime.timezone(datetime.timedelta(hours=hours), "X") for hours in (1, 2))
    first, second = (
        pd.Timestamp("2024-01-01 00:00", tz=one),
        pd.Timestamp("2024-01-01 01:00", tz=two),
    )
    assert first == second
    assert cache_key(first) != cache_key(second)
