"""Row "csv": ten million rows of CSV to Parquet, as ``make bench-ingest`` measures it.

Belongs here: its figures as a row.  Does not belong here: the work and the turns
(``benchmarks/ingest.py``), which times whole processes and checks that all kept the same rows.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import ingest
from benchmarks.agreeing import peers_in
from benchmarks.turns import ARES, Case, Differs, Figures, Goal, Program, Row

SEED = ingest.SEED
PEERS = "benchmarks.peers.ingest"
THREADS = {"pandas": 1}


def _turns(rows: int, repeats: int) -> Callable[[Path, Callable[[str], None]], Figures]:
    def take(folder: Path, say: Callable[[str], None]) -> Figures:
        if not ingest.PYTHON.is_file():
            raise Differs(f"nothing was measured: no {ingest.PYTHON.parent.parent.name}")
        try:
            found = ingest.measured(rows, repeats, folder, str(ingest.PYTHON))
        except subprocess.CalledProcessError as error:
            last = (error.output or "").strip().splitlines()[-1:]
            raise Differs(f"{error.cmd[0]} ended with {error.returncode}: {last}") from error
        figures: Mapping[str, Any] = found["figures"]
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
        "result": {
            name: figure[name] for name in ("stored_mb", "rows_per_second", "equal_rows", "differs")
        },
    }


def same(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Every program kept Ares' rows in every turn, bit for bit in all seven columns."""
    for name, result in peers_in(results).items():
        if result["differs"] or result["equal_rows"] != results[ARES]["equal_rows"]:
            raise Differs(f"{name}: {result['differs'] or 'another number of rows'}")
    rows = results[ARES]["equal_rows"]
    return f"all kept the same {rows:,} rows of seven columns, bit for bit, in every turn"


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
            programs=[
                Program(ARES, "benchmarks.ingest"),
                *(Program(one, PEERS, "", threads=THREADS.get(one)) for one in ingest.PEERS),
            ],
            same=same,
            goals=[
                Goal("at least polars' speed", _speed, 1.0, "times"),
                Goal("half of polars' memory", _memory, 2.0, "times"),
            ],
            rounds=repeats,
            turns=_turns(rows, repeats),
            reasons={
                "at least polars' speed": "Ares also checks every bar, merges months, hashes and"
                " publishes them; half of its processor time is pyarrow's parser",
                "half of polars' memory": "108 MiB of Ares' are there for a thousand rows, too"
                " (polars' 70), which leaves too little for what is read and merged at a time",
            },
        )
    ]


ROW = Row("csv", "a dump of CSV to Parquet", cases, {"": ["polars", "duckdb", "pandas", "pyarrow"]})
