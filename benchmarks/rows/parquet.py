"""Row "parquet": a frame of bars to a file and back, beside pandas, polars and pyarrow.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: the peers'
ways (``peers/parquet.py``).  Prices and volumes are decimals, the share of taker buys is not; every
program must give back every value bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.parquet import frame_of, told
from benchmarks.peers.timing import Made, main
from benchmarks.turns import Case, Differs, Program, Row, faster, result_ratio, within

HERE, PEERS = "benchmarks.rows.parquet", "benchmarks.peers.parquet"
SEED = 17
AGAIN = "ares, read again"
LIBRARIES = ("pandas", "polars", "pyarrow")


def write(folder: Path, data: Mapping[str, Any]) -> None:
    """Bars of one second with two decimals of price and three of volume."""
    generator, rows = np.random.default_rng(SEED), int(data["rows"])
    close = np.round(1500 * np.exp(np.cumsum(generator.normal(0, 1e-4, rows))), 2)
    opens = np.concatenate([close[:1], close[:-1]])
    wick = np.round(generator.exponential(0.2, (2, rows)), 2)
    columns = {
        "timestamp": 1_672_531_200_000 + 1000 * np.arange(rows, dtype=np.int64),
        "open": opens,
        "high": np.round(np.maximum(opens, close) + wick[0], 2),
        "low": np.round(np.minimum(opens, close) - wick[1], 2),
        "close": close,
        "volume": np.round(generator.exponential(40, rows), 3),
        "taker_buy_share": generator.uniform(0.2, 0.8, rows),
    }
    for name, values in columns.items():
        np.save(folder / f"{name}.npy", values)


def ares_write(folder: Path, options: dict[str, Any]) -> Made:
    """``MemoryEfficientDataManager.write_frame``."""
    from ares_resources.storage.data_manager import MemoryEfficientDataManager

    frame, manager = frame_of(folder), MemoryEfficientDataManager()
    path = folder / "ares.parquet"
    return lambda: manager.write_frame(path, frame), told(path, frame, manager.read_frame)


def ares_read(folder: Path, options: dict[str, Any]) -> Made:
    """``MemoryEfficientDataManager.read_frame``, which checks every page."""
    from ares_resources.storage.data_manager import MemoryEfficientDataManager

    frame, manager = frame_of(folder), MemoryEfficientDataManager()
    path = folder / "ares.parquet"
    manager.write_frame(path, frame)
    return lambda: manager.read_frame(path), told(path, frame, manager.read_frame)


def ares_read_again(folder: Path, options: dict[str, Any]) -> Made:
    """``MemoryEfficientDataManager.read_hot``: the second reading and later ones."""
    from ares_resources.storage.data_manager import MemoryEfficientDataManager

    frame, manager = frame_of(folder), MemoryEfficientDataManager(folder=folder)
    path = folder / "ares.parquet"
    manager.write_frame(path, frame)
    manager.read_hot(path)
    return lambda: manager.read_hot(path), told(path, frame, manager.read_hot)


def same(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Every program gave back the frame."""
    for name, result in results.items():
        if not result["equal"]:
            raise Differs(f"{name} gave back another frame")
    return "each gives the frame back bit for bit"


def cases(quick: bool) -> Sequence[Case]:
    """Writing, and reading."""
    rows = 200_000 if quick else 5_000_000
    shared: dict[str, Any] = {
        "make": write,
        "data": {"rows": rows, "seed": SEED},
        "same": same,
        "options": {"repeats": 3},
        "rounds": 1 if quick else 5,
    }
    return [
        Case(
            name=f"write {rows:,} x 7",
            programs=[
                Program("ares write", HERE, label="ares"),
                *(Program(f"{one} write", PEERS, "", label=one) for one in LIBRARIES),
            ],
            goals=[
                faster(["pandas"], 2.5),
                result_ratio("2.7 x smaller than pandas' default", "mb", "pandas", 2.7),
            ],
            reasons={
                "2.7 x smaller than pandas' default": "the share of taker buys is random to its"
                " last bit here: no lossless way makes that column smaller"
            },
            **shared,
        ),
        Case(
            name=f"read {rows:,} x 7",
            programs=[
                Program("ares read", HERE, label="ares"),
                Program("ares read again", HERE, label=AGAIN),
                *(Program(f"{one} read", PEERS, "", label=one) for one in LIBRARIES),
            ],
            goals=[faster(["pandas"], 5), within(5, "ms", 1000, ares=AGAIN)],
            **shared,
        ),
    ]


ROW = Row("parquet", "a frame of bars to a file and back", cases, {"": list(LIBRARIES)})

if __name__ == "__main__":
    main({"ares write": ares_write, "ares read": ares_read, "ares read again": ares_read_again})
