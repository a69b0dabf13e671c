"""Utility: figures by hand, errors that know of overlap, thresholds that doubt noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ares_assets.tactician.utility import (
    NEVER,
    choose_threshold,
    compare_policies,
    mean_and_error,
    paired_gain,
    policy_utility,
)
from ares_resources.errors import BadInput


def signals(net: np.ndarray, *, every: int = 10, span: int = 5) -> pd.DataFrame:
    row = every * np.arange(len(net))
    return pd.DataFrame(
        {"row": row, "t1_row": row + span, "net_return": net, "take": (net > 0).astype(int)}
    )


def test_error_without_overlap_is_the_textbook_one() -> None:
    x = np.array([1.0, 2.0, 3.0, 6.0])
    row = np.arange(4) * 10
    mean, error = mean_and_error(x, row, row + 5)
    assert mean == 3.0
    assert error == pytest.approx(np.std(x) / 2)


def test_error_grows_with_overlap_to_what_simulation_shows() -> None:
    generator = np.random.default_rng(2)
    means, errors, naive = [], [], []
    row = np.arange(600)
    for _ in range(300):
        shocks = generator.standard_normal(606)
        x = np.convolve(shocks, np.ones(7), mode="valid")  # neighbours share six of seven bars
        mean, error = mean_and_error(x, row, row + 6)
        means.append(mean)
        errors.append(error)
        naive.append(x.std() / np.sqrt(x.size))
    true = np.std(means)
    assert np.mean(errors) == pytest.approx(true, rel=0.15)
    assert np.mean(naive) < 0.5 * true


def test_too_few_events_for_an_error() -> None:
    with pytest.raises(BadInput, match="1 events"):
        mean_and_error(np.ones(1), np.array([0]), np.array([1]))


def test_policies_by_hand() -> None:
    labels = signals(np.array([0.02, -0.01, 0.03, -0.02]))
    got = compare_policies(
        labels, np.array([0.9, 0.2, 0.4, 0.8]), threshold=0.5, size=np.array([1, 1, 1, 0.5])
    )
    assert got["tactician"].total == pytest.approx(0.02 - 0.01)
    assert (got["tactician"].traded, got["tactician"].events) == (2, 4)
    assert got["always_take"].total == pytest.approx(0.03)
    assert got["always_take"].mean == pytest.approx(0.0075)
    never = got["never_trade"]
    assert (never.total, never.standard_error, never.traded) == (0.0, 0.0, 0)


def test_paired_gain() -> None:
    labels = signals(np.zeros(400))
    generator = np.random.default_rng(3)
    base = generator.standard_normal(400)
    noise = 0.1 * generator.standard_normal(400)
    assert paired_gain(labels, base + 0.05 + noise, base).p_value < 0.001
    assert paired_gain(labels, base - 0.05 + noise, base).p_value > 0.999
    same = paired_gain(labels, base, base)
    assert (same.mean, same.p_value) == (0.0, 1.0)


def test_threshold_finds_where_trading_pays() -> None:
    generator = np.random.default_rng(4)
    p = generator.random(2000)
    labels = signals(0.01 * generator.standard_normal(2000) + 0.01 * (p - 0.6))
    choice = choose_threshold(labels, p)
    assert 0.5 <= choice.threshold <= 0.75
    assert choice.reason == ""
    assert choice.utility.mean > policy_utility(labels, np.ones(2000)).mean


def test_threshold_is_never_where_nothing_pays() -> None:
    generator = np.random.default_rng(5)
    p = generator.random(500)
    labels = signals(-0.001 - 0.01 * generator.random(500))
    choice = choose_threshold(labels, p)
    assert (choice.threshold, choice.utility.traded) == (NEVER, 0)
    assert choice.reason.startswith("never trade")
    few = choose_threshold(signals(np.ones(10)), np.linspace(0, 1, 10), minimum_trades=20)
    assert few.threshold == NEVER
    assert "often enough" in few.reason


def test_net_losing_noise_is_seldom_traded() -> None:
    traded = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        labels = signals(0.005 * generator.standard_normal(800) - 0.0005)
        traded += choose_threshold(labels, generator.random(800)).threshold < NEVER
    assert traded <= 9
