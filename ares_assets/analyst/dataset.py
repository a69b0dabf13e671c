"""What every analyst is trained on, as arrays that are aligned by position.

Belongs here: reading one role out of step 4's bundle: a regime's own events, and those of all
regimes beside them.  Does not belong here: making the bundle, and which learner reads what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ares_assets.market.regimes.base import PROBABILITY_COLUMNS
from ares_resources.errors import BadInput


@dataclass(frozen=True)
class Examples:
    """n labelled events: features (n, k), labels, weights, rows, label ends (n,).

    Weights are average uniqueness, so their sum is the number of independent events.  ``t1_rows``
    is where each label's window is over: purging by the bar where it happened to end would
    choose events by their outcome.
    """

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


@dataclass(frozen=True)
class MarketExamples:
    """The labelled events of all regimes, and which of them are the partition's own.

    ``member`` is bool (n,), aligned with ``everything``.
    """

    everything: Examples
    member: np.ndarray

    def __post_init__(self) -> None:
        if self.member.dtype != bool or self.member.shape != (len(self.everything),):
            raise BadInput(
                f"member {self.member.dtype}{self.member.shape}; "
                f"allowed: bool ({len(self.everything)},)"
            )

    def __len__(self) -> int:
        """How many events are the partition's own."""
        return int(self.member.sum())

    @cached_property
    def own(self) -> Examples:
        """The partition's events."""
        return self.everything.part(np.flatnonzero(self.member))

    def before(self, row: int) -> MarketExamples:
        """The events whose label was known before this row."""
        kept = self.everything.t1_rows < row
        return MarketExamples(self.everything.part(np.flatnonzero(kept)), self.member[kept])

    def followed_by(self, later: MarketExamples) -> MarketExamples:
        """These events, then later ones with the same features."""
        first, second = self.everything, later.everything
        joined = Examples(
            pd.concat([first.features, second.features], ignore_index=True),
            *(
                np.concatenate([getattr(first, name), getattr(second, name)])
                for name in ("labels", "weights", "rows", "t1_rows", "timestamps")
            ),
        )
        return MarketExamples(joined, np.concatenate([self.member, later.member]))


def examples_of(bundle: Mapping[str, Any], role: str | None) -> Examples:
    """The partition's own events of one role, or of all, of an ``analyst_dataset`` bundle."""
    return everything_of(bundle, role).own


def everything_of(bundle: Mapping[str, Any], role: str | None) -> MarketExamples:
    """The events of all regimes of one role, or of all, of an ``analyst_dataset`` bundle."""
    events = bundle["events.parquet"]
    chosen = np.ones(len(events), bool) if role is None else events["role"].to_numpy() == role
    kept = events[chosen]
    return MarketExamples(
        from_events(kept, bundle["features.parquet"][chosen]), kept["member"].to_numpy(bool)
    )


def from_events(events: pd.DataFrame, features: pd.DataFrame) -> Examples:
    """Examples of an event frame and its features, row by row."""
    return Examples(
        features=features.reset_index(drop=True),
        labels=events["label"].to_numpy(np.int64),
        weights=events["uniqueness"].to_numpy(np.float64),
        rows=events["row"].to_numpy(np.int64),
        t1_rows=events["last_row"].to_numpy(np.int64),
        timestamps=events["timestamp"].to_numpy(np.int64),
    )


def analyst_inputs(features: pd.DataFrame, regimes: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
    """What an analyst reads at these rows: features, and the regimes' filtered probabilities.

    ``features`` (n, k) and ``regimes`` (n, ...) have a row a bar; the result has a row each of
    ``rows`` (m,) and k + 3 columns.
    """
    chosen = features.iloc[rows].reset_index(drop=True)
    shares = regimes[list(PROBABILITY_COLUMNS)].iloc[rows].reset_index(drop=True)
    return pd.concat([chosen, shares], axis=1)
