"""PBO against METHODS' reference values and a brute-force twin."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from ares_assets.evidence.overfitting import probability_of_overfitting
from ares_resources.errors import BadInput


def _noise(seed: int, *, annual_sharpe: float = 0.0, periods: int = 1000) -> np.ndarray:
    sample = np.random.default_rng(seed).normal(0, 0.01, (periods, 100))
    sample[:, 0] += 0.01 * annual_sharpe / np.sqrt(252)
    return sample


def _mean_pbo(seeds: int, annual_sharpe: float) -> np.ndarray:
    return np.array(
        [
            probability_of_overfitting(_noise(seed, annual_sharpe=annual_sharpe)).probability
            for seed in range(seeds)
        ]
    )


def test_agrees_with_written_out_cross_validation() -> None:
    sample = np.random.default_rng(5).normal(0.0005, 0.01, (61, 7))
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


def test_recentred_noise_is_always_overfitted() -> None:
    sample = _noise(0)
    assert probability_of_overfitting(sample - sample.mean(axis=0)).probability == 1.0


def test_null_and_true_strategies_in_short() -> None:
    assert _mean_pbo(12, 0.0).mean() == pytest.approx(0.52, abs=0.17)
    assert _mean_pbo(12, 3.0).mean() < 0.15


@pytest.mark.slow
def test_null_distribution_in_full() -> None:
    values = _mean_pbo(200, 0.0)
    assert values.mean() == pytest.approx(0.52, abs=0.04)
    assert values.std(ddof=1) == pytest.approx(0.17, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("annual_sharpe", "expected"), [(1.0, 0.43), (2.0, 0.17), (3.0, 0.014)])
def test_one_true_strategy_in_full(annual_sharpe: float, expected: float) -> None:
    assert _mean_pbo(200, annual_sharpe).mean() == pytest.approx(expected, abs=0.04)


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
