"""Uniqueness weights: the book's example, the kernel against its twin, and no future."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.analyst import weights_reference
from ares_assets.analyst.events import labelled_events
from ares_assets.analyst.scores import auc
from ares_assets.analyst.weights import (
    average_uniqueness,
    uniqueness_weights,
)
from ares_assets.analyst.weights_kernel import average_uniqueness as kernel
from ares_resources.errors import BadInput
from ares_resources.settings import LabelSettings

# AFML 4.5: three labels on returns 1-3, 3-4 and 5-6.
FIRST, LAST = np.array([1, 3, 5]), np.array([3, 4, 6])


def test_average_uniqueness_of_the_books_example():
    np.testing.assert_allclose(average_uniqueness(FIRST, LAST), [5 / 6, 3 / 4, 1])


def test_uniqueness_beside_drawn_labels_is_that_of_the_books_example():
    """AFML 4.5: what each label would weigh beside those drawn already, as shares."""
    draws = [[], [1], [1, 2]]
    expected = [(1 / 3, 1 / 3, 1 / 3), (5 / 14, 3 / 14, 6 / 14), (5 / 11, 3 / 11, 3 / 11)]
    for drawn, shares in zip(draws, expected, strict=True):
        joined = [[*drawn, event] for event in range(3)]
        found = np.array([average_uniqueness(FIRST[one], LAST[one])[-1] for one in joined])
        np.testing.assert_allclose(found / found.sum(), shares)


def test_a_label_works_from_its_entry_and_weights_have_mean_one():
    rows, ends = np.array([0, 2, 10]), np.array([2, 4, 12])
    weights = uniqueness_weights(rows, ends)
    np.testing.assert_allclose(weights, [1, 1, 1])
    overlapping = uniqueness_weights(np.array([0, 1, 10]), np.array([3, 4, 12]))
    assert overlapping.mean() == pytest.approx(1)
    assert overlapping[0] < overlapping[2]


@st.composite
def spans(draw):
    count = draw(st.integers(0, 40))
    seed = draw(st.integers(0, 10**6))
    generator = np.random.default_rng(seed)
    first = np.sort(generator.integers(0, 60, count))
    return first, first + generator.integers(0, 20, count)


@settings(max_examples=80, deadline=None)
@given(spans())
def test_kernel_equals_its_twin(span):
    first, last = span
    bars = int(last.max()) + 1 if len(last) else 0
    found = kernel(first, last, bars)
    np.testing.assert_allclose(found, weights_reference.average_uniqueness(first, last, bars))
    assert ((found > 0) & (found <= 1 + 1e-12)).all()


@settings(max_examples=60, deadline=None)
@given(spans(), st.integers(1, 60))
def test_labels_that_end_before_later_ones_begin_keep_their_uniqueness(span, cut):
    first, last = span
    whole, known = average_uniqueness(first, last), first < cut
    part = average_uniqueness(first[known], last[known])
    settled = last[known] < cut
    np.testing.assert_array_equal(part[settled], whole[known][settled])


def test_bad_spans_are_refused():
    with pytest.raises(BadInput, match=r"label 1 spans rows 5\.\.4"):
        average_uniqueness(np.array([0, 5]), np.array([0, 4]))
    assert len(uniqueness_weights(np.array([], np.int64), np.array([], np.int64))) == 0


def walk(seed: int, bars: int = 120_000) -> pd.DataFrame:
    """Minute bars of a martingale with heavy-tailed returns: nothing can be known ahead."""
    draws = np.random.default_rng(seed)
    close = 100 * np.cumprod(1 + 5e-4 * draws.standard_t(4, bars))
    opened = np.concatenate([[100.0], close[:-1]])
    return pd.DataFrame(
        {
            "timestamp": np.arange(bars) * 60_000,
            "open": opened,
            "high": np.maximum(opened, close),
            "low": np.minimum(opened, close),
            "close": close,
        }
    )


def labelled(frame: pd.DataFrame) -> pd.DataFrame:
    rows = np.arange(len(frame))
    return labelled_events(frame, rows, settings=LabelSettings(), timeframe_ms=60_000)


def test_weights_do_not_know_where_the_price_goes():
    first, second = labelled(walk(1, 8_000)), labelled(walk(2, 8_000))
    assert (first["t1_row"] != second["t1_row"]).any()
    np.testing.assert_array_equal(first["row"], second["row"])
    np.testing.assert_array_equal(first["uniqueness"], second["uniqueness"])


def test_weights_by_where_labels_end_make_trends_predict_a_martingale():
    """Why uniqueness counts whole windows: spans to the outcome select events by the outcome."""
    whole, ended = [], []
    for seed in range(4):
        frame = walk(10 + seed)
        events = labelled(frame)
        row, close = events["row"].to_numpy(), frame["close"].to_numpy()
        trend = np.log(close[row] / close[row - 15])
        label = events["label"].to_numpy()
        whole.append(auc(label, trend, events["uniqueness"].to_numpy()))
        by_outcome = average_uniqueness(row + 1, events["t1_row"].to_numpy())
        ended.append(auc(label, trend, by_outcome))
    # 48,000 events, a sixth of them independent: a standard error of .0032 for each mean.
    assert abs(np.mean(whole) - 0.5) < 0.01
    assert np.mean(ended) > 0.515
