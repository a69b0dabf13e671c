"""Ingest beside polars, DuckDB, pandas and pyarrow: ``python -m benchmarks.ingest``.

Belongs here: the file, the turns, the check of each that all kept the same rows, the table.  Does
not belong here: what the peers do (``peers/ingest.py``).

Ares does more than the others: every bar is checked, months are merged, hashed and published
with ledgers of gaps and sources.  All are timed as whole processes, start included, in turn.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arguments import folder, of_command, whole
from benchmarks.arguments import results as results_file
from benchmarks.measuring import Run, machine, median, run, versions
from benchmarks.turns import thread_settings

PEERS = ("polars", "duckdb", "pandas", "pyarrow")
STEP_MS = 1_000
START_MS = 1_672_531_200_000
SEED = 7
_CHUNK = 200_000
_HERE = Path(__file__).resolve().parent
PYTHON = _HERE.parent / ".venv-peers" / "bin" / "python"
THREADS = 2
_RESULTS = _HERE / "results" / "ingest.json"


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table, and keep it; 1, and nothing is kept, if rows differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--rows", type=whole(1_000, 10**9), default=10_000_000)
    parser.add_argument("--repeats", type=whole(1, 1_000), default=5)
    parser.add_argument("--peers", default=str(PYTHON))
    parser.add_argument("--folder", type=folder, default=tempfile.gettempdir())
    kept = results_file(of_command(parser.prog))
    parser.add_argument("--out", type=kept, default=str(_RESULTS))
    options = parser.parse_args(arguments)
    if not Path(options.peers).is_file():
        parser.error(f"{options.peers} is not there; make bench-peers installs the peers")
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ares-bench-", dir=options.folder) as own:
        result = measured(options.rows, options.repeats, Path(own), options.peers)
    differing = [figure["differs"] for figure in result["figures"].values() if figure["differs"]]
    if differing:
        say("; ".join(differing))
        return 1
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))
    return 0


def measured(rows: int, repeats: int, folder: Path, peers: str) -> dict[str, Any]:
    """Everything that is kept, of a dump that is made anew in an empty folder.

    Raises
    ------
    subprocess.CalledProcessError
        If a program fails.
    """
    source = folder / "dump.csv"
    write_dump(source, rows)
    runs: dict[str, list[Run]] = {name: [] for name in ("ares", *PEERS)}
    kept: dict[str, list[tuple[int, str]]] = {name: [] for name in runs}
    for turn in range(repeats + 1):  # the first turn warms caches and is not counted
        for name in runs:
            done = _take_turn(name, source, folder, peers)
            say(f"turn {turn} {name}: {done.wall:.2f} s, {done.peak_mib:.0f} MiB")
            if turn:
                runs[name].append(done)
        for name, one in compared(folder).items():
            kept[name].append(one)
    return _summary(rows, repeats, folder, peers, runs, kept)


def write_dump(path: Path, rows: int) -> None:
    """A Binance dump of bars of one second, the same for the same number of rows."""
    say(f"writing {path}")
    generator = np.random.default_rng(SEED)
    level = 1800.0
    with path.with_suffix(".part").open("w") as file:
        for first in range(0, rows, _CHUNK):
            count = min(_CHUNK, rows - first)
            level = _write_chunk(file, generator, first, count, level)
    path.with_suffix(".part").rename(path)


def _write_chunk(
    file: object, generator: np.random.Generator, first: int, count: int, level: float
) -> float:
    close = np.round(level * np.exp(np.cumsum(generator.normal(0, 1e-4, count))), 2)
    opens = np.r_[level, close[:-1]]
    wick = np.round(np.abs(generator.normal(0, 0.3, (2, count))), 2)
    high, low = np.maximum(opens, close) + wick[0], np.minimum(opens, close) - wick[1]
    volume = np.round(generator.exponential(40, count), 4)
    taker = np.round(volume * generator.uniform(0.2, 0.8, count), 4)
    trades = generator.integers(1, 900, count)
    stamps = START_MS + STEP_MS * np.arange(first, first + count)
    columns = (stamps, opens, high, low, close, volume, taker, trades)
    for t, o, h, lo, c, v, b, n in zip(*(column.tolist() for column in columns), strict=True):
        file.write(  # type: ignore[attr-defined]
            f"{t},{o:.8f},{h:.8f},{lo:.8f},{c:.8f},{v:.8f},{t + STEP_MS - 1},"
            f"{v * c:.8f},{n},{b:.8f},{b * c:.8f},0\n"
        )
    return 1800.0 + (float(close[-1]) - 1800.0) / 2  # stays in sight of where it began


def _take_turn(name: str, source: Path, folder: Path, peers: str) -> Run:
    threads = thread_settings(THREADS)
    if name != "ares":
        target = folder / f"{name}.parquet"
        target.unlink(missing_ok=True)  # a file of the turn before is no result
        program = str(_HERE / "peers" / "ingest.py")
        return run([peers, program, name, str(source), str(target)], threads)
    home = folder / "home"
    shutil.rmtree(home, ignore_errors=True)
    command = [str(Path(sys.executable).with_name("ares")), "ingest", str(source)]
    command += ["--symbol", "ETHUSDT", "--exchange", "BINANCE"]
    return run(command, {**threads, "ARES_HOME": str(home)})


def compared(folder: Path) -> dict[str, tuple[int, str]]:
    """By program: its rows that are the catalogue's in all seven columns, and what is not.

    Bit for bit; of the taker's volume, which the catalogue keeps as a share, the quotient.
    """
    from ares_resources.storage.catalogue import Catalogue, Series
    from ares_resources.symbols import SymbolKey

    held = Catalogue(folder / "home" / "catalogue").rows(
        Series(SymbolKey("ETHUSDT", "BINANCE"), "bars", "1s"), 0, 2**60
    )
    found = {"ares": (len(held["timestamp"]), "")}
    return found | {name: _beside(held, folder / f"{name}.parquet", name) for name in PEERS}


def _beside(held: Mapping[str, np.ndarray], path: Path, name: str) -> tuple[int, str]:
    from pyarrow.parquet import ParquetFile

    rows = len(held["timestamp"])
    with ParquetFile(path) as file:
        if file.metadata.num_rows != rows:
            return 0, f"{name}: {file.metadata.num_rows} rows, the catalogue's are {rows}"

        def column(one: str) -> np.ndarray:
            # One at a time: ten million rows of all would be half a gigabyte more.
            values: np.ndarray = file.read([one]).column(0).to_numpy()
            return values

        equal, off = np.ones(rows, bool), []
        for mine, own in held.items():
            if mine == "taker_buy_share":
                theirs = _share(column("taker_buy_volume"), column("volume"))
            else:
                theirs = column("open_time" if mine == "timestamp" else mine)
            same = (own == theirs) | ((own != own) & (theirs != theirs))
            equal &= same
            off += [] if same.all() else [mine]
    return int(equal.sum()), f"{name}: {', '.join(off)} not the catalogue's" if off else ""


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _summary(
    rows: int,
    repeats: int,
    folder: Path,
    peers: str,
    runs: dict[str, list[Run]],
    kept: Mapping[str, Sequence[tuple[int, str]]],
) -> dict[str, Any]:
    sizes = {name: (folder / f"{name}.parquet").stat().st_size / 1e6 for name in PEERS}
    files = (folder / "home" / "catalogue").rglob("*.parquet")
    sizes["ares"] = sum(file.stat().st_size for file in files) / 1e6
    figures = {}
    for name, done in runs.items():
        middle = median(done)
        ratios = [mine.wall / other.wall for mine, other in zip(runs["ares"], done, strict=True)]
        figures[name] = {
            "rows_per_second": round(rows / middle.wall),
            "wall_seconds": round(middle.wall, 2),
            "processor_seconds": round(middle.cpu, 2),
            "peak_mib": round(middle.peak_mib),
            "stored_mb": round(sizes[name]),
            "ares_wall_over_this": round(float(np.median(ratios)), 2),
            # The worst turn's, and the first that differs.
            "equal_rows": min(equal for equal, _ in kept[name]),
            "differs": next((off for _, off in kept[name] if off), ""),
        }
    listed = "import importlib.metadata as m; print(*(m.version(n) for n in "
    listed += f"{list(PEERS)}), sep=',')"
    told = subprocess.run([peers, "-c", listed], capture_output=True, text=True, check=True)
    return {
        "command": f"python -m benchmarks.ingest --rows {rows} --repeats {repeats}",
        "date": datetime.now(UTC).date().isoformat(),
        "seed": SEED,
        "file_mb": round((folder / "dump.csv").stat().st_size / 1e6),
        "rows": rows,
        "machine": machine(),
        "versions": {
            **versions("ares", "pyarrow", "numpy", "numba"),
            "peers": dict(zip(PEERS, told.stdout.strip().split(","), strict=True)),
        },
        "figures": figures,
    }


def table(result: dict[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        "| | rows a second | wall, s | processor, s | peak, MiB | stored, MB | Ares over this |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, figure in result["figures"].items():
        lines.append(
            f"| {name} | {figure['rows_per_second'] / 1e6:.2f} M | {figure['wall_seconds']} | "
            f"{figure['processor_seconds']} | {figure['peak_mib']} | {figure['stored_mb']} | "
            f"{figure['ares_wall_over_this']} |"
        )
    return "\n".join(lines)


def say(line: str) -> None:
    """Progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
