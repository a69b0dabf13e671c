"""Walk-forward blocks: no training label meets a test span, and the holdout is covered once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ares_assets.evidence.walk_forward import ForwardBlock, run_walk_forward, walk_forward_blocks
from ares_resources.errors import BadInput


@given(
    gaps=st.lists(st.integers(1, 30), min_size=12, max_size=120),
    horizon=st.integers(0, 80),
    refits=st.integers(1, 6),
    embargo=st.integers(0, 40),
    scheme=st.sampled_from(["anchored", "rolling"]),
    share=st.floats(0.3, 0.9),
    seed=st.integers(0, 999),
)
@settings(max_examples=300, deadline=None)
def test_purge_and_partition(
    gaps: list[int],
    horizon: int,
    refits: int,
    embargo: int,
    scheme: str,
    share: float,
    seed: int,
) -> None:
    rows = np.cumsum(gaps)
    t1_rows = rows + np.random.default_rng(seed).integers(0, horizon + 1, rows.size)
    first = int(share * rows.size)
    assume(rows.size - first >= refits and (t1_rows[:first] + embargo < rows[first]).any())
    options = {"refits": refits, "scheme": scheme, "embargo_bars": embargo}
    try:
        blocks = walk_forward_blocks(rows, t1_rows, rows[first:], **options)
    except BadInput:
        assert scheme == "rolling"  # its window may hold nothing that the purge leaves
        return
    covered = np.concatenate([block.test for block in blocks])
    assert covered.tolist() == list(range(first, rows.size))
    assert max(b.test.size for b in blocks) - min(b.test.size for b in blocks) <= 1
    for block in blocks:
        assert (t1_rows[block.train] + embargo < rows[block.test[0]]).all()
        earlier = np.arange(block.test[0])
        if scheme == "rolling":
            earlier = earlier[rows[earlier] >= rows[block.test[0]] - (rows[first] - rows[0])]
        assert block.purged == len(earlier) - len(block.train)
        if scheme == "anchored":
            kept = set(block.train.tolist())
            for event in range(block.test[0]):
                assert event in kept or t1_rows[event] + embargo >= rows[block.test[0]]
        else:
            assert np.ptp(rows[block.train]) <= rows[first] - rows[0]


def test_hand_made_blocks() -> None:
    rows, t1_rows = np.arange(0, 100, 10), np.arange(0, 100, 10) + 12
    blocks = walk_forward_blocks(rows, t1_rows, rows[6:], refits=2)
    assert [b.test.tolist() for b in blocks] == [[6, 7], [8, 9]]
    assert [b.train.tolist() for b in blocks] == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5, 6]]
    rolling = walk_forward_blocks(rows, t1_rows, rows[6:], refits=2, scheme="rolling")
    assert [b.train.tolist() for b in rolling] == [[0, 1, 2, 3, 4], [2, 3, 4, 5, 6]]
    assert [b.purged for b in blocks] == [1, 1]
    assert [b.purged for b in rolling] == [1, 1]
    embargoed = walk_forward_blocks(rows, t1_rows, rows[6:], refits=2, embargo_bars=8)
    assert [b.train.tolist() for b in embargoed] == [[0, 1, 2, 3], [0, 1, 2, 3, 4, 5]]


def test_a_label_known_at_the_first_test_row_does_not_train() -> None:
    rows = np.array([0, 1, 5])
    blocks = walk_forward_blocks(rows, np.array([4, 5, 9]), rows[2:], refits=1)
    assert blocks[0].train.tolist() == [0]


def test_predictions_come_from_models_that_saw_only_the_past() -> None:
    rows = np.arange(0, 500, 5)
    blocks = walk_forward_blocks(rows, rows + 20, rows[60:], refits=4)
    seen: list[int] = []

    def fit(block: ForwardBlock) -> int:
        seen.append(int((rows[block.train] + 20).max()))
        return seen[-1]

    made = run_walk_forward(blocks, fit, lambda model, test: np.full(test.size, float(model)))
    assert made.position.tolist() == list(range(60, 100))
    assert (made.prediction < rows[made.position]).all()
    assert seen == sorted(seen)
    assert np.bincount(made.block).tolist() == [10, 10, 10, 10]
    assert made.trained_on.tolist() == [b.train.size for b in blocks]


def test_replacing_later_labels_leaves_earlier_predictions() -> None:
    rng = np.random.default_rng(0)
    rows = np.arange(0, 1000, 5)
    labels = rng.normal(size=rows.size)
    blocks = walk_forward_blocks(rows, rows + 30, rows[100:], refits=5)

    def predictions(values: np.ndarray) -> np.ndarray:
        return run_walk_forward(
            blocks, lambda block: values[block.train].mean(), lambda m, t: np.full(t.size, m)
        ).prediction

    base = predictions(labels)
    for block in blocks:
        changed = labels.copy()
        changed[block.test[0] :] = rng.normal(size=rows.size - block.test[0])
        upto = block.test[-1] + 1 - 100
        assert (predictions(changed)[:upto] == base[:upto]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": np.array([3, 2, 1])}, "ascend"),
        ({"t1_rows": np.array([0, 0, 9])}, "before its row"),
        ({"holdout_rows": np.array([1])}, "not the last"),
        ({"holdout_rows": np.array([0, 1, 2])}, "not the last"),
        ({"refits": 2}, "refits"),
        ({"scheme": "sliding"}, "scheme"),
        ({"embargo_bars": 5}, "no event"),
    ],
)
def test_bad_inputs_are_named(change: dict, message: str) -> None:
    options = {
        "rows": np.array([0, 1, 2]),
        "t1_rows": np.array([0, 1, 2]),
        "holdout_rows": np.array([2]),
        "refits": 1,
    } | change
    arrays = [options.pop(name) for name in ("rows", "t1_rows", "holdout_rows")]
    with pytest.raises(BadInput, match=message):
        walk_forward_blocks(*arrays, **options)


def test_predictions_of_another_length_are_refused() -> None:
    rows = np.arange(10)
    blocks = walk_forward_blocks(rows, rows, rows[5:], refits=1)
    with pytest.raises(BadInput, match="block 0"):
        run_walk_forward(blocks, lambda block: None, lambda model, test: np.zeros(2))
    with pytest.raises(BadInput, match="at least one"):
        run_walk_forward([], lambda block: None, lambda model, test: np.zeros(2))
