"""A name for a frame by pandas, joblib, hashlib and xxhash, and one reading of its memory.

Belongs here: these libraries' ways, and the frame.  Does not belong here: Ares.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main


def frame_of(folder: Path) -> Any:
    """The row's frame; each column is its own piece of memory."""
    import pandas as pd

    return pd.DataFrame(arrays(folder), copy=False)


def told(frame: Any, name: Callable[[Any], Any]) -> Callable[[Any], Mapping[str, Any]]:
    """Whether the name is the same again, and another one for one bit in the last value."""
    import numpy as np

    changed = frame.copy()
    values = changed["6"].to_numpy().copy()
    values[-1] = np.nextafter(values[-1], np.inf)
    changed["6"] = values
    other = str(name(changed))
    return lambda value: {"repeats": str(value) == str(name(frame)), "notices": other != str(value)}


def _program(name: Callable[[Any], Any]) -> Callable[[Path, dict[str, Any]], Made]:
    def program(folder: Path, options: dict[str, Any]) -> Made:
        frame = frame_of(folder)
        return lambda: name(frame), told(frame, name)

    return program


def _pandas(frame: Any) -> Any:
    import pandas as pd

    return hashlib.sha256(pd.util.hash_pandas_object(frame).to_numpy().data).hexdigest()


def _joblib(frame: Any) -> Any:
    import joblib

    return joblib.hash(frame)


def _sha256(frame: Any) -> str:
    digest = hashlib.sha256()
    for column in frame:
        digest.update(frame[column].to_numpy().data)
    return digest.hexdigest()


def _xxhash(frame: Any) -> str:
    import xxhash

    digest = xxhash.xxh3_128()
    for column in frame:
        digest.update(frame[column].to_numpy().data)
    return str(digest.hexdigest())


def _read(frame: Any) -> int:
    import numpy as np

    # Whole numbers add up at the speed of the memory; floats wait for each other.
    return sum(int(frame[column].to_numpy().view(np.int64).sum()) for column in frame)


if __name__ == "__main__":
    main(
        {
            "pandas hash": _program(_pandas),
            "joblib hash": _program(_joblib),
            "sha256": _program(_sha256),
            "xxhash": _program(_xxhash),
            "memory read": _program(_read),
        }
    )
