"""Step 8, Tactician Labeling: did acting on the analyst's out-of-fold signal pay?

Belongs here: labels, features and position signals of development, cut before calibration.
Does not belong here: how they are computed (``tactician/``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.storage.artifacts import Artifact

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ares_assets.tactician.model import Signals, TacticianContext


def tactician_dataset(
    work: Work, market_data: Artifact, market_regimes: Artifact, analyst_ensemble: Artifact
) -> Result:
    """Meta-labels net of all costs, with what was known at each decision."""
    from ares_assets.analyst.weights import uniqueness_weights
    from ares_assets.market.roles import first_row, roles_of
    from ares_assets.release.partition_model import make_signals
    from ares_assets.tactician.model import TacticianContext
    from ares_assets.tactician.specialists import check_enough

    frame, settings = market_data.load(), work.settings
    horizon = settings.labels.horizon_bars
    roles = roles_of(frame, market_data.metadata, settings.window, horizon)
    end = first_row(roles, "calibration")
    frame, regimes = frame.iloc[:end], market_regimes.load()["regimes.parquet"].iloc[:end]
    known = analyst_ensemble.load()["out_of_fold.parquet"].dropna(subset=["probability"])
    context = TacticianContext(
        market_data.metadata["timeframe"], horizon, settings.costs, settings.tactician
    )
    signals = make_signals(
        frame, known["row"].to_numpy(), known["probability"].to_numpy(), settings.labels
    )
    labels = context.label(frame, signals)
    check_enough(labels)
    kept = known["row"].isin(labels["row"]).to_numpy()
    settled = context.settled(labels)
    features = context.features(frame, regimes, _part(signals, kept), settled)
    labels["settled_row"] = settled["exit_row"]
    labels["probability"] = known["probability"].to_numpy()[kept]
    labels["weight"] = uniqueness_weights(labels["row"].to_numpy(), labels["t1_row"].to_numpy())
    labels["managed_return"] = _managed(frame, labels, _part(signals, kept), context)
    value = {"labels.parquet": labels}
    value |= {f"features-{name}.parquet": part for name, part in features.items()}
    metadata = {
        "signals": len(labels),
        "take_share": round(float(labels["take"].mean()), 4),
        "wait_share": round(float(labels["wait"].mean()), 4),
        "mean_gross_return": float(labels["gross_return"].mean()),
        "mean_net_return": float(labels["net_return"].mean()),
        "timeframes": sorted(features),
    }
    return Result(value, metadata)


def _part(signals: Signals, kept: np.ndarray) -> Signals:
    from dataclasses import replace

    return replace(
        signals,
        row=signals.row[kept],
        probability=signals.probability[kept],
        upper_width=signals.upper_width[kept],
        lower_width=signals.lower_width[kept],
    )


def _managed(
    frame: pd.DataFrame, labels: pd.DataFrame, signals: Signals, context: TacticianContext
) -> Any:
    """Net return of each signal if the position-management rule were followed."""
    import numpy as np

    from ares_assets.tactician.positions import managed_returns, position_signals

    per_bar = np.full(len(frame), np.nan)
    per_bar[signals.row] = signals.probability
    move = signals.spread[signals.row] * np.sqrt(context.horizon_bars)
    found = position_signals(
        labels, per_bar, move, horizon_bars=context.horizon_bars, costs=context.costs
    )
    return managed_returns(frame, labels, found, costs=context.costs)


SPEC = StepSpec(
    number=8,
    name="tactician_dataset",
    title="Tactician Labeling",
    description="Meta-labels of the analyst's out-of-fold signals, net of costs and latency.",
    group="tactician",
    kind="bundle",
    inputs=("market_data", "market_regimes", "analyst_ensemble"),
    uses=("labels", "costs", "tactician", "window"),
    function=tactician_dataset,
)
