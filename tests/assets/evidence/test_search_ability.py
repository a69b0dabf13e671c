"""Fronts and searches that earn, lose, do nothing, or were only lucky."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ares_assets.evidence.search_ability import judge_front, judge_search
from ares_resources.errors import BadInput


def test_a_front_is_judged_by_all_three_and_against_not_trading() -> None:
    rng = np.random.default_rng(2)
    idle, earns = np.zeros(250), rng.normal(0.004, 0.01, 250)
    loses = rng.normal(-0.004, 0.01, 250)
    daily = np.column_stack([idle, earns, earns, loses])
    found = judge_front(daily, ["idle", "earns", "again", "loses"], seed=1)
    assert found["models"] == 2
    assert found["beats_no_trade"] == ["earns"]
    assert found["confidence_set"] == ["earns"]
    assert found["no_trade_possible"] is False
    assert found["spa"]["consistent"] < 0.01
    assert set(found["confidence_set_p"]) == {"no trade", "earns", "loses"}
    json.dumps(found, allow_nan=False)
    losing = judge_front(daily[:, [0, 3]], ["idle", "loses"], seed=1)
    assert losing["beats_no_trade"] == []
    assert losing["no_trade_possible"] is True
    assert losing["spa"]["consistent"] > 0.4


def test_a_front_that_does_nothing_cannot_be_judged() -> None:
    two = ["a", "b"]
    for daily, names in ((np.zeros((30, 2)), two), (np.zeros((30, 0)), []), (np.eye(2), two)):
        found = judge_front(daily, names, seed=1)
        assert found["models"] == 0
        assert found["spa"] is None
        assert found["no_trade_possible"] is None
    with pytest.raises(BadInput, match="names"):
        judge_front(np.zeros((30, 2)), ["a"], seed=1)


def test_a_front_chosen_from_many_nulls_looks_better_than_the_search_was() -> None:
    """The best of 60 worthless trials alone passes SPA; with its family beside it, it does not."""
    alone, family = [], []
    for seed in range(40):
        daily = np.random.default_rng(seed).normal(0.0, 0.01, (150, 60))
        best = daily[:, [daily.mean(axis=0).argmax()]]
        options = {"seed": seed, "resamples": 200}
        alone.append(judge_front(best, ["best"], **options)["spa"]["consistent"] <= 0.05)
        family.append(judge_search(daily, **options)["spa"]["consistent"] <= 0.05)
    assert np.mean(alone) > 0.7
    assert np.mean(family) <= 0.05 + 2 * 0.035
    assert judge_search(np.zeros((30, 2)), seed=1)["spa"] is None


def test_a_search_that_earns_passes_and_one_that_loses_does_not() -> None:
    daily = np.random.default_rng(3).normal(0.004, 0.01, (200, 12))
    assert judge_search(daily, seed=1)["spa"]["consistent"] < 0.01
    assert judge_search(-daily, seed=1)["spa"]["consistent"] > 0.3
