"""The tactician ensemble, its decisions at inference, and the router."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares_assets.analyst.scores import event_log_loss
from ares_assets.tactician.decisions import DECISION_DTYPES, decide, route
from ares_assets.tactician.sizing import Payoffs
from ares_assets.tactician.tactician_ensemble import (
    combine,
    combine_tacticians,
    greedy_weights,
    inverse_loss_weights,
    take_with_band,
    turnover,
)
from ares_assets.tactician.utility import choose_threshold
from ares_resources.errors import BadInput, PartitionSkipped
from ares_resources.settings import TacticianSettings


def world(n: int = 1200, seed: int = 1, drift: float = -0.001):
    """Two members that each see half of the truth, and one that sees nothing."""
    generator = np.random.default_rng(seed)
    a, b = generator.standard_normal((2, n))
    net = 0.01 * (0.4 * a + 0.4 * b + generator.standard_normal(n)) + drift
    row = 10 * np.arange(n)
    labels = pd.DataFrame(
        {"row": row, "t1_row": row + 8, "net_return": net, "take": (net > 0).astype(int)}
    )
    members = {
        "1m_linear": 1 / (1 + np.exp(-0.6 * a)),
        "1h_linear": 1 / (1 + np.exp(-0.6 * b)),
        "5m_catboost": np.clip(0.5 + 0.02 * generator.standard_normal(n), 0.01, 0.99),
    }
    return labels, members


def loss(labels: pd.DataFrame, p: np.ndarray) -> float:
    return float(event_log_loss(labels["take"].to_numpy(), p).mean())


def test_ensemble_beats_each_of_its_members() -> None:
    labels, members = world()
    got = combine_tacticians(labels, members)
    assert got.method in ("greedy", "inverse_loss")
    assert got.log_loss < min(loss(labels, p) for p in members.values())
    assert sum(got.weights.values()) == pytest.approx(1.0)
    assert got.reason == ""
    assert 0 < got.threshold < 1
    assert got.utility.mean > 0


@pytest.mark.parametrize("seed", range(8))
def test_never_worse_than_the_best_member_beyond_tolerance(seed: int) -> None:
    labels, members = world(300, seed=seed, drift=-0.003)
    members["bad"] = 1 - members["1m_linear"]
    got = combine_tacticians(labels, members)
    assert got.log_loss <= min(loss(labels, p) for p in members.values())
    for p in members.values():
        alone = choose_threshold(labels, p).utility
        error = max(alone.standard_error, got.utility.standard_error)
        assert got.utility.mean >= alone.mean - 1.25 * error


def test_a_single_member_that_is_richer_stands_alone_and_it_is_recorded() -> None:
    generator = np.random.default_rng(3)
    n = 2000
    row = 10 * np.arange(n)
    # Small wins are easy to foresee, one loss in ten is huge: log-loss and money disagree.
    crash, shape = generator.random(n) < 0.1, generator.random(n)
    easy = generator.random(n) < 0.5
    net = np.where(crash, -0.05, np.where(easy, 0.002, -0.002))
    labels = pd.DataFrame(
        {"row": row, "t1_row": row + 5, "net_return": net, "take": (net > 0).astype(int)}
    )
    members = {
        "sharp": np.where(easy, 0.85, 0.05) + 0.01 * shape,
        "careful": np.where(crash | ~easy, 0.3, 0.6),
    }
    got = combine_tacticians(labels, members)
    assert loss(labels, members["sharp"]) < loss(labels, members["careful"])
    assert (got.method, got.weights) == ("best_member", {"careful": 1.0})
    assert "below careful: that member alone" in got.reason
    assert got.utility.mean == choose_threshold(labels, members["careful"]).utility.mean > 0


def test_weights_by_hand() -> None:
    take = np.array([1, 0, 1, 0])
    good, coin = np.array([0.9, 0.1, 0.9, 0.1]), np.full(4, 0.5)
    assert greedy_weights(take, {"good": good, "coin": coin}) == {"good": 1.0}
    inverse = inverse_loss_weights(take, {"good": good, "coin": coin})
    ratio = np.log(2) / -np.log(0.9)
    assert inverse["good"] / inverse["coin"] == pytest.approx(ratio)
    np.testing.assert_allclose(
        combine({"good": good, "coin": coin}, {"good": 0.25, "coin": 0.75})[:2], [0.6, 0.4]
    )
    with pytest.raises(BadInput, match="'gone' is missing"):
        combine({"good": good}, {"gone": 1.0})


def test_order_of_members_does_not_matter() -> None:
    labels, members = world(400)
    backwards = dict(reversed(members.items()))
    first, second = combine_tacticians(labels, members), combine_tacticians(labels, backwards)
    assert json.dumps(first.to_json()) == json.dumps(second.to_json())


def test_nothing_pays_means_never_trade_with_the_reason() -> None:
    labels, members = world(drift=-0.05)
    got = combine_tacticians(labels, members)
    assert got.threshold == 1.0
    assert not got.taken.any()
    assert got.reason.startswith("never trade")
    assert (got.turnover, got.utility.mean) == (0.0, 0.0)


def test_constant_members_of_one_class() -> None:
    labels, _ = world(100)
    labels["net_return"], labels["take"] = -0.001, 0
    got = combine_tacticians(labels, {"1m_constant": np.full(100, 1 / 102)})
    assert (got.threshold, got.taken.any()) == (1.0, False)


def test_no_member_and_bad_members() -> None:
    labels, members = world(100)
    with pytest.raises(PartitionSkipped, match="none to combine"):
        combine_tacticians(labels, {})
    members["1m_linear"][3] = np.nan
    with pytest.raises(BadInput, match=r"'1m_linear': .* 1 missing"):
        combine_tacticians(labels, members)


def test_band_by_hand() -> None:
    p = np.array([0.5, 0.53, 0.49, 0.46, 0.51, 0.53])
    got = take_with_band(p, threshold=0.5, band=0.04)
    assert got.tolist() == [False, True, True, False, False, True]
    assert turnover(got) == pytest.approx(3 / 6)
    assert not take_with_band(np.ones(3), threshold=1.0, band=0.04).any()


@given(
    p=st.lists(st.floats(0, 1), min_size=2, max_size=60),
    threshold=st.floats(0.05, 0.95),
    band=st.floats(0, 0.2),
    cut=st.integers(1, 59),
)
def test_band_prefix_and_turnover(p, threshold, band, cut) -> None:
    values = np.array(p)
    whole = take_with_band(values, threshold=threshold, band=band)
    np.testing.assert_array_equal(
        take_with_band(values[:cut], threshold=threshold, band=band), whole[:cut]
    )
    started, plain = (np.concatenate(([False], taken)) for taken in (whole, values > threshold))
    assert turnover(started) <= turnover(plain)
    narrow = take_with_band(values, threshold=threshold, band=0.0)
    np.testing.assert_array_equal(narrow, values > threshold)


def test_the_band_lowers_turnover_without_costing_utility() -> None:
    labels, _ = world(3000, seed=5, drift=0.0)
    # A slow truth with fast noise around the threshold is where a band earns its place.
    slow = np.sin(np.arange(3000) / 100)
    generator = np.random.default_rng(6)
    labels["net_return"] = 0.01 * (0.5 * slow + generator.standard_normal(3000))
    labels["take"] = (labels["net_return"] > 0).astype(int)
    p = np.clip(0.5 + 0.1 * slow + 0.01 * generator.standard_normal(3000), 0.01, 0.99)
    got = combine_tacticians(labels, {"one": p})
    assert got.band > 0
    assert got.turnover < got.turnover_without_band
    plain = labels["net_return"].to_numpy()[p > got.threshold].sum() / 3000
    assert got.utility.mean >= plain - 0.25 * got.utility.standard_error - 1e-5


PARAMETERS = {
    "ensemble": {"weights": {"a": 0.5, "b": 0.5}, "threshold": 0.5, "band": 0.0},
    "sizing": {"rule": "kelly", "payoffs": Payoffs(0.01, 0.01).to_json()},
    "timing": {"kept": True, "wait_above": 0.5},
    "coordination": {"kept": False, "timeframe": "1h", "raised_by": 0.05},
    "management": {"kept": False, "band": 0.0005},
}


def decided(probability, a, b, wait=None, parameters=PARAMETERS, against=None):
    n = len(probability)
    return decide(
        np.array(probability),
        {"a": np.array(a), "b": np.array(b)},
        json.loads(json.dumps(parameters)),
        wait_probability=np.zeros(n) if wait is None else np.array(wait),
        against=against,
        move=np.full(n, 0.01),
        annual_volatility=np.full(n, 0.4),
        drawdown=0.0,
        settings=TacticianSettings(),
    )


def test_decisions_by_hand() -> None:
    got = decided(
        [0.6, 0.3, np.nan, 0.6], [0.7, 0.6, 0.9, 0.2], [0.5, 0.6, 0.9, 0.6], [0.9, 0.1, 0.9, 0.9]
    )
    assert {name: str(kind) for name, kind in got.dtypes.items()} == DECISION_DTYPES
    assert got["side"].tolist() == [1, -1, 0, 1]
    assert got["take"].tolist() == [True, True, False, False]
    assert got["wait"].tolist() == [True, False, False, False]
    assert got["take_probability"].tolist() == pytest.approx([0.6, 0.6, 0.9, 0.4])
    assert got["size"].tolist() == pytest.approx([0.5, 0.5, 0.0, 0.0])  # 0.2 / 0.4 caps Kelly


def test_a_kept_wait_classifier_must_be_asked() -> None:
    with pytest.raises(BadInput, match="no wait probability"):
        decide(
            np.array([0.6]),
            {"a": np.array([0.7]), "b": np.array([0.7])},
            PARAMETERS,
            wait_probability=None,
            against=None,
            move=np.array([0.01]),
            annual_volatility=np.array([0.4]),
            drawdown=0.0,
            settings=TacticianSettings(),
        )


def test_management_signals_only_where_the_rule_was_kept() -> None:
    kept = {**PARAMETERS, "management": {"kept": True, "band": 0.0005}}
    # A move of 1 %: the expected moves are 0, 0.2, -0.06, nothing known, -0.4 percent.
    p = [0.5, 0.6, 0.47, np.nan, 0.3]
    got = decided(p, [0.7] * 5, [0.7] * 5, parameters=kept)
    expected = ["hold", "exit_short", "reduce_long", "hold", "exit_long"]
    assert got["management"].tolist() == expected
    assert decided(p, [0.7] * 5, [0.7] * 5)["management"].tolist() == ["hold"] * 5


def test_a_slower_timeframe_that_objects_raises_the_threshold() -> None:
    kept = {**PARAMETERS, "coordination": {"kept": True, "timeframe": "1h", "raised_by": 0.05}}
    votes = [0.54, 0.54, 0.56, 0.56]
    against = np.array([False, True, False, True])
    got = decided([0.6] * 4, votes, votes, parameters=kept, against=against)
    assert got["take"].tolist() == [True, False, True, True]
    heedless = decided([0.6] * 4, votes, votes, against=against)
    assert heedless["take"].tolist() == [True] * 4
    with pytest.raises(BadInput, match="none came"):
        decided([0.6] * 4, votes, votes, parameters=kept)


def test_sizes_of_the_payoff_line() -> None:
    line = {"intercept": -0.5, "slope": 1.0, "mean_square": 1.0}
    parameters = {**PARAMETERS, "sizing": {"rule": "payoff_line", "line": line}}
    got = decided([0.6] * 3, [0.501, 0.6, 0.52], [0.501, 0.6, 0.52], parameters=parameters)
    # A quarter of (p - 1/2) / 1 %, under the cap of 0.2 / 0.4.
    assert got["size"].tolist() == pytest.approx([0.025, 0.5, 0.5])


def test_decisions_at_inference_are_those_of_training() -> None:
    labels, members = world(500)
    ensemble = combine_tacticians(labels, members)
    got = decide(
        np.full(500, 0.6),
        members,
        {
            **PARAMETERS,
            "ensemble": json.loads(json.dumps(ensemble.to_json())),
            "timing": {"kept": False, "wait_above": 0.5},
        },
        wait_probability=None,
        against=None,
        move=np.full(500, 0.01),
        annual_volatility=np.full(500, 0.4),
        drawdown=0.0,
        settings=TacticianSettings(),
    )
    np.testing.assert_array_equal(got["take"], ensemble.taken)
    np.testing.assert_array_equal(got["take_probability"], ensemble.out_of_fold)


def test_router_takes_each_moment_from_its_regime() -> None:
    bull = decided([0.6] * 4, [0.7] * 4, [0.7] * 4)
    bear = decided([0.2] * 4, [0.8] * 4, [0.8] * 4)
    got = route(np.array(["bull", "bear", "sideways", ""]), {"bull": bull, "bear": bear})
    assert got["released"].tolist() == [True, True, False, False]
    assert got["side"].tolist() == [1, -1, 0, 0]
    assert got["take"].tolist() == [True, True, False, False]
    assert got["size"].tolist() == pytest.approx([0.5, 0.5, 0.0, 0.0])
    assert got["management"].tolist() == ["hold"] * 4
    assert got["probability"].tolist() == pytest.approx([0.6, 0.2, np.nan, np.nan], nan_ok=True)


def test_router_refuses_what_does_not_fit() -> None:
    bull = decided([0.6], [0.7], [0.7])
    with pytest.raises(BadInput, match="'up'; allowed: bull"):
        route(np.array(["bull"]), {"up": bull})
    with pytest.raises(BadInput, match="bull: 1 decisions for 2"):
        route(np.array(["bull", "bull"]), {"bull": bull})
    empty = route(np.array(["bull"]), {})
    assert empty["take"].tolist() == [False]
