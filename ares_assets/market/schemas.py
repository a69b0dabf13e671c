"""What the frames of steps 1 to 3 must look like, as pandera schemas.

Belongs here: columns, types, ranges and order of stored frames.  Does not belong here:
whether what they hold is plausible (``quality.py``), and showing a failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ares_assets.market.bars import REFERENCE_COLUMNS, bar_schema
from ares_assets.market.regimes.base import PROBABILITY_COLUMNS, REGIMES
from ares_assets.market.splits import WINDOW_ROLES
from ares_resources.timeframes import grid_offset_ms, grid_words, timeframe_ms

if TYPE_CHECKING:
    from pandera.pandas import Check, DataFrameSchema


def market_schema(timeframe: str) -> DataFrameSchema:
    """``market_data``: bars with what was known at their close, on the timeframe's grid."""
    import pandera.pandas as pa

    grid = _on_grid(timeframe_ms(timeframe), timeframe)
    changes: dict[str, Any] = {name: {"required": True} for name in REFERENCE_COLUMNS}
    first = pa.Check.ge(0, error="at least 0")
    changes["timestamp"] = {"checks": [first, *_ascending(), grid]}
    columns = bar_schema().update_columns(changes).columns

    def high_enough(frame: pd.DataFrame) -> pd.Series:
        top = np.maximum(np.maximum(frame["open"], frame["close"]), frame["low"])
        return frame["high"] >= top

    def low_enough(frame: pd.DataFrame) -> pd.Series:
        return frame["low"] <= np.minimum(frame["open"], frame["close"])

    candles = [
        pa.Check(high_enough, error="high at least open, close and low"),
        pa.Check(low_enough, error="low at most open and close"),
    ]
    return pa.DataFrameSchema(columns, checks=candles, strict=True, ordered=True)


def regimes_schema() -> DataFrameSchema:
    """``market_regimes``: probabilities that sum to 1, and one of three names, for each bar."""
    import pandera.pandas as pa

    probability = pa.Check.in_range(0, 1, error="within 0 and 1")

    def whole(frame: pd.DataFrame) -> pd.Series:
        return (frame[list(PROBABILITY_COLUMNS)].sum(axis=1) - 1).abs() < 1e-6

    columns = {"timestamp": pa.Column("int64", _ascending())}
    columns |= {name: pa.Column("float64", probability) for name in PROBABILITY_COLUMNS}
    columns["regime"] = pa.Column(checks=pa.Check.isin(REGIMES, error=f"one of {REGIMES}"))
    return pa.DataFrameSchema(columns, checks=pa.Check(whole, error="probabilities that sum to 1"))


def regime_dataset_schema() -> DataFrameSchema:
    """``regime_dataset``: rows of the market frame in order, each with its time and role."""
    import pandera.pandas as pa

    role = pa.Check.isin(WINDOW_ROLES, error=f"one of {WINDOW_ROLES}")
    columns = {
        "row": pa.Column("int64", [pa.Check.ge(0, error="at least 0"), *_ascending()]),
        "timestamp": pa.Column("int64", _ascending()),
        "role": pa.Column(checks=role),
    }
    return pa.DataFrameSchema(columns, strict=True)


def _ascending() -> list[Check]:
    import pandera.pandas as pa

    def later(series: pd.Series) -> pd.Series:
        return pd.Series(
            np.diff(series.to_numpy(), prepend=series.iloc[0] - 1) > 0, index=series.index
        )

    return [pa.Check(later, error="later than the row before")]


def _on_grid(step: int, timeframe: str) -> Check:
    import pandera.pandas as pa

    def multiple(series: pd.Series) -> pd.Series:
        return (series - grid_offset_ms(step)) % step == 0

    return pa.Check(multiple, error=f"the open of a {timeframe} bar ({grid_words(step)})")
