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

The values of an array enter as XXH3-128: nobody meets a collision of 128 bits by accident, and
whoever can plant one can write the cache as well.  Where tampering must show (manifests of
releases) files are hashed with SHA-256 elsewhere.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import hashlib
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

_MICROSECOND = datetime.timedelta(microseconds=1)
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
        raise _too_deep(value) from None


def cache_key(value: Any) -> str:
    """SHA-256 of the canonical key, hexadecimal; depends on nothing but the value."""
    key = make_hashable(value)
    try:
        return hashlib.sha256(_encode(key)).hexdigest()
    except RecursionError:
        raise _too_deep(value) from None


def _too_deep(value: Any) -> BadInput:
    name = type(value).__name__
    return BadInput(f"a {name} that contains itself, or is nested too deeply, has no key")


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
    return _float(float(value))


def _float(value: float) -> tuple[Any, ...]:
    return ("float", value + 0.0) if value == value else ("float", "nan")


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
    if type(value) is dict:
        names = tuple(value)
        # Names that only equal text (an enum's, say) must not find the layout of the text.
        if all(type(name) is str for name in names):
            layout = _layouts.get(names) or _layout(names)
            return ("mapping", *[(key, _key(value[name])) for name, key in layout])
    pairs = ((_key(name), _key(part)) for name, part in value.items())
    return ("mapping", *sorted(pairs, key=_encode))


_layouts: dict[tuple[str, ...], list[tuple[str, tuple[str, str]]]] = {}
_MOST_LAYOUTS = 1024


def _layout(names: tuple[str, ...]) -> list[tuple[str, tuple[str, str]]]:
    """Names of a mapping with their keys, in the order of the encoded pairs; remembered."""
    if len(_layouts) >= _MOST_LAYOUTS:
        _layouts.clear()
    keys = [(name, ("str", str(name))) for name in names]
    _layouts[names] = layout = sorted(keys, key=lambda pair: _encode(pair[1]))
    return layout


def _set(value: Iterable[Any]) -> tuple[Any, ...]:
    return ("set", *sorted((_key(part) for part in value), key=_encode))


def _timestamp(value: pd.Timestamp) -> tuple[Any, ...]:
    return ("timestamp", _nanoseconds(value), _zone(value.tz))


def _nanoseconds(value: pd.Timestamp | pd.Timedelta) -> int:
    return int(value.asm8.view(np.int64)) * _NANOSECONDS[value.unit]


def _datetime(value: datetime.datetime | datetime.time) -> tuple[Any, ...]:
    kind = "datetime" if isinstance(value, datetime.datetime) else "time"
    return (kind, value.isoformat(), value.fold, _zone(value.tzinfo))


def _zone(zone: datetime.tzinfo | None) -> Hashable:
    if zone is None:
        return ""
    if isinstance(zone, datetime.timezone):
        offset = zone.utcoffset(None)
        plain = str(zone) == str(datetime.timezone(offset))
        return str(zone) if plain else ("zone", str(zone), offset // _MICROSECOND)
    # ZoneInfo and pytz name their zones; what is left may be known by its address alone.
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)
    if not isinstance(name, str):
        raise BadInput(
            f"a time zone of type {_class_name(zone)} without a name has no canonical key;"
            " allowed: datetime.timezone, zoneinfo.ZoneInfo"
        )
    return name


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
    return ("ndarray", plain.dtype.str, value.shape, _digest(plain))


def _digest(values: np.ndarray) -> bytes:
    import xxhash

    data = values.reshape(-1)
    # Text may have no width, and times no buffer.
    return xxhash.xxh3_128_digest(
        data.tobytes() if data.dtype.kind in "SU" else data.view(np.uint8).data
    )


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
    float: _float,
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
        lambda value: ("timedelta", (value // _MICROSECOND) * 1000),
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
    parts: list[bytes] = []
    _encode_into(key, parts.append)
    return b"".join(parts)


def _encode_into(key: Any, add: Callable[[bytes], None]) -> None:
    kind = type(key)
    if kind is tuple:
        add(b"(")
        for part in key:
            _encode_into(part, add)
        add(b")")
    elif kind is str:
        data = key.encode("utf-8", "surrogatepass")
        add(b"s%d:%b" % (len(data), data))
    elif kind is float:
        data = key.hex().encode()
        add(b"f%d:%b" % (len(data), data))
    elif kind is int:
        data = b"%x" % key
        add(b"i%d:%b" % (len(data), data))
    elif kind is bytes:
        add(b"b%d:%b" % (len(key), key))
    else:
        data = repr(key).encode()
        add(b"c%d:%b" % (len(data), data))
