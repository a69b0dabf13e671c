"""What every analyst is trained on, as arrays that are aligned by position.

Belongs here: reading one role out of step 4's bundle.  Does not belong here: making it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Examples:
    """n labelled events: features (n, k), labels, weights, rows, label ends (n,)."""

    features: pd.DataFrame
    labels: np.ndarray
    weights: np.ndarray
    rows: np.ndarray
    t1_rows: np.ndarray
    timestamps: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, chosen: np.ndarray) -> Examples:
        """The events at these positions, or where this mask is true."""
        return Examples(
            self.features.iloc[chosen],
            self.labels[chosen],
            self.weights[chosen],
            self.rows[chosen],
            self.t1_rows[chosen],
            self.timestamps[chosen],
        )


def examples_of(bundle: Mapping[str, Any], role: str | None) -> Examples:
    """The events of one role, or of all, of an ``analyst_dataset`` bundle."""
    events = bundle["events.parquet"]
    chosen = np.ones(len(events), bool) if role is None else events["role"].to_numpy() == role
    return from_events(events[chosen], bundle["features.parquet"][chosen])


def from_events(events: pd.DataFrame, features: pd.DataFrame) -> Examples:
    """Examples of an event frame and its features, row by row."""
    return Examples(
        features=features.reset_index(drop=True),
        labels=events["label"].to_numpy(np.int64),
        weights=events["weight"].to_numpy(np.float64),
        rows=events["row"].to_numpy(np.int64),
        t1_rows=events["t1_row"].to_numpy(np.int64),
        timestamps=events["timestamp"].to_numpy(np.int64),
    )
