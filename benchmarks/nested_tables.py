"""The table of the benchmark of stacking.

Belongs here: Markdown from recorded runs.  Does not belong here: any measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.learner_scores import mean_and_error

TITLES = {"costs": "with costs", "free": "without fees and slippage"}
WAYS = {"stacked": "as in the product", "nested": "nested"}
HEAD = (
    "| | AUC of `take` | net return a signal, cross-fitted | always taking | markets with a trade |"
)


def markdown(results: Mapping[str, Any]) -> str:
    """Mean and standard error over the seeds of each way, and of their paired difference."""
    runs = results["runs"]
    seeds = [run["seed"] for run in runs]
    title = (
        f"{len(runs)} seeds, {min(seeds)} to {max(seeds)}, of {results['days']} days, "
        f"{results['analyst'].replace('_', ' ')} analyst, {results['tactician']} tacticians, "
        "out of fold, mean ± standard error. Net returns in units of 1e-6."
    )
    lines = []
    for priced, words in TITLES.items():
        for way, said in WAYS.items():
            each = {name: _values(runs, priced, way, name) for name in ("auc", "utility", "always")}
            traded = f"{_values(runs, priced, way, 'trades').mean():.0%}"
            cells = [_cell(each["auc"], 1, 4), _cell(each["utility"], 1e6, 1)]
            cells += [_cell(each["always"], 1e6, 1), traded]
            lines.append(_row([f"{words}, {said}", *cells]))
        gaps = [
            _values(runs, priced, "stacked", name) - _values(runs, priced, "nested", name)
            for name in ("auc", "utility")
        ]
        lines.append(_row(["difference", _cell(gaps[0], 1, 4), _cell(gaps[1], 1e6, 1), "", ""]))
    return "\n".join([title, "", HEAD, "|---" * 5 + "|", *lines])


def _values(runs: list[Mapping[str, Any]], priced: str, way: str, name: str) -> np.ndarray:
    return np.array([run[priced][way][name] for run in runs], float)


def _cell(values: np.ndarray, unit: float, digits: int) -> str:
    mean, error = mean_and_error(values * unit)
    return f"{mean:.{digits}f} ± {error:.{digits}f}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
