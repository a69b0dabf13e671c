"""Row "cache": the answer to a backtest that was run before, beside joblib and diskcache.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: the peers'
idioms (``peers/cache.py``).  Asked for are a thousand parameter sets, one call each, and the
seconds are those of one; "cold" forgets what is in memory, so that the answer comes from the file.
Each process fills a folder of its own before the time, and Ares' answers are held against backtests
that went past the cache.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main
from benchmarks.rows import markets, sweep
from benchmarks.turns import Case, Differs, Program, Row, within

HERE, PEERS = "benchmarks.rows.cache", "benchmarks.peers.cache"
SEED = 13
BARS = 100_000


def _tester(folder: Path, options: dict[str, Any], cache: Path) -> tuple[Any, list[Any]]:
    from ares_resources.backtesting import StrategyParameters
    from ares_resources.backtesting.cached import CachedBacktester

    columns = arrays(folder)
    size = columns["probability"] * 0.0 + markets.SIZE
    tester = CachedBacktester(
        cache,
        market=markets.market_of(columns),
        probability=columns["probability"],
        size=size,
        max_cache_size=4096,
    )
    sets = [
        StrategyParameters(0.5 + m, 0.5 - m, s, t, 1440, markets.FEE, markets.SLIPPAGE)
        for m, s, t in sweep.points(options["sets"])
    ]
    return tester, sets


def ares(folder: Path, options: dict[str, Any]) -> Made:
    """``CachedBacktester.evaluate`` of a set that is in memory."""
    return _asked(folder, options, cold=False)


def ares_cold(folder: Path, options: dict[str, Any]) -> Made:
    """The same after ``clear_memory``: from the file."""
    return _asked(folder, options, cold=True)


def _asked(folder: Path, options: dict[str, Any], *, cold: bool) -> Made:
    tester, sets = _tester(folder, options, Path(tempfile.mkdtemp(dir=folder)))
    fresh = tester.signals.sweep(sets, threads=1).results()
    tester.evaluate_many(sets)

    def work() -> list[Any]:
        if cold:
            tester.clear_memory()
        return [tester.evaluate(one) for one in sets]

    def tell(found: list[Any]) -> Mapping[str, Any]:
        return {
            "per": len(sets),
            "same": found == fresh,
            "asked": len(sets),
            "computed": tester.misses,
        }

    return work, tell


def same(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Every cache answered what was computed, and computed each set once, before the time."""
    for name, result in results.items():
        if not result["same"] or result["computed"] != result["asked"]:
            raise Differs(f"{name}: {dict(result)}")
    return "each answers what was computed; each set computed once"


def cases(quick: bool) -> Sequence[Case]:
    """In process, and from the disk."""
    sets = 200 if quick else 1000
    frame = Program("joblib, frame as argument", PEERS, "", 2, {"repeats": 1, "sets": 5})
    shared = {"make": markets.write_market, "data": {"bars": BARS, "seed": SEED, "gap": 0.1}}
    shared |= {"same": same, "options": {"sets": sets}, "threads": 1, "rounds": 2 if quick else 5}
    peers = [Program("joblib", PEERS, ""), Program("diskcache", PEERS, "")]
    return [
        Case(
            name="in process, per hit",
            programs=[Program("ares", HERE, options={"repeats": 20}), *peers, frame],
            goals=[within(0.5, "us", 1e6)],
            **shared,
        ),
        Case(
            name="from the disk, per hit",
            programs=[Program("ares cold", HERE, label="ares"), *peers],
            goals=[within(20, "us", 1e6)],
            **shared,
        ),
    ]


ROW = Row("cache", "a backtest that was run before", cases, {"": ["joblib", "diskcache"]})

if __name__ == "__main__":
    main({"ares": ares, "ares cold": ares_cold})
