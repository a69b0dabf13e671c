"""Keys and fingerprints: the same value gives the same key in every process, on every day.

Belongs here: canonical keys of nested parameters.  Does not belong here: hashes of files
(``storage.atomic``) and of bulk data (``fingerprints``, re-exported).  The same value is:

* numbers by kind and value, not by width: ``np.int64(3)`` is ``3``, but ``True``, ``1`` and
  ``1.0`` are three values; NaN equals NaN, ``-0.0`` equals ``0.0``;
* mappings whatever their order and class; sets and frozensets alike; ``bytes``,
  ``bytearray`` and ``memoryview`` alike; but a list is not a tuple, a named tuple, dataclass,
  pydantic model or enum also counts its class, and a path is not a string;
* arrays by type, shape and values; Series, Index and DataFrame by names, types, index and
  values (``attrs`` do not count); times by instant and zone, a pandas Timestamp
  not being a datetime (a Timedelta is a timedelta).
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import hashlib
import math
import pathlib
import uuid
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from ares_resources.errors import BadInput
from ares_resources.fingerprints import arrays_fingerprint, frame_fingerprint

__all__ = ["arrays_fingerprint", "cache_key", "frame_fingerprint", "make_hashable"]

_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def make_hashable(value: Any) -> Hashable:
    """Canonical key of any nested parameters; equal exactly if the values are the same.

    Raises
    ------
    BadInput
        For a type that has no canonical form here, or a value that contains itself.
    """
    try:
        return _key(value)
    except RecursionError:
        raise BadInput(
            f"a {type(value).__name__} that contains itself, or is nested too deeply, has no key"
        ) from None


def cache_key(value: Any) -> str:
    """SHA-256 of the canonical key, hexadecimal; depends on nothing but the value."""
    return hashlib.sha256(_encode(make_hashable(value))).hexdigest()


def _key(value: Any) -> tuple[Any, ...]:
    exact = _EXACT.get(type(value))
    if exact is not None:
        return exact(value)
    for kinds, make in _BY_KIND:
        if isinstance(value, kinds):
            return make(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return _record("dataclass", value, {name: getattr(value, name) for name in names})
    raise BadInput(
        f"a value of type {type(value).__module__}.{type(value).__qualname__} has no canonical"
        " key; allowed: numbers, text, bytes, times, paths, enums, collections, dataclasses,"
        " numpy and pandas values"
    )


def _real(value: Any) -> tuple[Any, ...]:
    number = float(value)
    if math.isnan(number):
        return ("float", "nan")
    return ("float", number + 0.0)


def _complex(value: Any) -> tuple[Any, ...]:
    return ("complex", _real(value.real), _real(value.imag))


def _too_wide(value: Any) -> tuple[Any, ...]:
    raise BadInput(f"{type(value).__name__} {value!r} has no canonical key; allowed: 64 bits")


def _decimal(value: decimal.Decimal) -> tuple[Any, ...]:
    if not value.is_finite():
        return ("decimal", str(value))
    return ("decimal", *value.as_integer_ratio())


def _class_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _record(tag: str, value: Any, members: Mapping[str, Any]) -> tuple[Any, ...]:
    return (tag, _class_name(value), *((name, _key(part)) for name, part in members.items()))


def _sequence(value: Any) -> tuple[Any, ...]:
    members = tuple(_key(part) for part in value)
    if isinstance(value, list):
        return ("list", *members)
    if hasattr(value, "_fields"):
        return ("namedtuple", _class_name(value), *members)
    return ("tuple", *members)


def _mapping(value: Mapping[Any, Any]) -> tuple[Any, ...]:
    pairs = ((_key(name), _key(part)) for name, part in value.items())
    return ("mapping", *sorted(pairs, key=_encode))


def _set(value: Iterable[Any]) -> tuple[Any, ...]:
    return ("set", *sorted((_key(part) for part in value), key=_encode))


def _timestamp(value: pd.Timestamp) -> tuple[Any, ...]:
    return ("timestamp", _nanoseconds(value), "" if value.tz is None else str(value.tz))


def _nanoseconds(value: pd.Timestamp | pd.Timedelta) -> int:
    return int(value.asm8.view(np.int64)) * _NANOSECONDS[value.unit]


def _datetime(value: datetime.datetime | datetime.time) -> tuple[Any, ...]:
    zone = "" if value.tzinfo is None else str(value.tzinfo)
    return (type(value).__name__, value.isoformat(), value.fold, zone)


def _numpy_time(value: np.datetime64 | np.timedelta64) -> tuple[Any, ...]:
    return ("numpy", value.dtype.str, int(value.view(np.int64)))


def _path(value: pathlib.PurePath) -> tuple[Any, ...]:
    flavour = "windows" if isinstance(value, pathlib.PureWindowsPath) else "posix"
    return ("path", flavour, str(value))


def _array(value: np.ndarray) -> tuple[Any, ...]:
    kind = value.dtype.kind
    if kind == "O":
        return ("ndarray", "O", value.shape, *(_key(part) for part in value.ravel().tolist()))
    oversized = kind in "fc" and value.dtype.itemsize > (8 if kind == "f" else 16)
    if isinstance(value, np.ma.MaskedArray) or kind not in "biufcmMSU" or oversized:
        raise BadInput(f"{type(value).__name__} of {value.dtype} has no canonical key")
    plain = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    if kind in "fc":
        plain = _canonical_floats(plain)
    return ("ndarray", plain.dtype.str, value.shape, hashlib.sha256(plain.tobytes()).digest())


def _canonical_floats(values: np.ndarray) -> np.ndarray:
    parts = values.view(values.real.dtype) + 0.0
    parts[np.isnan(parts)] = np.nan
    return parts.view(values.dtype).reshape(values.shape)


def _pandas_values(values: Any) -> tuple[Any, ...]:
    if isinstance(values.dtype, np.dtype):
        return _array(np.asarray(values))
    if isinstance(values, pd.Categorical):
        return ("categorical", values.ordered, _index(values.categories), _array(values.codes))
    return ("extension", str(values.dtype), *(_key(part) for part in values))


def _index(value: pd.Index) -> tuple[Any, ...]:
    names = tuple(_key(name) for name in value.names)
    values = value.to_numpy() if isinstance(value.dtype, np.dtype) else value.array
    return ("index", names, str(value.dtype), _pandas_values(values))


def _series(value: pd.Series) -> tuple[Any, ...]:
    return ("series", _key(value.name), _index(value.index), _column(value))


def _column(value: pd.Series) -> tuple[Any, ...]:
    return (str(value.dtype), _pandas_values(value.array))


def _frame(value: pd.DataFrame) -> tuple[Any, ...]:
    columns = (_column(value.iloc[:, number]) for number in range(value.shape[1]))
    return ("frame", _index(value.columns), _index(value.index), *columns)


_EXACT: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    type(None): lambda _: ("none",),
    bool: lambda value: ("bool", value),
    int: lambda value: ("int", value),
    float: _real,
    str: lambda value: ("str", value),
    dict: _mapping,
    list: _sequence,
    tuple: _sequence,
}
# Order matters: an enum may be an int, a Timestamp is a datetime, a datetime is a date.
_BY_KIND: tuple[tuple[Any, Callable[[Any], tuple[Any, ...]]], ...] = (
    (enum.Enum, lambda value: ("enum", _class_name(value), _key(value.value))),
    (type(pd.NaT), lambda _: ("nat",)),
    (type(pd.NA), lambda _: ("na",)),
    (np.bool_, lambda value: ("bool", bool(value))),
    ((np.timedelta64, np.datetime64), _numpy_time),
    (np.integer, lambda value: ("int", int(value))),
    ((np.longdouble, np.clongdouble), _too_wide),
    (np.floating, _real),
    (np.complexfloating, _complex),
    (int, lambda value: ("int", int(value))),
    (float, _real),
    (complex, _complex),
    (str, lambda value: ("str", str(value))),
    ((bytes, bytearray, memoryview), lambda value: ("bytes", bytes(value))),
    (pd.Timestamp, _timestamp),
    (pd.Timedelta, lambda value: ("timedelta", _nanoseconds(value))),
    ((datetime.datetime, datetime.time), _datetime),
    (datetime.date, lambda value: ("date", value.isoformat())),
    (
        datetime.timedelta,
        lambda value: ("timedelta", (value // datetime.timedelta(microseconds=1)) * 1000),
    ),
    (decimal.Decimal, _decimal),
    (fractions.Fraction, lambda value: ("fraction", value.numerator, value.denominator)),
    (uuid.UUID, lambda value: ("uuid", value.hex)),
    (pathlib.PurePath, _path),
    (range, lambda value: ("range", value.start, value.stop, value.step)),
    (np.ndarray, _array),
    (pd.Series, _series),
    (pd.DataFrame, _frame),
    (pd.Index, _index),
    (pd.api.extensions.ExtensionArray, _pandas_values),
    (BaseModel, lambda value: _record("model", value, dict(value))),
    (Mapping, _mapping),
    ((set, frozenset), _set),
    ((list, tuple), _sequence),
)


def _encode(key: Any) -> bytes:
    """Bytes of a canonical key; prefix-free, so that different keys never meet."""
    if isinstance(key, tuple):
        return b"(" + b"".join(_encode(part) for part in key) + b")"
    if isinstance(key, bytes):
        data, mark = key, b"b"
    elif isinstance(key, str):
        data, mark = key.encode("utf-8", "surrogatepass"), b"s"
    elif isinstance(key, float):
        data, mark = key.hex().encode(), b"f"
    elif isinstance(key, int) and not isinstance(key, bool):
        data, mark = format(key, "x").encode(), b"i"
    else:
        data, mark = repr(key).encode(), b"c"
    return mark + str(len(data)).encode() + b":" + data
