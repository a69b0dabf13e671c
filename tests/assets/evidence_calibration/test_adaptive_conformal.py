"""Adaptive conformal inference: its bound on any sequence, on the drift market, and late labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares_assets.evidence.adaptive import (
    adaptive_bound,
    adaptive_levels,
    adaptive_report,
    most_waiting,
)
from ares_assets.evidence.conformal import fit_conformal, true_scores
from ares_resources.errors import BadInput
from ares_resources.exchanges.simulated.market import simulate
from ares_resources.exchanges.simulated.oracle import oracle_filter, oracle_forecast
from ares_resources.exchanges.simulated.recipe import GENESIS_MS, MINUTE_MS, MINUTES_PER_DAY
from ares_resources.exchanges.simulated.symbols import LABORATORY

HORIZON, EVERY, DAYS, BREAK = 60, 10, 75, 25 * MINUTES_PER_DAY
COVERAGE, RATE = 0.8, 0.02


def drawn(count, seed, spread=1.0):
    draw = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-draw.normal(0, spread, count)))
    return p, (draw.random(count) < p).astype(float)


def drift_market(seed):
    """Events of the DRIFT market, its break at day 25 of 75: probabilities of the forecaster who
    knows the law before the break and never hears of it, labels, rows, label ends."""
    recipe = replace(LABORATORY["DRIFT"], break_ms=GENESIS_MS + BREAK * MINUTE_MS)
    market = simulate(recipe, seed=seed, minutes=DAYS * MINUTES_PER_DAY)
    unaware = replace(recipe, break_ms=None)
    belief = oracle_filter(unaware, market.bars(), market.funding())
    score = oracle_forecast(unaware, belief, horizon=HORIZON).score
    rows = np.arange(MINUTES_PER_DAY, len(score) - HORIZON, EVERY)
    labels = (market.close[rows + HORIZON] > market.close[rows]).astype(float)
    up = np.array([0.5 * (1 + np.tanh(0.7978845608 * value)) for value in score[rows]])
    return up, labels, rows, rows + HORIZON


def test_miss_rate_on_the_drift_market_is_within_its_bound_and_the_fixed_one_is_not():
    adaptive, fixed, continued = [], [], []
    for seed in range(1, 21):
        p, y, rows, t1_rows = drift_market(seed)
        scores, known = true_scores("lac", p, y), t1_rows < BREAK
        report = adaptive_report(scores, rows, t1_rows, coverage=COVERAGE, rate=RATE)
        assert report["bound"] < 0.005
        assert abs(report["coverage"] - COVERAGE) <= report["bound"]
        assert report["within_bound"]
        _, hits = adaptive_levels(scores, rows, t1_rows, coverage=COVERAGE, rate=RATE)
        later = rows >= BREAK
        adaptive.append(hits[later].mean())
        threshold = fit_conformal(p[known], y[known], coverage=COVERAGE).threshold
        fixed.append((scores[later] <= threshold).mean())
        after = scores[later], rows[later], t1_rows[later]
        continued.append(
            adaptive_report(*after, coverage=COVERAGE, rate=RATE, known_before=scores[known])
        )
        assert continued[-1]["threshold_first"] == threshold
        assert continued[-1]["judged"] == later.sum()
    bound = adaptive_bound(int(later.sum()), coverage=COVERAGE, rate=RATE, delay=6)
    assert max(abs(np.array(adaptive) - COVERAGE)) <= bound
    assert all(report["within_bound"] for report in continued)
    assert max(report["bound"] for report in continued) <= bound
    # The same sets with the threshold of the days before the break.
    assert np.mean(fixed) < COVERAGE - 2 * bound
    assert (abs(np.array(fixed) - COVERAGE) > bound).mean() >= 0.6


def test_bound_by_hand():
    # .8 (1 + .02) / (.02 * 1000), and with six labels waiting .8 (1 + .02 * 7) / 20.
    assert adaptive_bound(1000, coverage=0.8, rate=0.02) == pytest.approx(0.0408)
    assert adaptive_bound(1000, coverage=0.2, rate=0.02) == pytest.approx(0.0408)
    assert adaptive_bound(1000, coverage=0.8, rate=0.02, delay=6) == pytest.approx(0.0456)
    assert adaptive_bound(0, coverage=0.8) == np.inf
    # Gibbs and Candes' own (max(a, 1 - a) + rate) / (rate T) is a little wider.
    assert adaptive_bound(50, coverage=0.9, rate=0.1) <= (0.9 + 0.1) / (0.1 * 50)


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, 9999),
    st.sampled_from(["up", "down", "jumps", "worst"]),
    st.integers(0, 8),
    st.sampled_from([0.02, 0.1, 0.5]),
    st.sampled_from([0.6, 0.8, 0.95]),
    st.sampled_from([0, 20, 200]),
)
def test_bound_holds_for_any_sequence(seed, kind, delay, rate, coverage, before):
    draw = np.random.default_rng(seed)
    count = 400
    scores = {
        "up": np.arange(count) / count,
        "down": 1 - np.arange(count) / count,
        "jumps": draw.uniform(0, 1, count) * (1 + 9 * (np.arange(count) // 100 % 2)),
        "worst": np.where(np.arange(count) // 37 % 2, 1.0, 0.0) + draw.uniform(0, 1e-3, count),
    }[kind]
    rows = np.arange(count)
    report = adaptive_report(
        scores,
        rows,
        rows + delay,
        coverage=coverage,
        rate=rate,
        warmup=20,
        known_before=draw.uniform(0, 2, before),
    )
    # No label is known at its own decision, whatever its t1 says.
    assert report["judged"] == (count if before else count - 19 - max(delay, 1))
    assert abs(report["coverage"] - coverage) <= report["bound"] + 1e-12
    assert report["within_bound"]


def test_bound_has_little_slack_against_an_enemy():
    """Scores that fall for ever never miss until the level passes 1: .9 / (.05 .1) = 180 events."""
    count, rate, coverage = 190, 0.05, 0.9
    rows = np.arange(count)
    report = adaptive_report(
        -rows.astype(float), rows, rows + 1, coverage=coverage, rate=rate, warmup=10
    )
    error = report["coverage"] - coverage
    assert 0.8 * report["bound"] < error <= report["bound"]


def test_waiting_by_hand():
    rows = np.arange(10) * 10
    assert most_waiting(rows, rows) == 0
    assert most_waiting(rows, rows + 10) == 0
    assert most_waiting(rows, rows + 11) == 1
    assert most_waiting(rows, rows + 60) == 5
    assert most_waiting(rows[:0], rows[:0]) == 0


def plain_levels(scores, rows, t1_rows, coverage, rate, warmup, before=()):
    """The definition, all anew at each event, in the order in which labels become known."""
    order = sorted(range(len(scores)), key=lambda i: (t1_rows[i], i))
    thresholds, hits = [], []
    for now in range(len(scores)):
        known = [i for i in order if t1_rows[i] <= rows[now] and i < now]
        miss = 1 - coverage
        for i in known:
            if not np.isnan(thresholds[i]):
                miss = miss + rate * ((1 - coverage) - (scores[i] > thresholds[i]))
        values = sorted([*before, *(scores[i] for i in known)])
        rank = int(np.ceil(round((len(values) + 1) * (1 - miss), 9)))
        if len(values) < warmup:
            thresholds.append(np.nan)
        elif rank > len(values):
            thresholds.append(np.inf)
        else:
            thresholds.append(values[rank - 1] if rank >= 1 else -np.inf)
        hits.append(bool(scores[now] <= thresholds[now]))
    return np.array(thresholds), np.array(hits)


@pytest.mark.parametrize("rate", [0.01, 0.3])
def test_levels_by_plain_code(rate):
    draw = np.random.default_rng(3)
    scores = draw.uniform(0, 1, 300).round(2)
    rows = np.cumsum(draw.integers(1, 9, 300))
    t1_rows = rows + draw.integers(1, 40, 300)
    found = adaptive_levels(scores, rows, t1_rows, coverage=0.8, rate=rate, warmup=15)
    expected = plain_levels(scores, rows, t1_rows, 0.8, rate, 15)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    before = draw.uniform(0, 2, 10).round(2)
    found = adaptive_levels(
        scores, rows, t1_rows, coverage=0.8, rate=rate, warmup=15, known_before=before
    )
    expected = plain_levels(scores, rows, t1_rows, 0.8, rate, 15, before)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_adaptation_keeps_coverage_where_a_fixed_threshold_loses_it():
    """The model goes stale half-way: its probabilities stay bold, the truth is a coin."""
    draw = np.random.default_rng(2)
    p, y = drawn(4000, 6, spread=2.0)
    y[2000:] = draw.integers(0, 2, 2000)
    rows = np.arange(4000) * 10
    scores = true_scores("lac", p, y)
    _, hits = adaptive_levels(scores, rows, rows + 30, coverage=0.8, rate=0.02)
    fixed = scores <= fit_conformal(p[:500], y[:500], coverage=0.8).threshold
    assert fixed[2500:].mean() < 0.7
    assert hits[2500:].mean() == pytest.approx(0.8, abs=0.03)


def test_adaptation_uses_known_labels_only():
    p, y = drawn(300, 6)
    rows = np.arange(300) * 10
    scores = true_scores("lac", p, y)
    thresholds, hits = adaptive_levels(scores, rows, rows + 45, coverage=0.8, warmup=20)
    assert np.isnan(thresholds[:20]).all()
    assert not hits[:20].any()
    # At event 200 labels of events up to 195 are known.
    changed = np.where(np.arange(300) > 195, 1 - scores, scores)
    again, _ = adaptive_levels(changed, rows, rows + 45, coverage=0.8, warmup=20)
    assert np.array_equal(again[:201], thresholds[:201], equal_nan=True)
    assert not np.array_equal(again[201:], thresholds[201:])


def test_a_model_that_is_stale_from_the_first_event_is_not_taken_for_a_healthy_one():
    """Judged against the days before, it misses more and needs wider sets; alone it looks well."""
    told, alone = {}, {}
    for state in ("healthy", "stale"):
        told[state], alone[state] = [], []
        for seed in range(40):
            p, y = drawn(400, seed)
            before = true_scores("lac", p[:300], y[:300])
            if state == "stale":
                y = np.random.default_rng(seed).integers(0, 2, 400).astype(float)
            later = true_scores("lac", p[300:], y[300:])
            rows = np.arange(100) * 10
            where = {"coverage": 0.8}
            told[state].append(
                adaptive_report(later, rows, rows + 25, **where, known_before=before)
            )
            alone[state].append(adaptive_report(later, rows, rows + 25, **where)["coverage"])
    assert abs(np.mean(alone["healthy"]) - np.mean(alone["stale"])) < 0.03
    coverage = {state: np.array([r["coverage"] for r in told[state]]) for state in told}
    assert (coverage["healthy"] > coverage["stale"]).mean() >= 0.95
    assert coverage["healthy"].mean() == pytest.approx(0.8, abs=0.02)
    assert coverage["stale"].mean() < 0.75
    wider = {
        s: np.mean([r["threshold_last"] - r["threshold_first"] for r in told[s]]) for s in told
    }
    assert abs(wider["healthy"]) < 0.02
    assert wider["stale"] > 0.05
    assert all(report["within_bound"] for state in told for report in told[state])


def test_too_few_events_judge_nothing():
    rows = np.arange(30)
    found = adaptive_report(rows / 30, rows, rows, coverage=0.9)
    assert found == {"known_before": 0, "judged": 0}


def test_faults_are_named():
    for coverage, rate in ((1.0, 0.1), (0.0, 0.1), (0.9, 0.0)):
        with pytest.raises(BadInput, match="coverage in"):
            adaptive_bound(9, coverage=coverage, rate=rate)
