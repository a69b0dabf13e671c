"""Fingerprints of bulk data: frames and arrays, hashed at memory speed.

Belongs here: XXH3-128 over buffers and schema.  Does not belong here: keys of parameters
(``hashing``, which re-exports these names) and hashes of files (``storage.atomic``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ares_resources.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa


def arrays_fingerprint(arrays: Mapping[str, np.ndarray]) -> str:
    """XXH3-128 over names, types, shapes and bytes of numeric arrays, at memory speed.

    Bits count: two spellings of NaN, or ``-0.0`` and ``0.0``, give different fingerprints.
    """
    return _digest((str(name), array) for name, array in arrays.items())


def frame_fingerprint(frame: pd.DataFrame | pa.Table) -> str:
    """XXH3-128 over a frame's schema, rows and buffers, at memory speed.

    Column order, names, types, index and the bits of every value count.

    Raises
    ------
    BadInput
        For a column whose type has no buffers to hash.
    """
    if isinstance(frame, pd.DataFrame):
        return _digest(_frame_columns(frame))
    if hasattr(frame, "column_names"):
        parts = (
            part
            for number, name in enumerate(frame.column_names)
            for part in _arrow_parts(f"{number}:{name}", frame.column(number))
        )
        return _digest(parts)
    raise BadInput(f"a fingerprint needs a DataFrame or an Arrow table, not {type(frame).__name__}")


def _digest(parts: Iterable[tuple[str, np.ndarray]]) -> str:
    import xxhash

    digest = xxhash.xxh3_128()
    for name, values in parts:
        if values.dtype.kind not in "biufcmM":
            raise BadInput(f"column {name!r} of type {values.dtype} has no buffer to fingerprint")
        # Length first, so that a name cannot be mistaken for the start of the data.
        header = repr((name, values.dtype.str, values.shape)).encode("utf-8", "surrogatepass")
        digest.update(f"{len(header)}:".encode() + header)
        # View as bytes: times do not support the buffer protocol.
        digest.update(np.ascontiguousarray(values).view(np.uint8).data)
    return digest.hexdigest()


def _frame_columns(frame: pd.DataFrame) -> Iterable[tuple[str, np.ndarray]]:
    if not (frame.index.equals(pd.RangeIndex(len(frame)))):
        yield from _series_parts("index", frame.index.to_series())
    for number, name in enumerate(frame.columns):
        yield from _series_parts(f"{number}:{type(name).__name__}:{name!r}", frame.iloc[:, number])


def _series_parts(name: str, series: pd.Series) -> Iterable[tuple[str, np.ndarray]]:
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "biufcmM":
        yield name, series.to_numpy()
        return
    import pyarrow as pa

    try:
        array = pa.array(series)
    except pa.ArrowException as error:
        raise BadInput(f"column {series.name!r} cannot be fingerprinted: {error}") from error
    yield from _arrow_parts(f"{name}:{series.dtype}", array)


def _arrow_parts(name: str, array: pa.Array | pa.ChunkedArray) -> Iterable[tuple[str, np.ndarray]]:
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        # One chunk is taken as it is: combining would copy it.
        array = array.chunk(0) if array.num_chunks == 1 else array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = f"{name}:{array.type}"
    if pa.types.is_null(array.type):
        yield kind, np.array([len(array)])
        return
    if array.null_count:
        yield f"{kind}:valid", array.is_valid().to_numpy(zero_copy_only=False)
        array = array.drop_null()
    if any(test(array.type) for test in _texts(pa.types)):
        yield from _text_parts(kind, array.cast(pa.large_binary()))
        return
    if not (pa.types.is_primitive(array.type) and array.type.bit_width in (1, 8, 16, 32, 64)):
        raise BadInput(f"column {name!r} of type {array.type} cannot be fingerprinted")
    yield kind, array.to_numpy(zero_copy_only=False)


def _texts(types: Any) -> tuple[Callable[[Any], bool], ...]:
    return (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)


def _text_parts(kind: str, array: pa.Array) -> Iterable[tuple[str, np.ndarray]]:
    if not len(array):
        return
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    yield f"{kind}:lengths", np.diff(ends)
    text = np.frombuffer(data, np.uint8) if data is not None else np.empty(0, np.uint8)
    yield kind, text[ends[0] : ends[-1]]
