"""The proofs where step 4 holds the events of all regimes, and marks the partition's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from helpers.partition_runs import held

from ares_assets.analyst import out_of_fold
from ares_assets.analyst.dataset import Examples, MarketExamples
from ares_assets.check_list import CHECKS
from ares_assets.leak_proof.evidence import development, development_events
from ares_assets.stored import Finding, Stored


@pytest.fixture
def pooled(honest: Stored) -> Stored:
    """The honest partition with a dataset that a test may change."""
    return held(honest, analyst_dataset={})


def judged(stored: Stored) -> dict[str, Finding]:
    return {c.name: c.body(stored) for c in CHECKS if c.asset == "analyst_dataset"}


def test_the_proofs_hold_for_every_regimes_events(pooled: Stored) -> None:
    found = judged(pooled)
    assert {name: one.words for name, one in found.items() if not one.passed} == {}
    own = development(pooled)
    assert 0 < len(own) < len(development_events(pooled))
    assert f"over {len(own)} events" in found["folds_are_purged"].words
    assert "in 28 folds" in found["folds_are_purged"].words


def test_training_on_another_regimes_overlapping_events_is_noticed(
    pooled: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_own_events_alone(
        known: MarketExamples, train: Any, test: np.ndarray, **_: Any
    ) -> Examples:
        """All but the tested events themselves: other regimes' labels overlap them."""
        tested = np.isin(known.everything.rows, known.own.rows[test])
        return known.everything.part(~tested)

    monkeypatch.setattr(out_of_fold, "training_part", by_own_events_alone)
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
    mixed = events.assign(uniqueness=events["uniqueness"] / events["uniqueness"].mean())
    bundle["events.parquet"] = mixed
    found = judged(pooled)
    assert "column 'uniqueness'" in found["labels_see_no_future"].words
