"""On markets with nothing to find the tactician finds nothing, and a planted leak is noticed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ares_assets.analyst.experts.base import get_expert
from ares_assets.leak_proof.spans import meeting
from ares_resources.settings import Settings
from benchmarks.nested_tactician import judged, nested, stacked
from benchmarks.null_markets import Market, null_market

SEEDS = range(1, 7)


@pytest.fixture(scope="module")
def markets() -> list[Market]:
    return [null_market(seed) for seed in SEEDS]


def out_of_fold(market: Market) -> np.ndarray:
    return market.analyst("linear", np.arange(len(market.known)))


def test_out_of_fold_scores_are_at_chance_and_nothing_is_earned(markets: list[Market]) -> None:
    found = [judged(*stacked(m, out_of_fold(m), "linear"), m) for m in markets]
    # Over 134 seeds one market's AUC has a standard deviation of .034; the best of three
    # specialists lies at .512, all of them together at .499.
    for name in ("auc", "auc_all"):
        assert abs(np.mean([one[name] for one in found]) - 0.5) < 3 * 0.035 / np.sqrt(len(found))
    assert np.mean([one["utility"] for one in found]) < 1e-5
    assert np.mean([one["trades"] for one in found]) < 0.5


def test_folds_weights_and_timeframes_are_those_of_the_product(markets: list[Market]) -> None:
    market = markets[0]
    found = market.outcomes(out_of_fold(market))
    rows, settled = (found.labels[name].to_numpy() for name in ("row", "settled_row"))
    embargo = market.settings.analyst.embargo_bars
    assert embargo == Settings().analyst.embargo_bars > 0
    for train, test in found.splits:
        told = meeting((rows[train], settled[train]), (rows[test], settled[test]), rows, embargo)
        assert told is None
        # Purged by whole windows: the labels' own ends would have let more train.
        ends = found.labels["t1_row"].to_numpy()
        by_outcome = (ends < rows[test][0]) | (rows > ends[test].max() + embargo)
        assert len(train) <= by_outcome.sum()
    assert set(found.features) == {"1m", *market.settings.tactician.timeframes}
    assert found.labels["weight"].std() > 0
    assert 0 < market.known.weights.mean() < 0.3, "average uniqueness, not of mean 1"


def test_a_nested_analyst_has_not_seen_the_fold_under_test(markets: list[Market]) -> None:
    market = markets[0]
    whole = out_of_fold(market)
    train, test = market.outcomes(whole).splits[2]
    labels = market.known.labels.copy()
    labels[test] = 1 - labels[test]
    turned = replace(market, known=replace(market.known, labels=labels))
    assert np.array_equal(turned.analyst("linear", train), market.analyst("linear", train))
    others = np.setdiff1d(np.arange(len(whole)), test)
    assert not np.array_equal(out_of_fold(turned)[others], whole[others])


def test_nested_labels_are_each_folds_own(markets: list[Market]) -> None:
    market = markets[0]
    folds = [
        market.analyst("linear", train) for train, _ in market.outcomes(out_of_fold(market)).splits
    ]
    labels, votes = nested(market, folds, "linear")
    assert np.array_equal(labels["row"], market.known.rows)
    assert np.isfinite(list(votes.values())).all()
    for (_, test), probability in zip(market.outcomes(folds[0]).splits, folds, strict=True):
        assert np.array_equal(labels["probability"].to_numpy()[test], probability[test])


def test_an_analyst_judged_on_what_it_learnt_would_seem_to_earn(markets: list[Market]) -> None:
    expert = get_expert("catboost")
    gains = []
    for market in markets:
        known = market.known
        memorised = expert.fit(
            known.features,
            known.labels,
            known.weights,
            parameters=expert.default_parameters(),
            seed=1,
            threads=1,
        ).probability(known.features)
        earned = [
            market.outcomes(p).labels["net_return"].mean() for p in (memorised, out_of_fold(market))
        ]
        gains.append(earned[0] - earned[1])
    assert np.mean(gains) > 3 * np.std(gains, ddof=1) / np.sqrt(len(gains))
