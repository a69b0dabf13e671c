"""Row "refits": twenty refits of a walk forward, continued beside from scratch.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: how a refit is
made (``ares_assets/release/refits.py``).  The peer is default CatBoost from scratch; Ares from
scratch stands beside.  Windows are anchored; each refit predicts the rows up to the next.  Every
program has imported its libraries and fitted a few trees to a few rows before its time begins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.agreeing import off_by, peers_in
from benchmarks.peers.timing import Made, arrays, main
from benchmarks.peers.training import FEW_ROWS, FEW_TREES, told
from benchmarks.rows import training
from benchmarks.turns import ARES, Case, Program, Row, faster

HERE, PEERS = "benchmarks.rows.refits", "benchmarks.peers.refits"
REFITS = 20
SCRATCH = "Ares from scratch"


def _walk(continuing: bool) -> Callable[[Path, dict[str, Any]], Made]:
    def program(folder: Path, options: dict[str, Any]) -> Made:
        import pandas as pd

        from ares_assets.analyst.dataset import Examples
        from ares_assets.release.refits import MemberLearner, RefitMemory

        columns = arrays(folder)
        names = [f"f{k}" for k in range(training.FEATURES)]
        rows = np.arange(len(columns["y"]))
        known = Examples(
            pd.DataFrame(columns["x"], columns=names),
            columns["y"],
            np.ones(len(rows)),
            rows,
            rows,
            60_000 * rows,
        )
        parameters = {"learning_rate": training.RATE, "depth": 6}
        parameters |= {"leaf_penalty": 3.0, "feature_share": 1.0, "row_share": 0.8}

        def walked(blocks: Sequence[tuple[int, int]], trees: int) -> Any:
            member = {"kind": "catboost", "features": names}
            member["parameters"] = {**parameters, "trees": trees}
            memory, found = RefitMemory(embargo_bars=0, continuing=continuing), []
            for first, stop in blocks:
                model = memory.fit("one", MemberLearner(member, 1, 2), known.part(rows[:first]))
                found.append(model.probability(known.features.iloc[first:stop]))
            return np.concatenate(found), memory.report()["one"]["continued"]

        walked([(FEW_ROWS, 2 * FEW_ROWS), (2 * FEW_ROWS, 3 * FEW_ROWS)], FEW_TREES)

        def work() -> Any:
            return walked(options["blocks"], options["trees"])

        def tell(value: Any) -> Mapping[str, Any]:
            labels = columns["y"][options["blocks"][0][0] :]
            return {**told(labels, value[0]), "continued": float(value[1])}

        return work, tell

    return program


def same(results: Mapping[str, Mapping[str, Any]]) -> str:
    """AUCs; continuing must be within .002 of scratch, and the peer near both."""
    for name, result in peers_in(results).items():
        off_by(name, "AUC", result["auc"], results[ARES]["auc"], training.OTHER_TREES)
    text = training.aucs_within(results, SCRATCH)
    return f"AUC: {text}; {results[ARES]['continued']:.0f} refits continued"


def cases(quick: bool) -> Sequence[Case]:
    """Windows from half to all of 100,000 rows."""
    rows, refits, trees = (8_000, 3, 60) if quick else (100_000, REFITS, 300)
    cuts = np.linspace(rows // 2, rows, refits + 1).astype(int).tolist()
    options = {"trees": trees, "blocks": list(pairwise(cuts))}
    peer = "catboost default, scratch"
    return [
        Case(
            name=f"{refits} refits, {rows // 2:,} to {rows:,} rows",
            make=training.write,
            data={"rows": rows, "held": 0, "seed": training.SEED},
            programs=[
                Program("continuing", HERE, label="ares"),
                Program("scratch", HERE, label=SCRATCH),
                Program(peer, PEERS, ""),
            ],
            same=same,
            goals=[faster([SCRATCH], 4, what="Ares from scratch")],
            options=options
            | {"repeats": 1, "warmups": 0, "rate": training.RATE, "depth": training.DEPTH},
            rounds=1 if quick else 2,
        )
    ]


ROW = Row("refits", "refits of a walk forward", cases, {"": ["catboost"]})

if __name__ == "__main__":
    main({"continuing": _walk(True), "scratch": _walk(False)})
