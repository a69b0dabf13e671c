"""On markets with nothing to find the tactician finds nothing, and a planted leak is noticed."""

from __future__ import annotations

import numpy as np
import pytest

from ares_assets.analyst.experts.base import get_expert
from ares_resources.settings import CostSettings
from benchmarks.nested_tactician import Market, null_market, scores

SEEDS = range(1, 7)


@pytest.fixture(scope="module")
def markets() -> list[Market]:
    return [null_market(seed, CostSettings()) for seed in SEEDS]


def test_out_of_fold_scores_are_at_chance_and_nothing_is_earned(markets: list[Market]) -> None:
    found = [scores(m, analyst="linear", tactician="linear", nested=False) for m in markets]
    # Over 300 seeds one market's AUC has mean 0.50 and standard deviation 0.04.
    assert abs(np.mean([one["auc"] for one in found]) - 0.5) < 3 * 0.04 / np.sqrt(len(found))
    assert np.mean([one["utility"] for one in found]) < 1e-5
    assert np.mean([one["trades"] for one in found]) < 0.5


def test_an_analyst_judged_on_what_it_learnt_would_seem_to_earn(markets: list[Market]) -> None:
    expert = get_expert("catboost")
    gains = []
    for market in markets:
        events, everything = market.events, np.arange(len(market.events))
        memorised = expert.fit(
            market.features,
            events["label"].to_numpy(),
            events["uniqueness"].to_numpy(),
            parameters=expert.default_parameters(),
            seed=1,
            threads=1,
        ).probability(market.features)
        honest = market.analyst("linear", everything)
        earned = [market.tactician_data(p)[0]["net_return"].mean() for p in (memorised, honest)]
        gains.append(earned[0] - earned[1])
    assert np.mean(gains) > 3 * np.std(gains, ddof=1) / np.sqrt(len(gains))
