"""Step 8, Tactician Labeling: did acting on the analyst's out-of-fold signal pay?

Belongs here: labels, targets and features of development, cut before calibration.
Does not belong here: how they are computed (``tactician/``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.storage.artifacts import Artifact
from ares_resources.timeframes import timeframes_left_out

if TYPE_CHECKING:
    import pandas as pd


def tactician_dataset(
    work: Work, market_data: Artifact, market_regimes: Artifact, analyst_ensemble: Artifact
) -> Result:
    """Meta-labels net of all costs, size and management targets, and what was known then."""
    from ares_assets.market.roles import development_span, first_row, roles_of
    from ares_assets.release.partition_model import make_signals
    from ares_assets.tactician.model import TacticianContext
    from ares_assets.tactician.outcomes import signal_outcomes
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
    labels, signals = signal_outcomes(frame, signals, context)
    check_enough(labels, days=market_data.metadata["window_days"])
    features = context.features(frame, regimes, signals, context.settled(labels))
    value = {"labels.parquet": labels}
    value |= {f"features-{name}.parquet": part for name, part in features.items()}
    used = {
        "timeframes": sorted(features),
        "timeframes_left_out": timeframes_left_out(
            settings.tactician.timeframes, context.timeframe
        ),
    }
    span = development_span(market_data.metadata, settings.window)
    return Result(value, {**_figures(labels), **used, **span})


def _figures(labels: pd.DataFrame) -> dict[str, Any]:
    from ares_assets.analyst.weights import average_uniqueness
    from ares_assets.tactician.positions import CODES

    told = labels["management"]
    uniqueness = average_uniqueness(labels["row"].to_numpy() + 1, labels["settled_row"].to_numpy())
    means = ("gross_return", "cost", "funding", "net_return", "delayed_net_return", "size_target")
    return {
        "signals": len(labels),
        "mean_uniqueness": round(float(uniqueness.mean()), 4),
        "long_share": round(float((labels["side"] > 0).mean()), 4),
        "take_share": round(float(labels["take"].mean()), 4),
        "wait_share": round(float(labels["wait"].mean()), 4),
        **{f"mean_{name}": float(labels[name].mean()) for name in means},
        "management_signals": {name: int((told == code).sum()) for name, code in CODES.items()},
        "managed_positions": int((labels["managed_return"] != labels["net_return"]).sum()),
        "mean_managed_return": float(labels["managed_return"].mean()),
    }


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
