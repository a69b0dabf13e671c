"""The bootstrap's kernel against its twin, against arch, and for any thread count."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.evidence import bootstrap as b
from ares_assets.evidence import bootstrap_reference as reference
from ares_assets.evidence.performance import max_drawdown, sharpe_ratio, total_return
from ares_resources.errors import BadInput


def _seed_word(seed: int) -> int:
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])


@given(
    rows=st.integers(1, 70),
    draws=st.integers(1, 90),
    mean_block=st.floats(1.0, 200.0),
    seed=st.integers(0, 2**32),
    path=st.integers(0, 10**6),
)
@settings(max_examples=150, deadline=None)
def test_resamples_equal_the_twin_exactly(
    rows: int, draws: int, mean_block: float, seed: int, path: int
) -> None:
    drawn = b.resample_indices(rows, mean_block=mean_block, seed=seed, path=path, draws=draws)
    assert drawn.tolist() == reference.path_indices(rows, draws, mean_block, _seed_word(seed), path)


@given(
    rows=st.integers(2, 130),
    periods=st.none() | st.integers(2, 400),
    mean_block=st.floats(1.0, 300.0),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=120, deadline=None)
def test_path_statistics_equal_the_walked_path(
    rows: int, periods: int | None, mean_block: float, seed: int
) -> None:
    returns = np.random.default_rng(seed).standard_t(3, rows).clip(-20, 20) * 0.01
    made = b.bootstrap_paths(
        returns, paths=20, seed=seed, mean_block=mean_block, periods=periods, threads=1
    )
    assert made.periods == (periods or rows)
    for path in range(20):
        order = reference.path_indices(rows, made.periods, mean_block, _seed_word(seed), path)
        walked = returns[order]
        assert made.total_return[path] == pytest.approx(total_return(walked), rel=1e-12, abs=1e-12)
        assert made.max_drawdown[path] == pytest.approx(max_drawdown(walked), abs=1e-12)
        expected = sharpe_ratio(walked)
        if math.isnan(expected):
            assert math.isnan(made.sharpe[path])
        else:
            assert made.sharpe[path] == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_the_twin_walks_what_it_draws() -> None:
    returns = np.array([0.01, -0.02, 0.03, -0.01])
    drawn = returns[reference.path_indices(4, 4, 2.0, 9, 5)]
    total, square, growth, fall = reference.path_statistics(returns, 2.0, 9, 5)
    assert total == pytest.approx(drawn.sum())
    assert square == pytest.approx((drawn**2).sum())
    assert math.expm1(growth) == pytest.approx(total_return(drawn))
    assert -math.expm1(-fall) == pytest.approx(max_drawdown(drawn))
    longer = returns[reference.path_indices(4, 11, 2.0, 9, 5)]
    assert reference.path_statistics(returns, 2.0, 9, 5, 11)[0] == pytest.approx(longer.sum())


def test_many_resamples_are_each_that_of_its_path() -> None:
    many = b.resample_many(13, mean_block=3.0, seed=8, paths=6, draws=21, first=4)
    for number, row in enumerate(many):
        alone = b.resample_indices(13, mean_block=3.0, seed=8, path=4 + number, draws=21)
        assert row.tolist() == alone.tolist()


def test_paths_are_equal_for_any_thread_count_and_prefix() -> None:
    returns = np.random.default_rng(0).normal(0, 0.01, 500)
    alone = b.bootstrap_paths(returns, paths=101, seed=4, mean_block=8, threads=1)
    many = b.bootstrap_paths(returns, paths=101, seed=4, mean_block=8, threads=3)
    fewer = b.bootstrap_paths(returns, paths=40, seed=4, mean_block=8, threads=2)
    for name in ("sharpe", "total_return", "max_drawdown"):
        assert getattr(alone, name).tobytes() == getattr(many, name).tobytes()
        assert getattr(alone, name)[:40].tobytes() == getattr(fewer, name).tobytes()
    other = b.bootstrap_paths(returns, paths=101, seed=5, mean_block=8)
    assert not np.array_equal(alone.sharpe, other.sharpe)


def test_blocks_have_the_stated_mean_and_starts_are_uniform() -> None:
    drawn = b.resample_indices(1000, mean_block=25.0, seed=1, draws=2_000_000)
    breaks = np.flatnonzero((drawn[1:] - drawn[:-1]) % 1000 != 1)
    assert drawn.size / breaks.size == pytest.approx(25.0, rel=0.02)
    counts = np.bincount(drawn, minlength=1000)
    assert counts.std() / counts.mean() < 0.2


def test_spread_of_dependent_means_agrees_with_arch() -> None:
    from arch.bootstrap import StationaryBootstrap

    rng = np.random.default_rng(2)
    noise = rng.normal(0, 0.01, 600)
    returns = np.array([noise[i] + 0.6 * noise[i - 1] for i in range(1, 600)])
    ours = b.bootstrap_paths(returns, paths=4000, seed=1, mean_block=12)
    resampler = StationaryBootstrap(12, returns, seed=3)
    theirs = resampler.apply(
        lambda x: np.array([sharpe_ratio(x), total_return(x), max_drawdown(x)]), 2000
    )
    for column, name in enumerate(("sharpe", "total_return", "max_drawdown")):
        mine, arch = getattr(ours, name), theirs[:, column]
        for share in (0.05, 0.5, 0.95):
            scale = arch.std()
            assert abs(np.quantile(mine, share) - np.quantile(arch, share)) < 0.15 * scale


def test_block_length_follows_dependence() -> None:
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 0.01, 3000)
    sticky = np.zeros(3000)
    for i in range(1, 3000):
        sticky[i] = 0.9 * sticky[i - 1] + noise[i]
    assert b.optimal_mean_block(noise) < 8
    assert b.optimal_mean_block(sticky) > 20
    assert b.optimal_mean_block(np.zeros(100)) == 1.0


def test_block_length_sees_volatility_clustering() -> None:
    rng = np.random.default_rng(5)
    calm = np.repeat(rng.choice([0.002, 0.03], 30), 100)
    assert b.optimal_mean_block(calm * rng.normal(size=3000)) > 20


def test_constant_returns_have_no_sharpe_and_no_ruin() -> None:
    made = b.bootstrap_paths(np.full(50, 0.001), paths=10, seed=0, mean_block=3)
    assert np.isnan(made.sharpe).all()
    assert made.total_return == pytest.approx(1.001**50 - 1)
    assert made.ruin_share(0.5) == 0.0


@pytest.mark.parametrize(
    "options",
    [
        {"mean_block": 0.5},
        {"paths": 0},
        {"threads": 0},
        {"mean_block": math.nan},
        {"periods": 1},
        {"periods": 2_000_001},
    ],
)
def test_bad_options_are_refused(options: dict) -> None:
    with pytest.raises(BadInput):
        b.bootstrap_paths([0.01, 0.02], **({"paths": 3, "seed": 1, "mean_block": 2.0} | options))
