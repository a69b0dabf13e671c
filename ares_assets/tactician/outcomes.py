"""Everything that step 8 says of a signal's outcome: labels, weight, and what is judged on them.

Belongs here: the one function that makes it from bars and signals, for the step and for the
proof that it needs no later bar.  Does not belong here: what was known at the signal
(``tactician_features.py``), and how single columns are computed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ares_resources.timeframes import DAY_MS, timeframe_ms

if TYPE_CHECKING:
    from ares_assets.tactician.model import Signals, TacticianContext


def signal_outcomes(
    frame: pd.DataFrame, signals: Signals, context: TacticianContext
) -> tuple[pd.DataFrame, Signals]:
    """Outcomes of the signals that have one by the frame's end, and those signals, (m,).

    Beside the columns of :func:`meta_labels.meta_labels`: ``settled_row``, by which an outcome
    is known however it ends; ``probability``; ``weight``, the uniqueness of that whole window,
    of mean 1; ``move`` and ``annual_volatility`` (fractions); ``size_target``; the
    ``management`` signal given (codes of :data:`positions.CODES`), and the ``managed_return``
    of following all of them.
    """
    from ares_assets.analyst.weights import uniqueness_weights

    labels = context.label(frame, signals)
    signals = _part(signals, np.isin(signals.row, labels["row"].to_numpy()))
    labels["settled_row"] = context.settled(labels)["exit_row"]
    labels["probability"] = signals.probability
    labels["weight"] = uniqueness_weights(
        labels["row"].to_numpy(), labels["settled_row"].to_numpy()
    )
    _add_targets(frame, labels, signals, context)
    return labels, signals


def annual_volatility(spread: np.ndarray, timeframe: str) -> np.ndarray:
    """Volatility of one bar's return as a yearly one, on 365 days."""
    return spread * np.sqrt(365.0 * DAY_MS / timeframe_ms(timeframe))


def _part(signals: Signals, kept: np.ndarray) -> Signals:
    return replace(
        signals,
        row=signals.row[kept],
        probability=signals.probability[kept],
        upper_width=signals.upper_width[kept],
        lower_width=signals.lower_width[kept],
    )


def _add_targets(
    frame: pd.DataFrame, labels: pd.DataFrame, signals: Signals, context: TacticianContext
) -> None:
    """Add what size rules and position management are judged on, in place."""
    from ares_assets.tactician.meta_labels import side_cost
    from ares_assets.tactician.positions import managed_returns, management_signals
    from ares_assets.tactician.size_rules import size_target

    spread, cost = signals.spread[signals.row], side_cost(context.costs)
    move = spread * np.sqrt(context.horizon_bars)
    told = management_signals(signals.probability, move, band=cost)
    per_bar = np.zeros(len(frame), np.int8)
    per_bar[signals.row] = told
    labels["move"] = move
    labels["annual_volatility"] = annual_volatility(spread, context.timeframe)
    labels["size_target"] = size_target(labels["net_return"].to_numpy(), move)
    labels["management"] = told
    labels["managed_return"] = managed_returns(
        frame, labels, per_bar, cost=cost, latency_bars=context.costs.latency_bars
    )
