"""The simulated path obeys its recipe: kernel against plain twin, and each law by itself."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chisquare, kstest, norm

from ares_resources.errors import BadInput
from ares_resources.exchanges.simulated import market as market_module
from ares_resources.exchanges.simulated import recipe as law
from ares_resources.exchanges.simulated.market import SimulatedMarket, simulate
from ares_resources.exchanges.simulated.market_reference import evolve_plainly
from ares_resources.exchanges.simulated.symbols import LABORATORY

YEAR = 365 * 1_440
FIELDS = [field.name for field in dataclasses.fields(SimulatedMarket) if field.name != "recipe"]


@pytest.fixture(scope="module")
def year() -> SimulatedMarket:
    return simulate(LABORATORY["FLIP"], seed=5, minutes=YEAR)


@pytest.fixture(scope="module")
def null_year() -> SimulatedMarket:
    return simulate(LABORATORY["NULL"], seed=5, minutes=YEAR)


@pytest.mark.parametrize("seed", [0, 1])
def test_kernel_equals_its_plain_twin(seed: int) -> None:
    minutes, break_minute = 6_000, 4_000
    recipe = dataclasses.replace(
        LABORATORY["FLIP"], break_ms=law.GENESIS_MS + break_minute * law.MINUTE_MS
    )
    market = simulate(recipe, seed=seed, minutes=minutes)
    uniform = market_module._streams(seed)["regime"].random(minutes)
    shape = law.intraday_shape(market.timestamp)
    plain = evolve_plainly(
        *(list(array) for array in (uniform, market.shock, market.innovation, shape)),
        *market_module.kernel_law(recipe),
    )
    assert [row.regime for row in plain] == market.regime.tolist()
    for name, ours in (
        ("signal", market.signal),
        ("simple_return", market.returns),
        ("variance", market.variance),
        ("range_scale", market.range_scale),
    ):
        theirs = np.array([getattr(row, name) for row in plain])
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=0, err_msg=name)


@pytest.mark.parametrize("name", sorted(LABORATORY))
@pytest.mark.parametrize("cut", [1, 479, 480, 1_441, 7_777])
def test_longer_simulation_begins_with_the_shorter(name: str, cut: int) -> None:
    short = simulate(LABORATORY[name], seed=3, minutes=cut)
    long = simulate(LABORATORY[name], seed=3, minutes=20_000)
    for field in FIELDS:
        part = getattr(short, field)
        assert np.array_equal(part, getattr(long, field)[: len(part)]), field


def test_same_seed_same_path_and_other_seed_another() -> None:
    first, again, other = (simulate(LABORATORY["FLIP"], seed=s, minutes=500) for s in (1, 1, 2))
    for field in FIELDS:
        assert np.array_equal(getattr(first, field), getattr(again, field)), field
    assert not np.array_equal(first.close, other.close)


def test_bars_are_whole_and_consistent(year: SimulatedMarket) -> None:
    bars = year.bars()
    assert list(bars.columns) == list(market_module.BAR_COLUMNS)
    assert (np.diff(bars["timestamp"]) == 60_000).all()
    assert bars["timestamp"].dtype == np.int64
    assert (bars["open"].to_numpy()[1:] == bars["close"].to_numpy()[:-1]).all()
    assert (bars["high"] >= bars[["open", "close"]].max(axis=1)).all()
    assert (bars["low"] <= bars[["open", "close"]].min(axis=1)).all()
    assert (bars["low"] > 0).all()
    assert (bars["volume"] > 0).all()
    assert bars["taker_buy_share"].between(0, 1, inclusive="neither").all()


def test_returns_follow_the_published_equation(year: SimulatedMarket) -> None:
    before = np.concatenate([[0.0], year.signal[:-1]])
    mean = year.recipe.drift[year.regime] + year.recipe.loading[year.regime] * before
    sigma = np.sqrt(year.variance[np.arange(YEAR), year.regime])
    expected = law.intraday_shape(year.timestamp) * (mean + sigma * year.shock)
    np.testing.assert_allclose(year.returns, expected, rtol=1e-12, atol=1e-18)
    np.testing.assert_allclose(year.close / year.open - 1.0, year.returns, rtol=0, atol=1e-14)


def test_taker_share_gives_the_innovation_back(year: SimulatedMarket) -> None:
    recovered = norm.ppf(year.taker_buy_share) / law.TAKER_LOADING
    np.testing.assert_allclose(recovered, year.innovation, rtol=0, atol=1e-12)
    u = year.innovation
    assert u.mean() == pytest.approx(0.0, abs=4 / math.sqrt(YEAR))
    assert u.std() == pytest.approx(1.0, abs=4 / math.sqrt(2 * YEAR))


def test_signal_is_of_unit_variance_with_a_half_life_of_thirty_minutes() -> None:
    signal = simulate(LABORATORY["FLIP"], seed=8, minutes=3 * YEAR).signal
    # 3 years hold about 18 000 independent half-life-long stretches: 1 % on a correlation.
    assert np.corrcoef(signal[:-30], signal[30:])[0, 1] == pytest.approx(0.5, abs=0.02)
    assert signal.std() == pytest.approx(1.0, abs=0.02)


def test_capped_moment_is_that_of_the_drawn_shocks() -> None:
    streams = market_module._streams(9)
    shock = market_module.draw_shock(streams["jump"], streams["shock"], 4_000_000)
    capped = np.minimum(shock**2, 9.0)
    error = capped.std() / math.sqrt(len(capped))
    assert law.capped_shock_moment() == pytest.approx(capped.mean(), abs=4 * error)
    assert np.mean(shock**2) == pytest.approx(1.0, abs=4 * (shock**2).std() / 2_000)
    assert law.capped_shock_moment() == pytest.approx(0.91921, abs=5e-6)
    large = np.mean(np.abs(shock) > 6 * law.shock_scales()[0])
    assert large == pytest.approx(0.003 * 2 * norm.sf(1), rel=0.05)


def test_without_the_jumps_the_moment_is_the_normal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(law, "JUMP_PROBABILITY", 0.0)
    # E[min(Z**2, 9)] = P(chi2_3 < 9) + 9 P(chi2_1 > 9)
    assert law.capped_shock_moment() == pytest.approx(0.970709 + 9 * 0.0026998, abs=1e-5)


def test_variances_have_the_regimes_mean_when_the_regime_stays() -> None:
    """The intercept makes sbar**2 the fixed point of each recursion's expectation."""
    persistence, mean = law.variance_persistence(), law.mean_volatility() ** 2
    assert law.variance_intercepts() + persistence * mean == pytest.approx(mean, rel=1e-12)
    assert 0.98 < persistence < 1.0
    annual = np.sqrt(mean * law.MINUTES_PER_YEAR)
    assert annual == pytest.approx([0.52, 0.95, 0.36], rel=1e-12)


def test_intraday_shape_is_normalised_and_published() -> None:
    day = law.GENESIS_MS + np.arange(1_440) * law.MINUTE_MS
    shape = law.intraday_shape(day)
    assert np.mean(shape**2) == pytest.approx(1.0, abs=1e-12)
    minute = np.arange(1_440)
    published = 0.35 * np.sin(2 * np.pi * (minute - 510) / 1_440) + 0.15 * np.sin(
        4 * np.pi * (minute - 780) / 1_440
    )
    offset = np.log(shape) - published
    assert np.ptp(offset) < 1e-12
    assert np.array_equal(shape, law.intraday_shape(day + 86_400_000))


def test_chain_leaves_as_published(year: SimulatedMarket) -> None:
    matrix = law.transition_matrix()
    assert matrix.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-15)
    assert 1 / (1 - np.diag(matrix)) == pytest.approx([2_880, 1_920, 2_880])
    time = law.stationary_distribution()
    assert time @ matrix == pytest.approx(time, abs=1e-15)
    exits = np.zeros((3, 3))
    for seed in range(8):
        regime = simulate(LABORATORY["FLIP"], seed=seed, minutes=YEAR).regime
        moved = np.flatnonzero(np.diff(regime))
        np.add.at(exits, (regime[moved], regime[moved + 1]), 1)
    for row, published in zip(exits, law.EXITS, strict=True):
        there = np.array(published) > 0
        assert chisquare(row[there], row.sum() * np.array(published)[there]).pvalue > 1e-3


def test_null_market_is_a_martingale(null_year: SimulatedMarket) -> None:
    """r = s sigma z exactly, sigma known beforehand; so nothing of the past moves its mean."""
    scale = np.sqrt(null_year.variance[np.arange(YEAR), null_year.regime])
    exact = law.intraday_shape(null_year.timestamp) * scale * null_year.shock
    np.testing.assert_allclose(null_year.returns, exact, rtol=1e-12, atol=0)
    z, r = null_year.shock[1:], null_year.returns
    past = {
        "constant": np.ones(YEAR - 1),
        "signal": null_year.signal[:-1],
        "sign of return": np.sign(r[:-1]),
        "return": r[:-1] / r.std(),
        "bull": (null_year.regime[1:] == 0).astype(float),
        "bear": (null_year.regime[1:] == 1).astype(float),
        "signal in bull": null_year.signal[:-1] * (null_year.regime[1:] == 0),
        "range": (null_year.high / null_year.low - 1.0)[:-1],
        "volume": np.log(null_year.volume[:-1]) - np.log(null_year.volume).mean(),
    }
    for name, known in past.items():
        gain = known * z
        assert abs(gain.mean() / gain.std() * math.sqrt(len(gain))) < 4.0, name


def test_the_same_test_finds_the_planted_signal(year: SimulatedMarket) -> None:
    gain = np.where(year.regime[1:] == 2, -1, 1) * year.signal[:-1] * year.shock[1:]
    unplanted = gain.mean() / gain.std() * math.sqrt(YEAR)
    planted = np.where(year.regime[1:] == 2, -1, 1) * year.signal[:-1] * year.returns[1:]
    assert abs(unplanted) < 4.0  # the shock itself is clean in every market
    assert planted.mean() / planted.std() * math.sqrt(YEAR) > 10.0


def test_drift_market_is_flip_until_its_date_and_then_carries_no_signal() -> None:
    cut = 10_000
    broken = dataclasses.replace(LABORATORY["FLIP"], break_ms=law.GENESIS_MS + cut * law.MINUTE_MS)
    flip = simulate(LABORATORY["FLIP"], seed=6, minutes=2 * cut)
    drift = simulate(broken, seed=6, minutes=2 * cut)
    for field in ("close", "high", "low", "volume", "variance"):
        assert np.array_equal(getattr(drift, field)[:cut], getattr(flip, field)[:cut]), field
    before = np.concatenate([[0.0], drift.signal[:-1]])
    sigma = np.sqrt(drift.variance[np.arange(2 * cut), drift.regime])
    shape = law.intraday_shape(drift.timestamp)
    planted = drift.returns / shape - drift.recipe.drift[drift.regime] - sigma * drift.shock
    expected = drift.recipe.loading[drift.regime] * before
    np.testing.assert_allclose(planted[:cut], expected[:cut], atol=1e-15)
    np.testing.assert_allclose(planted[cut:], 0.0, atol=1e-15)
    assert np.abs(expected[cut:]).max() > 1e-6


def test_edge_scales_the_planted_signal_only() -> None:
    whole = LABORATORY["FLIP"]
    half = dataclasses.replace(whole, edge=0.5)
    assert half.loading == pytest.approx(0.5 * whole.loading, rel=1e-15)
    assert whole.loading / law.mean_volatility() == pytest.approx([0.035, 0.035, -0.035])
    assert np.array_equal(half.drift, whole.drift)
    consistent = LABORATORY["CONSISTENT"].loading / law.mean_volatility()
    assert consistent == pytest.approx([0.03, 0.03, 0.03])
    assert not LABORATORY["NULL"].loading.any()
    assert not LABORATORY["NULL"].drift.any()


def test_range_scale_comes_from_past_bars_alone(year: SimulatedMarket) -> None:
    bars = year.bars().iloc[:20_000]
    shape = law.intraday_shape(bars["timestamp"].to_numpy())
    squared = ((bars["close"] / bars["open"] - 1.0).to_numpy() / shape) ** 2
    spread = float(law.stationary_distribution() @ law.mean_volatility() ** 2)
    recomputed = np.empty(len(bars))
    for t, value in enumerate(squared):
        recomputed[t] = shape[t] * math.sqrt(spread)
        kept = 0.5 ** (1 / 60)
        spread = kept * spread + (1 - kept) * min(value, 9 * spread) / law.capped_shock_moment()
    np.testing.assert_allclose(recomputed, year.range_scale[:20_000], rtol=1e-9)


@pytest.mark.parametrize("side", ["high", "low"])
def test_high_and_low_do_not_tell_the_regime(side: str, year: SimulatedMarket) -> None:
    """Given open, close and h, the extreme's U is uniform in every regime alike."""
    reach = _bridge_uniform(year, side)
    later, regime = slice(1_440, None, 7), year.regime[1_440::7]
    for state in range(3):
        assert kstest(reach[later][regime == state], "uniform").pvalue > 1e-4, state


def test_high_and_low_are_drawn_apart(year: SimulatedMarket) -> None:
    high, low = _bridge_uniform(year, "high"), _bridge_uniform(year, "low")
    assert abs(np.corrcoef(high, low)[0, 1]) < 4 / math.sqrt(YEAR)


def test_volume_depends_on_size_shape_and_noise_only(year: SimulatedMarket) -> None:
    typical = math.sqrt(law.stationary_distribution() @ law.mean_volatility() ** 2)
    activity = 0.4 * law.intraday_shape(year.timestamp) + np.abs(year.returns) / typical
    noise = np.log(year.volume / (250.0 * activity)) / 0.5
    for state in range(3):
        assert kstest(noise[year.regime == state][::5], "norm").pvalue > 1e-4, state


def test_funding_is_settled_every_eight_hours_by_the_regime() -> None:
    market = simulate(LABORATORY["FLIP"], seed=4, minutes=3 * YEAR)
    funding = market.funding()
    assert (np.diff(funding["timestamp"]) == 8 * 3_600_000).all()
    assert (funding["timestamp"] % (8 * 3_600_000) == 0).all()
    rows = pd.Index(market.timestamp).get_indexer(funding["timestamp"] - law.MINUTE_MS)
    noise = (funding["funding_rate"] - np.array(law.FUNDING_MEAN)[market.regime[rows]]) / 1.6e-4
    assert kstest(noise, "norm").pvalue > 1e-4


def test_three_years_are_simulated_within_three_seconds() -> None:
    import time

    simulate(LABORATORY["FLIP"], seed=0, minutes=10)
    begin = time.process_time()
    simulate(LABORATORY["FLIP"], seed=0, minutes=3 * YEAR)
    assert time.process_time() - begin < 3.0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"seed": 0, "minutes": 0}, "minutes 0"),
        ({"seed": -1, "minutes": 5}, "seed -1"),
        ({"seed": 0, "minutes": 5, "genesis_ms": 60_000}, "genesis 60000"),
    ],
)
def test_values_out_of_range_are_named(arguments: dict[str, int], named: str) -> None:
    with pytest.raises(BadInput, match=named):
        simulate(LABORATORY["FLIP"], **arguments)


def _bridge_uniform(market: SimulatedMarket, side: str) -> np.ndarray:
    """U of the extreme's equation solved backwards, (n,)."""
    start, end = np.log(market.open), np.log(market.close)
    extreme = np.log(getattr(market, side))
    reach = np.abs(2 * extreme - start - end)
    return np.exp(((end - start) ** 2 - reach**2) / (2 * market.range_scale**2))
