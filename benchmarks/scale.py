"""Time and memory of Ares against size, with the exponent: ``python -m benchmarks.scale``.

Belongs here: the sizes and the work.  Does not belong here: exponents, pictures, the table
(``scale_tables.py``), peers (``bench.py``).

Each point is a process of its own.  The exponent is the slope of log time over log size by least
squares, with its standard error; memory is what the work added to a warmed process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.arguments import of_command, page, picture
from benchmarks.arguments import results as results_file
from benchmarks.measuring import machine, versions
from benchmarks.pages import put_table, write_results
from benchmarks.peers.timing import Made
from benchmarks.peers.timing import main as run_program
from benchmarks.recorded import code_hash
from benchmarks.scale_tables import draw, exponent, table
from benchmarks.turns import ROOT

SEED = 21
SETS_BARS, SYMBOL_BARS = 200_000, 50_000
AXES: dict[str, tuple[str, ...]] = {
    "bars": ("backtest", "features", "labels", "fingerprint"),
    "sets": ("sweep",),
    "symbols": ("symbols",),
}
SIZES = {
    "bars": (10_000, 100_000, 1_000_000, 10_000_000),
    "sets": (1, 10, 100, 1000),
    "symbols": (1, 2, 4, 8),
}
QUICK = {"bars": (10_000, 100_000), "sets": (1, 100), "symbols": (1, 2)}
PROG, MARK = "python -m benchmarks.scale", "scale"
RESULTS = ROOT / "benchmarks" / "results" / "scale.json"
PICTURE = ROOT / "docs" / "scale.png"


def columns(bars: int, seed: int = SEED) -> dict[str, np.ndarray]:
    """A random walk of minutes, its ATR, and a probability."""
    import talib

    generator = np.random.default_rng(seed)
    close = 1500 * np.exp(np.cumsum(generator.normal(0, 6e-4, bars)))
    opens = np.concatenate([close[:1], close[:-1]])
    wick = 1 + generator.exponential(2e-4, (2, bars))
    high, low = np.maximum(opens, close) * wick[0], np.minimum(opens, close) / wick[1]
    return {
        "timestamp": 1_640_995_200_000 + 60_000 * np.arange(bars, dtype=np.int64),
        "open": opens,
        "high": high,
        "low": low,
        "close": close,
        "volume": generator.exponential(40, bars),
        "taker_buy_share": generator.uniform(0.3, 0.7, bars),
        "funding_rate": np.full(bars, 1e-4),
        "funding_payment": np.zeros(bars),
        "open_interest": 1e6 * np.exp(generator.normal(0, 1e-3, bars).cumsum()),
        "atr": talib.ATR(high, low, close, 14),
        "probability": generator.random(bars),
    }


def _sweep(made: Mapping[str, np.ndarray], sets: int) -> Callable[[], Any]:
    from ares_resources.backtesting import StrategyParameters
    from ares_resources.backtesting.parallel import ParallelBacktester
    from benchmarks.rows.markets import market_of
    from benchmarks.rows.sweep import points

    tester = ParallelBacktester(
        market_of(made), made["probability"], np.full(len(made["close"]), 0.01), max_workers=2
    )
    asked = [
        StrategyParameters(0.5 + m, 0.5 - m, s, t, 1440, 4e-4, 1e-4) for m, s, t in points(sets)
    ]
    return lambda: tester.sweep(asked)


def _frame(made: Mapping[str, np.ndarray]) -> Any:
    import pandas as pd

    return pd.DataFrame({name: made[name] for name in list(made)[:10]})


def _features(made: Mapping[str, np.ndarray]) -> Callable[[], Any]:
    from ares_assets.analyst.features import compute_features
    from ares_resources.settings import FeatureSettings

    frame = _frame(made)
    return lambda: compute_features(frame, timeframe="1m", settings=FeatureSettings())


def _labels(made: Mapping[str, np.ndarray]) -> Callable[[], Any]:
    from ares_assets.analyst.labels import triple_barrier

    frame, rows = _frame(made), np.arange(len(made["close"]))
    scale = np.full(len(rows), 6e-4)
    return lambda: triple_barrier(
        frame,
        rows,
        horizon_bars=60,
        upper_width=1.0,
        lower_width=1.0,
        volatility=scale,
        timeframe_ms=60_000,
    )


def _fingerprint(made: Mapping[str, np.ndarray]) -> Callable[[], Any]:
    from ares_resources.hashing import frame_fingerprint

    frame = _frame(made)
    return lambda: frame_fingerprint(frame)


def _symbols(count: int) -> Callable[[], Any]:
    markets = [columns(SYMBOL_BARS, SEED + one) for one in range(count)]
    chains = [
        [_features(made), _labels(made), _sweep(made, 20), _fingerprint(made)] for made in markets
    ]

    def work() -> None:
        for chain in chains:
            for step in chain:
                step()

    return work


def _program(folder: Path, options: dict[str, Any]) -> Made:
    size, name = options["size"], options["work"]
    if name == "symbols":
        return _symbols(size), lambda _: {}
    made = columns(SETS_BARS if name == "sweep" else size)
    works: dict[str, Callable[[], Callable[[], Any]]] = {
        "backtest": lambda: _sweep(made, 1),
        "sweep": lambda: _sweep(made, size),
        "features": lambda: _features(made),
        "labels": lambda: _labels(made),
        "fingerprint": lambda: _fingerprint(made),
    }
    return works[name](), lambda _: {}


def measured(sizes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """By axis and work, sizes, seconds, added MiB and the exponents."""
    found: dict[str, Any] = {}
    for axis, works in AXES.items():
        for work in works:
            points = []
            for size in sizes[axis]:
                points.append(_point(work, size))
                print(f"{axis} {work} {points[-1]}", file=sys.stderr, flush=True)
            x = [point["size"] for point in points]
            slope, error = exponent(x, [point["seconds"] for point in points])
            found[work] = {"axis": axis, "points": points, "exponent": slope, "error": error}
    return found


def _point(work: str, size: int) -> dict[str, float]:
    repeats = 5 if size <= 1_000_000 else 3
    options = json.dumps({"work": work, "size": size, "repeats": repeats})
    command = [sys.executable, "-m", "benchmarks.scale", "point", ".", options]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )
    line = json.loads(done.stdout.strip().splitlines()[-1])
    seconds = float(np.median(line["seconds"]))
    return {
        "size": size,
        "seconds": float(f"{seconds:.4g}"),
        "added_mib": round(line["added_mib"], 2),
        "peak_mib": round(line["peak_mib"], 1),
    }


def main(arguments: list[str] | None = None) -> int:
    """Measure, keep the figures and pictures, print the table."""
    options = _options(arguments)
    found = measured(QUICK if options.quick else SIZES)
    kept = {
        "command": f"{PROG} " + " ".join(arguments or sys.argv[1:]),
        "date": datetime.now(UTC).date().isoformat(),
        "code": code_hash(),
        "seed": SEED,
        "machine": machine(),
        "versions": versions("ares", "numpy", "numba", "pandas"),
    }
    write_results(options.out, {**kept, "works": found})
    draw(found, options.picture)
    print(table(found))
    if options.page:
        there = os.path.relpath(options.picture, options.page.parent)
        shown = f"![Time and memory against size]({there})\n\n{table(found)}"
        put_table(options.page, MARK, shown)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=PROG, description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    kept = results_file(of_command(PROG))
    parser.add_argument("--out", type=kept, help=f"{RESULTS.relative_to(ROOT)} unless --quick")
    parser.add_argument("--picture", type=picture, help=f"{PICTURE.relative_to(ROOT)} likewise")
    parser.add_argument("--page", type=page(MARK), help="page to put picture and table into")
    options = parser.parse_args(arguments)
    if options.quick and options.page:
        parser.error("argument --page: small sizes are for no page")
    place = ROOT / "tmp" if options.quick else None
    try:
        options.out = options.out or kept(str(place / "scale.json" if place else RESULTS))
        options.picture = options.picture or picture(
            str(place / PICTURE.name if place else PICTURE)
        )
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    return options


if __name__ == "__main__":
    if sys.argv[1:2] == ["point"]:
        run_program({"point": _program})
    else:
        raise SystemExit(main())
