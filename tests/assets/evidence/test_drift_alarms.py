"""Drift distances by hand and against scipy; alarms and their false-alarm rate."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from ares_assets.evidence import drift as d
from ares_resources.errors import BadInput


def test_psi_by_hand() -> None:
    reference, current = np.arange(100.0), np.r_[np.zeros(30), np.full(70, 99.0)]
    before, after = np.array([50.5, 50.5, 0.5]), np.array([30.5, 70.5, 0.5])
    p, q = before / before.sum(), after / after.sum()
    expected = ((q - p) * np.log(q / p)).sum()
    assert d.population_stability_index(reference, current, bins=2) == pytest.approx(expected)


def test_psi_sees_missing_values_appear() -> None:
    rng = np.random.default_rng(0)
    reference, current = rng.normal(size=1000), rng.normal(size=1000)
    quiet = d.population_stability_index(reference, current)
    current[:300] = np.nan
    assert d.population_stability_index(reference, current) > quiet + 0.25


def test_psi_floor_is_passed_as_rarely_as_it_says() -> None:
    hits = []
    for seed in range(500):
        rng = np.random.default_rng(seed)
        psi = d.population_stability_index(rng.normal(size=1000), rng.normal(size=300))
        hits.append(psi > d.psi_floor(1000, 300))
    assert np.mean(hits) == pytest.approx(0.05, abs=0.03)


def test_ks_agrees_with_scipy() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=300).round(1), rng.normal(0.3, 1, 200).round(1)
    assert d.kolmogorov_smirnov(x, y) == pytest.approx(ks_2samp(x, y).statistic)
    assert np.isnan(d.kolmogorov_smirnov([np.nan], y))


def _sticky(rng: np.random.Generator, n: int) -> np.ndarray:
    noise = rng.normal(size=n)
    value = np.zeros(n)
    for i in range(1, n):
        value[i] = 0.95 * value[i - 1] + noise[i]
    return value


def test_sticky_features_are_judged_by_their_own_wandering() -> None:
    """The floor of independent samples alarms at once here; the measured one seldom does."""
    drifted, naive = [], []
    for seed in range(40):
        values = _sticky(np.random.default_rng(seed), 3500)
        reference, current = values[:3000], values[3000:]
        row = d.feature_drift(pd.DataFrame({"x": reference}), pd.DataFrame({"x": current}))[0]
        drifted.append(row["drifted"])
        naive.append(row["psi"] > d.psi_floor(3000, 500))
    assert np.mean(naive) > 0.8
    assert np.mean(drifted) < 0.3


def test_a_shifted_feature_is_found_and_only_it() -> None:
    rng = np.random.default_rng(3)
    reference = pd.DataFrame({"a": rng.normal(size=2000), "b": rng.normal(size=2000)})
    current = pd.DataFrame({"a": rng.normal(size=400), "b": rng.normal(1.0, 1, 400)})
    rows = d.feature_drift(reference, current)
    json.dumps(rows, allow_nan=False)
    assert [(row["feature"], row["drifted"]) for row in rows] == [("a", False), ("b", True)]
    with pytest.raises(BadInput, match="b"):
        d.feature_drift(reference, current[["a"]])


def _brier(rng: np.random.Generator, skills: np.ndarray) -> np.ndarray:
    outcome = rng.random(skills.size) < 0.5
    probability = 0.5 + np.where(outcome, 1, -1) * skills + rng.normal(0, 0.05, skills.size)
    return (probability.clip(0, 1) - outcome) ** 2


def test_false_alarm_rate_on_stationary_losses_is_low() -> None:
    streams = [_brier(np.random.default_rng(k), np.full(2000, 0.1)) for k in range(100)]
    assert np.mean([len(d.prequential_alarms(stream)) > 0 for stream in streams]) <= 0.02


def test_a_lost_skill_raises_an_alarm_soon_after() -> None:
    skills = np.r_[np.full(1500, 0.2), np.zeros(1500)]
    found = d.prequential_drift(_brier(np.random.default_rng(5), skills), seed=1, resamples=40)
    json.dumps(found.as_dict(), allow_nan=False)
    assert 1500 <= found.alarms[0] < 1800
    assert found.chance <= 0.05


def test_no_drift_is_no_surprise() -> None:
    found = d.prequential_drift(
        _brier(np.random.default_rng(6), np.full(1500, 0.1)), seed=1, resamples=20
    )
    assert found.alarms == ()
    assert found.chance == 1.0


def test_alarms_do_not_change_when_the_future_is_cut() -> None:
    skills = np.r_[np.full(1000, 0.2), np.zeros(1000)]
    losses = _brier(np.random.default_rng(7), skills)
    full = d.prequential_alarms(losses)
    assert full
    for cut in np.random.default_rng(8).integers(1, 2000, 10):
        assert d.prequential_alarms(losses[:cut]) == [alarm for alarm in full if alarm < cut]


def test_bad_losses_are_named() -> None:
    with pytest.raises(BadInput, match=r"losses\[1\]"):
        d.prequential_alarms([0.1, -0.1])
    with pytest.raises(BadInput, match="delta"):
        d.prequential_alarms([0.1], delta=0.0)
