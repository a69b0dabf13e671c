"""What the model claimed of each holdout trade, and the equity those claims leave open.

Belongs here: matching trades with the decisions behind them and the labels that judged those.
Does not belong here: the band itself (``evidence/uncertainty.py``), trading, and disk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ares_assets.evidence.uncertainty import equity_band, set_intervals
from ares_assets.release.partition_model import PartitionModel

# Paths times trades of a band; a band of 2,000 paths is drawn as well as one of 10,000.
_MOST_CELLS = 5_000_000


def claimed_equity(
    model: PartitionModel,
    stamps: np.ndarray,
    decisions: pd.DataFrame,
    trades: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    paths: int,
    seed: int,
    coverage: float = 0.9,
) -> dict[str, Any]:
    """The equity band of the trades, twice: probabilities as they are, and their intervals.

    Parameters
    ----------
    stamps
        Bar opens of all rows, int64 ms, (bars,).
    decisions
        Of ``PartitionModel.decide``.  A calibrator that gives intervals (Venn-Abers) is asked
        for those of its raw probabilities; of any other the prediction sets make them.
    trades
        ``entry`` (ms), ``side`` and ``net_return`` in time order, (n, ...).
    labels
        ``row`` and ``label`` of the decisions whose outcome is known.

    paths
        Wanted paths; fewer where more than 500 trades would make them slow.

    Returns
    -------
    JSON-able: ``trades``, ``judged`` (those with a known label), ``right`` (share of these),
    ``claimed`` (mean probability of the side taken), ``intervals`` ("calibrator" or
    "prediction sets"), ``point`` and ``interval`` bands; bands are None where no judged trade
    proved right, or none wrong: then nobody knows what such a trade pays.
    """
    if trades.empty:
        return {**_counts(0, 0), "point": None, "interval": None}
    behind = _decision_behind(model, stamps, decisions, trades)
    taken, side = decisions.iloc[behind], trades["side"].to_numpy()
    outcome = labels.set_index("row")["label"].reindex(taken["row"]).to_numpy(np.float64)
    judged = ~np.isnan(outcome)
    proved = (outcome == 1.0) == (side > 0)
    returns = trades["net_return"].to_numpy()
    right, wrong = returns[judged & proved], returns[judged & ~proved]
    probability = taken["probability"].to_numpy(np.float64)
    point = _of_side(probability, probability, side)
    source, low, high = _intervals(model, taken)
    told = {
        **_counts(len(trades), int(judged.sum())),
        "right": float(proved[judged].mean()) if judged.any() else None,
        "claimed": float(point[0].mean()),
        "intervals": source,
    }
    if not (right.size and wrong.size):
        return {**told, "point": None, "interval": None}
    options: dict[str, Any] = {
        "paths": max(1, min(paths, _MOST_CELLS // len(trades))),
        "seed": seed,
        "coverage": coverage,
        "realised": returns,
    }
    interval = _of_side(low, high, side)
    return {
        **told,
        "point": equity_band(*point, right, wrong, **options).as_dict(),
        "interval": equity_band(*interval, right, wrong, **options).as_dict(),
    }


def _counts(trades: int, judged: int) -> dict[str, Any]:
    return {"trades": trades, "judged": judged, "right": None, "claimed": None, "intervals": None}


def _decision_behind(
    model: PartitionModel, stamps: np.ndarray, decisions: pd.DataFrame, trades: pd.DataFrame
) -> np.ndarray:
    """Position of the decision that each trade was entered on: the last that could fill."""
    delay = model.settings.tactician.delay_bars
    acting = decisions["take"].to_numpy(bool) & (
        np.sign(decisions["probability"].to_numpy(np.float64) - 0.5) == decisions["side"].to_numpy()
    )
    waited = np.where(decisions["wait"].to_numpy(bool), delay, 0)
    fills = decisions["row"].to_numpy(np.int64) + waited + model.settings.costs.latency_bars
    position = np.flatnonzero(acting)
    position = position[np.argsort(fills[position], kind="stable")]
    entry = np.searchsorted(stamps, trades["entry"].to_numpy(np.int64))
    return position[np.searchsorted(fills[position], entry, side="right") - 1]


def _intervals(model: PartitionModel, taken: pd.DataFrame) -> tuple[str, np.ndarray, np.ndarray]:
    probability = taken["probability"].to_numpy(np.float64)
    asked = getattr(model.calibrator, "predict_interval", None)
    if asked is not None:
        ends = asked(taken["raw_probability"].to_numpy(np.float64))
        return "calibrator", np.minimum(*ends), np.maximum(*ends)
    single = taken["prediction_set"].isin(["down", "up"]).to_numpy()
    return "prediction sets", *set_intervals(probability, single, model.conformal)


def _of_side(low: np.ndarray, high: np.ndarray, side: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From the chance of "up" to the chance that the side taken proves right."""
    long = side > 0
    return np.where(long, low, 1.0 - high), np.where(long, high, 1.0 - low)
