"""Regimes of a market frame: fit, decode, decide, in one call each.

Belongs here: joining an algorithm with the hysteresis.  Does not belong here: either of them
(``regimes/``), and the roles of time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.market.regimes import decide, get_algorithm, load_model
from ares_assets.market.regimes.base import RegimeModel
from ares_resources.settings import RegimeSettings
from ares_resources.timeframes import timeframe_ms


def classify(
    frame: pd.DataFrame,
    *,
    fit_rows: np.ndarray,
    timeframe: str,
    settings: RegimeSettings,
    seed: int,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Fit the configured algorithm on ``fit_rows`` and name every bar online.

    Returns
    -------
    ``timestamp, p_bull, p_bear, p_sideways, regime`` for each of the n rows, and the fitted
    model as a JSON-able dict.
    """
    model = get_algorithm(settings.algorithm).fit(
        frame,
        fit_rows=fit_rows,
        timeframe_ms=timeframe_ms(timeframe),
        settings=settings,
        seed=seed,
    )
    return _decided(frame, model, settings), model.to_dict()


def decode(frame: pd.DataFrame, model: Mapping[str, Any], settings: RegimeSettings) -> pd.DataFrame:
    """The same columns from a model that was fitted before; row i uses rows 0..i."""
    return _decided(frame, load_model(model), settings)


def _decided(frame: pd.DataFrame, model: RegimeModel, settings: RegimeSettings) -> pd.DataFrame:
    decided = model.probabilities(frame).reset_index(drop=True)
    decided.insert(0, "timestamp", frame["timestamp"].to_numpy())
    decided["regime"] = decide(
        decided,
        enter_probability=settings.enter_probability,
        minimum_dwell_bars=settings.minimum_dwell_bars,
    )
    return decided
