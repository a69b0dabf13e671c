"""Row "training": boosted trees on 60 features, beside LightGBM, HistGB, default CatBoost.

Belongs here: the work, the turns, the goals and Ares' side.  Does not belong here: the peers'
ways (``peers/training.py``).  All grow as many trees at the same rate, in two threads.  Trees of
both CatBoosts are six levels deep, with the same question throughout a level; those of LightGBM
and HistGB have up to as many leaves, 64, wherever they gain most, at any depth.  Results are not
equal but as good: the AUC on rows held back stands beside.  Every program has imported its
libraries and fitted a few trees to a few rows before its time begins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.agreeing import off_by, peers_in
from benchmarks.peers.timing import Made, arrays, main
from benchmarks.peers.training import FEW_ROWS, FEW_TREES, told
from benchmarks.turns import ARES, Case, Differs, Program, Row, faster

HERE, PEERS = "benchmarks.rows.training", "benchmarks.peers.training"
SEED, FEATURES, RATE, DEPTH = 18, 60, 0.05, 6
DEFAULT = "catboost default"
LIBRARIES = (DEFAULT, "LightGBM", "HistGB")
LOST, OTHER_TREES = 0.002, 0.03


def write(folder: Path, data: Mapping[str, Any]) -> None:
    """Labels of which a few of the features, their products and steps tell a little."""
    generator, rows = np.random.default_rng(SEED), int(data["rows"]) + int(data["held"])
    x = generator.normal(0, 1, (rows, FEATURES))
    score = (
        0.3 * x[:, 0] + 0.3 * x[:, 1] * x[:, 2] + 0.4 * (x[:, 3] > 0.5) + 0.2 * np.sin(2 * x[:, 4])
    )
    np.save(folder / "x.npy", x)
    np.save(folder / "y.npy", (generator.logistic(0, 1, rows) < score).astype(np.int64))


def ares(folder: Path, options: dict[str, Any]) -> Made:
    """The CatBoost expert."""
    import pandas as pd

    from ares_assets.analyst.experts.base import get_expert

    columns, rows = arrays(folder), options["rows"]
    names = [f"f{k}" for k in range(FEATURES)]
    frame, labels = pd.DataFrame(columns["x"], columns=names), columns["y"]
    known, weights = frame.iloc[:rows], np.ones(rows)
    parameters = {
        "learning_rate": RATE,
        "depth": DEPTH,
        "leaf_penalty": 3.0,
        "feature_share": 1.0,
        "row_share": 0.8,
    }

    def fitted(stop: int, trees: int) -> Any:
        return get_expert("catboost").fit(
            known.iloc[:stop],
            labels[:stop],
            weights[:stop],
            parameters={**parameters, "trees": trees},
            seed=1,
            threads=2,
        )

    def tell(model: Any) -> Mapping[str, Any]:
        return told(labels[rows:], model.probability(frame.iloc[rows:]))

    fitted(FEW_ROWS, FEW_TREES).probability(known.iloc[:FEW_ROWS])  # as the peers do
    return lambda: fitted(rows, options["trees"]), tell


def same(results: Mapping[str, Mapping[str, Any]]) -> str:
    """AUCs; Ares' at least default CatBoost's less .002, each within .03 of Ares'.

    Other libraries' trees are others; what is further away has not learned the same labels.
    """
    own = results[ARES]["auc"]
    for name, result in peers_in(results).items():
        off_by(name, "AUC", result["auc"], own, OTHER_TREES)
    return "AUC: " + aucs_within(results, DEFAULT)


def aucs_within(results: Mapping[str, Mapping[str, Any]], standard: str) -> str:
    """The AUCs; ``Differs`` where Ares' is lower than the standard's, if that ran, by over .002."""
    text = ", ".join(f"{name} {result['auc']:.4f}" for name, result in results.items())
    if standard in results and results[ARES]["auc"] < results[standard]["auc"] - LOST:
        raise Differs(f"AUC: {text}")
    return text


def cases(quick: bool) -> Sequence[Case]:
    """200,000 rows, 300 trees."""
    rows, trees = (20_000, 100) if quick else (200_000, 300)
    return [
        Case(
            name=f"{rows:,} x {FEATURES}, {trees} trees",
            make=write,
            data={"rows": rows, "held": rows // 4, "seed": SEED},
            programs=[
                Program("ares", HERE),
                *(Program(one, PEERS, "") for one in LIBRARIES),
            ],
            same=same,
            goals=[faster([DEFAULT], 1.4)],
            options={"repeats": 1, "warmups": 0, "rows": rows, "trees": trees}
            | {"rate": RATE, "depth": DEPTH},
            rounds=1 if quick else 3,
        )
    ]


ROW = Row(
    "training",
    "boosted trees",
    cases,
    {"": ["catboost", "lightgbm", "scikit-learn"]},
)

if __name__ == "__main__":
    main({"ares": ares})
