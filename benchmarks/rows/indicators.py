"""Row "indicators": the base features, beside TA-Lib, polars, pandas and libraries upon them.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: the peers'
ways (``peers/indicators.py``).  The work is all of ``BASE_FEATURES``, some forty of which are
technical indicators; Ares gives float64.  All compute in one thread, also where they are given two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.agreeing import peers_in
from benchmarks.peers.timing import Made, arrays, main
from benchmarks.turns import ARES, Case, Differs, Figures, Goal, Program, Row, faster

HERE, PEERS = "benchmarks.rows.indicators", "benchmarks.peers.indicators"
LIBRARIES = ("TA-Lib", "polars-talib", "polars", "pandas", "pandas-ta-classic", "ta")
SLOW = ("pandas-ta-classic", "ta")
SHARE = 0.02


def write(folder: Path, data: Mapping[str, Any]) -> None:
    """Simulated minutes."""
    from benchmarks.features import market

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
    """Of 200 rows of each feature, at most 2 % differ by over a thousandth of its spread.

    What is no number on one side only differs.
    """
    own, worst = results[ARES]["values"], (0.0, "none")
    for name, result in peers_in(results).items():
        if result["values"].keys() != own.keys():
            raise Differs(
                f"{name}: {sorted(result['values'].keys() ^ own.keys())} on one side only"
            )
        for feature, values in own.items():
            theirs, spread = result["values"][feature], float(np.nanstd(values))
            near = np.isclose(theirs, values, rtol=0, atol=1e-3 * spread + 1e-12, equal_nan=True)
            share = 1 - float(np.mean(near))
            worst = max(worst, (share, f"{feature} of {name}"))
            if share > SHARE:
                raise Differs(f"{name}: {share:.1%} of {feature} differ")
    shown = f", most of all {worst[1]}" if worst[0] else ""
    return f"{len(own)} features at 200 rows; {worst[0]:.1%} or less of each differ{shown}"


def _memory(figures: Figures) -> float:
    own = figures["ares"]
    return float(own["added_mib"]) / float(own["result"]["output_mib"])


def _peers(names: Sequence[str]) -> list[Program]:
    slow = {"repeats": 1, "warmups": 0}  # nothing of them is compiled, and a turn takes a minute
    return [
        Program(one, PEERS, "", 1, slow, threads=1)
        if one in SLOW
        else Program(one, PEERS, "", threads=1)
        for one in names
    ]


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
                programs=[Program("ares", HERE, threads=1), *_peers(names)],
                same=same,
                goals=goals,
                reasons={"6 x TA-Lib": "Ares computes features in one thread, too"}
                if threads == 2
                else {},
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
    {"": list(LIBRARIES)},
)

if __name__ == "__main__":
    main({"ares": ares})
