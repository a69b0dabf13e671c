"""What step 12 tells about its search: trials, front, chosen point, stopping.

Belongs here: tables and figures made of a finished search.  Does not belong here: searching
(``ares_resources/backtesting/search``), reading and writing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ares_assets.pictures import front_picture

if TYPE_CHECKING:
    from ares_resources.backtesting.search import SearchResult
    from ares_resources.backtesting.search_journal import FinishedTrial

FIGURES = ("sharpe", "max_drawdown", "turnover", "trades")
RACING = (
    "off: a backtest costs less than asking for its parameters, so stopping one on part of its"
    " bars saves nothing"
)


def trial_table(found: SearchResult) -> pd.DataFrame:
    """A row a trial: number, state, parameters, figures, and whether on the front or chosen."""
    front = {trial.number for trial in found.pareto}
    best = None if found.chosen is None else found.chosen.number
    return pd.DataFrame(
        [
            {
                "number": trial.number,
                "state": trial.state,
                **trial.parameters,
                **{name: getattr(trial, name) for name in FIGURES},
                "pareto": trial.number in front,
                "chosen": trial.number == best,
            }
            for trial in found.trials
        ]
    )


def search_metadata(found: SearchResult, *, patience: int | None) -> dict[str, Any]:
    """Counts, front, rule, stopping and picture; ``patience`` is None where it is switched off."""
    figures: dict[str, Any] = {
        "trials": len(found.trials),
        "failed_trials": sum(trial.state == "failed" for trial in found.trials),
        "pareto_points": len(found.pareto),
        "pareto_front": [_point(trial) for trial in found.pareto],
        "hypervolume": found.hypervolumes[-1] if found.hypervolumes else 0.0,
        "rule": found.rule,
        "stopped_early": found.stopped_early,
        "early_stopping": stopping_in_words(found, patience),
        "racing": RACING,
    }
    if found.chosen is not None:
        chosen = {f"development_{name}": getattr(found.chosen, name) for name in FIGURES}
        figures = {**figures, **chosen}
    picture = search_picture(found)
    return figures if picture is None else {**figures, "picture": picture}


def stopping_in_words(found: SearchResult, patience: int | None) -> str:
    """What early stopping did in this search."""
    if patience is None:
        return "off: all trials were run"
    if found.stopped_early:
        return f"stopped after {patience} batches without a better front"
    return f"on, {patience} batches without a better front; the budget ended first"


def search_picture(found: SearchResult) -> str | None:
    """The trials that completed, as dots; None without any."""
    shown = [trial for trial in found.trials if trial.state == "complete"]
    if not shown:
        return None
    front = {trial.number for trial in found.pareto}
    best = None if found.chosen is None else found.chosen.number
    numbers = [trial.number for trial in shown]
    return front_picture(
        np.array([trial.max_drawdown for trial in shown]),
        np.array([trial.sharpe for trial in shown]),
        np.array([number in front for number in numbers]),
        None if best is None else numbers.index(best),
    )


def _point(trial: FinishedTrial) -> dict[str, Any]:
    """One point of the front, rounded for reading; the table has the exact values."""
    values = {**trial.parameters, **{name: getattr(trial, name) for name in FIGURES}}
    short = {name: float(f"{v:.4g}") if isinstance(v, float) else v for name, v in values.items()}
    return {"number": trial.number, **short}
