"""Refits continue where that costs nothing, start again where it does, and say which."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares_resources.errors import BadInput
from ares_resources.incremental import IncrementalTrainer, TrainingSet

KINDS = ["catboost", "lightgbm"]


def sample(seed: int, rows: int = 1500, *, flipped: bool = False) -> TrainingSet:
    random = np.random.default_rng(seed)
    features = pd.DataFrame(random.normal(size=(rows, 4)), columns=["a", "b", "c", "d"])
    score = 2 * features["a"] - features["b"]
    chance = 1 / (1 + np.exp(-(-score if flipped else score)))
    labels = (random.uniform(size=rows) < chance).astype(int)
    return TrainingSet(features, labels, random.uniform(0.5, 1.5, rows))


def trainer(kind: str, **options) -> IncrementalTrainer:
    return IncrementalTrainer(
        kind, **{"scratch_trees": 60, "extra_trees": 10, "threads": 1, **options}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_without_drift_it_continues(kind):
    train = trainer(kind, tolerance=0.02)
    first = train.refit(sample(1), validation=sample(2))
    assert (first.used, first.loss_continued) == ("scratch", None)
    again = train.refit(sample(3), validation=sample(4), previous=first)
    assert again.used == "continued"
    assert again.loss_continued <= again.loss_scratch + 0.02
    assert again.model != first.model
    loss = train.validation_loss(again.model, sample(4))
    assert loss == again.loss_continued < 0.55


@pytest.mark.parametrize("kind", KINDS)
def test_after_drift_it_starts_again(kind):
    train = trainer(kind)
    first = train.refit(sample(1), validation=sample(2))
    turned = train.refit(
        sample(3, flipped=True), validation=sample(4, flipped=True), previous=first
    )
    assert turned.used == "scratch"
    assert turned.loss_continued > turned.loss_scratch + train.tolerance
    assert "more than tolerated" in turned.reason
    assert train.validation_loss(turned.model, sample(4, flipped=True)) == turned.loss_scratch


@pytest.mark.parametrize("kind", KINDS)
def test_between_comparisons_nothing_is_trained_from_scratch(kind):
    train = trainer(kind, tolerance=0.05, check_every=3)
    result = train.refit(sample(1), validation=sample(2))
    seen = []
    for seed in range(3, 11, 2):
        result = train.refit(sample(seed), validation=sample(seed + 1), previous=result)
        seen.append((result.used, result.loss_scratch is not None, result.since_check))
    assert seen == [
        ("continued", False, 1),
        ("continued", False, 2),
        ("continued", True, 0),
        ("continued", False, 1),
    ]


def test_a_continuation_that_validates_worse_is_compared_at_once():
    train = trainer("lightgbm", tolerance=0.001, check_every=100, extra_trees=40)
    first = train.refit(sample(1), validation=sample(2))
    misled = sample(3)
    misled = TrainingSet(misled.features, 1 - misled.labels, misled.weights)
    result = train.refit(misled, validation=sample(4), previous=first)
    assert result.loss_scratch is not None


@pytest.mark.parametrize("kind", KINDS)
def test_loss_is_weighted_log_loss_and_columns_go_by_name(kind):
    from sklearn.metrics import log_loss

    train = trainer(kind)
    model = train.refit(sample(1), validation=sample(2)).model
    data = sample(5)
    chance = train.probability(model, data.features)
    expected = log_loss(data.labels, chance, sample_weight=data.weights)
    assert train.validation_loss(model, data) == pytest.approx(expected, rel=1e-9)
    shuffled = train.probability(model, data.features[["d", "b", "a", "c"]])
    assert shuffled.tolist() == chance.tolist()


_PROGRAM = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from test_incremental import sample, trainer
for kind in ("catboost", "lightgbm"):
    train = trainer(kind, tolerance=9.0)
    first = train.refit(sample(1), validation=sample(2))
    again = train.refit(sample(3), validation=sample(4), previous=first)
    print(hashlib.sha256(first.model).hexdigest(), hashlib.sha256(again.model).hexdigest())
"""


def test_models_are_the_same_bytes_in_every_process():
    here = str(Path(__file__).parent)
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _PROGRAM, here], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(outputs) == 1
    assert len(next(iter(outputs)).split()) == 4


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("forest", {}, "kind 'forest'"),
        ("catboost", {"extra_trees": 0}, "extra_trees 0"),
        ("catboost", {"check_every": 0}, "check_every 0"),
        ("lightgbm", {"tolerance": -0.1}, "tolerance -0.1"),
    ],
)
def test_bad_options_are_named(kind, options, message):
    with pytest.raises(BadInput, match=message):
        IncrementalTrainer(kind, **options)


def test_bad_data_is_named():
    data = sample(1, 50)
    with pytest.raises(BadInput, match=r"labels have shape \(49,\)"):
        TrainingSet(data.features, data.labels[:49], data.weights)
    train = trainer("lightgbm")
    first = train.refit(data, validation=data)
    other = TrainingSet(data.features[["b", "a", "c", "d"]], data.labels, data.weights)
    with pytest.raises(BadInput, match="differ in names or order"):
        train.refit(data, validation=other, previous=first)
