"""Row "fingerprint": a name for 56 MB of data that changes with every bit.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: the peers'
ways (``peers/fingerprint.py``).  A result is equal where every program gives the same name to equal
data again, and another one once a single value differs by one bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.fingerprint import frame_of, told
from benchmarks.peers.timing import Made, main
from benchmarks.turns import Case, Differs, Figures, Goal, Program, Row, ratio

HERE, PEERS = "benchmarks.rows.fingerprint", "benchmarks.peers.fingerprint"
SEED = 14


def write(folder: Path, data: Mapping[str, Any]) -> None:
    """A time stamp and six columns of floats."""
    generator = np.random.default_rng(SEED)
    rows = int(data["rows"])
    np.save(folder / "0.npy", 60_000 * np.arange(rows, dtype=np.int64))
    for column in range(1, 7):
        np.save(folder / f"{column}.npy", generator.normal(1500, 10, rows))


def ares(folder: Path, options: dict[str, Any]) -> Made:
    """``frame_fingerprint``."""
    from ares_resources.hashing import frame_fingerprint

    frame = frame_of(folder)
    return lambda: frame_fingerprint(frame), told(frame, frame_fingerprint)


def same(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Each notices one bit."""
    for name, result in results.items():
        if not (result["repeats"] and result["notices"]) and name != "memory read":
            raise Differs(f"{name}: {result}")
    return "each repeats itself and notices one bit"


def _over_a_read(figures: Figures) -> float | None:
    # Whatever reads all of it fastest is the measure of a read: a sum may not be it.
    reads = [ratio(figures, "ares", name) for name in ("memory read", "xxhash")]
    known = [one for one in reads if one is not None]
    return max(known) if known else None


def cases(quick: bool) -> Sequence[Case]:
    """A million rows of seven columns."""
    rows = 100_000 if quick else 1_000_000
    peers = ("pandas hash", "joblib hash", "sha256", "xxhash", "memory read")
    goals = [
        Goal("at most 1.2 x a memory read", _over_a_read, 1.2, "times", at_least=False),
    ]
    return [
        Case(
            name=f"{rows * 56 // 10**6} MB",
            make=write,
            data={"rows": rows, "seed": SEED},
            programs=[Program("ares", HERE), *(Program(one, PEERS, "") for one in peers)],
            same=same,
            goals=goals,
            options={"repeats": 15, "warmups": 2},
            threads=1,
            rounds=2 if quick else 5,
        )
    ]


ROW = Row(
    "fingerprint",
    "a name for a frame of seven columns",
    cases,
    {"": ["pandas", "joblib", "xxhash"]},
)

if __name__ == "__main__":
    main({"ares": ares})
