"""PBO against a brute-force twin; METHODS' values are in ``test_reference_values.py``."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from ares_assets.evidence.overfitting import probability_of_overfitting
from ares_resources.errors import BadInput


def test_agrees_with_written_out_cross_validation() -> None:
    # Of very different volatility: the largest mean is seldom the largest Sharpe ratio.
    sample = np.random.default_rng(5).normal(0.0005, 0.01, (61, 7)) * np.geomspace(0.1, 10.0, 7)
    report = probability_of_overfitting(sample, blocks=6)
    parts = np.array_split(np.arange(61), 6)
    logits = []
    for chosen in itertools.combinations(range(6), 3):
        inside = np.concatenate([parts[k] for k in chosen])
        outside = np.concatenate([parts[k] for k in range(6) if k not in chosen])
        sharpe_in = sample[inside].mean(axis=0) / sample[inside].std(axis=0)
        sharpe_out = sample[outside].mean(axis=0) / sample[outside].std(axis=0)
        order = sharpe_out.argsort().argsort()
        share = (order[sharpe_in.argmax()] + 1) / 8
        logits.append(np.log(share / (1 - share)))
    assert report.logits == pytest.approx(np.array(logits))
    assert report.probability == np.mean(np.array(logits) <= 1e-12)


def test_a_strategy_that_earns_everywhere_is_never_overfitted() -> None:
    sample = np.random.default_rng(1).normal(0.0, 0.01, (400, 20))
    sample[:, 7] += 0.01
    report = probability_of_overfitting(sample, blocks=8)
    assert report.probability == 0.0
    assert report.loss_probability == 0.0


def test_choosing_among_losers_loses() -> None:
    sample = np.random.default_rng(2).normal(-0.01, 0.01, (400, 20))
    assert probability_of_overfitting(sample, blocks=8).loss_probability == 1.0


def test_strategies_that_never_trade_are_ties() -> None:
    sample = np.zeros((64, 4))
    report = probability_of_overfitting(sample, blocks=4)
    assert report.probability == 1.0
    json.dumps(report.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("shape", "blocks"), [((100, 1), 4), ((100,), 4), ((100, 3), 5), ((6, 3), 4), ((100, 3), 22)]
)
def test_wrong_shapes_are_refused(shape: tuple[int, ...], blocks: int) -> None:
    with pytest.raises(BadInput):
        probability_of_overfitting(np.ones(shape), blocks=blocks)


def test_first_bad_cell_is_named() -> None:
    sample = np.zeros((40, 3))
    sample[7, 2] = np.nan
    with pytest.raises(BadInput, match=r"\[7, 2\]"):
        probability_of_overfitting(sample, blocks=4)
