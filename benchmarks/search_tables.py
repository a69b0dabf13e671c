"""The tables of the search's benchmarks.

Belongs here: Markdown from recorded runs.  Does not belong here: any measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

BUDGETS = (50, 200)
OWN = "adaptive"
RESAMPLES, LEVEL, LEAST_SEEDS = 10_000, 0.95, 5
Run = dict[str, Any]


def sampler_tables(runs: Sequence[Run]) -> str:
    """Mean hypervolume, and what ours has more on the same seeds, by problem and budget."""
    return "\n\n".join(_of_budget(runs, budget) for budget in BUDGETS)


def _of_budget(runs: Sequence[Run], budget: int) -> str:
    head = ["problem", "sampler", "mean hypervolume", "adaptive has more", "wins", "ms a trial"]
    lines = []
    for problem in dict.fromkeys(run["problem"] for run in runs):
        mine = [run for run in runs if run["problem"] == problem]
        own = _by_seed(mine, OWN, f"volume_{budget}")
        for sampler in sorted(
            {run["sampler"] for run in mine}, key=lambda name: (name != OWN, name)
        ):
            other = _by_seed(mine, sampler, f"volume_{budget}")
            cost = np.mean(list(_by_seed(mine, sampler, "sampler_ms").values()))
            seeds = sorted(own.keys() & other.keys())
            more = np.array([own[seed] - other[seed] for seed in seeds])
            cells = ["", ""] if sampler == OWN else [difference(more), _wins(more)]
            lines.append(
                [problem, sampler, f"{np.mean(list(other.values())):.4f}", *cells, f"{cost:.1f}"]
            )
    title = f"{budget} trials"
    return "\n".join([f"**{title}**", "", table(head, lines)])


def difference(more: np.ndarray) -> str:
    """Mean of paired differences ``(seeds,)`` with its bootstrap interval, if there are enough."""
    if len(more) < LEAST_SEEDS:
        return f"{more.mean():+.4f}"
    low, high = mean_interval(more)
    return f"{more.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """Percentile interval of the mean, resampling seeds (Efron & Tibshirani 1993, chapter 13)."""
    random = np.random.default_rng(0)
    drawn = values[random.integers(len(values), size=(RESAMPLES, len(values)))].mean(axis=1)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)


def _wins(more: np.ndarray) -> str:
    return f"{int((more > 0).sum())} of {len(more)}"


def _by_seed(runs: Sequence[Run], sampler: str, key: str) -> dict[int, float]:
    return {run["seed"]: run[key] for run in runs if run["sampler"] == sampler}


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def stopping_table(runs: Sequence[Run]) -> str:
    """Hypervolume with and without early stopping by seed, and what was saved."""
    head = ["seed", "full", "with stopping", "more", "half the trials", "bars saved", "time saved"]
    lines = [[str(run["seed"]), *_stopped([run])] for run in runs]
    if len(runs) > 1:
        lines.append(["**median**", *_stopped(runs)])
    more = np.array([run["stopped_volume"] - run["full_volume"] for run in runs])
    mean = f"Mean of what stopping has more: {difference(more)}; more on {_wins(more)} seeds."
    same = np.array([run["stopped_volume"] - run["half_volume"] for run in runs])
    beside = f"Beside half the trials, none stopped: {difference(same)}; more on {_wins(same)}."
    title = f"Hypervolume, {len(runs)} seeds"
    return "\n".join([title, "", table(head, lines), "", mean, beside])


def _stopped(runs: Sequence[Run]) -> list[str]:
    full, half, stopped = (
        np.array([run[f"{one}_volume"] for run in runs]) for one in ("full", "half", "stopped")
    )
    bars, seconds = (
        np.median([1 - run[f"stopped_{unit}"] / run[f"full_{unit}"] for run in runs])
        for unit in ("bars", "seconds")
    )
    return [
        f"{np.median(full):.4f}",
        f"{np.median(stopped):.4f}",
        f"{np.median(stopped - full):+.4f}",
        f"{np.median(half):.4f}",
        f"{bars:.0%}",
        f"{seconds:.0%}",
    ]
