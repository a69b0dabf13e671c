"""Regimes of truncated bars are the truncated regimes, bit for bit, at 200 cuts an algorithm.

The same test must catch a decoder that smooths, so one is planted.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from helpers.prefix import assert_prefix_invariant, random_cuts
from helpers.random_bars import random_market

from ares_assets.market.classification import classify, decode
from ares_assets.market.regimes import decide, load_model
from ares_assets.market.regimes.base import PROBABILITY_COLUMNS, as_frame
from ares_assets.market.regimes.filtered_hmm import FilteredHmmModel
from ares_assets.market.regimes.registry import ALGORITHM_NAMES
from ares_resources.settings import RegimeSettings

ROWS = 4_000
FIT_END = 2_500
CUTS = random_cuts(ROWS, 200, seed=20)


def settings(name: str, baseline: float = 0) -> RegimeSettings:
    return RegimeSettings(
        algorithm=name,  # type: ignore[arg-type]
        volatility_halflife_bars=30,
        trend_halflife_bars=100,
        baseline_halflife_bars=baseline,
        enter_probability=0.5,
        minimum_dwell_bars=20,
        shortest_mean_dwell_bars=50,
    )


@lru_cache(maxsize=1)
def market() -> pd.DataFrame:
    return random_market(ROWS + 100, seed=31, missing_share=0.01).iloc[:ROWS]


@lru_cache(maxsize=8)
def fitted(name: str) -> dict:
    rows = np.arange(len(market())) < FIT_END
    chosen = settings(name)
    return classify(market(), fit_rows=rows, timeframe="1m", settings=chosen, seed=5)[1]


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_regimes_of_truncated_bars_are_the_truncated_regimes(name):
    def regimes(frame: pd.DataFrame) -> pd.DataFrame:
        return decode(frame, fitted(name), settings(name))

    decided = regimes(market())
    assert decided["regime"].nunique() == 3
    assert len(CUTS) == 200
    assert_prefix_invariant(regimes, market(), CUTS)


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_they_are_so_with_a_baseline(name):
    values = {**fitted(name), "baseline": (400.0, 8e-4)}
    assert_prefix_invariant(
        lambda frame: decode(frame, values, settings(name)), market(), CUTS[::10]
    )


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_so_are_those_of_a_fit_that_never_saw_the_rest(name):
    def refitted(frame: pd.DataFrame) -> pd.DataFrame:
        rows = np.arange(len(frame)) < FIT_END
        return classify(frame, fit_rows=rows, timeframe="1m", settings=settings(name, 200), seed=5)[
            0
        ]

    assert_prefix_invariant(refitted, market(), [FIT_END, FIT_END + 1, 3_000, 3_777])


def test_a_planted_smoother_is_caught():
    model = load_model(fitted("filtered_hmm"))
    assert isinstance(model, FilteredHmmModel)

    def smoothed(frame: pd.DataFrame) -> pd.DataFrame:
        probabilities = as_frame(forward_backward(model, frame))
        return probabilities.assign(
            regime=decide(probabilities, enter_probability=0.5, minimum_dwell_bars=20)
        )

    with pytest.raises(AssertionError, match="saw the future"):
        assert_prefix_invariant(smoothed, market(), CUTS)


def test_so_is_one_that_looks_one_bar_ahead():
    def smoothed(frame: pd.DataFrame) -> pd.DataFrame:
        probabilities = load_model(fitted("gaussian_mixture")).probabilities(frame)
        return probabilities.rolling(3, center=True, min_periods=1).mean()

    with pytest.raises(AssertionError, match="saw the future"):
        assert_prefix_invariant(smoothed, market(), CUTS)


def forward_backward(model: FilteredHmmModel, frame: pd.DataFrame) -> np.ndarray:
    """P(state | ALL bars), (n, 3): what hmmlearn's ``predict_proba`` would give."""
    filtered = model.probabilities(frame)[list(PROBABILITY_COLUMNS)].to_numpy()
    transition = np.array(model.transition)
    smoothed = filtered.copy()
    for t in range(len(filtered) - 2, -1, -1):
        predicted = filtered[t] @ transition
        smoothed[t] = filtered[t] * (transition @ (smoothed[t + 1] / predicted))
    return smoothed
