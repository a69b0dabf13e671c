"""Step 3, Regime Data Splitting: this regime's bars and the role of each in time.

Belongs here: choosing rows, and skipping a partition that has too few.  Does not belong
here: how roles are cut (``market/windows.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.errors import PartitionSkipped
from ares_resources.storage.artifacts import Artifact
from ares_resources.timeframes import timeframe_ms

if TYPE_CHECKING:
    import numpy as np


def regime_dataset(work: Work, market_data: Artifact, market_regimes: Artifact) -> Result:
    """Row numbers, timestamps and roles of the regime's bars."""
    import pandas as pd

    from ares_assets.market.roles import roles_of
    from ares_assets.market.splits import balance, regime_rows

    frame = market_data.load()
    decided = market_regimes.load()["regimes.parquet"]["regime"].to_numpy()
    settings = work.settings
    horizon = settings.labels.horizon_bars
    roles = roles_of(frame, market_data.metadata, settings.window, horizon)
    regime = work.request.regime
    rows = regime_rows(roles, decided, regime)
    events, pooled = _development_events(work, market_data, roles, rows), False
    if events < settings.regimes.minimum_events and settings.regimes.when_too_few == "pool":
        rows, pooled = _pooled(roles, decided, rows), True
        events = _development_events(work, market_data, roles, rows)
    if events < settings.regimes.minimum_events:
        raise PartitionSkipped(_too_few(work, market_data, events))
    data = pd.DataFrame(
        {"row": rows, "timestamp": frame["timestamp"].to_numpy()[rows], "role": roles[rows]}
    )
    metadata = {
        "bars": len(rows),
        "development_events": events,
        "pooled": pooled,
        "balance": balance(roles, decided, horizon_bars=horizon),
    }
    degraded = ("trained on all regimes, since its own are too few",) if pooled else ()
    return Result(data, metadata, degraded)


def _pooled(roles: np.ndarray, decided: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Development rows of every regime; what the model is judged on stays this regime's."""
    import numpy as np

    from ares_assets.market.splits import regime_rows

    everything = regime_rows(roles, decided, None)
    learnt = everything[roles[everything] == "development"]
    return np.union1d(learnt, own)


def _development_events(
    work: Work, market_data: Artifact, roles: np.ndarray, rows: np.ndarray
) -> int:
    from ares_assets.analyst.labels import sample_events

    development = rows[roles[rows] == "development"]
    return len(
        sample_events(
            market_data.load()["timestamp"].to_numpy(),
            development,
            every_bars=work.settings.labels.event_every_bars,
            timeframe_ms=timeframe_ms(market_data.metadata["timeframe"]),
        )
    )


def _too_few(work: Work, market_data: Artifact, events: int) -> str:
    needed = work.settings.regimes.minimum_events
    days = market_data.metadata["window_days"]
    wanted = f"about {days * needed / events:.0f} days" if events else "a longer window"
    return (
        f"{events} {work.request.regime} decisions in the development part of {days:.0f} days, "
        f"{needed} are needed; try {wanted} (--lookback-days), or regimes.when_too_few: pool"
    )


SPEC = StepSpec(
    number=3,
    name="regime_dataset",
    title="Regime Data Splitting",
    description="This regime's bars, each with its role: development, calibration, holdout.",
    group="market",
    kind="frame",
    inputs=("market_data", "market_regimes"),
    uses=("regimes", "window", "labels"),
    function=regime_dataset,
)
