"""Regime algorithms: no future, stored exactly, named rightly."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from helpers.prefix import assert_prefix_invariant, random_cuts
from helpers.random_bars import random_market
from helpers.regime_markets import flip_market

from ares_assets.market.classification import classify
from ares_assets.market.regimes import (
    PROBABILITY_COLUMNS,
    REGIMES,
    decide,
    get_algorithm,
    load_model,
)
from ares_assets.market.regimes.naming import (
    drift_statistics,
    funding_statistics,
    order_by_name,
)
from ares_assets.market.regimes.observations import IntradayShape, log_volatility, trend
from ares_assets.market.regimes.registry import ALGORITHM_NAMES
from ares_resources.errors import BadInput, CorruptArtifact
from ares_resources.settings import RegimeSettings
from ares_resources.timeframes import timeframe_ms

SMALL = RegimeSettings(volatility_halflife_bars=30, trend_halflife_bars=100)
FIT_END = 6000


def fit(name: str, frame: pd.DataFrame, rows, settings: RegimeSettings = SMALL):
    return get_algorithm(name).fit(
        frame, fit_rows=rows, timeframe_ms=60_000, settings=settings, seed=7
    )


@lru_cache(maxsize=1)
def small_market() -> pd.DataFrame:
    return random_market(8000, seed=11, missing_share=0.01)


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_probabilities_see_no_future(name):
    frame = small_market()
    model = fit(name, frame, slice(500, FIT_END))
    assert_prefix_invariant(model.probabilities, frame, [1, 2, *random_cuts(8000, 6, seed=4)])


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_fitting_and_deciding_see_no_bar_after_the_rows_to_fit_on(name):
    def classify(frame: pd.DataFrame) -> pd.DataFrame:
        probabilities = fit(name, frame, slice(500, FIT_END)).probabilities(frame)
        regimes = decide(probabilities, enter_probability=0.6, minimum_dwell_bars=30)
        return probabilities.assign(regime=regimes)

    frame = small_market()
    assert_prefix_invariant(classify, frame, [FIT_END, 6001, 6900, len(frame)])


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_noise_after_the_rows_to_fit_on_leaves_the_model_as_it_is(name):
    frame = small_market()
    noisy = frame.copy()
    columns = [column for column in frame.columns if column != "timestamp"]
    noise = np.random.default_rng(1).uniform(1, 9, (len(frame), len(columns)))
    noisy.loc[FIT_END:, columns] = noise[FIT_END:]
    rows = np.arange(len(frame)) < FIT_END
    assert fit(name, noisy, rows).to_dict() == fit(name, frame, rows).to_dict()


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_probabilities_are_probabilities_from_the_first_bar_on(name):
    frame = small_market()
    model = fit(name, frame, slice(500, FIT_END))
    flat = frame.assign(open=5.0, high=5.0, low=5.0, close=5.0)
    for bars in (frame, frame.iloc[:1], flat):
        probabilities = model.probabilities(bars)
        assert tuple(probabilities.columns) == PROBABILITY_COLUMNS
        values = probabilities.to_numpy()
        assert (values >= 0).all()
        np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_a_model_survives_json_exactly(name):
    frame = small_market()
    model = fit(name, frame, slice(500, FIT_END))
    again = load_model(json.loads(json.dumps(model.to_dict())))
    assert again == model
    pd.testing.assert_frame_equal(
        again.probabilities(frame), model.probabilities(frame), check_exact=True
    )


def test_rows_to_fit_on_may_be_mask_numbers_or_slice():
    frame = small_market()
    mask = np.zeros(len(frame), bool)
    mask[500:FIT_END] = True
    models = [fit("gaussian_mixture", frame, rows) for rows in (mask, np.flatnonzero(mask))]
    assert models[0] == models[1] == fit("gaussian_mixture", frame, slice(500, FIT_END))


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_the_number_of_threads_changes_nothing(name):
    from threadpoolctl import threadpool_limits

    frame, _ = flip_market(40, seed=2)
    models = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            models.append(fit(name, frame, slice(0, len(frame)), RegimeSettings()))
    assert models[0] == models[1]


def test_a_market_of_daily_bars_has_no_intraday_shape():
    frame = random_market(8000, seed=3, timeframe_ms=86_400_000)
    for name in ALGORITHM_NAMES:
        model = get_algorithm(name).fit(
            frame, fit_rows=slice(0, 8000), timeframe_ms=86_400_000, settings=SMALL, seed=7
        )
        assert max(np.abs(model.to_dict()["intraday"])) < 1e-6


@pytest.mark.parametrize("timeframe", ["5m", "1h", "4h", "1d"])
@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_every_timeframe_is_decoded(name, timeframe):
    step = timeframe_ms(timeframe)
    frame = random_market(5_000, seed=17, timeframe_ms=step)
    settings = RegimeSettings(algorithm=name)  # type: ignore[arg-type]
    rows = np.arange(3_500)
    decided = classify(frame, fit_rows=rows, timeframe=timeframe, settings=settings, seed=1)[0]
    values = decided[list(PROBABILITY_COLUMNS)].to_numpy()
    np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("name", ALGORITHM_NAMES)
def test_funding_is_not_needed(name):
    bare = small_market().drop(columns=["funding_rate", "funding_payment", "open_interest"])
    without = fit(name, bare, slice(500, FIT_END))
    unpaid = small_market().assign(funding_payment=0.0)
    assert fit(name, unpaid, slice(500, FIT_END)) == without
    assert not without.probabilities(bare).isna().to_numpy().any()


def test_funding_is_evidence_for_the_filtered_hmm():
    frame, truth = flip_market(70, seed=22)
    rows = slice(0, 60 * 1440)
    model = fit("filtered_hmm", frame, rows, RegimeSettings())
    means = dict(zip(REGIMES, model.funding_mean, strict=True))
    assert means["bull"] > means["sideways"] > means["bear"]
    known = model.probabilities(frame).to_numpy()
    unknown = model.probabilities(frame.assign(funding_payment=0.0)).to_numpy()
    states = np.array([REGIMES.index(name) for name in truth])
    chance = [p[np.arange(len(states)), states] for p in (known, unknown)]
    assert np.log(chance[0]).mean() > np.log(chance[1]).mean()


def test_one_wild_bar_leaves_probabilities_finite():
    frame = small_market().copy()
    model = fit("filtered_hmm", frame, slice(500, FIT_END))
    frame.loc[7000, "close"] *= 1e6
    values = model.probabilities(frame).to_numpy()
    assert np.isfinite(values).all()


def test_refusals_name_the_value():
    frame = small_market()
    with pytest.raises(
        BadInput,
        match="'tarot' is not known; allowed: filtered_hmm, gauss",
    ):
        get_algorithm("tarot")
    with pytest.raises(BadInput, match="100 bars to fit on; at least 601"):
        fit("gaussian_mixture", frame, slice(0, 100))
    for name in ALGORITHM_NAMES:
        with pytest.raises(BadInput, match="close never changes"):
            fit(name, frame.assign(close=5.0), slice(0, FIT_END))
    with pytest.raises(CorruptArtifact, match="algorithm 'tarot'"):
        load_model({"algorithm": "tarot"})
    with pytest.raises(CorruptArtifact, match="fields do not fit"):
        load_model({"algorithm": "rule_based", "intraday": [0.1]})


def test_intraday_shape_is_found_and_taken_out():
    minutes = np.arange(40 * 1440)
    shape = np.exp(0.5 * np.sin(2 * np.pi * minutes / 1440))
    returns = 1e-3 * shape * np.random.default_rng(3).standard_normal(len(minutes))
    frame = pd.DataFrame({"timestamp": minutes * 60_000, "close": 100 * np.exp(np.cumsum(returns))})
    found = IntradayShape.fit(frame, np.arange(len(frame)))
    np.testing.assert_allclose(found.coefficients, [0.5, 0, 0, 0], atol=0.05)
    by_hour = pd.Series(np.abs(found.standardised(frame))).groupby(minutes // 60 % 24).mean()
    assert by_hour.max() / by_hour.min() < 1.15


def test_trend_is_a_t_statistic():
    noise = np.random.default_rng(5).standard_normal(200_000)
    values = trend(noise, 200)[5000:]
    assert abs(values.mean()) < 0.15
    assert 0.85 < values.std() < 1.15
    assert trend(np.zeros(5), 10).tolist() == [0, 0, 0, 0, 0]
    assert log_volatility(np.array([0.0, 1.0]), 10)[0] == -np.inf


def test_states_are_named_by_direction_and_where_it_is_silent_by_volatility():
    volatility = np.log([1.0, 2.0, 4.0])
    assert order_by_name(np.array([-6.0, 0.5, 7.0]), volatility).tolist() == [2, 0, 1]
    assert order_by_name(np.array([0.5, 9.0, -9.0]), volatility).tolist() == [1, 2, 0]
    assert order_by_name(np.array([5.0, 25.0, 45.0]), volatility).tolist() == [2, 0, 1]
    assert order_by_name(np.zeros(3), volatility).tolist() == [1, 2, 0]


def test_drift_and_funding_statistics():
    returns = np.array([1.0, 3.0, -1.0, -1.0])
    weights = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    mean, variance, t_statistic = drift_statistics(returns, weights)
    assert mean.tolist() == [2.0, -1.0]
    assert variance[0] == 1.0
    assert t_statistic[0] == pytest.approx(2 / np.sqrt(1 / 2))
    payment = pd.DataFrame({"funding_payment": [2e-4, 0.0, 3e-4, -1e-4, -2e-4]})
    states = np.array([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    funded = funding_statistics(payment, states)
    assert funded[0] > 2
    assert funded[1] < -2
    assert funding_statistics(payment * 0, states).tolist() == [0, 0]
    assert funding_statistics(payment[[]], states).tolist() == [0, 0]
