"""On markets with nothing to find the tactician finds nothing, and a planted leak is noticed."""

from __future__ import annotations

import numpy as np
import pytest

from ares_assets.analyst.experts.base import get_expert
from ares_assets.tactician.utility import policy_utility
from ares_resources.settings import CostSettings
from benchmarks.nested_tactician import Market, null_market, scores

SEEDS = range(1, 7)


@pytest.fixture(scope="module")
def markets() -> list[Market]:
    return [null_market(seed, CostSettings()) for seed in SEEDS]


def test_out_of_fold_scores_are_at_chance_and_nothing_is_earned(markets: list[Market]) -> None:
    found = [scores(m, analyst="linear", tactician="linear", nested=False) for m in markets]
    # Over 300 seeds one market's AUC has mean 0.50 and standard deviation 0.04.
    assert np.mean([one["auc"] for one in found]) < 0.5 + 3 * 0.04 / np.sqrt(len(found))
    assert np.mean([one["utility"] for one in found]) < 1e-5
    assert np.mean([one["trades"] for one in found]) < 0.5


def test_an_analyst_judged_on_what_it_learnt_would_earn(markets: list[Market]) -> None:
    market = markets[0]
    expert, events = get_expert("catboost"), market.events
    memorised = expert.fit(
        market.features,
        events["label"].to_numpy(),
        events["weight"].to_numpy(),
        parameters=expert.default_parameters(),
        seed=1,
        threads=1,
    ).probability(market.features)
    labels, _ = market.tactician_data(memorised)
    utility = policy_utility(labels, np.ones(len(labels)))
    assert utility.mean > 3 * utility.standard_error > 0
