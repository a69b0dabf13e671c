"""The gate: every single failure blocks, each with the verdict that it deserves."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares_assets.evidence.gate import contradiction, release_gate
from ares_assets.evidence.gate_evidence import Comparison, GateEvidence, known
from ares_assets.evidence.overfitting import probability_of_overfitting
from ares_assets.evidence.power import days_needed_sequentially
from ares_assets.evidence.sequential import always_valid_test
from ares_assets.evidence.sharpe_tests import (
    deflated_sharpe_ratio,
    minimum_track_record_length,
    null_trial_variance,
    sharpe_moments,
)
from ares_assets.evidence.verdict_words import in_plain_words
from ares_resources.settings import GateSettings
from tests.helpers.gate_figures import good_figures

SETTINGS = GateSettings()
BETTER = Comparison("champion", "better", 0.001, 4.0)
OPEN = Comparison("champion", "undecided", 0.2, 2.0)
GOOD = good_figures("champion")


def test_all_good_is_promoted() -> None:
    report = release_gate(GOOD, SETTINGS, [])
    assert report.verdict == "promote"
    assert all(row.passed for row in report.rows)


AGAINST: list[dict[str, Any]] = [
    {"deflated_development": 0.94},
    {"deflated_holdout": 0.94},
    {"return_costs_stressed": 0.0},
    {"return_latency_stressed": -0.01},
    {"overfitting": 0.51},
    {"ruin_share": 0.06},
    {"drift_alarms": 1},
    {"overfitting": 0.51, "loss_probability": None},
    {"comparisons": (replace(BETTER, decision="worse"),)},
    {"comparisons": (replace(OPEN, annual_sharpe=-0.5),)},
    {"comparisons": (BETTER, replace(OPEN, against="no trade", decision="worse"))},
]
TOO_LITTLE: list[dict[str, Any]] = [
    {"trades": 29},
    {"days": 59.0},
    {"track_record_days": math.inf},
    {"track_record_days": None},
    {"drift_unjudged": "12 blocks of losses before the watched; 30 needed"},
    {"deflated_development": None},
    {"deflated_holdout": None},
    {"return_costs_stressed": None},
    {"return_latency_stressed": math.nan},
    {"comparisons": (OPEN,), "return_costs_stressed": -0.2},
    {"overfitting": None},
    {"overfitting": None, "loss_probability": 0.0},
    {"overfitting": None, "loss_probability": None, "distinct_sets": 2},
    {"ruin_share": None},
    {"comparisons": (OPEN,)},
    {"comparisons": ()},
    {"comparisons": (replace(BETTER, required=False),)},
    {"comparisons": (OPEN,), "deflated_holdout": 0.4, "overfitting": 0.7},
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


IN_DAYS = r"\d+ days of holdout \(a window of \d+ days\)"


@pytest.mark.parametrize("never", [False, True])
@pytest.mark.parametrize(
    "change", [*TOO_LITTLE, {"trades": 0, "comparisons": (replace(OPEN, annual_sharpe=None),)}]
)
def test_every_lack_of_evidence_names_days_of_holdout_and_of_window(
    change: dict, never: bool
) -> None:
    measured = replace(GOOD, **change)
    report = release_gate(measured, SETTINGS, [])
    words = in_plain_words(report.rows, report.verdict, measured, SETTINGS, never_trades=never)
    for told in (words, report.reason):
        assert re.search(IN_DAYS, told), told
        assert "inf" not in told
        assert "nan" not in told


def test_words_speak_of_the_level_and_window_that_are_in_force() -> None:
    measured = replace(GOOD, comparisons=(OPEN,))
    open_still = (replace(OPEN, level=0.01),)
    strict = replace(measured, level=0.01, comparisons=open_still, holdout_share=0.3)
    loose = release_gate(measured, SETTINGS, []).reason
    assert f"about {days_needed_sequentially(2.0):.0f} days of holdout" in loose
    needed = days_needed_sequentially(2.0, level=0.01)
    told = f"about {needed:.0f} days of holdout (a window of {math.ceil(needed / 0.3)} days)"
    assert told in release_gate(strict, SETTINGS, []).reason


def test_few_trades_are_told_how_long_enough_of_them_take() -> None:
    report = release_gate(replace(GOOD, trades=10, days=60.0), SETTINGS, [])
    told = "at its pace 30 trades take about 180 days of holdout (a window of 900 days)"
    assert told in report.reason


def test_a_model_that_never_trades_is_told_so_in_plain_words() -> None:
    measured = replace(
        GOOD, trades=0, annual_sharpe=None, comparisons=(replace(OPEN, annual_sharpe=None),)
    )
    report = release_gate(measured, SETTINGS, [])
    words = in_plain_words(report.rows, report.verdict, measured, SETTINGS, never_trades=True)
    assert "the model does not trade" in words
    assert "annual Sharpe 2 would need" in words
    assert "before 20 days of holdout (a window of 100 days)" in words


def test_only_failed_rows_are_named_against_it() -> None:
    measured = replace(GOOD, ruin_share=0.5)
    report = release_gate(measured, SETTINGS, [])
    words = in_plain_words(report.rows, report.verdict, measured, SETTINGS, never_trades=False)
    assert words.endswith("against it: ruin share")


def test_insufficient_evidence_says_how_much_would_do() -> None:
    report = release_gate(replace(GOOD, comparisons=(OPEN,)), SETTINGS, [])
    assert "would settle it 80% of the time" in report.reason
    assert "there are 73 (a window of 365)" in report.reason


def test_a_degraded_model_is_never_promoted_and_says_why() -> None:
    report = release_gate(GOOD, SETTINGS, ["stale bars", "one expert failed"])
    # A fallback does not speak against the challenger: its figures just cannot be trusted yet.
    assert report.verdict == "insufficient evidence"
    assert "stale bars; one expert failed" in report.reason


def test_comparisons_for_information_do_not_decide() -> None:
    beside = replace(OPEN, against="buy and hold", decision="worse", required=False)
    report = release_gate(replace(GOOD, comparisons=(BETTER, beside)), SETTINGS, [])
    assert report.verdict == "promote"
    assert not report.rows[-1].passed


def test_rows_for_information_are_there_where_measured_and_never_decide() -> None:
    plain = {row.name for row in release_gate(GOOD, SETTINGS, []).rows}
    beside = replace(
        GOOD,
        search_p_value=0.6,
        calibration_within_noise=False,
        equity_low=0.8,
        champion_remark="there is none yet",
    )
    report = release_gate(beside, SETTINGS, [])
    assert report.verdict == "promote"
    further = [row for row in report.rows if row.name not in plain]
    assert [row.passed for row in further] == [False, False, False, True]
    assert not any(row.required for row in further)


def test_a_stored_verdict_that_its_table_does_not_bear_out_is_noticed() -> None:
    table = release_gate(GOOD, SETTINGS, []).table()
    assert contradiction("promote", table, []) is None
    assert "degraded" in str(contradiction("promote", table, ["stale bars"]))
    assert "although every" in str(contradiction("keep", table, []))
    failed = release_gate(replace(GOOD, trades=1), SETTINGS, []).table()
    assert "trades" in str(contradiction("promote", failed, []))
    assert contradiction("insufficient evidence", failed, []) is None


def test_settings_hold_every_threshold() -> None:
    strict = GateSettings(
        minimum_deflated_sharpe=0.99,
        maximum_overfitting=0.05,
        maximum_loss_probability=0.2,
        maximum_ruin=0.0,
        minimum_trades=200,
    )
    report = release_gate(replace(GOOD, ruin_share=0.01), strict, [])
    assert [row.name for row in report.rows if not row.passed] == [
        "trades",
        "deflated Sharpe on development (200 trials)",
        "deflated Sharpe on the holdout (3 looks)",
        "overfitting (PBO)",
        "ruin share",
    ]


def test_table_is_for_people() -> None:
    table = release_gate(GOOD, SETTINGS, []).table()
    assert {tuple(row) for row in table} == {
        ("name", "requirement", "measured", "passed", "required")
    }
    names = [row["name"] for row in table]
    assert "deflated Sharpe on development (200 trials)" in names
    assert "deflated Sharpe on the holdout (3 looks)" in names


def at_most(value: float | None, most: float) -> bool:
    return value is not None and value <= most


shares = st.one_of(st.none(), st.floats(0, 1), st.just(math.nan))


@given(
    deflated=shares,
    on_holdout=shares,
    stressed=st.one_of(st.none(), st.floats(-1, 1)),
    overfitting=shares,
    loss=shares,
    sets=st.integers(0, 3),
    ruin=shares,
    trades=st.integers(0, 100),
    days=st.floats(0, 100),
    track=st.one_of(st.none(), st.floats(0, 100), st.just(math.inf), st.just(math.nan)),
    sharpe=st.one_of(st.none(), st.floats(-9, 9), st.just(math.nan)),
    decision=st.sampled_from(["better", "worse", "undecided"]),
    alarms=st.integers(0, 2),
    degraded=st.sampled_from([[], ["fallback"]]),
)
def test_promotion_needs_every_requirement(
    deflated: float | None,
    on_holdout: float | None,
    stressed: float | None,
    overfitting: float | None,
    loss: float | None,
    sets: int,
    ruin: float | None,
    trades: int,
    days: float,
    track: float | None,
    sharpe: float | None,
    decision: Any,
    alarms: int,
    degraded: list[str],
) -> None:
    measured = GateEvidence(
        deflated_development=deflated,
        trials=50,
        deflated_holdout=on_holdout,
        looks=1,
        overfitting=overfitting,
        loss_probability=loss,
        distinct_sets=sets,
        ruin_share=ruin,
        return_costs_stressed=stressed,
        return_latency_stressed=0.1,
        trades=trades,
        days=days,
        annual_sharpe=sharpe,
        track_record_days=track,
        comparisons=(Comparison("no trade", decision, 0.5, sharpe),),
        drift_alarms=alarms,
        drift_level=0.05,
        drift_unjudged=None,
    )
    report = release_gate(measured, SETTINGS, degraded)
    json.dumps(report.as_dict(), allow_nan=False)
    json.dumps(report.table(), allow_nan=False)
    met = (
        (deflated or 0) >= 0.95
        and (on_holdout or 0) >= 0.95
        and (stressed or 0) > 0
        and (sets < 2 or (known(overfitting) and (overfitting <= 0.5 or at_most(loss, 0.05))))
        and ruin is not None
        and ruin <= 0.05
        and trades >= 30
        and track is not None
        and days >= track
        and decision == "better"
        and not alarms
        and not degraded
    )
    assert (report.verdict == "promote") == met
    assert report.reason


def _measured(sample: np.ndarray) -> GateEvidence:
    """Choose the best of many on the first part, judge it on the second, as Ares does."""
    half = sample.shape[0] // 2
    search, holdout = sample[:half], sample[half:]
    sharpes = search.mean(axis=0) / search.std(axis=0, ddof=1)
    chosen, seen = holdout[:, sharpes.argmax()], search[:, sharpes.argmax()]
    moments = sharpe_moments(chosen)
    test = always_valid_test(chosen)
    chosen_by_luck = probability_of_overfitting(search, blocks=8)
    annual = moments.sharpe * math.sqrt(365)
    return GateEvidence(
        deflated_development=deflated_sharpe_ratio(
            sharpe_moments(seen),
            trials=sharpes.size,
            trial_variance=float(sharpes.var(ddof=1)),
        ),
        trials=sharpes.size,
        deflated_holdout=deflated_sharpe_ratio(
            moments, trials=1, trial_variance=null_trial_variance(chosen.size)
        ),
        looks=1,
        overfitting=chosen_by_luck.probability,
        loss_probability=chosen_by_luck.loss_probability,
        distinct_sets=sharpes.size,
        ruin_share=0.0,
        return_costs_stressed=float(chosen.sum()),
        return_latency_stressed=float(chosen.sum()),
        trades=200,
        days=float(chosen.size),
        annual_sharpe=annual,
        track_record_days=minimum_track_record_length(moments),
        comparisons=(Comparison("no trade", test.decision, test.p_value, annual),),
        drift_alarms=0,
        drift_level=0.05,
        drift_unjudged=None,
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
