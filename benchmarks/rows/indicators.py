"""Row "indicators": the base features, beside TA-Lib, polars-talib, polars and pandas.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: the peers'
ways (``peers/indicators.py``).  The work is all of ``BASE_FEATURES``, some forty of which are
technical indicators; Ares gives float64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.timing import Made, arrays, main
from benchmarks.turns import Case, Differs, Figures, Goal, Program, Row, faster

HERE, PEERS = "benchmarks.rows.indicators", "benchmarks.peers.indicators"
LIBRARIES = ("TA-Lib", "polars-talib", "polars", "pandas")


def write(folder: Path, data: Mapping[str, Any]) -> None:
    """Simulated minutes."""
    from benchmarks.features import market

    if (folder / "close.npy").is_file():
        return
    for name, values in market(int(data["bars"])).items():
        np.save(folder / f"{name}.npy", values.to_numpy())


def ares(folder: Path, options: dict[str, Any]) -> Made:
    """``compute_features`` without slower timeframes."""
    import pandas as pd

    from ares_assets.analyst.features import compute_features
    from ares_resources.settings import FeatureSettings
    from benchmarks.peers.indicators import told

    frame, alone = pd.DataFrame(arrays(folder)), FeatureSettings(timeframes=())

    def tell(found: Any) -> Mapping[str, Any]:
        mib = found.to_numpy().nbytes / 2**20
        return {**told({name: found[name].to_numpy() for name in found}), "output_mib": mib}

    return lambda: compute_features(frame, timeframe="1m", settings=alone), tell


def same(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Of 200 rows of every feature, at most 1 % differ by over a thousandth of its spread."""
    own, worst = results["ares"]["values"], 0.0
    for name, result in results.items():
        off = [
            np.abs(np.subtract(values, result["values"][feature])) > 1e-3 * np.std(values) + 1e-12
            for feature, values in own.items()
        ]
        share = float(np.mean(off))
        worst = max(worst, share)
        if share > 0.01:
            feature = list(own)[int(np.argmax(np.mean(off, axis=1)))]
            raise Differs(f"{name}: {share:.1%} of values differ, most of all {feature}")
    return f"{len(own)} features at 200 rows; {worst:.2%} differ by over .001 of their spread"


def _memory(figures: Figures) -> float:
    own = figures["ares"]
    return float(own["added_mib"]) / float(own["result"]["output_mib"])


def cases(quick: bool) -> Sequence[Case]:
    """One core and two."""
    bars = 50_000 if quick else 1_000_000
    found = []
    for threads, times in ((1, 3.0), (2, 6.0)):
        names = LIBRARIES if threads == 1 else ("TA-Lib", "polars")
        goals = [faster(["TA-Lib"], times)]
        if threads == 1:
            memory = Goal("memory 1.4 x output", _memory, 1.4, "times", at_least=False)
            goals = [*goals, memory]
        found.append(
            Case(
                name=f"{bars:,} bars, {threads} core{'s' * (threads - 1)}",
                make=write,
                data={"bars": bars, "seed": 1},
                programs=[Program("ares", HERE), *(Program(one, PEERS, "") for one in names)],
                same=same,
                goals=goals,
                options={"repeats": 2},
                threads=threads,
                rounds=1 if quick else 3,
            )
        )
    return found


ROW = Row(
    "indicators",
    "every base feature",
    cases,
    {"": ["TA-Lib", "polars-talib", "polars", "pandas"]},
)

if __name__ == "__main__":
    main({"ares": ares})
