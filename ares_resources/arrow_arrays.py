"""Between Arrow columns and NumPy arrays, sharing memory and without loading pandas.

Belongs here: the conversion of plain numbers.  pyarrow's own ``to_numpy`` and ``array`` load
pandas, which costs a command half a second and fifty megabytes.  Does not belong here: texts,
times and anything that pandas is needed for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

_TYPES = {"int32": np.int32, "int64": np.int64, "double": np.float64}


def to_numpy(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """The values of an int32, int64 or float64 column, (n,), read-only; missing floats are NaN.

    Raises
    ------
    TypeError
        If the column is of another type, or an integer is missing.
    """
    import pyarrow as pa

    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = _TYPES.get(str(array.type))
    if kind is None or (array.null_count and kind is not np.float64):
        raise TypeError(f"a column of {array.type} with {array.null_count} missing values")
    if array.null_count:
        array = array.fill_null(float("nan"))
    data = array.buffers()[1]
    if data is None or len(array) == 0:
        return np.empty(0, dtype=kind)
    return np.frombuffer(data, dtype=kind)[array.offset : array.offset + len(array)]


def to_arrow(values: np.ndarray) -> pa.Array:
    """An int32, int64 or float64 array (n,) as an Arrow array on the same memory; NaN stays NaN.

    Raises
    ------
    TypeError
        If the array is of another type.
    """
    import pyarrow as pa

    kinds = {
        np.dtype(np.int32): pa.int32(),
        np.dtype(np.int64): pa.int64(),
        np.dtype(np.float64): pa.float64(),
    }
    if values.dtype not in kinds:
        raise TypeError(f"an array of {values.dtype}")
    buffer = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(kinds[values.dtype], len(values), [None, buffer])
