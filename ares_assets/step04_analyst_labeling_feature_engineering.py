"""Step 4, Analyst Labeling & Feature Engineering: labelled, weighted events with features.

Belongs here: which events, cut before the holdout, and what is said about them.  Does not
belong here: barriers, weights and features (``analyst/``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ares_assets.engine import Result, StepSpec, Work
from ares_resources.errors import PartitionSkipped
from ares_resources.storage.artifacts import Artifact
from ares_resources.timeframes import timeframe_ms, timeframes_left_out

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def analyst_dataset(
    work: Work, market_data: Artifact, market_regimes: Artifact, regime_dataset: Artifact
) -> Result:
    """Events of development and calibration only: the holdout is not in this artifact.

    Those of the other regimes stand beside the partition's own (``member``), for the experts
    that learn from all.
    """
    from ares_assets.analyst.dataset import analyst_inputs
    from ares_assets.analyst.features import usable_features
    from ares_assets.market.regimes.base import PROBABILITY_COLUMNS
    from ares_assets.market.roles import development_span
    from ares_assets.shared_features import found_features

    regimes = market_regimes.load()["regimes.parquet"]
    own = regime_dataset.load()["row"].to_numpy()
    events = label_events(work, market_data, regimes["regime"].to_numpy(), own)
    everywhere, features_were = found_features(work, market_data)
    inputs = analyst_inputs(everywhere, regimes, events["row"].to_numpy())
    learnt = ((events["role"] == "development") & events["member"]).to_numpy()
    technical = inputs.drop(columns=list(PROBABILITY_COLUMNS))
    kept, dropped = usable_features(technical, learnt, work.settings.features.maximum_nan_share)
    if not kept:
        raise PartitionSkipped(f"no usable feature: {dropped}")
    value = {
        "events.parquet": events,
        "features.parquet": inputs[[*kept, *PROBABILITY_COLUMNS]],
        "summary.json": {"features": list(kept), "dropped": dropped},
    }
    reasons: dict[str, list[str]] = {}
    for name, reason in dropped.items():
        reasons.setdefault(reason, []).append(name)
    counts = {
        "features": len(kept),
        "dropped_features": len(dropped),
        "dropped_because": {reason: ", ".join(names) for reason, names in reasons.items()},
        "timeframes_left_out": timeframes_left_out(
            work.settings.features.timeframes, market_data.metadata["timeframe"]
        ),
    }
    span = development_span(market_data.metadata, work.settings.window)
    figures = {**_described(events, learnt), **counts, **span}
    return Result(value, figures, cost={"features": features_were})


def _described(events: pd.DataFrame, learnt: np.ndarray) -> dict[str, Any]:
    """Counts, class balance and overlap of the events that the partition learns from."""
    own = events[learnt]
    weighted = own["uniqueness"] * own["label"]
    upper = own["label"] == 1
    return {
        "development_events": len(own),
        "calibration_events": int(((events["role"] == "calibration") & events["member"]).sum()),
        "events_of_all_regimes": len(events),
        "upper_labels": int(upper.sum()),
        "lower_labels": int((~upper).sum()),
        "upper_share": round(float(weighted.sum() / own["uniqueness"].sum()), 4),
        "mean_uniqueness": round(float(own["uniqueness"].mean()), 4),
        "independent_events": round(float(own["uniqueness"].sum()), 1),
        "barriers": {str(k): int(v) for k, v in own["barrier"].value_counts().items()},
    }


def label_events(
    work: Work, market_data: Artifact, regimes: np.ndarray, own: np.ndarray
) -> pd.DataFrame:
    """Labels and weights of all regimes' decisions before the holdout, in time order.

    Each role is labelled on bars that end where the next role begins, so that no label can
    have seen the bars of the next one.  ``regimes`` are the decided names of every row, ``own``
    the partition's rows; both are columns of the result (``regime``, ``member``).

    Raises
    ------
    PartitionSkipped
        If too few of the partition's own are left, or all their labels are of one class.
    """
    import numpy as np
    import pandas as pd

    from ares_assets.analyst.events import labelled_events
    from ares_assets.market.roles import first_row, roles_of
    from ares_assets.market.splits import regime_rows

    frame, labels = market_data.load(), work.settings.labels
    roles = roles_of(frame, market_data.metadata, work.settings.window, labels.horizon_bars)
    ends = {
        "development": first_row(roles, "calibration"),
        "calibration": first_row(roles, "holdout"),
    }
    everywhere = np.union1d(regime_rows(roles, regimes, None), own)
    parts = []
    for role, end in ends.items():
        wanted = everywhere[roles[everywhere] == role]
        found = labelled_events(
            frame.iloc[:end],
            wanted,
            settings=labels,
            timeframe_ms=timeframe_ms(market_data.metadata["timeframe"]),
        )
        parts.append(found.assign(role=role))
    events = pd.concat(parts, ignore_index=True)
    events["regime"] = regimes[events["row"].to_numpy()]
    events["member"] = np.isin(events["row"].to_numpy(), own)
    learnt = events[(events["role"] == "development") & events["member"]]
    _check_trainable(work, learnt, market_data.metadata["window_days"])
    return events


def _check_trainable(work: Work, development: pd.DataFrame, days: float) -> None:
    from ares_assets.market.pace import longer_window

    needed = work.settings.regimes.minimum_events
    if len(development) < needed:
        raise PartitionSkipped(
            f"{len(development)} labelled {work.request.regime} events in development; "
            f"{needed} are needed; {longer_window(len(development), needed, days)}"
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
    inputs=("market_data", "market_regimes", "regime_dataset"),
    uses=("labels", "features", "window", "regimes"),
    function=analyst_dataset,
)
