"""Step 4, Analyst Labeling & Feature Engineering: labelled, weighted events with features.

Belongs here: which events, cut before the holdout, and what is said about them.  Does not
belong here: barriers, weights and features (``analyst/``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.errors import PartitionSkipped
from ares_resources.storage.artifacts import Artifact
from ares_resources.timeframes import timeframe_ms

if TYPE_CHECKING:
    import pandas as pd


def analyst_dataset(work: Work, market_data: Artifact, regime_dataset: Artifact) -> Result:
    """Events of development and calibration only: the holdout is not in this artifact."""
    from ares_assets.analyst.features import usable_features
    from ares_assets.shared_features import found_features

    rows = regime_dataset.load()
    events = label_events(work, market_data, rows)
    everywhere, features_were = found_features(work, market_data)
    features = everywhere.iloc[events["row"]].reset_index(drop=True)
    development = events["role"].to_numpy() == "development"
    kept, dropped = usable_features(features, development, work.settings.features.maximum_nan_share)
    if not kept:
        raise PartitionSkipped(f"no usable feature: {dropped}")
    share = float((events["weight"] * events["label"])[development].sum())
    share /= float(events["weight"][development].sum())
    metadata = {
        "development_events": int(development.sum()),
        "calibration_events": int((~development).sum()),
        "features": len(kept),
        "dropped_features": len(dropped),
        "upper_share": round(share, 4),
        "mean_uniqueness": round(float(events["uniqueness"][development].mean()), 4),
        "barriers": {str(k): int(v) for k, v in events["barrier"].value_counts().items()},
    }
    value = {
        "events.parquet": events,
        "features.parquet": features[list(kept)],
        "summary.json": {"features": list(kept), "dropped": dropped},
    }
    return Result(value, metadata, cost={"features": features_were})


def label_events(work: Work, market_data: Artifact, rows: pd.DataFrame) -> pd.DataFrame:
    """Labels and weights of the regime's decisions before the holdout.

    Each role is labelled on bars that end where the next role begins, so that no label can
    have seen the bars of the next one.

    Raises
    ------
    PartitionSkipped
        If too few are left, or all labels are of one class.
    """
    import pandas as pd

    from ares_assets.analyst.events import labelled_events
    from ares_assets.market.roles import first_row, roles_of

    frame, labels = market_data.load(), work.settings.labels
    roles = roles_of(frame, market_data.metadata, work.settings.window, labels.horizon_bars)
    ends = {
        "development": first_row(roles, "calibration"),
        "calibration": first_row(roles, "holdout"),
    }
    parts = []
    for role, end in ends.items():
        wanted = rows["row"].to_numpy()[rows["role"].to_numpy() == role]
        found = labelled_events(
            frame.iloc[:end],
            wanted,
            settings=labels,
            timeframe_ms=timeframe_ms(market_data.metadata["timeframe"]),
        )
        parts.append(found.assign(role=role))
    _check_trainable(work, parts[0])
    return pd.concat(parts, ignore_index=True)


def _check_trainable(work: Work, development: pd.DataFrame) -> None:
    needed = work.settings.regimes.minimum_events
    if len(development) < needed:
        raise PartitionSkipped(
            f"{len(development)} labelled {work.request.regime} events in development; "
            f"{needed} are needed"
        )
    if development["label"].nunique() < 2:
        raise PartitionSkipped(
            f"all {len(development)} development labels are {development['label'].iloc[0]}; "
            "there is nothing to tell apart"
        )


SPEC = StepSpec(
    number=4,
    name="analyst_dataset",
    title="Analyst Labeling & Feature Engineering",
    description="Triple-barrier labels with uniqueness weights, and features, before the holdout.",
    group="analyst",
    kind="bundle",
    inputs=("market_data", "regime_dataset"),
    uses=("labels", "features", "window", "regimes"),
    function=analyst_dataset,
)
