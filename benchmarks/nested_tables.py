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
UNITS = {"auc": (1, 4), "auc_all": (1, 4), "utility": (1e6, 1), "always": (1e6, 1)}
COMPARED = ("auc", "auc_all", "utility")
HEAD = (
    "| | AUC of `take`, best specialist | mean of all specialists "
    "| net return a signal, cross-fitted | always taking | markets with a trade |"
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
            cells = [_cell(_values(runs, priced, way, name), *UNITS[name]) for name in UNITS]
            cells += [f"{_values(runs, priced, way, 'trades').mean():.0%}"]
            lines.append(_row([f"{words}, {said}", *cells]))
        gaps = [
            _values(runs, priced, "stacked", name) - _values(runs, priced, "nested", name)
            for name in COMPARED
        ]
        cells = [_cell(gap, *UNITS[name]) for gap, name in zip(gaps, COMPARED, strict=True)]
        lines.append(_row(["difference", *cells, "", ""]))
    return "\n".join([title, "", HEAD, "|---" * 6 + "|", *lines])


def _values(runs: list[Mapping[str, Any]], priced: str, way: str, name: str) -> np.ndarray:
    return np.array([run[priced][way][name] for run in runs], float)


def _cell(values: np.ndarray, unit: float, digits: int) -> str:
    mean, error = mean_and_error(values * unit)
    return f"{mean:.{digits}f} ± {error:.{digits}f}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
