"""Size rules, coordination, and what the backtest makes of sizes, waits and signals."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares_assets.tactician.coordination import agreement, judge_coordination
from ares_assets.tactician.decisions import decide
from ares_assets.tactician.rules import judge_rules
from ares_assets.tactician.size_rules import (
    KELLY,
    LINE,
    PayoffLine,
    fit_payoff_line,
    judge_size_rules,
    line_stake,
    size_target,
)
from ares_assets.tactician.sizing import braked_sizes
from ares_assets.tactician.specialists import purged_splits
from ares_assets.tactician.tactician_ensemble import combine_tacticians
from ares_assets.tactician.trading import decision_arrays, market_arrays, strategy_parameters
from ares_resources.backtesting import MarketArrays, backtest_path
from ares_resources.settings import CostSettings, TacticianSettings

SETTINGS = TacticianSettings()


def labelled(n: int = 900, *, edge: float = 0.4, seed: int = 1, calm_share: float = 0.5):
    """Signals whose net return is a known share of take probability and volatility."""
    generator = np.random.default_rng(seed)
    p = np.clip(0.5 + 0.1 * generator.standard_normal(n), 0.05, 0.95)
    move = np.where(generator.random(n) < calm_share, 0.004, 0.02)
    net = move * (edge * (p - 0.5) * 10 + generator.standard_normal(n))
    row = 10 * np.arange(n)
    labels = pd.DataFrame(
        {
            "row": row,
            "t1_row": row + 8,
            "net_return": net,
            "delayed_net_return": net,
            "take": (net > 0).astype(int),
            "wait": 0,
            "weight": 1.0,
            "move": move,
            "annual_volatility": move * 100,
            "size_target": size_target(net, move),
            "managed_return": net,
        }
    )
    return labels, p


def judged(labels: pd.DataFrame, p: np.ndarray, taken: np.ndarray, **changes: float):
    return judge_size_rules(
        labels,
        p,
        taken=taken,
        move=labels["move"].to_numpy(),
        annual_volatility=labels["annual_volatility"].to_numpy(),
        splits=purged_splits(labels["row"], labels["t1_row"], folds=5, embargo_bars=0),
        settings=SETTINGS.model_copy(update=changes),
        confidence=0.9,
    )


def test_size_target_is_net_return_by_volatility() -> None:
    got = size_target(np.array([0.01, -0.02, 0.01, 0.01]), np.array([0.02, 0.01, 0.0, np.nan]))
    assert got.tolist() == pytest.approx([0.5, -2.0, np.nan, np.nan], nan_ok=True)


def test_payoff_line_by_hand() -> None:
    p, z = np.array([0.4, 0.6, 0.5, 0.5]), np.array([-0.5, 0.5, np.nan, 0.0])
    got = fit_payoff_line(p, z, np.array([1.0, 1.0, 1.0, 0.0]))
    assert (got.intercept, got.slope, got.mean_square) == pytest.approx((-2.5, 5.0, 0.25))
    # A probability that tells the wrong way is not used the other way round.
    assert fit_payoff_line(p, -z, np.ones(4)).slope == 0.0
    assert fit_payoff_line(p[:0], z[:0], p[:0]) == PayoffLine(0.0, 0.0, 0.0)
    stake = line_stake(np.array([0.6, 0.4, 0.6]), got, np.array([0.5, 0.5, np.nan]), fraction=0.5)
    assert stake.tolist() == pytest.approx([0.5 * 0.5 / (0.25 * 0.5), 0.0, 0.0])


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=20), move=st.just(0.0) | st.floats(1e-6, 1))
def test_line_stakes_rise_with_probability(p, move) -> None:
    ordered = np.sort(np.array(p))
    line = PayoffLine(-0.3, 0.8, 1.1)
    stake = line_stake(ordered, line, np.full(ordered.size, move), fraction=0.25)
    assert (np.diff(stake) >= 0).all()
    assert np.isfinite(stake).all()
    assert (stake >= 0).all()


def test_the_line_is_kept_where_volatility_moves_and_caps_do_not_bind() -> None:
    labels, p = labelled(4000, edge=0.3)
    free = {"target_volatility": 1e3, "maximum_position": 10.0, "kelly_fraction": 0.02}
    got = judged(labels, p, p > 0.5, **free)
    assert got.parameters["rule"] == LINE
    assert got.gain.mean > 0
    assert json.loads(json.dumps(got.to_json()))["line"]["slope"] > 0


def test_kelly_stays_where_the_caps_decide_or_nothing_pays() -> None:
    labels, p = labelled()
    tight = judged(labels, p, p > 0.5, target_volatility=0.01)
    assert tight.parameters["rule"] == KELLY
    nobody = judged(labels, p, np.zeros(len(p), bool))
    assert (nobody.parameters["rule"], nobody.reason) == (KELLY, "kelly: no signal is taken")
    assert nobody.stake.max() == 0.0
    noise, q = labelled(edge=0.0, seed=4)
    assert judged(noise, q, q > 0.5).parameters["rule"] == KELLY


def test_stakes_of_a_fold_do_not_know_its_own_outcomes() -> None:
    labels, p = labelled()
    splits = purged_splits(labels["row"], labels["t1_row"], folds=5, embargo_bars=0)
    _, test = splits[2]
    changed = labels.copy()
    changed.loc[test, ["net_return", "size_target"]] *= -3.0
    first, second = judged(labels, p, p > 0.5), judged(changed, p, p > 0.5)
    assert first.parameters["rule"] == second.parameters["rule"] == KELLY
    np.testing.assert_array_equal(first.stake[test], second.stake[test])


def contexts(labels: pd.DataFrame, trend: np.ndarray) -> dict[str, pd.DataFrame]:
    base = pd.DataFrame({"noise": np.zeros(len(labels))})
    return {"1m": base, "1h": base.assign(trend_1h=trend), "5m": base.assign(trend_5m=-trend)}


def test_an_objection_is_kept_only_where_it_paid() -> None:
    labels, p = labelled(3000, edge=0.5)
    trend = np.random.default_rng(2).standard_normal(len(p))
    labels["net_return"] += np.where(trend < 0, -0.02, 0.01)
    labels["take"] = (labels["net_return"] > 0).astype(int)
    ensemble = combine_tacticians(labels, {"1m_linear": p})
    options = {"base_timeframe": "1m", "confidence": 0.9}
    paid = judge_coordination(labels, contexts(labels, trend), ensemble, **options)
    assert (paid.kept, paid.timeframe) == (True, "1h")
    assert paid.taken.sum() < ensemble.taken.sum()
    costly = judge_coordination(labels, contexts(labels, -trend), ensemble, **options)
    assert not costly.kept
    np.testing.assert_array_equal(costly.taken, ensemble.taken)
    unknown = judge_coordination(labels, contexts(labels, trend * np.nan), ensemble, **options)
    assert not unknown.kept
    alone = judge_coordination(labels, {"1m": labels}, ensemble, **options)
    assert (alone.kept, alone.reason) == (False, "one timeframe only")


def test_an_objection_counts_from_break_even_where_all_is_taken() -> None:
    labels, p = labelled(3000, edge=0.0)
    trend = np.random.default_rng(2).standard_normal(len(p))
    labels["net_return"] = labels["net_return"] * 0.1 + np.where(trend < 0, -0.001, 0.004)
    labels["take"] = (labels["net_return"] > 0).astype(int)
    flat = np.full(len(p), 0.5)
    ensemble = combine_tacticians(labels, {"1m_linear": flat})
    assert ensemble.threshold == 0.0
    got = judge_coordination(
        labels, contexts(labels, trend), ensemble, base_timeframe="1m", confidence=0.9
    )
    win = labels["net_return"][labels["net_return"] > 0].mean()
    loss = -labels["net_return"][labels["net_return"] < 0].mean()
    assert got.raised_by == pytest.approx(loss / (win + loss) + 0.05)
    needed = loss / (win + loss) + 0.05
    assert got.taken.tolist() == ((trend >= 0) | (needed < 0.5)).tolist()


def test_agreement_of_timeframes() -> None:
    take = np.array([1, 0, 1, 0])
    votes = {
        "1m_linear": np.array([0.6, 0.4, 0.6, 0.4]),
        "1m_catboost": np.array([0.8, 0.2, 0.8, 0.2]),
        "1h_linear": np.array([0.4, 0.6, 0.4, 0.6]),
        "5m_linear": np.full(4, 0.5),
    }
    frames = {name: name.split("_")[0] for name in votes}
    got = agreement(take, votes, frames, {"1m_linear": 0.25, "1h_linear": 0.75})
    assert list(got) == ["1m", "5m", "1h"]
    assert (got["1m"]["weight"], got["1h"]["weight"]) == (0.25, 0.75)
    assert got["1m"]["log_loss"] == pytest.approx(-np.log(0.7))
    assert got["1m"]["agreement"] == pytest.approx(-1.0)
    assert got["5m"]["agreement"] is None


def path_of(probability: np.ndarray, size: np.ndarray, management=None):
    n = len(probability)
    close = 100 * np.exp(0.001 * np.sin(np.arange(n) / 3.0))
    opened = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    stamps = 60_000 * np.arange(n)
    market = MarketArrays(stamps, opened, high, low, close, np.ones(n), np.zeros(n))
    chosen = {"enter_margin": 0.02, "stop_width": 9.0, "target_width": 9.0}
    parameters = strategy_parameters(chosen, horizon_bars=5, costs=CostSettings())
    return backtest_path(market, probability, size, parameters, management)


def test_no_later_bar_changes_how_time_is_counted() -> None:
    """Bars that all lie two lengths apart, until two of them stand side by side."""
    close = np.full(40, 100.0)
    stamps = 60_000 * np.append(2 * np.arange(38), [75, 76])
    frame = pd.DataFrame({"timestamp": stamps, "open": close, "high": close, "low": close})
    frame = frame.assign(close=close, funding_payment=0.0, gap_payment=0.0)
    frame["high"] += 1.0  # an ATR above 0
    probability = np.full(40, 0.9)
    chosen = {"enter_margin": 0.02, "stop_width": 9.0, "target_width": 9.0}
    parameters = strategy_parameters(chosen, horizon_bars=5, costs=CostSettings())
    for cut in (38, 39, 40):
        market = market_arrays(frame.iloc[:cut].reset_index(drop=True), 60_000)
        assert market.bar_ms == 60_000
        path = backtest_path(market, probability[:cut], np.ones(cut), parameters)
        held = market.slot[path.exit_row] - market.slot[path.entry_row]
        assert len(held) > 3
        assert held[:-1].tolist() == [4] * (len(held) - 1)


def planted(edge: float):
    """Decisions of a tactician whose votes know the outcome as well as the edge lets them."""
    labels, p = labelled(1500, edge=edge)
    ensemble = combine_tacticians(labels, {"1m_linear": p})
    rules = judge_rules(
        labels,
        {"1m": pd.DataFrame({"noise": np.random.default_rng(5).standard_normal(len(p))})},
        ensemble,
        base_timeframe="1m",
        splits=purged_splits(labels["row"], labels["t1_row"], folds=5, embargo_bars=0),
        costs=CostSettings(),
        settings=SETTINGS,
        confidence=0.9,
        seed=1,
        threads=1,
    )
    parameters = json.loads(json.dumps({"ensemble": ensemble.to_json(), **rules.parameters()}))
    decisions = decide(
        np.full(len(p), 0.6),
        {"1m_linear": p},
        parameters,
        wait_probability=rules.timing.model.out_of_fold,
        against=None,
        move=labels["move"].to_numpy(),
        annual_volatility=labels["annual_volatility"].to_numpy(),
        drawdown=0.0,
        settings=SETTINGS,
    )
    return labels, decisions


def test_a_planted_edge_is_traded_in_capped_and_braked_sizes() -> None:
    labels, decisions = planted(0.8)
    size, taken = decisions["size"].to_numpy(), decisions["take"].to_numpy()
    assert 0.2 < taken.mean() < 0.8
    assert (size[taken] > 0).mean() > 0.9  # at the threshold Kelly may see no edge
    assert (size[~taken] == 0).all()
    cap = np.minimum(SETTINGS.target_volatility / labels["annual_volatility"], 1.0)
    assert (size <= cap.to_numpy() * (1 + 1e-12)).all()
    losses = np.full(len(size), -0.2)
    braked = braked_sizes(
        size, losses, labels["row"].to_numpy(), labels["t1_row"].to_numpy(), brake=0.2
    )
    assert braked[-50:].max() < 0.05 * size[-50:].max()
    # The backtest risks exactly what was decided.
    calibrated = decisions.assign(row=labels["row"], probability=0.6)
    chance, sizes, told = decision_arrays(calibrated, 15_100, delay_bars=5)
    path = path_of(chance, sizes, told)
    whole = path_of(chance, np.where(sizes > 0, 1.0, 0.0), told)
    assert len(path.trade_return) > 100
    np.testing.assert_array_equal(path.decision_row, whole.decision_row)
    np.testing.assert_allclose(
        path.trade_return, sizes[path.decision_row] * whole.trade_return, rtol=1e-9
    )


def test_without_an_edge_all_sizes_are_zero() -> None:
    _, decisions = planted(0.0)
    assert not decisions["take"].any()
    assert (decisions["size"] == 0).all()


def test_waiting_moves_the_entry_and_a_fresh_decision_stands_before_it() -> None:
    decisions = pd.DataFrame(
        {
            "row": [0, 5, 10, 20],
            "probability": [0.7, 0.8, 0.3, 0.7],
            "side": [1, 1, 1, 1],
            "take": [True, True, True, True],
            "wait": [True, False, False, True],
            "size": [0.1, 0.2, 0.3, 0.4],
            "management": ["hold", "exit_long", "reduce_short", "hold"],
        }
    )
    chance, size, told = decision_arrays(decisions, 24, delay_bars=5)
    assert np.flatnonzero(size).tolist() == [5]  # 10 disagrees with its side, 25 is beyond
    assert (chance[5], size[5]) == (0.8, 0.2)
    assert np.flatnonzero(told).tolist() == [5, 10]  # signals speak whether taken or not
    assert told[[5, 10]].tolist() == [-2, 1]
    alone = decision_arrays(decisions.iloc[:1], 24, delay_bars=5)
    assert (np.flatnonzero(alone[1]).tolist(), alone[0][5]) == ([5], 0.7)
