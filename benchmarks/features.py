"""The base features of a million bars, beside the same by TA-Lib and by pandas.

Belongs here: the experiment and its table.  Does not belong here: the features.

One thread, one process; every way computes all columns of ``BASE_FEATURES`` in float64 from the
same frame, and is checked against Ares' values.  ``python -m benchmarks.features [bars]``.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd

from ares_assets.analyst.feature_table import BASE_FEATURES
from ares_assets.analyst.features import compute_features
from ares_assets.market.bars import join_reference
from ares_resources.exchanges.simulated import simulate
from ares_resources.exchanges.simulated.symbols import LABORATORY
from ares_resources.settings import FeatureSettings
from benchmarks.arguments import whole
from benchmarks.peers.indicators import Pandas, TaLib, by_library

NAMES = [feature.name for feature in BASE_FEATURES]
ALONE = FeatureSettings(timeframes=())
ROUNDS = 5


def market(bars: int) -> pd.DataFrame:
    """Simulated minutes with an open interest beside them."""
    made = simulate(LABORATORY["FLIP"], seed=1, minutes=bars)
    none = pd.DataFrame({"timestamp": np.empty(0, np.int64), "open_interest": np.empty(0)})
    frame = join_reference(made.bars(), made.funding(), none, "1m")
    walk = np.random.default_rng(1).normal(0, 1e-3, bars).cumsum()
    return frame.assign(open_interest=1e6 * np.exp(walk))


def seconds(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median processor seconds of each way, taken in turns, the first turn left out."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS + 1):
        for name, way in ways.items():
            begun = time.process_time()
            way()
            took[name].append(time.process_time() - begun)
    return {name: statistics.median(each[1:]) for name, each in took.items()}


def disagreement(ours: pd.DataFrame, theirs: dict[str, np.ndarray]) -> tuple[float, str]:
    """The largest share of a feature's values that differ by over a thousandth of its spread."""
    worst = (0.0, "none")
    for name in NAMES:
        own = ours[name].to_numpy()
        known = ~np.isnan(own)
        off = ~(np.abs(own - theirs[name])[known] <= 1e-3 * np.nanstd(own))
        if off.mean() > worst[0]:
            worst = (float(off.mean()), name)
    return worst


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.features", description=__doc__)
    parser.add_argument("bars", nargs="?", type=whole(10_000, 10**8), default=1_000_000)
    bars = parser.parse_args(arguments).bars
    frame = market(bars)

    def ares() -> pd.DataFrame:
        return compute_features(frame, timeframe="1m", settings=ALONE)

    libraries = {f"{library.__name__} and numpy": library for library in (TaLib, Pandas)}
    ways: dict[str, Callable[[], object]] = {"Ares": ares}
    ways |= {name: functools.partial(by_library, frame, by) for name, by in libraries.items()}
    own, took = ares(), seconds(ways)
    differ = {name: disagreement(own, by_library(frame, by)) for name, by in libraries.items()}
    print(f"{len(NAMES)} features of {bars} bars, one thread, float64, processor seconds\n")
    print("| way | s | times Ares | differing values, worst feature |\n|---|---|---|---|")
    for name, each in took.items():
        share, worst = differ.get(name, (0.0, "none"))
        print(f"| {name} | {each:.3f} | {each / took['Ares']:.1f} | {share:.2%} {worst} |")


if __name__ == "__main__":
    main()
