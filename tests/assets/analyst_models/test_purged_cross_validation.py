"""Purged folds against a naive twin that compares every pair of events."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.analyst.cross_validation import (
    CombinatorialPurged,
    PurgedForward,
    PurgedKFold,
    initial_count,
)
from ares_resources.errors import BadInput, PartitionSkipped


@st.composite
def events(draw):
    steps = draw(st.lists(st.integers(1, 40), min_size=12, max_size=60))
    rows = np.cumsum(steps)
    spans = draw(st.lists(st.integers(0, 80), min_size=len(rows), max_size=len(rows)))
    return rows, rows + np.array(spans)


def naive_train(rows, t1_rows, blocks, embargo):
    """Pair by pair: no training span may meet a tested span, none may start in an embargo."""
    tested = {index for block in blocks for index in block.tolist()}
    train = []
    for i in range(len(rows)):
        if i in tested:
            continue
        clash = any(rows[i] <= t1_rows[j] and rows[j] <= t1_rows[i] for j in tested)
        for block in blocks:
            end = max(t1_rows[j] for j in block)
            clash |= end < rows[i] <= end + embargo
        if not clash:
            train.append(i)
    return train


@settings(max_examples=150, deadline=None)
@given(events(), st.integers(2, 6), st.integers(0, 60))
def test_folds_agree_with_the_pairwise_twin(spans, folds, embargo):
    rows, t1_rows = spans
    seen = []
    for train, test in PurgedKFold(folds, embargo).split(rows, t1_rows):
        assert train.tolist() == naive_train(rows, t1_rows, [test], embargo)
        assert (np.diff(test) == 1).all()
        seen += test.tolist()
    assert seen == list(range(len(rows)))


@settings(max_examples=60, deadline=None)
@given(events(), st.integers(3, 6), st.integers(1, 2), st.integers(0, 30))
def test_combinations_agree_with_the_pairwise_twin(spans, groups, tested, embargo):
    rows, t1_rows = spans
    splitter = CombinatorialPurged(groups, tested, embargo)
    blocks = np.array_split(np.arange(len(rows)), groups)
    expected = [[blocks[g] for g in chosen] for chosen in combinations(range(groups), tested)]
    found = list(splitter.split(rows, t1_rows))
    assert len(found) == len(expected)
    for (train, test), parts in zip(found, expected, strict=True):
        assert test.tolist() == np.concatenate(parts).tolist()
        assert train.tolist() == naive_train(rows, t1_rows, parts, embargo)


@settings(max_examples=80, deadline=None)
@given(events(), st.integers(1, 5), st.floats(0.2, 0.8))
def test_forward_trains_only_on_labels_known_before_the_block(spans, folds, share):
    rows, t1_rows = spans
    if len(rows) - initial_count(len(rows), share) < folds:
        return
    seen = []
    for train, test in PurgedForward(folds, share).split(rows, t1_rows):
        known = [i for i in range(len(rows)) if t1_rows[i] < rows[test[0]]]
        assert train.tolist() == known
        seen += test.tolist()
    assert seen == list(range(initial_count(len(rows), share), len(rows)))


def test_a_worked_example():
    rows = np.array([0, 10, 20, 30, 40, 50, 60, 70])
    t1_rows = rows + 15
    splits = list(PurgedKFold(4, embargo_bars=10).split(rows, t1_rows))
    # Fold 1 tests rows 20 and 30, which end at 35 and 45; row 10 ends inside, 40 starts
    # inside, 50 falls into the embargo up to 55.
    assert splits[1][1].tolist() == [2, 3]
    assert splits[1][0].tolist() == [0, 6, 7]
    assert splits[3][0].tolist() == [0, 1, 2, 3, 4]


def test_a_gap_in_the_rows_counts_as_time():
    rows = np.array([0, 1, 2, 1000, 1001, 1002])
    splits = list(PurgedKFold(2, embargo_bars=500).split(rows, rows + 10))
    assert splits[0][0].tolist() == [3, 4, 5]
    assert splits[1][0].tolist() == [0, 1, 2]


def test_paths_of_the_books_example():
    # AFML 12.4: N = 6, k = 2 gives 15 splits and 5 paths.
    splitter = CombinatorialPurged(6, 2)
    rows = np.arange(60)
    predictions = [
        np.full(len(test), split) for split, (_, test) in enumerate(splitter.split(rows, rows))
    ]
    paths = splitter.paths(rows, [part.astype(float) for part in predictions])
    assert splitter.path_count == 5
    assert len(predictions) == 15
    assert paths.shape == (5, 60)
    assert not np.isnan(paths).any()
    used = sorted((g, int(s)) for path in splitter.path_splits() for g, s in enumerate(path))
    wanted = sorted((g, s) for s, pair in enumerate(splitter.combinations()) for g in pair)
    assert used == wanted
    assert paths[0, :10].tolist() == [0.0] * 10
    assert paths[0, 50:].tolist() == [4.0] * 10


@pytest.mark.parametrize(("groups", "tested"), [(5, 1), (6, 3), (8, 2)])
def test_path_count(groups, tested):
    splitter = CombinatorialPurged(groups, tested)
    assert len(splitter.combinations()) == math.comb(groups, tested)
    assert splitter.path_splits().shape == (splitter.path_count, groups)


@pytest.mark.parametrize(
    ("rows", "t1_rows", "message"),
    [
        ([3, 2, 9], [4, 4, 9], "ascending"),
        ([1, 2, 2], [3, 3, 3], "ascending"),
        ([1, 2, 3], [3, 1, 3], "at least its row"),
        ([1, 2, 3], [3, 3], "one length"),
        ([1.0, 2.0], [1.0, 2.0], "integer"),
    ],
)
def test_bad_events_are_named(rows, t1_rows, message):
    with pytest.raises(BadInput, match=message):
        list(PurgedKFold(2).split(np.array(rows), np.array(t1_rows)))


def test_bad_settings_are_named():
    for build in (
        lambda: PurgedKFold(1),
        lambda: PurgedKFold(3, -1),
        lambda: PurgedForward(2, 1.0),
        lambda: CombinatorialPurged(3, 3),
    ):
        with pytest.raises(BadInput, match="allowed"):
            build()


def test_fewer_events_than_folds_skip_the_partition():
    with pytest.raises(PartitionSkipped, match="3 events cannot fill 5 folds"):
        list(PurgedKFold(5).split(np.arange(3), np.arange(3)))
