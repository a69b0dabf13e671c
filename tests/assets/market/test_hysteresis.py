"""Decisions from probabilities, and the kernels against their plain twins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.prefix import assert_prefix_invariant, random_cuts
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.market.regimes import PROBABILITY_COLUMNS, decide, kernels_reference
from ares_assets.market.regimes.filter_kernel import forward_filter
from ares_assets.market.regimes.hysteresis_kernel import decide_with_hysteresis
from ares_resources.errors import BadInput


def frame(*rows: tuple[float, float, float]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(PROBABILITY_COLUMNS))


BULL, BEAR, WEAK = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.5, 0.3, 0.2)


def test_a_regime_is_entered_when_probable_enough_and_left_after_its_dwell():
    probabilities = frame(WEAK, BULL, BEAR, BEAR, BEAR, WEAK, BULL)
    decided = decide(probabilities, enter_probability=0.6, minimum_dwell_bars=3)
    assert decided.tolist() == ["sideways", "bull", "bull", "bull", "bear", "bear", "bear"]


def test_without_dwell_each_bar_may_switch():
    decided = decide(frame(BULL, BEAR, WEAK), enter_probability=0.6, minimum_dwell_bars=0)
    assert decided.tolist() == ["bull", "bear", "bear"]


def test_missing_probabilities_are_refused():
    with pytest.raises(BadInput, match="row 1 holds NaN"):
        decide(frame(BULL, (np.nan, 0.5, 0.5)), enter_probability=0.6, minimum_dwell_bars=0)


def test_deciding_sees_no_future():
    generator = np.random.default_rng(2)
    probabilities = pd.DataFrame(
        generator.dirichlet([0.4] * 3, 2000), columns=list(PROBABILITY_COLUMNS)
    )
    assert_prefix_invariant(
        lambda part: decide(part, enter_probability=0.6, minimum_dwell_bars=7),
        probabilities,
        random_cuts(2000, 8, seed=1),
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(0, 60),
    enter=st.floats(0.34, 0.95),
    dwell=st.integers(0, 12),
)
def test_decision_kernel_equals_its_twin(seed, rows, enter, dwell):
    generator = np.random.default_rng(seed)
    values = np.round(generator.dirichlet([0.5] * 3, rows), 1).reshape(rows, 3)
    expected = kernels_reference.decide_with_hysteresis(values, enter, dwell, 2)
    assert decide_with_hysteresis(values, enter, dwell, 2).tolist() == expected.tolist()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), rows=st.integers(0, 60))
def test_filter_kernel_equals_its_twin(seed, rows):
    generator = np.random.default_rng(seed)
    evidence = generator.normal(scale=3, size=(rows, 3))
    transition = generator.dirichlet([1.0] * 3, 3)
    initial = np.full(3, 1 / 3)
    np.testing.assert_allclose(
        forward_filter(evidence, transition, initial),
        kernels_reference.forward_filter(evidence, transition, initial),
        rtol=1e-10,
    )


def test_filter_by_hand():
    transition = np.array([[0.9, 0.1], [0.2, 0.8]])
    evidence = np.log(np.array([[0.5, 0.25]]))
    found = forward_filter(evidence, transition, np.array([0.5, 0.5]))
    np.testing.assert_allclose(found, [[0.275 / 0.3875, 0.1125 / 0.3875]])
