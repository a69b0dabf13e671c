"""The gate: every single failure blocks, each with the verdict that it deserves."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares_assets.evidence.gate import Comparison, GateEvidence, release_gate
from ares_assets.evidence.overfitting import probability_of_overfitting
from ares_assets.evidence.sequential import always_valid_test
from ares_assets.evidence.sharpe_tests import (
    deflated_sharpe_ratio,
    minimum_track_record_length,
    sharpe_moments,
)
from ares_resources.settings import GateSettings

SETTINGS = GateSettings()
BETTER = Comparison("champion", "better", 0.001, 4.0)
OPEN = Comparison("champion", "undecided", 0.2, 2.0)
GOOD = GateEvidence(
    deflated_sharpe=0.98,
    trials=200,
    overfitting=0.1,
    ruin_share=0.0,
    trades=120,
    days=73.0,
    annual_sharpe=4.0,
    track_record_days=60.0,
    comparisons=(BETTER,),
)


def test_all_good_is_promoted() -> None:
    report = release_gate(GOOD, SETTINGS, [])
    assert report.verdict == "promote"
    assert all(row.passed for row in report.rows)


AGAINST: list[dict[str, Any]] = [
    {"deflated_sharpe": 0.94},
    {"overfitting": 0.51},
    {"ruin_share": 0.06},
    {"drift_alarms": 3, "drift_chance": 0.01},
    {"comparisons": (replace(BETTER, decision="worse"),)},
    {"comparisons": (replace(OPEN, annual_sharpe=-0.5),)},
    {"comparisons": (BETTER, replace(OPEN, against="no trade", decision="worse"))},
]
TOO_LITTLE: list[dict[str, Any]] = [
    {"trades": 29},
    {"days": 59.0},
    {"track_record_days": math.inf},
    {"track_record_days": None},
    {"deflated_sharpe": None},
    {"overfitting": None},
    {"ruin_share": None},
    {"comparisons": (OPEN,)},
    {"comparisons": ()},
    {"comparisons": (replace(BETTER, required=False),)},
    {"comparisons": (OPEN,), "deflated_sharpe": 0.4, "overfitting": 0.7},
    {"comparisons": (replace(OPEN, annual_sharpe=-0.5),), "trades": 3},
]


@pytest.mark.parametrize("change", AGAINST)
def test_what_speaks_against_a_challenger_keeps_the_champion(change: dict) -> None:
    report = release_gate(replace(GOOD, **change), SETTINGS, [])
    assert report.verdict == "keep"
    assert report.reason


@pytest.mark.parametrize("change", TOO_LITTLE)
def test_what_cannot_be_known_is_insufficient_evidence(change: dict) -> None:
    report = release_gate(replace(GOOD, **change), SETTINGS, [])
    assert report.verdict == "insufficient evidence"
    json.dumps(report.as_dict(), allow_nan=False)


def test_insufficient_evidence_says_how_much_would_do() -> None:
    report = release_gate(replace(GOOD, comparisons=(OPEN,)), SETTINGS, [])
    assert "days of holdout would settle it" in report.reason
    assert "there are 73" in report.reason


def test_a_degraded_model_is_never_promoted_and_says_why() -> None:
    report = release_gate(GOOD, SETTINGS, ["stale bars", "one expert failed"])
    # A fallback does not speak against the challenger: its figures just cannot be trusted yet.
    assert report.verdict == "insufficient evidence"
    assert "stale bars; one expert failed" in report.reason


def test_alarms_that_chance_explains_do_not_block() -> None:
    noisy = replace(GOOD, drift_alarms=1, drift_chance=0.4)
    assert release_gate(noisy, SETTINGS, []).verdict == "promote"


def test_comparisons_for_information_do_not_decide() -> None:
    beside = replace(OPEN, against="buy and hold", decision="worse", required=False)
    report = release_gate(replace(GOOD, comparisons=(BETTER, beside)), SETTINGS, [])
    assert report.verdict == "promote"
    assert not report.rows[-1].passed


def test_table_is_for_people() -> None:
    table = release_gate(GOOD, SETTINGS, []).table()
    assert {tuple(row) for row in table} == {("name", "requirement", "measured", "passed")}
    assert "deflated Sharpe (200 trials)" in [row["name"] for row in table]


shares = st.one_of(st.none(), st.floats(0, 1), st.just(math.nan))


@given(
    deflated=shares,
    overfitting=shares,
    ruin=shares,
    trades=st.integers(0, 100),
    days=st.floats(0, 100),
    track=st.one_of(st.none(), st.floats(0, 100), st.just(math.inf), st.just(math.nan)),
    sharpe=st.one_of(st.none(), st.floats(-9, 9), st.just(math.nan)),
    decision=st.sampled_from(["better", "worse", "undecided"]),
    degraded=st.sampled_from([[], ["fallback"]]),
)
def test_promotion_needs_every_requirement(
    deflated: float | None,
    overfitting: float | None,
    ruin: float | None,
    trades: int,
    days: float,
    track: float | None,
    sharpe: float | None,
    decision: Any,
    degraded: list[str],
) -> None:
    measured = GateEvidence(
        deflated_sharpe=deflated,
        trials=50,
        overfitting=overfitting,
        ruin_share=ruin,
        trades=trades,
        days=days,
        annual_sharpe=sharpe,
        track_record_days=track,
        comparisons=(Comparison("no trade", decision, 0.5, sharpe),),
    )
    report = release_gate(measured, SETTINGS, degraded)
    json.dumps(report.as_dict(), allow_nan=False)
    json.dumps(report.table(), allow_nan=False)
    met = (
        (deflated or 0) >= 0.95
        and overfitting is not None
        and overfitting <= 0.5
        and ruin is not None
        and ruin <= 0.05
        and trades >= 30
        and track is not None
        and days >= track
        and decision == "better"
        and not degraded
    )
    assert (report.verdict == "promote") == met
    assert report.reason


def _measured(sample: np.ndarray) -> GateEvidence:
    """Choose the best of many on the first part, judge it on the second, as Ares does."""
    half = sample.shape[0] // 2
    search, holdout = sample[:half], sample[half:]
    sharpes = search.mean(axis=0) / search.std(axis=0, ddof=1)
    chosen = holdout[:, sharpes.argmax()]
    moments = sharpe_moments(chosen)
    test = always_valid_test(chosen)
    annual = moments.sharpe * math.sqrt(365)
    return GateEvidence(
        deflated_sharpe=deflated_sharpe_ratio(
            moments, trials=sharpes.size, trial_variance=float(sharpes.var(ddof=1))
        ),
        trials=sharpes.size,
        overfitting=probability_of_overfitting(search, blocks=8).probability,
        ruin_share=0.0,
        trades=200,
        days=float(chosen.size),
        annual_sharpe=annual,
        track_record_days=minimum_track_record_length(moments),
        comparisons=(Comparison("no trade", test.decision, test.p_value, annual),),
    )


def test_nothing_is_released_on_markets_without_an_edge_but_a_real_one_is() -> None:
    verdicts = {"null": [], "edge": []}  # type: ignore[var-annotated]
    for seed in range(150):
        sample = np.random.default_rng(seed).normal(0, 0.02, (400, 30))
        verdicts["null"].append(release_gate(_measured(sample), SETTINGS, []).verdict)
        sample[:, 0] += 0.02 * 8.0 / math.sqrt(365)
        verdicts["edge"].append(release_gate(_measured(sample), SETTINGS, []).verdict)
    assert verdicts["null"].count("promote") <= 1
    assert verdicts["edge"].count("promote") >= 0.8 * 150
