"""The proofs where step 4 holds the events of all regimes, and marks the partition's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from ares_assets.analyst import baselines
from ares_assets.analyst.events import labelled_events
from ares_assets.check_list import CHECKS
from ares_assets.leak_proof.evidence import REGIME_COLUMNS, development, role_ends
from ares_assets.stored import Finding, Stored
from ares_resources.timeframes import MINUTE_MS


@dataclass
class Held:
    """An artifact that is held in memory."""

    value: Any
    metadata: dict[str, Any] = field(default_factory=dict)
    skipped: None = None

    def load(self) -> Any:
        return self.value


@pytest.fixture
def pooled(honest: Stored) -> Stored:
    """The honest partition with every regime's events beside its own, and their regimes."""
    import pandas as pd

    from ares_assets.analyst.features import compute_features

    found = Stored(honest)
    found.request, found.workspace = honest.request, honest.workspace
    frame = honest["market_data"].load()
    decoded = honest["market_regimes"].load()["regimes.parquet"]
    bundle, first, parts = honest["analyst_dataset"].load(), 0, []
    first = int(bundle["events.parquet"]["row"].min())
    for role, end in role_ends(honest).items():
        labels = found.settings.labels
        rows = np.arange(first, end)
        made = labelled_events(frame.iloc[:end], rows, settings=labels, timeframe_ms=MINUTE_MS)
        parts.append(made.assign(role=role))
        first = end
    events = pd.concat(parts, ignore_index=True)
    events["regime"] = decoded["regime"].to_numpy()[events["row"]]
    events["member"] = events["regime"] == "bear"
    features = compute_features(frame, timeframe="1m", settings=found.settings.features)
    features = features[list(bundle["features.parquet"].columns)].iloc[events["row"]]
    features = features.reset_index(drop=True)
    for name in REGIME_COLUMNS:
        features[name] = decoded[name].to_numpy()[events["row"]]
    made_of = {**bundle, "events.parquet": events, "features.parquet": features}
    found["analyst_dataset"] = Held(made_of)  # type: ignore[assignment]
    return found


def judged(stored: Stored) -> dict[str, Finding]:
    return {c.name: c.body(stored) for c in CHECKS if c.asset == "analyst_dataset"}


def test_the_proofs_hold_for_every_regimes_events(pooled: Stored, honest: Stored) -> None:
    found = judged(pooled)
    assert {name: one.words for name, one in found.items() if not one.passed} == {}
    own = len(development(honest))
    assert len(development(pooled)) == own
    assert f"over {own} events" in found["folds_are_purged"].words
    assert "in 28 folds" in found["folds_are_purged"].words
    assert "35 features" in found["features_see_no_future"].words


def test_training_on_another_regimes_overlapping_events_is_noticed(
    pooled: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_own_events_alone(
        rows: np.ndarray, ends: Any, own: np.ndarray, train: Any, test: np.ndarray, _: int
    ) -> np.ndarray:
        """All but the tested events themselves: other regimes' labels overlap them."""
        return np.setdiff1d(np.arange(len(rows)), own[test])

    monkeypatch.setattr(baselines, "_allowed", by_own_events_alone)
    found = judged(pooled)
    assert not found["folds_are_purged"].passed
    assert "purged folds, fold 0" in found["folds_are_purged"].words


def test_regime_probabilities_from_hindsight_are_noticed(pooled: Stored) -> None:
    bundle = pooled["analyst_dataset"].load()
    late = bundle["features.parquet"].assign(
        p_bull=lambda frame: frame["p_bull"].shift(-1, fill_value=0.5)
    )
    pooled["analyst_dataset"].value["features.parquet"] = late  # type: ignore[attr-defined]
    found = judged(pooled)
    assert not found["features_see_no_future"].passed
    assert "column 'p_bull'" in found["features_see_no_future"].words


def test_weights_scaled_by_both_roles_are_noticed(pooled: Stored) -> None:
    bundle = pooled["analyst_dataset"].load()
    events = bundle["events.parquet"]
    mixed = events.assign(weight=events["uniqueness"] / events["uniqueness"].mean())
    bundle["events.parquet"] = mixed
    found = judged(pooled)
    assert "column 'weight'" in found["labels_see_no_future"].words
