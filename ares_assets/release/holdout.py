"""Judging a partition's model on the holdout as it would be released.

Belongs here: the case that everything of step 13 is judged on, and the frozen model's figures.
Does not belong here: refits (``holdout_refits.py``), development (``combinatorial.py``), drift
(``holdout_drift.py``), verdicts, and disk.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.dataset import Examples, MarketExamples, analyst_inputs, from_events
from ares_assets.analyst.events import labelled_events
from ares_assets.analyst.scores import auc, log_loss
from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.performance import performance_report
from ares_assets.release.partition_model import PartitionModel, decision_rows
from ares_resources.timeframes import timeframe_ms


@dataclass(frozen=True)
class HoldoutCase:
    """The model, the bars, and what was known before the holdout.

    ``members`` maps the ensemble's members to ``kind, parameters, features``; ``past`` holds
    the events of all regimes; ``rows`` are the regime's holdout rows and ``market_rows`` those of
    all regimes; ``first_row`` is the holdout's first; ``served_rows`` are the
    regime's rows from ``history_row``, the first of calibration, on: decisions there are as
    new to the model as those of the holdout, so its memory of earlier signals starts there.
    """

    model: PartitionModel
    members: Mapping[str, Mapping[str, Any]]
    frame: pd.DataFrame
    features: pd.DataFrame
    regimes: pd.DataFrame
    past: MarketExamples
    rows: np.ndarray
    market_rows: np.ndarray
    first_row: int
    served_rows: np.ndarray
    history_row: int

    @functools.cached_property
    def decision_rows(self) -> np.ndarray:
        """Rows at which a decision is taken, from the first of calibration on."""
        settings = self.model.settings
        return decision_rows(self.frame, self.served_rows, settings.labels, settings.timeframe)

    @functools.cached_property
    def events(self) -> MarketExamples:
        """The holdout decisions of all regimes whose label is known by the end of the data."""
        settings = self.model.settings
        found = labelled_events(
            self.frame,
            self.market_rows,
            settings=settings.labels,
            timeframe_ms=timeframe_ms(settings.timeframe),
        )
        rows, names = found["row"].to_numpy(), list(self.past.everything.features.columns)
        inputs = analyst_inputs(self.features, self.regimes, rows)[names]
        return MarketExamples(from_events(found, inputs), np.isin(rows, self.rows))

    @property
    def holdout(self) -> Examples:
        """The regime's labelled decisions."""
        return self.events.own

    @functools.cached_property
    def development(self) -> MarketExamples:
        """What lies before calibration; no label there reaches into it."""
        return self._before_holdout(self.past.everything.rows < self.history_row)

    @functools.cached_property
    def calibration(self) -> Examples:
        """The regime's events of the calibration slice."""
        return self._before_holdout(self.past.everything.rows >= self.history_row).own

    def _before_holdout(self, chosen: np.ndarray) -> MarketExamples:
        kept = np.flatnonzero(chosen)
        return MarketExamples(self.past.everything.part(kept), self.past.member[kept])


@dataclass(frozen=True)
class FrozenResult:
    """How the model that would be released did: figures, decisions, returns, trades."""

    report: dict[str, Any]
    decisions: pd.DataFrame
    returns: pd.DataFrame
    trades: pd.DataFrame


def judge_frozen(case: HoldoutCase) -> FrozenResult:
    """The model as it would be released, over the whole holdout."""
    decisions = case.model.decide(case.frame, case.features, case.regimes, case.decision_rows)
    decisions = decisions[decisions["row"] >= case.first_row].reset_index(drop=True)
    report, path = traded(case, decisions)
    known = case.holdout
    predicted = probability_at(decisions, known.rows)
    base = float(np.average(case.past.own.labels, weights=case.past.own.weights))
    report |= {
        "events": len(known),
        "auc": auc(known.labels, predicted, known.weights),
        "log_loss": log_loss(known.labels, predicted, known.weights),
        "base_log_loss": log_loss(known.labels, np.full(len(known), base), known.weights),
        "taken": int(decisions["take"].sum()),
        "trades": int(path.result.trades),
    }
    stamps = case.frame["timestamp"].to_numpy()[case.first_row :]
    returns = pd.DataFrame({"timestamp": stamps, "net_return": path.net_return})
    trades = pd.DataFrame(
        {
            "entry": stamps[path.entry_row],
            "exit": stamps[path.exit_row],
            "side": path.side,
            "net_return": path.trade_return,
            "exit_reason": path.exit_reason,
            "reduced": path.reduce_row >= 0,
        }
    )
    return FrozenResult(jsonable(report), decisions, returns, trades)


def traded(case: HoldoutCase, decisions: pd.DataFrame) -> tuple[dict[str, Any], Any]:
    """Performance and turnover of the decisions in the holdout, and the path they took."""
    path = case.model.trade(case.frame, decisions, first_row=case.first_row)
    stamps = case.frame["timestamp"].to_numpy()[case.first_row :]
    figures = performance_report(path.net_return, stamps, trade_returns=path.trade_return)
    return {"performance": figures, "turnover": path.result.turnover}, path


def probability_at(decisions: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    """The calibrated probability of the decisions at these rows."""
    return decisions.set_index("row")["probability"].reindex(rows).to_numpy(np.float64)
