"""Coin labels overlap as true ones do, are predicted by chance, and the band is as derived."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from ares_assets.analyst.cross_validation import PurgedKFold, Split
from ares_assets.analyst.dataset import Examples, MarketExamples
from ares_assets.analyst.experts.base import get_expert
from ares_assets.analyst.out_of_fold import out_of_fold
from ares_assets.analyst.weights import average_uniqueness
from ares_assets.leak_proof.coins import (
    DEVIATIONS,
    auc_error,
    auc_within_folds,
    band,
    coin_labels,
)

Array = np.ndarray
EAGER = {"prior_variance": 1.0, "clip": 8.0}


def spans(events: int, draws: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A decision every 10 bars with leaps between stays, and where each window is over."""
    leaps = np.cumsum(np.where(draws.random(events) < 0.02, 600, 0))
    rows = 10 * np.arange(events) + leaps
    return rows, rows + 60


def slow_features(rows: np.ndarray, draws: np.random.Generator, count: int = 15) -> pd.DataFrame:
    """Autoregressions from white noise to nearly a random walk, read at the events."""
    from scipy.signal import lfilter

    noise = draws.standard_normal((count, int(rows[-1]) + 1))
    kept = (0.0, 0.9, 0.99, 0.999, 0.9999)
    columns = {
        f"f{i}": lfilter([1.0], [1.0, -kept[i % len(kept)]], noise[i])[rows] for i in range(count)
    }
    return pd.DataFrame(columns)


def test_coins_depend_on_each_other_by_the_bars_they_share() -> None:
    draws = np.random.default_rng(1)
    rows, ends = np.array([0, 0, 30, 60]), np.array([60, 60, 90, 120])
    drawn = np.array([coin_labels(rows, ends, draws) for _ in range(20_000)])
    assert drawn.mean(axis=0) == pytest.approx([0.5] * 4, abs=0.015)
    correlation = np.corrcoef(drawn.T)
    assert correlation[0, 1] == pytest.approx(1.0)
    # Signs of normals that share half their variance agree as the arcsine law says.
    assert correlation[0, 2] == pytest.approx(2 / math.pi * math.asin(0.5), abs=0.03)
    assert abs(correlation[0, 3]) < 0.03


def test_the_error_of_an_auc_is_that_of_mann_and_whitney() -> None:
    draws = np.random.default_rng(2)
    ones = np.ones(100)
    labels = np.repeat([0, 1], 50)
    scores = [
        auc_within_folds(labels, draws.random(100), ones, [np.arange(100)]) for _ in range(4_000)
    ]
    assert np.mean(scores) == pytest.approx(0.5, abs=0.004)
    assert np.std(scores) == pytest.approx(auc_error(100), rel=0.05)
    assert band(100, 16) == pytest.approx(auc_error(100))


def test_an_auc_across_folds_would_be_biased_and_one_within_them_is_not() -> None:
    draws = np.random.default_rng(3)
    folds = np.array_split(np.arange(60), 6)
    across, within = [], []
    for _ in range(400):
        labels = (draws.random(60) < 0.5).astype(float)
        predicted = np.empty(60)
        for test in folds:
            predicted[test] = np.delete(labels, test).mean() + 1e-9 * draws.random(test.size)
        across.append(auc_within_folds(labels, predicted, np.ones(60), [np.arange(60)]))
        within.append(auc_within_folds(labels, predicted, np.ones(60), folds))
    assert np.mean(across) < 0.45
    assert np.mean(within) == pytest.approx(0.5, abs=0.02)


def standard_errors(scores: list[float], uniqueness: np.ndarray) -> float:
    error = auc_error(float(uniqueness.sum())) / math.sqrt(len(scores))
    return float(np.mean(scores) - 0.5) / error


def test_the_expert_of_the_check_stays_within_the_band_of_honest_runs() -> None:
    draws = np.random.default_rng(4)
    rows, ends = spans(200, draws)
    features, uniqueness = slow_features(rows, draws), average_uniqueness(rows + 1, ends)
    splitter = PurgedKFold(5, 60)
    tests = [test for _, test in splitter.split(rows, ends)]
    scores = []
    for _ in range(8):
        labels = coin_labels(rows, ends, draws)
        predicted = out_of_fold(
            get_expert("linear"),
            MarketExamples(
                Examples(features, labels, uniqueness, rows, ends, rows), np.ones(len(rows), bool)
            ),
            splitter=splitter,
            parameters=EAGER,
            seed=0,
            threads=1,
        )
        scores.append(auc_within_folds(labels, predicted, uniqueness, tests))
    assert abs(standard_errors(scores, uniqueness)) < DEVIATIONS


def hat_matrices(features: pd.DataFrame, weights: np.ndarray, splits: list[Split]) -> list[Array]:
    """What turns a fold's training labels into its predictions under ridge regression."""
    x = features.to_numpy()
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    found = []
    for train, test in splits:
        weighted = x[train].T * weights[train]
        found.append(x[test] @ np.linalg.solve(weighted @ x[train] + np.eye(x.shape[1]), weighted))
    return found


def runs_in_standard_errors(runs: int, events: int, *, seed: int, coins: int = 10) -> np.ndarray:
    """The check's statistic of honest runs, ridge regression standing in for the expert."""
    draws = np.random.default_rng(seed)
    found = []
    for _ in range(runs):
        rows, ends = spans(events, draws)
        uniqueness = average_uniqueness(rows + 1, ends)
        splits = list(PurgedKFold(5, 60).split(rows, ends))
        hats = hat_matrices(slow_features(rows, draws), uniqueness, splits)
        scores = []
        for _ in range(coins):
            labels, predicted = coin_labels(rows, ends, draws), np.empty(events)
            for hat, (train, test) in zip(hats, splits, strict=True):
                predicted[test] = hat @ (labels[train] - 0.5)
            tests = [test for _, test in splits]
            scores.append(auc_within_folds(labels, predicted, uniqueness, tests))
        found.append(standard_errors(scores, uniqueness))
    return np.array(found)


@pytest.mark.slow
def test_a_false_alarm_is_rarer_than_one_run_in_a_thousand() -> None:
    found = {events: runs_in_standard_errors(3_000, events, seed=events) for events in (150, 600)}
    for events, errors in found.items():
        print(events, errors.mean(), errors.std(), np.sort(np.abs(errors))[-3:])
        # Of a normal: each of the check's two scopes alarms in less than 1 run of 2,000.
        assert errors.std() < DEVIATIONS / 3.48
        assert abs(errors.mean()) < 0.1
    # At 1 alarm in 1,000, 6,000 runs would give at most one in 2 of 100 cases.
    assert (np.abs(np.concatenate(list(found.values()))) > DEVIATIONS).sum() <= 1
