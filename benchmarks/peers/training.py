"""Boosted trees by CatBoost's defaults, LightGBM and scikit-learn.

Belongs here: these libraries' ways.  Does not belong here: Ares.  Each has fitted a few trees
before its time begins, as Ares' side has (``warmed``): importing CatBoost takes pandas and polars
along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main

FEW_ROWS, FEW_TREES = 500, 20


def told(labels: Any, probability: Any) -> Mapping[str, Any]:
    """The area under the curve."""
    from sklearn.metrics import roc_auc_score

    return {"auc": float(roc_auc_score(labels, probability))}


def _program(make: Callable[[dict[str, Any]], Any]) -> Callable[[Path, dict[str, Any]], Made]:
    def program(folder: Path, options: dict[str, Any]) -> Made:
        columns, rows = arrays(folder), options["rows"]
        x, y = columns["x"], columns["y"]

        def tell(model: Any) -> Mapping[str, Any]:
            return told(y[rows:], model.predict_proba(x[rows:])[:, 1])

        warmed(make, options, x, y)
        return lambda: make(options).fit(x[:rows], y[:rows]), tell

    return program


def warmed(make: Callable[[dict[str, Any]], Any], options: dict[str, Any], x: Any, y: Any) -> None:
    """Fit a few trees to a few rows and predict, so that all that is imported has been."""
    model = make({**options, "trees": FEW_TREES}).fit(x[:FEW_ROWS], y[:FEW_ROWS])
    model.predict_proba(x[:FEW_ROWS])


def catboost(options: dict[str, Any]) -> Any:
    from catboost import CatBoostClassifier

    return CatBoostClassifier(
        iterations=options["trees"],
        learning_rate=options["rate"],
        depth=options["depth"],
        random_seed=1,
        thread_count=2,
        allow_writing_files=False,
        logging_level="Silent",
    )


def _lightgbm(options: dict[str, Any]) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=options["trees"],
        learning_rate=options["rate"],
        num_leaves=2 ** options["depth"],
        n_jobs=2,
        verbose=-1,
        random_state=1,
    )


def _histogram(options: dict[str, Any]) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(
        max_iter=options["trees"],
        learning_rate=options["rate"],
        max_leaf_nodes=2 ** options["depth"],
        early_stopping=False,
        random_state=1,
    )


if __name__ == "__main__":
    main(
        {
            "catboost default": _program(catboost),
            "LightGBM": _program(_lightgbm),
            "HistGB": _program(_histogram),
        }
    )
