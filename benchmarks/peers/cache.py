"""A remembered result by joblib.Memory and diskcache, in their own idioms.

Belongs here: these libraries' ways.  Does not belong here: Ares, measuring (``timing.py``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main

CALLS = [0]


def result(parameters: tuple[float, ...]) -> tuple[float, ...]:
    """Eight figures that depend on the parameters, as a backtest's do."""
    CALLS[0] += 1
    return tuple(sum(parameters) * k for k in range(8))


def _result_of_frame(frame: Any, parameters: tuple[float, ...]) -> tuple[float, ...]:
    return result(parameters)


def _sets(count: int) -> list[tuple[float, ...]]:
    return [
        (0.5 + k / 1e4, 0.5 - k / 1e4, 2.0, 3.0, 1440, 4e-4, 1e-4, 1, 1.0) for k in range(count)
    ]


def _told(sets: list[tuple[float, ...]], known: list[Any]) -> Any:
    def tell(found: list[Any]) -> Mapping[str, Any]:
        same = [tuple(one) for one in found] == [tuple(one) for one in known]
        return {"per": len(sets), "same": same, "asked": len(sets), "computed": CALLS[0]}

    return tell


def joblib_memory(folder: Path, options: dict[str, Any]) -> Made:
    """``Memory.cache`` of a function of the parameters."""
    import joblib

    memory = joblib.Memory(tempfile.mkdtemp(dir=folder), verbose=0)
    cached, sets = memory.cache(result), _sets(options["sets"])
    known = [cached(one) for one in sets]
    return lambda: [cached(one) for one in sets], _told(sets, known)


def joblib_frame(folder: Path, options: dict[str, Any]) -> Made:
    """The same with the frame of bars as an argument, which is hashed in every call."""
    import joblib
    import numpy as np
    import pandas as pd

    # 56 MB, as in the row of fingerprints.
    column = np.resize(arrays(folder)["close"], 1_000_000)
    frame = pd.DataFrame({f"c{k}": column + k for k in range(7)})
    memory = joblib.Memory(tempfile.mkdtemp(dir=folder), verbose=0)
    cached, sets = memory.cache(_result_of_frame), _sets(options["sets"])
    known = [cached(frame, one) for one in sets]
    return lambda: [cached(frame, one) for one in sets], _told(sets, known)


def diskcache(folder: Path, options: dict[str, Any]) -> Made:
    """``Cache.memoize`` of a function of the parameters."""
    import diskcache as library

    cache = library.Cache(tempfile.mkdtemp(dir=folder))
    cached, sets = cache.memoize()(result), _sets(options["sets"])
    known = [cached(one) for one in sets]
    return lambda: [cached(one) for one in sets], _told(sets, known)


if __name__ == "__main__":
    main(
        {
            "joblib": joblib_memory,
            "joblib, frame as argument": joblib_frame,
            "diskcache": diskcache,
        }
    )
