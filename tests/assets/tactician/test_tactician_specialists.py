"""Take/skip and timing classifiers: purged, reproducible, and humble where nothing pays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ares_assets.analyst.scores import event_log_loss
from ares_assets.tactician.constant_expert import constant_expert, load_tactician_expert
from ares_assets.tactician.specialists import (
    check_enough,
    purged_splits,
    train_binary,
    train_take_specialists,
)
from ares_assets.tactician.timing import train_timing
from ares_resources.errors import BadInput, CorruptArtifact, PartitionSkipped


def world(n: int = 900, *, skill: float = 0.8, seed: int = 1, wait_skill: float = 0.0):
    generator = np.random.default_rng(seed)
    features = pd.DataFrame(generator.standard_normal((n, 4)), columns=list("abcd"))
    net = 0.01 * (skill * features["a"].to_numpy() + generator.standard_normal(n)) - 0.001
    later = net + 0.005 * (wait_skill * features["b"].to_numpy() + generator.standard_normal(n))
    row = 10 * np.arange(n)
    labels = pd.DataFrame(
        {
            "row": row,
            "t1_row": row + 25,
            "net_return": net,
            "take": (net > 0).astype(int),
            "delayed_net_return": later,
            "wait": (later > net).astype(int),
        }
    )
    return labels, features, np.ones(n)


def train(labels, features, weights, **options):
    splits = purged_splits(labels["row"], labels["t1_row"], folds=4, embargo_bars=20)
    return train_take_specialists(
        labels, features, weights, splits=splits, seed=3, threads=1, **options
    )


def test_specialists_learn_out_of_fold() -> None:
    labels, features, weights = world()
    got = train(labels, {"1m": features, "5m": features.assign(e=0.5)}, weights)
    assert [one.name for one in got] == ["1m_catboost", "1m_linear", "5m_catboost", "5m_linear"]
    for one in got:
        assert one.log_loss < one.base_log_loss - 0.02
        assert one.model.degraded == ()
        assert one.to_json()["features"][:4] == list("abcd")


def test_specialists_of_noise_stay_near_the_base_rate() -> None:
    labels, features, weights = world(skill=0.0)
    for one in train(labels, {"1m": features}, weights):
        assert abs(one.log_loss - one.base_log_loss) < 0.02


def test_same_in_same_out() -> None:
    labels, features, weights = world(300)
    first, second = (train(labels, {"1m": features}, weights) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert a.model.fitted.to_files() == b.model.fitted.to_files()
        np.testing.assert_array_equal(a.model.out_of_fold, b.model.out_of_fold)


def test_a_fold_never_sees_its_own_or_overlapping_labels() -> None:
    labels, features, weights = world(300)
    splits = purged_splits(labels["row"], labels["t1_row"], folds=3, embargo_bars=20)
    train_rows, test = splits[1]
    blind = np.setdiff1d(np.arange(300), train_rows)
    assert blind.size > test.size  # something was purged

    def out_of_fold(take: np.ndarray) -> np.ndarray:
        model = train_binary(
            features, take, weights, kind="linear", splits=splits, seed=3, threads=1
        )
        return model.out_of_fold

    take = labels["take"].to_numpy()
    flipped = take.copy()
    flipped[blind] = 1 - flipped[blind]
    np.testing.assert_array_equal(out_of_fold(take)[test], out_of_fold(flipped)[test])
    assert (out_of_fold(take) != out_of_fold(flipped)).any()


@pytest.mark.parametrize("n", [0, 1, 12])
def test_too_few_signals_are_skipped_with_the_numbers(n: int) -> None:
    labels, features, weights = world(n)
    with pytest.raises(PartitionSkipped, match=f"{n} signals with an outcome; .* at least 60"):
        purged_splits(labels["row"], labels["t1_row"], folds=4, embargo_bars=20)
    with pytest.raises(PartitionSkipped, match=f"{n} signals"):
        train_take_specialists(labels, {"1m": features}, weights, splits=[], seed=1)


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "none in 30 days of window gives no pace; try 60 days or more (--lookback-days)"),
        (12, "about 150 days of window would do at this pace (--lookback-days)"),
        (59, "about 31 days of window would do at this pace (--lookback-days)"),
    ],
)
def test_too_few_signals_name_the_window_that_would_do(n: int, words: str) -> None:
    with pytest.raises(PartitionSkipped) as skipped:
        check_enough(range(n), days=30.0)
    needs = "a tactician needs at least 60"
    assert str(skipped.value) == f"{n} signals with an outcome; {needs}; {words}"
    check_enough(range(60), days=30.0)


@pytest.mark.parametrize(("share", "expected"), [(0, 1 / 202), (1, 201 / 202)])
def test_one_class_becomes_a_constant_and_says_so(share: int, expected: float) -> None:
    labels, features, weights = world(200)
    labels["take"] = share
    (only,) = train(labels, {"1m": features}, weights)
    assert only.name == "1m_constant"
    assert f"{200 * share} of 200 labels are 1" in only.model.degraded[0]
    np.testing.assert_allclose(only.model.fitted.probability(features), expected)
    assert not np.isnan(only.model.out_of_fold).any()


def test_a_handful_of_winners_in_one_fold_is_no_traceback() -> None:
    labels, features, weights = world(200)
    labels["take"] = 0
    labels.loc[:7, "take"] = 1  # enough overall, none where the first fold is left out
    got = train(labels, {"1m": features}, weights)
    assert {one.model.fitted.kind for one in got} == {"linear", "catboost"}
    assert all("fold 0: 0 of" in one.model.degraded[0] for one in got)


def test_heavy_purging_is_a_reason_and_no_traceback() -> None:
    labels, features, weights = world(60)
    labels["t1_row"] = 10_000
    with pytest.raises(PartitionSkipped, match="fold 0: "):
        train(labels, {"1m": features}, weights)


def test_misaligned_inputs_are_named() -> None:
    labels, features, weights = world(100)
    with pytest.raises(BadInput, match="99 rows of features, 100 labels"):
        train(labels, {"1m": features.iloc[1:]}, weights)
    with pytest.raises(BadInput, match="predict 0 events; each of 100"):
        train_take_specialists(labels, {"1m": features}, weights, splits=[], seed=1)


def test_experts_come_back_from_their_files() -> None:
    labels, features, weights = world(300)
    fitted = [one.model.fitted for one in train(labels, {"1m": features}, weights)]
    for one in [*fitted, constant_expert(labels["take"].to_numpy())]:
        again = load_tactician_expert(one.kind, one.to_files())
        np.testing.assert_array_equal(again.probability(features), one.probability(features))


@pytest.mark.parametrize("content", [b"", b"{}", b'{"base_rate": 2}', b'{"base_rate": "x"}', None])
def test_a_broken_constant_is_corrupt(content: bytes | None) -> None:
    with pytest.raises(CorruptArtifact):
        load_tactician_expert("constant", {} if content is None else {"constant.json": content})


def timing_of(labels, features, weights, taken):
    return train_timing(
        labels,
        features,
        weights,
        taken=taken,
        splits=purged_splits(labels["row"], labels["t1_row"], folds=4, embargo_bars=20),
        confidence=0.9,
        seed=3,
        threads=1,
    )


def test_waiting_is_kept_where_it_pays() -> None:
    labels, features, weights = world(wait_skill=1.0)
    got = timing_of(labels, features, weights, np.ones(900, bool))
    assert got.kept
    assert got.gain.mean > 0.001
    assert event_log_loss(labels["wait"], got.model.out_of_fold).mean() < np.log(2)


def test_waiting_is_dropped_where_it_brings_nothing() -> None:
    labels, features, weights = world(wait_skill=1.0)
    nobody = timing_of(labels, features, weights, np.zeros(900, bool))
    assert not nobody.kept
    assert nobody.reason.startswith("enter now")
    kept = 0
    for seed in range(10):
        noise = world(300, seed=seed)
        kept += timing_of(*noise, np.ones(300, bool)).kept
    assert kept <= 3


def test_timing_of_one_class_enters_now() -> None:
    labels, features, weights = world(200)
    labels["wait"], labels["delayed_net_return"] = 0, labels["net_return"] - 0.001
    got = timing_of(labels, features, weights, np.ones(200, bool))
    assert not got.kept
    assert "0 of 200 labels are 1" in got.reason
