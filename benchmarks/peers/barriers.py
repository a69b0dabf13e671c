"""Triple-barrier labels by mlfinpy and by numpy's sliding windows.

Belongs here: their ways.  Does not belong here: Ares, measuring (``timing.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main

CHUNK = 20_000


def mlfinpy(folder: Path, options: dict[str, Any]) -> Made:
    """``add_vertical_barrier``, ``get_events`` and ``get_bins``, one process.

    A call looks through all closes, however few the events: what ``few`` events take is taken off
    what ``events`` do, and the rest is divided by the events that are more.
    """
    import time

    import numpy as np
    import pandas as pd
    from mlfinpy.labeling import labeling as library

    columns, count, few = arrays(folder), options["events"], options["few"]
    index = pd.date_range("2022-01-01", periods=len(columns["close"]), freq="min")
    close = pd.Series(columns["close"], index=index)
    target = pd.Series(columns["scale"] * np.sqrt(options["horizon"]), index=index)
    width = options["width"]

    def labelled(events: Any) -> Any:
        ends = library.add_vertical_barrier(events, close, num_minutes=options["horizon"])
        found = library.get_events(
            close, events, [width, width], target, 0.0, 1, ends, verbose=False
        )
        return found, library.get_bins(found, close)

    labelled(index[:few])
    begun = time.perf_counter()
    labelled(index[:few])
    less = time.perf_counter() - begun

    def tell(value: Any) -> Mapping[str, Any]:
        found, _ = value
        # get_bins compares logarithms with simple returns; the touch itself is what was closest.
        moved = close[found["t1"]].to_numpy() / close[found.index].to_numpy() - 1
        wide = width * target[found.index].to_numpy()
        touched = np.where(moved > wide, 1, np.where(moved < -wide, -1, 0))
        bars = ((found["t1"] - found.index) / pd.Timedelta("1min")).astype(int)
        shown = options["shown"]
        return {
            "per": count - few,
            "less": less,
            "few_events_seconds": less,
            "touched": touched[:shown].tolist(),
            "bars": bars[:shown].tolist(),
        }

    return lambda: labelled(index[:count]), tell


def numpy_windows(folder: Path, options: dict[str, Any]) -> Made:
    """``sliding_window_view`` over the highs and lows, a chunk of events at a time."""
    import numpy as np

    columns, horizon = arrays(folder), options["horizon"]
    close, events = columns["close"], options["events"]
    opens = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(opens, close)[1:], np.minimum(opens, close)[1:]
    wide = options["width"] * columns["scale"][:events] * np.sqrt(horizon)

    def work() -> Any:
        views = [np.lib.stride_tricks.sliding_window_view(one, horizon) for one in (high, low)]
        touched, bars = np.zeros(events, np.int8), np.full(events, horizon, np.int64)
        for first in range(0, events, CHUNK):
            stop = min(first + CHUNK, events)
            entry, reach = close[first:stop], wide[first:stop]
            above = views[0][first:stop] >= (entry * (1 + reach))[:, None]
            below = views[1][first:stop] <= (entry * (1 - reach))[:, None]
            up = np.where(above.any(axis=1), above.argmax(axis=1), horizon)
            down = np.where(below.any(axis=1), below.argmax(axis=1), horizon)
            one = np.minimum(up, down)
            touched[first:stop] = np.where(one == horizon, 0, np.where(down <= up, -1, 1))
            bars[first:stop] = np.minimum(one + 1, horizon)
        return touched, bars

    def tell(found: Any) -> Mapping[str, Any]:
        shown = options["shown"]
        return {
            "per": events,
            "touched": found[0][:shown].tolist(),
            "bars": found[1][:shown].tolist(),
        }

    return work, tell


if __name__ == "__main__":
    main({"mlfinpy": mlfinpy, "numpy windows": numpy_windows})
