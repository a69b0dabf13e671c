"""Refits of a walk forward from scratch by CatBoost's defaults.

Belongs here: that way.  Does not belong here: Ares.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers.timing import Made, arrays, main
from benchmarks.peers.training import catboost, told, warmed


def scratch(folder: Path, options: dict[str, Any]) -> Made:
    """A new model for every block."""
    import numpy as np

    columns = arrays(folder)
    x, y, blocks = columns["x"], columns["y"], options["blocks"]

    def work() -> Any:
        found = []
        for first, stop in blocks:
            model = catboost(options).fit(x[:first], y[:first])
            found.append(model.predict_proba(x[first:stop])[:, 1])
        return np.concatenate(found)

    warmed(catboost, options, x, y)
    return work, lambda probability: told(y[blocks[0][0] :], probability)


if __name__ == "__main__":
    main({"catboost default, scratch": scratch})
