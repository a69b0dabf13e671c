"""Refits of a partition's ensemble through the holdout: fitted on the past, block by block.

Belongs here: fitting the members of a block, their vote, and the report of both schemes.
Does not belong here: which events a block may learn from (``evidence/walk_forward.py``), how a
member is refitted (``refits.py``), and fitting anything that is released.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.analyst.dataset import Examples, MarketExamples
from ares_assets.analyst.ensemble import combine
from ares_assets.analyst.experts.base import get_expert
from ares_assets.analyst.out_of_fold import training_part
from ares_assets.analyst.scores import auc, log_loss
from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.walk_forward import (
    ForwardBlock,
    ForwardPredictions,
    Scheme,
    run_walk_forward,
    walk_forward_blocks,
)
from ares_assets.release.holdout import HoldoutCase, traded
from ares_assets.release.refits import MemberLearner, RefitMemory

_SCHEMES: tuple[Scheme, ...] = ("anchored", "rolling")
# What stays as released while the members are refitted, so that refits differ in them alone.
FROZEN = ("calibrator", "prediction sets", "tactician", "parameters", "members' settings")


@dataclass(frozen=True)
class RefitResult:
    """How refits of the same recipe did, and their predictions beside the labels.

    ``seconds_saved`` is what continued refits saved; unlike the rest it differs from run to
    run, so it is no part of the report.
    """

    report: dict[str, Any]
    predictions: pd.DataFrame
    seconds_saved: float


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
    figures, path = traded(case, decisions)
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
        "sharpe": figures["performance"]["sharpe"],
        "performance": figures["performance"],
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
