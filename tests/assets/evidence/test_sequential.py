"""Always-valid tests: reference figures, and errors under peeking measured by simulation."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from ares_assets.evidence import sequential as s
from ares_resources.errors import BadInput

Draw = Callable[[np.random.Generator, int], np.ndarray]

NULLS: dict[str, Draw] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy tails": lambda rng, n: rng.standard_t(3, n),
    "small gains, large losses": lambda rng, n: 1.0 - rng.exponential(1.0, n),
    "small losses, large gains": lambda rng, n: rng.exponential(1.0, n) - 1.0,
    "rare gains": lambda rng, n: (rng.random(n) < 0.05) - 0.05,
}


def _errors(draw: Draw, sequences: int, periods: int, **options: int) -> tuple[float, float]:
    decisions = [
        s.always_valid_test(draw(np.random.default_rng([seed, 7]), periods), **options).decision
        for seed in range(sequences)
    ]
    return decisions.count("better") / sequences, decisions.count("worse") / sequences


def test_mixture_ratio_reference() -> None:
    ratio = s.mixture_likelihood_ratio(100, 0.5, variance=2.0, mixture_variance=1.0)
    assert ratio == pytest.approx(64.170, abs=1e-3)
    assert 1 / ratio == pytest.approx(0.01558, abs=1e-5)


def test_mixture_test_reaches_the_reference_and_only_falls() -> None:
    p = s.mixture_sequential_test(np.full(100, 0.5), variance=2.0, mixture_variance=1.0)
    assert p[-1] == pytest.approx(0.01558, abs=1e-5)
    assert (np.diff(p) <= 0).all()


def test_mixture_test_holds_its_level_at_all_looks() -> None:
    hits = [
        s.mixture_sequential_test(
            np.random.default_rng(seed).normal(0, 2**0.5, 300), variance=2.0, mixture_variance=1.0
        )[-1]
        < 0.05
        for seed in range(400)
    ]
    assert np.mean(hits) <= 0.05


@pytest.mark.parametrize(
    ("looks", "expected"), [(2, 0.083), (5, 0.142), (10, 0.193), (50, 0.320), (100, 0.374)]
)
def test_peeking_at_a_fixed_test_errs_as_armitage_found(looks: int, expected: float) -> None:
    rng = np.random.default_rng(looks)
    walks = np.cumsum(rng.normal(size=(20_000, looks)), axis=1) / np.sqrt(np.arange(1, looks + 1))
    assert np.mean((np.abs(walks) > 1.959964).any(axis=1)) == pytest.approx(expected, abs=0.012)


@pytest.mark.parametrize("name", sorted(NULLS))
def test_peeking_after_every_block_holds_the_level(name: str) -> None:
    better, worse = _errors(NULLS[name], 400, 400)
    assert better <= 0.05 + 0.015
    assert worse <= 0.05 + 0.015


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NULLS))
def test_peeking_holds_the_level_on_two_thousand_sequences(name: str) -> None:
    better, worse = _errors(NULLS[name], 2000, 1500)
    assert better <= 0.05 + 0.005
    assert worse <= 0.05 + 0.005


def test_block_sums_are_what_makes_dependence_harmless() -> None:
    def sticky(rng: np.random.Generator, n: int) -> np.ndarray:
        noise = rng.normal(size=n + 1)
        return noise[1:] + 0.4 * noise[:-1]

    assert max(_errors(sticky, 300, 600, block=1)) > 0.08
    assert max(_errors(sticky, 300, 600, block=6)) <= 0.06


def test_a_better_and_a_worse_challenger_are_decided() -> None:
    rng = np.random.default_rng(1)
    gains = rng.normal(0.5, 1.0, 200)
    better = s.always_valid_test(gains)
    assert better.decision == "better"
    assert better.decision_index is not None
    assert better.decision_index >= 19
    assert better.lower[better.decision_index] > 0
    assert better.p_value < 0.001
    assert 0.0 < better.lower[-1] < 0.5 < better.upper[-1]
    worse = s.always_valid_test(-gains)
    assert worse.decision == "worse"
    assert worse.decision_index == better.decision_index
    assert worse.p_value > 0.5


def test_bound_and_p_value_decide_alike() -> None:
    for seed in range(60):
        gains = np.random.default_rng(seed).standard_t(4, 150) + 0.25
        result = s.always_valid_test(gains)
        assert (np.asarray(result.lower > 0) == (result.p_values < 0.05)).all()


def test_the_past_does_not_change_when_the_future_is_cut() -> None:
    rng = np.random.default_rng(2)
    gains = rng.normal(0.1, 1.0, 300)
    full = s.always_valid_test(gains, block=3)
    for cut in rng.integers(1, 300, 15):
        part = s.always_valid_test(gains[:cut], block=3)
        looks = part.lower.size
        assert (part.lower == full.lower[:looks]).all()
        assert (part.upper == full.upper[:looks]).all()
        assert (part.p_values == full.p_values[:looks]).all()


@pytest.mark.parametrize("gains", [np.zeros(100), np.full(100, 0.01), np.array([]), np.ones(5)])
def test_without_variation_there_is_no_evidence(gains: np.ndarray) -> None:
    result = s.always_valid_test(gains)
    assert result.decision == "undecided"
    assert result.p_value == 1.0
    json.dumps(result.as_dict(), allow_nan=False)


@pytest.mark.parametrize("options", [{"level": 0.4}, {"block": 0}, {"first_look": 1}])
def test_bad_options_are_refused(options: dict) -> None:
    with pytest.raises(BadInput):
        s.always_valid_test([0.1, 0.2], **options)
    with pytest.raises(BadInput, match=r"\[1\]"):
        s.always_valid_test([0.1, np.nan])
