"""Row "csv": ten million rows of CSV to Parquet, as ``make bench-ingest`` measures it.

Belongs here: its figures as a row.  Does not belong here: the work and the turns
(``benchmarks/ingest.py``), which times whole processes and checks that all kept the same rows.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.turns import ARES, ROOT, Case, Figures, Goal, Row

SEED = 7


def _turns(rows: int, repeats: int) -> Callable[[Path, Callable[[str], None]], Figures]:
    def take(folder: Path, say: Callable[[str], None]) -> Figures:
        out = folder / "ingest.json"
        command = [sys.executable, "-m", "benchmarks.ingest", "--rows", str(rows)]
        command += ["--repeats", str(repeats), "--out", str(out), "--folder", str(folder)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        figures: Mapping[str, Any] = json.loads(out.read_text())["figures"]
        own = figures[ARES]["wall_seconds"]
        return {name: _line(figure, own) for name, figure in figures.items()}

    return take


def _line(figure: Mapping[str, Any], own: float) -> dict[str, Any]:
    # The median of its ratios by turns stands in for the turns themselves.
    seconds = own / figure["ares_wall_over_this"]
    return {
        "seconds": seconds,
        "rounds": [seconds],
        "peak_mib": figure["peak_mib"],
        "added_mib": figure["peak_mib"],
        "result": {"stored_mb": figure["stored_mb"], "rows_per_second": figure["rows_per_second"]},
    }


def _speed(figures: Figures) -> float:
    return float(figures["polars"]["seconds"] / figures[ARES]["seconds"])


def _memory(figures: Figures) -> float:
    return float(figures["polars"]["peak_mib"] / figures[ARES]["peak_mib"])


def cases(quick: bool) -> Sequence[Case]:
    """One dump of a Binance archive."""
    rows, repeats = (200_000, 1) if quick else (10_000_000, 5)
    return [
        Case(
            name=f"{rows:,} rows, whole processes",
            make=lambda folder, data: None,
            data={"rows": rows, "seed": SEED},
            programs=[],
            same=lambda results: "all kept the same rows, bit for bit",
            goals=[
                Goal("at least polars' speed", _speed, 1.0, "times"),
                Goal("half of polars' memory", _memory, 2.0, "times"),
            ],
            rounds=repeats,
            turns=_turns(rows, repeats),
            reasons={
                "at least polars' speed": "Ares also checks every bar, merges months, hashes and"
                " publishes them; half of its processor time is pyarrow's parser"
            },
        )
    ]


ROW = Row("csv", "a dump of CSV to Parquet", cases, {"": ["polars", "duckdb", "pandas", "pyarrow"]})
