"""Judging a partition's model on the holdout: frozen and refitted.

Belongs here: running models over holdout rows and putting the figures together.
Does not belong here: fitting anything that is released, development (``combinatorial.py``),
drift (``holdout_drift.py``), verdicts, and disk.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.dataset import Examples, MarketExamples, analyst_inputs, from_events
from ares_assets.analyst.ensemble import combine
from ares_assets.analyst.events import labelled_events
from ares_assets.analyst.experts.base import get_expert
from ares_assets.analyst.out_of_fold import training_part
from ares_assets.analyst.scores import auc, log_loss
from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.performance import performance_report
from ares_assets.evidence.walk_forward import (
    ForwardBlock,
    ForwardPredictions,
    Scheme,
    run_walk_forward,
    walk_forward_blocks,
)
from ares_assets.release.partition_model import PartitionModel, decision_rows
from ares_assets.release.refits import MemberLearner, RefitMemory
from ares_resources.timeframes import timeframe_ms

_SCHEMES: tuple[Scheme, ...] = ("anchored", "rolling")
# What stays as released while the members are refitted, so that refits differ in them alone.
FROZEN = ("calibrator", "prediction sets", "tactician", "parameters", "members' settings")


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


@dataclass(frozen=True)
class RefitResult:
    """How refits of the same recipe did, and their predictions beside the labels.

    ``seconds_saved`` is what continued refits saved; unlike the rest it differs from run to
    run, so it is no part of the report.
    """

    report: dict[str, Any]
    predictions: pd.DataFrame
    seconds_saved: float


def judge_frozen(case: HoldoutCase) -> FrozenResult:
    """The model as it would be released, over the whole holdout."""
    decisions = case.model.decide(case.frame, case.features, case.regimes, case.decision_rows)
    decisions = decisions[decisions["row"] >= case.first_row].reset_index(drop=True)
    report, path = _traded(case, decisions)
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


def judge_refits(
    case: HoldoutCase,
    *,
    refits: int,
    embargo_bars: int,
    seed: int,
    threads: int,
    progress: Callable[[str, int, int], None],
    memory: Callable[[], RefitMemory] | None = None,
) -> RefitResult:
    """Rolling and anchored refits through the holdout.

    ``memory`` makes each scheme's memory of its refits; without it all start from scratch.
    Only the ensemble's members are fitted anew: ``frozen`` names what is not.
    """
    known, both = case.holdout, case.past.followed_by(case.events)
    table = pd.DataFrame({"row": known.rows, "label": known.labels, "weight": known.weights})
    schemes: dict[str, Any] = {}
    saved = 0.0
    make = memory or functools.partial(RefitMemory, embargo_bars, continuing=False)
    for number, scheme in enumerate(_SCHEMES):
        progress("refit scheme", number, len(_SCHEMES))
        blocks = walk_forward_blocks(
            both.own.rows,
            both.own.t1_rows,
            known.rows,
            refits=refits,
            scheme=scheme,
            embargo_bars=embargo_bars,
        )
        past_refits = make()
        found = _walked(case, both, blocks, past_refits, embargo_bars, seed=seed, threads=threads)
        table[scheme] = found.prediction
        schemes[scheme] = _scheme_report(case, known, found.prediction, found)
        schemes[scheme]["refits"] = past_refits.report()
        schemes[scheme]["purge"] = _purge_report(case, both.own, blocks, embargo_bars)
        saved += past_refits.seconds_saved()
    return RefitResult(jsonable({"schemes": schemes, "frozen": list(FROZEN)}), table, saved)


def _traded(case: HoldoutCase, decisions: pd.DataFrame) -> tuple[dict[str, Any], Any]:
    path = case.model.trade(case.frame, decisions, first_row=case.first_row)
    stamps = case.frame["timestamp"].to_numpy()[case.first_row :]
    figures = performance_report(path.net_return, stamps, trade_returns=path.trade_return)
    return {"performance": figures, "turnover": path.result.turnover}, path


def probability_at(decisions: pd.DataFrame, rows: np.ndarray) -> np.ndarray:
    """The calibrated probability of the decisions at these rows."""
    return decisions.set_index("row")["probability"].reindex(rows).to_numpy(np.float64)


def fit_members(
    case: HoldoutCase,
    known: MarketExamples,
    embargo_bars: int,
    train: np.ndarray,
    test: np.ndarray,
    *,
    seed: int,
    threads: int,
    forward: bool,
    memory: RefitMemory | None = None,
) -> dict[str, Any]:
    """The members trained for one block; positions are among the regime's own events."""
    fitted = {}
    for name, member in sorted(case.members.items()):
        scope = get_expert(member["kind"]).scope
        part = training_part(
            known, train, test, scope=scope, embargo_bars=embargo_bars, forward=forward
        )
        learner = MemberLearner(member, seed, threads)
        fitted[name] = learner.fit(part) if memory is None else memory.fit(name, learner, part)
    return fitted


def _walked(
    case: HoldoutCase,
    both: MarketExamples,
    blocks: list[ForwardBlock],
    memory: RefitMemory,
    embargo_bars: int,
    *,
    seed: int,
    threads: int,
) -> ForwardPredictions:
    def fit(block: ForwardBlock) -> dict[str, Any]:
        return fit_members(
            case,
            both,
            embargo_bars,
            block.train,
            block.test,
            seed=seed,
            threads=threads,
            forward=True,
            memory=memory,
        )

    def predict(models: dict[str, Any], test: np.ndarray) -> np.ndarray:
        return vote(case, models, both.own.part(test))

    return run_walk_forward(blocks, fit, predict)


def vote(case: HoldoutCase, models: Mapping[str, Any], known: Examples) -> np.ndarray:
    """The ensemble's probability at n events from these members, (n,)."""
    votes = {name: model.probability(known.features) for name, model in models.items()}
    return combine(votes, case.model.analyst.weights)


def _scheme_report(
    case: HoldoutCase, known: Examples, predicted: np.ndarray, found: Any
) -> dict[str, Any]:
    calibrated = case.model.calibrator.predict(predicted)
    decisions = case.model.decide(
        case.frame, case.features, case.regimes, known.rows, raw=predicted
    )
    traded, path = _traded(case, decisions)
    return {
        "auc": auc(known.labels, calibrated, known.weights),
        "log_loss": log_loss(known.labels, calibrated, known.weights),
        "auc_by_block": [
            auc(
                known.labels[found.block == b],
                calibrated[found.block == b],
                known.weights[found.block == b],
            )
            for b in np.unique(found.block)
        ],
        "trained_on": found.trained_on.tolist(),
        "trades": int(path.result.trades),
        "sharpe": traded["performance"]["sharpe"],
        "performance": traded["performance"],
    }


def _purge_report(
    case: HoldoutCase, known: Examples, blocks: list[ForwardBlock], embargo_bars: int
) -> dict[str, Any]:
    """By block: own events purged, and bars from the last training label to its first row."""
    last = [known.t1_rows[block.train].max() for block in blocks]
    return {
        "horizon_bars": case.model.settings.labels.horizon_bars,
        "embargo_bars": embargo_bars,
        "purged": [block.purged for block in blocks],
        "gap_bars": [
            int(known.rows[block.test[0]] - end) for block, end in zip(blocks, last, strict=True)
        ],
    }
