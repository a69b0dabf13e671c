"""The plain arithmetic of the leak proof: spans that meet, frames that differ, other futures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.random_bars import random_market

from ares_assets.analyst.cross_validation import CombinatorialPurged, PurgedForward, PurgedKFold
from ares_assets.leak_proof.differences import first_difference, other_rows
from ares_assets.leak_proof.other_future import drawn_rows, other_bars, replaced_from
from ares_assets.leak_proof.spans import known_too_late, meeting, purged_events, purged_training
from ares_assets.market.bars import check_bars

ROWS = np.arange(0, 1_000, 10)
ENDS = ROWS + 60


def spans(chosen: list[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return ROWS[chosen], ENDS[chosen]


@pytest.mark.parametrize(
    ("train", "embargo", "met"),
    [
        ([43], 0, False),  # 430..490 ends before 500
        ([44], 0, True),  # 440..500 touches 500
        ([55], 0, True),  # the tested run is 500..540, but its labels end at 600
        ([60], 0, True),  # 600 is the tested run's last bar
        ([61], 0, False),
        ([61], 10, True),
        ([62], 10, False),
    ],
)
def test_a_label_meets_a_tested_run_from_its_first_row_to_its_last_end_and_embargo(
    train: list[int], embargo: int, met: bool
) -> None:
    test = spans(np.arange(50, 55))
    assert (meeting(spans(train), test, ROWS, embargo) is not None) == met


def test_two_tested_runs_leave_the_time_between_them_to_training() -> None:
    test = spans(np.r_[20:25, 60:65])
    assert meeting(spans([40]), test, ROWS, 0) is None
    assert meeting(spans([63]), test, ROWS, 0) is not None


@pytest.mark.parametrize("seed", range(20))
def test_the_splitters_agree_with_the_plain_arithmetic(seed: int) -> None:
    draws = np.random.default_rng(seed)
    rows = np.cumsum(draws.integers(1, 40, 80))
    ends = rows + draws.integers(1, 70, 80)
    embargo = int(draws.integers(0, 50))
    for splitter in (
        PurgedKFold(4, embargo),
        PurgedForward(3, 0.4, embargo),
        CombinatorialPurged(5, 2, embargo),
    ):
        for train, test in splitter.split(rows, ends):
            assert (
                meeting((rows[train], ends[train]), (rows[test], ends[test]), rows, embargo) is None
            )
    plain = purged_training(rows, ends, 4, embargo)
    for (train, test), (mask, tested) in zip(
        PurgedKFold(4, embargo).split(rows, ends), plain, strict=True
    ):
        assert np.array_equal(np.flatnonzero(mask), train)
        assert np.array_equal(tested, test)


def test_labels_behind_a_forward_test_or_within_its_embargo_are_too_late() -> None:
    test = spans(np.arange(50, 55))
    assert known_too_late(spans(np.arange(44)), test, 0) is None  # 430..490 before 500
    assert known_too_late(spans([43]), test, 9) is None
    assert known_too_late(spans([43]), test, 10) is not None
    assert known_too_late(spans([44]), test, 0) is not None
    assert known_too_late(spans([99]), test, 0) is not None


def test_events_of_other_regimes_train_by_their_spans_alone() -> None:
    member = ROWS % 20 == 0  # 0, 20, .. 980, of 0, 10, .. 990; each label lasts 60 bars
    chosen = {"folds": 5, "number": 1, "embargo_bars": 5}
    own, tested = purged_events((ROWS, ENDS), member, scope="regime", **chosen)  # type: ignore[arg-type]
    market, _ = purged_events((ROWS, ENDS), member, scope="market", **chosen)  # type: ignore[arg-type]
    assert list(ROWS[member][tested]) == list(range(200, 400, 20))
    assert not own[~member].any()
    assert set(ROWS[own]) == {*range(0, 140, 20), *range(460, 1_000, 20)}
    assert set(ROWS[market]) == {*range(0, 140, 10), *range(450, 1_000, 10)}


def test_a_difference_names_column_row_and_both_values() -> None:
    kept = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": ["x", "y", "z"]})
    assert first_difference(kept.copy(), kept, np.array([10, 20, 30])) is None
    changed = kept.assign(a=[1.0, np.nan, 3.5])
    found = first_difference(changed, kept, np.array([10, 20, 30]))
    assert found == "column 'a', row 30: 3.5 instead of 3.0"
    assert first_difference(kept.assign(b="x"), kept, np.array([10, 20, 30])) == (
        "column 'b', row 20: x instead of y"
    )
    filled = kept.assign(a=[1.0, 0.0, 3.0])
    assert "row 20: 0.0 instead of nan" in str(
        first_difference(filled, kept, np.arange(10, 40, 10))
    )
    assert first_difference(kept[["b"]], kept, np.arange(3)) == "column 'a' is not made again"
    assert (
        other_rows(np.array([1, 2]), np.array([1, 2, 3])) == "the event at row 3 is gone (1 in all)"
    )
    assert other_rows(np.array([1, 2]), np.array([2])) == "an event at row 1 is new (1 in all)"


def test_another_future_is_a_valid_market_that_shares_the_past_alone() -> None:
    market = random_market(3_000, seed=5, missing_share=0.02)
    other = replaced_from(market, 2_000, seed=1)
    check_bars(other, "1m")
    pd.testing.assert_frame_equal(other.iloc[:2_000], market.iloc[:2_000])
    for name in market.columns.drop(["timestamp", "funding_payment", "gap_payment"]):
        assert not np.isin(other[name][2_000:], market[name][2_000:]).any(), name
    paid = market["funding_payment"][2_000:] != 0
    assert ((other["funding_payment"][2_000:] != 0) == paid).all()
    pd.testing.assert_frame_equal(other, replaced_from(market, 2_000, seed=1))
    assert not other.equals(replaced_from(market, 2_000, seed=2))
    pd.testing.assert_frame_equal(market, random_market(3_000, seed=5, missing_share=0.02))


def test_another_future_of_dead_or_bare_bars_moves_and_stays_bare() -> None:
    market = random_market(500, seed=6)
    market[["open", "high", "low", "close"]] = 5.0
    market["volume"], market["taker_buy_share"] = 0.0, np.nan
    other = replaced_from(market, 100, seed=1)
    check_bars(other, "1m")
    assert other["close"][100:].nunique() == 400
    assert other["taker_buy_share"].isna().all()
    pd.testing.assert_frame_equal(replaced_from(market, 500, seed=1), market)


def test_rows_are_drawn_one_a_stretch_and_alike_for_alike_bars() -> None:
    rows = drawn_rows("ab" * 32, np.arange(100, 200), 4)
    assert rows == drawn_rows("ab" * 32, np.arange(100, 200), 4)
    assert [(row - 100) // 25 for row in rows] == [0, 1, 2, 3]
    assert rows != drawn_rows("cd" * 32, np.arange(100, 200), 4)
    assert len(drawn_rows("ab" * 32, np.arange(2), 4)) == 2
    frame = random_market(50, seed=1)
    assert [(o.row, o.cut, len(o.frame)) for o in other_bars(frame, [7])] == [
        (7, True, 7),
        (7, False, 50),
    ]
