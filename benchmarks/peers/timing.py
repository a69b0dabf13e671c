"""One program of a row, timed from inside: warm-up, repetitions, memory, one line of JSON.

Belongs here: what every program does around its work, Ares' as the peers'.  Does not belong
here: any work; the turns and the table (``benchmarks/turns.py``).  Runs in every environment, so
it imports nothing but the standard library, and NumPy to read what both sides are given.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Work = Callable[[], Any]
Made = tuple[Work, Callable[[Any], Mapping[str, Any]]]


def arrays(folder: Path) -> dict[str, Any]:
    """The arrays that the row's generator wrote, by name."""
    import numpy as np

    return {path.stem: np.load(path) for path in sorted(folder.glob("*.npy"))}


def main(programs: Mapping[str, Callable[[Path, dict[str, Any]], Made]]) -> None:
    """``NAME FOLDER OPTIONS``: run one program and print what it took.

    A program is given the folder of the row's data and the case's options, and returns its work
    and how the work's value is told, as plain numbers.  The options ``repeats`` and ``warmups``
    are read here.  ``per`` of what is told divides the seconds, where the work did so many of the
    thing that the row counts; ``less`` are seconds that a smaller work of the same kind took,
    subtracted before, so that both together give the slope without the fixed cost.  ``cores`` is
    processor time of all threads over wall time, ``elsewhere`` the share of processor time that
    other threads than the calling one had. ``imported`` is how many modules were imported within
    the time: a program that loads its libraries there is charged for what the others did before.
    """
    name, folder, options = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    work, tell = programs[name](folder, options)
    value = None
    begun = time.perf_counter()
    for _ in range(options.get("warmups", 1)):
        value = work()
    warmed = time.perf_counter() - begun
    first_peak, before = _status("VmHWM"), _forget_peak()
    known = set(sys.modules)
    seconds, processor, own = [], time.process_time(), time.thread_time()
    for _ in range(options.get("repeats", 5)):
        begun = time.perf_counter()
        value = work()
        seconds.append(time.perf_counter() - begun)
    processor, own = time.process_time() - processor, time.thread_time() - own
    imported = len(set(sys.modules) - known)
    peak = _status("VmHWM")
    added = peak - before
    told = dict(tell(value))
    count, less = told.pop("per", 1), told.pop("less", 0.0)
    line = {
        "seconds": [(one - less) / count for one in seconds],
        "warm_up_seconds": warmed,
        "cores": processor / sum(seconds),
        "elsewhere": max(1 - own / processor, 0.0) if processor > 0 else 0.0,
        # Not getrusage, whose peak begins with that of whoever started this process.
        "peak_mib": max(first_peak, peak),
        "added_mib": max(added, 0.0),
        "imported": imported,
        "result": told,
    }
    print(json.dumps(line))


def _forget_peak() -> float:
    """Start the kernel's account of peak memory anew; what the process holds now, MiB."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return _status("VmHWM")
    return _status("VmRSS")


def _status(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {name}")
