"""What a tactician may know about a signal at the close of its decision bar.

Belongs here: features of the signal, the moment, and how earlier signals ended.  Does not
belong here: slower timeframes (``multi_timeframe.py``), labels and models.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ares_assets.market.regimes.base import PROBABILITY_COLUMNS
from ares_assets.tactician.meta_labels import side_cost
from ares_assets.tactician.multi_timeframe import decision_times
from ares_resources.errors import BadInput
from ares_resources.settings import CostSettings
from ares_resources.timeframes import DAY_MS

FEATURE_COLUMNS = (
    "analyst_probability",
    "conviction",
    *PROBABILITY_COLUMNS,
    "volatility",
    "cost_to_volatility",
    "hour_sin",
    "hour_cos",
    "volume_z",
    "hit_rate",
)
VOLUME_WINDOW_BARS = 1440
VOLUME_MINIMUM_BARS = 60
HIT_RATE_SIGNALS = 50
HIT_RATE_PRIOR_SIGNALS = 10


def tactician_features(
    market_frame: pd.DataFrame,
    row: np.ndarray,
    probability: np.ndarray,
    *,
    regime_probability: pd.DataFrame,
    volatility: np.ndarray,
    closed: pd.DataFrame,
    costs: CostSettings,
    base_timeframe: str,
) -> pd.DataFrame:
    """Features known at the close of each decision row.

    Parameters
    ----------
    market_frame
        Bars with ``timestamp`` (ms) and ``volume``, (n_rows, ...).
    row, probability
        Decision rows, strictly increasing, and the analyst's probability of a rise there
        (out of fold in training, the ensemble's at inference), (n_events,).
    regime_probability
        ``p_bull, p_bear, p_sideways``, filtered, one row a bar, (n_rows, 3).
    volatility
        Expected absolute scale of the return over the horizon, a fraction, (n_rows,).
    closed
        Earlier signals with ``row, t1_row, take``; each counts only after its ``t1_row``.
    costs, base_timeframe
        What a round trip costs, and the spelling of the bars' own timeframe.

    Returns
    -------
    pandas.DataFrame
        (n_events, 11) float64, the columns of :data:`FEATURE_COLUMNS`; NaN where unknown.

    Raises
    ------
    BadInput
        Lengths disagree or a row lies outside the frame.
    """
    row = np.asarray(row, dtype=np.int64)
    given = np.asarray(probability, dtype=np.float64)
    bars = len(market_frame)
    _check(row, given, regime_probability, np.asarray(volatility), bars=bars)
    scale = np.asarray(volatility, dtype=np.float64)[row]
    scale = np.where(scale > 0.0, scale, np.nan)
    moment = decision_times(market_frame, row, timeframe=base_timeframe)
    angle = 2.0 * np.pi * (moment % DAY_MS) / DAY_MS
    columns = {
        "analyst_probability": given,
        "conviction": np.abs(given - 0.5),
        **{name: regime_probability[name].to_numpy(float)[row] for name in PROBABILITY_COLUMNS},
        "volatility": np.log(scale),
        "cost_to_volatility": np.minimum(2.0 * side_cost(costs) / scale, 100.0),
        "hour_sin": np.sin(angle),
        "hour_cos": np.cos(angle),
        "volume_z": volume_z(market_frame["volume"])[row],
        "hit_rate": hit_rate(row, closed),
    }
    return pd.DataFrame(columns, columns=list(FEATURE_COLUMNS)).astype(np.float64)


def volume_z(volume: pd.Series) -> np.ndarray:
    """Log volume against its trailing day of bars, in standard deviations, clipped to +-10."""
    level = pd.Series(np.log1p(volume.to_numpy(np.float64)))
    window = level.rolling(VOLUME_WINDOW_BARS, min_periods=VOLUME_MINIMUM_BARS)
    spread = window.std()
    score = (level - window.mean()) / spread.where(spread > 0.0)
    # A volume that never changes is not unusual; only an unknown one stays NaN.
    score = score.mask(spread == 0.0, 0.0)
    return score.clip(-10.0, 10.0).to_numpy()


def hit_rate(row: np.ndarray, closed: pd.DataFrame) -> np.ndarray:
    """Share of the last closed signals that paid, shrunk to 1/2 while they are few.

    A signal is closed for a decision at the close of ``row`` when its ``t1_row`` lies
    strictly before ``row``.  Returns float64 (n_events,).
    """
    order = np.lexsort((closed["row"].to_numpy(np.int64), closed["t1_row"].to_numpy(np.int64)))
    ended = closed["t1_row"].to_numpy(np.int64)[order]
    paid = np.concatenate(([0.0], np.cumsum(closed["take"].to_numpy(np.float64)[order])))
    count = np.searchsorted(ended, row, side="left")
    oldest = np.maximum(count - HIT_RATE_SIGNALS, 0)
    hits, seen = paid[count] - paid[oldest], count - oldest
    return (hits + 0.5 * HIT_RATE_PRIOR_SIGNALS) / (seen + HIT_RATE_PRIOR_SIGNALS)


def _check(
    row: np.ndarray,
    probability: np.ndarray,
    regime_probability: pd.DataFrame,
    volatility: np.ndarray,
    *,
    bars: int,
) -> None:
    if probability.shape != row.shape:
        raise BadInput(f"probability has shape {probability.shape}; the rows have {row.shape}")
    for name, length in (("regime", len(regime_probability)), ("volatility", len(volatility))):
        if length != bars:
            raise BadInput(f"{name} has {length} rows; the market frame has {bars}")
    if row.size and (row[0] < 0 or row[-1] >= bars or np.any(np.diff(row) <= 0)):
        raise BadInput(f"decision rows must increase strictly within 0..{bars - 1}")
