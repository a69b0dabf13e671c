"""Combinatorial purged cross-validation of an ensemble on its own development events.

Belongs here: its paths, each scored and traded, and how much worse they are than what the
same models say of events that they were trained on.  Does not belong here: the holdout
(``holdout.py``), the splits (``analyst/cross_validation.py``), and the verdict.

Members, their parameters and weights and the tactician were chosen on these very events, so
the figures describe how the choice holds together across time; they are no test of it.
Sources: López de Prado, Advances in Financial Machine Learning, 12.3; Arian, Norouzi and Seco
(2024), who compare models by the paths' distribution rather than by one number.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ares_assets.analyst.cross_validation import CombinatorialPurged
from ares_assets.analyst.dataset import Examples
from ares_assets.analyst.scores import auc
from ares_assets.evidence.jsonable import jsonable
from ares_assets.evidence.performance import aggregate_returns, sharpe_ratio
from ares_assets.release.holdout import HoldoutCase
from ares_assets.release.holdout_refits import fit_members, vote

_SPLITS = CombinatorialPurged(groups=6, test_groups=2)
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def judge_combinatorial(
    case: HoldoutCase, *, embargo_bars: int, seed: int, threads: int
) -> dict[str, Any]:
    """AUC and net annual Sharpe ratio of each path over development, out of sample and in it.

    A path takes each event's probability from a model that was trained without it; the
    in-sample path takes it from the first that was trained on it.  All are traded by the frozen
    calibrator, tactician and parameters, net of all costs.

    Returns
    -------
    ``paths``; ``sharpe``, ``trades`` and ``auc`` by path with ``sharpe_quantiles``,
    ``sharpe_median``, ``auc_median`` and ``losing_paths`` (share with a Sharpe ratio not above
    0); ``sharpe_in_sample`` and ``auc_in_sample``; ``deterioration``: in sample less the median
    path; ``judged_on`` in words.
    """
    splitter = dataclasses.replace(_SPLITS, embargo_bars=embargo_bars)
    development = case.development
    known = development.own
    tested, fitted = [], np.full(len(known), np.nan)
    for train, test in splitter.split(known.rows, known.t1_rows):
        models = fit_members(
            case, development, embargo_bars, train, test, seed=seed, threads=threads, forward=False
        )
        new = train[np.isnan(fitted[train])]
        # One call for both: what a model says of a row does not depend on its neighbours.
        said = vote(case, models, known.part(np.concatenate([test, new])))
        tested.append(said[: len(test)])
        fitted[new] = said[len(test) :]
    paths = splitter.paths(known.rows, tested)
    return jsonable(_report(case, known, paths, fitted))


def _report(
    case: HoldoutCase, known: Examples, paths: np.ndarray, fitted: np.ndarray
) -> dict[str, Any]:
    scores = [auc(known.labels, path, known.weights) for path in paths]
    traded = [_traded(case, known.rows, path) for path in paths]
    sharpe = np.array([ratio for ratio, _ in traded], np.float64)
    # Few events leave some that every model was purged of.
    seen = ~np.isnan(fitted)
    auc_inside = auc(known.labels[seen], fitted[seen], known.weights[seen])
    sharpe_inside, _ = _traded(case, known.rows[seen], fitted[seen])
    quantiles = np.quantile(sharpe, _QUANTILES)
    return {
        "judged_on": "development, after selection on the same events",
        "paths": len(paths),
        "auc": scores,
        "auc_median": float(np.median(scores)),
        "auc_in_sample": auc_inside,
        "sharpe": sharpe.tolist(),
        "sharpe_quantiles": {f"{q:g}": v for q, v in zip(_QUANTILES, quantiles, strict=True)},
        "sharpe_median": float(np.median(sharpe)),
        "sharpe_in_sample": sharpe_inside,
        "trades": [trades for _, trades in traded],
        "losing_paths": float(np.mean(~(sharpe > 0.0))),
        "deterioration": {
            "auc": auc_inside - float(np.median(scores)),
            "sharpe": sharpe_inside - float(np.median(sharpe)),
        },
    }


def _traded(case: HoldoutCase, rows: np.ndarray, raw: np.ndarray) -> tuple[float, int]:
    """Net annual Sharpe ratio and trades of these probabilities on the bars of development.

    From daily returns; 0 where nothing is traded, as no trade earns.
    """
    end, first = case.history_row, int(rows[0])
    frame = case.frame.iloc[:end]
    decisions = case.model.decide(
        frame, case.features.iloc[:end], case.regimes.iloc[:end], rows, raw=raw
    )
    path = case.model.trade(frame, decisions, first_row=first)
    daily = aggregate_returns(path.net_return, frame["timestamp"].to_numpy()[first:])[1]
    return float(np.nan_to_num(sharpe_ratio(daily))), int(path.result.trades)
