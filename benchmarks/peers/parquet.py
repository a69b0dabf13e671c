"""A frame to Parquet and back by pandas, polars and pyarrow at their defaults.

Belongs here: these libraries' ways, and the frame.  Does not belong here: Ares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main

NAMES = ("timestamp", "open", "high", "low", "close", "volume", "taker_buy_share")


def frame_of(folder: Path) -> Any:
    """The row's frame, in pandas."""
    import pandas as pd

    columns = arrays(folder)
    return pd.DataFrame({name: columns[name] for name in NAMES})


def told(path: Path, frame: Any, read: Callable[[Path], Any]) -> Callable[[Any], Mapping[str, Any]]:
    """The file's size, and whether it gives back the frame."""

    def tell(_: Any) -> Mapping[str, Any]:
        found = read(path)
        equal = all(
            (found[name].to_numpy().view("int64") == frame[name].to_numpy().view("int64")).all()
            for name in NAMES
        )
        return {"mb": path.stat().st_size / 1e6, "equal": bool(equal)}

    return tell


def _library(name: str, writes: bool) -> Callable[[Path, dict[str, Any]], Made]:
    def program(folder: Path, options: dict[str, Any]) -> Made:
        frame, path = frame_of(folder), folder / f"{name}.parquet"
        data, write, read = _ways(name, frame)
        write(data, path)
        work = (lambda: write(data, path)) if writes else (lambda: read(path))
        return work, told(path, frame, read)

    return program


def _ways(name: str, frame: Any) -> tuple[Any, Callable[[Any, Path], Any], Callable[[Path], Any]]:
    if name == "pandas":
        import pandas as pd

        return frame, lambda data, path: data.to_parquet(path), pd.read_parquet
    if name == "polars":
        import polars as pl

        made = pl.DataFrame({column: frame[column].to_numpy() for column in NAMES})
        return made, lambda data, path: data.write_parquet(path), pl.read_parquet
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    return table, pq.write_table, pq.read_table


if __name__ == "__main__":
    libraries = ("pandas", "polars", "pyarrow")
    main(
        {f"{one} write": _library(one, True) for one in libraries}
        | {f"{one} read": _library(one, False) for one in libraries}
    )
