"""Regimes on simulated markets whose hidden truth is known: floors of held-out accuracy."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from helpers.regime_markets import flip_market, oracle_regimes

from ares_assets.market.classification import classify
from ares_assets.market.regimes import REGIMES
from ares_assets.market.regimes.registry import ALGORITHM_NAMES
from ares_resources.settings import RegimeSettings

FLOORS = {"filtered_hmm": 0.82, "gaussian_mixture": 0.75, "jump_model": 0.75, "rule_based": 0.45}
# The rules' floor was set at the former hysteresis; the present one is made for probabilities
# that come near 1, and theirs do not.
FORMER_HYSTERESIS = {"enter_probability": 0.6, "minimum_dwell_bars": 120}
SEEDS = range(100, 108)


def accuracy(decided: np.ndarray, truth: np.ndarray) -> float:
    """Balanced: the mean over regimes of the share of their bars that is found."""
    return float(np.mean([(decided[truth == regime] == regime).mean() for regime in REGIMES]))


def held_out_accuracy(
    name: str, *, fit_days: int, test_days: int, seed: int, **changes: float
) -> float:
    """Balanced accuracy of the decided regimes on days after the fit, names included."""
    frame, truth = flip_market(10 + fit_days + test_days, seed)
    start, end = 10 * 1440, (10 + fit_days) * 1440
    settings = RegimeSettings(algorithm=name, **changes)  # type: ignore[arg-type]
    rows = np.arange(start, end)
    found = classify(frame, fit_rows=rows, timeframe="1m", settings=settings, seed=7)[0]
    return accuracy(found["regime"].to_numpy()[end:], truth[end:])


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_hidden_regimes_are_found_and_named(name):
    changes = FORMER_HYSTERESIS if name == "rule_based" else {}
    assert held_out_accuracy(name, fit_days=60, test_days=60, seed=21, **changes) > FLOORS[name]


@lru_cache(maxsize=8)
def many_scores(name: str, fit_days: int) -> tuple[float, ...]:
    """Held-out accuracy on each market of :data:`SEEDS`."""
    return tuple(
        held_out_accuracy(name, fit_days=fit_days, test_days=120, seed=seed) for seed in SEEDS
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fit_days", "floor"),
    [
        ("filtered_hmm", 180, 0.865),
        ("filtered_hmm", 30, 0.80),
        ("jump_model", 180, 0.83),
        ("gaussian_mixture", 180, 0.81),
        ("gaussian_mixture", 30, 0.79),
    ],
)
def test_accuracy_over_many_markets(name, fit_days, floor):
    assert np.mean(many_scores(name, fit_days)) > floor


THIRTY_DAYS = "thirty days can hold too little of a regime: seed 100 ends at .34, see the docs"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "fit_days", "least"),
    [
        ("filtered_hmm", 180, 0.8),
        pytest.param(
            "filtered_hmm", 30, 0.7, marks=pytest.mark.xfail(strict=True, reason=THIRTY_DAYS)
        ),
        ("jump_model", 180, 0.7),
        ("gaussian_mixture", 180, 0.7),
        ("gaussian_mixture", 30, 0.7),
    ],
)
def test_no_market_is_lost(name, fit_days, least):
    assert min(many_scores(name, fit_days)) > least


@pytest.mark.slow
def test_the_default_comes_near_the_oracle_on_the_same_markets():
    best = []
    for seed in SEEDS:
        truth, end = flip_market(310, seed)[1], 190 * 1440
        best.append(accuracy(oracle_regimes(310, seed)[end:], truth[end:]))
    assert np.mean(many_scores("filtered_hmm", 180)) >= 0.95 * np.mean(best)
