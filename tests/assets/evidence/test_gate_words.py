"""What the gate says: how many days would do, what was asked less of, and how days depend."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ares_assets.evidence import loosened as rules
from ares_assets.evidence.deflation import overfitting
from ares_assets.evidence.gate import release_gate
from ares_assets.evidence.gate_evidence import Comparison, GateEvidence, GateRow
from ares_assets.evidence.loosened import loosened
from ares_assets.evidence.paired_days import day_dependence
from ares_assets.evidence.power import days_needed_sequentially
from ares_assets.evidence.sharpe_tests import (
    SharpeMoments,
    deflated_sharpe_ratio,
    null_trial_variance,
    observations_for_probability,
)
from ares_assets.evidence.verdict_words import in_plain_words
from ares_resources.settings import GateSettings, ValidationSettings
from tests.helpers.gate_figures import good_figures

SETTINGS = GateSettings()
BETTER = Comparison("no trade", "better", 0.001, 4.0)
GOOD = good_figures("no trade")


def said(measured: GateEvidence, degraded: tuple[str, ...] = ()) -> tuple[str, str]:
    """The sentence for people, and the verdict."""
    report = release_gate(measured, SETTINGS, list(degraded))
    words = in_plain_words(report.rows, report.verdict, measured, SETTINGS, never_trades=False)
    return words, report.verdict


def row(measured: GateEvidence, name: str) -> GateRow | None:
    rows = release_gate(measured, SETTINGS, []).rows
    return next((found for found in rows if found.name == name), None)


def test_drift_that_could_not_be_watched_is_told_how_long_it_takes() -> None:
    short = replace(GOOD, drift_unjudged="20 blocks; 30 needed", drift_blocks=20)
    words, verdict = said(short)
    assert verdict == "insufficient evidence"
    # 31 blocks at 20 in 73 days, of which the window has five times as many.
    assert "31 blocks of losses" in words
    assert "about 114 days of holdout (a window of 570 days)" in words
    equal = replace(GOOD, drift_unjudged="losses are all equal", drift_blocks=400)
    assert "blocks of losses on" not in said(equal)[0]
    assert "none could be counted yet" in said(replace(short, drift_blocks=0))[0]


def test_a_weak_deflated_ratio_is_told_the_days_at_which_it_holds() -> None:
    n, sharpe, trials = 255, 4.0, 200
    daily = sharpe / math.sqrt(365)

    def at(days: int) -> float:
        return deflated_sharpe_ratio(
            SharpeMoments(daily, days),
            trials=trials,
            trial_variance=null_trial_variance(days),
        )

    needed = observations_for_probability(at(n), daily, n, wanted=0.95)
    assert needed is not None
    assert n < needed
    assert at(math.ceil(needed)) == pytest.approx(0.95, abs=0.01)
    weak = replace(
        GOOD, deflated_development=at(n), development_sharpe=sharpe, development_days=float(n)
    )
    # Where the comparison is open as well, the weak figure lacks data, and its days are named.
    words, verdict = said(replace(weak, comparisons=(replace(BETTER, decision="undecided"),)))
    assert verdict == "insufficient evidence"
    days = math.ceil(needed)
    told = f"about {days} days of development (a window of {math.ceil(days / 0.7)} days)"
    assert told in words
    assert (
        told
        in release_gate(
            replace(weak, comparisons=(replace(BETTER, decision="undecided"),)), SETTINGS, []
        ).reason
    )


@pytest.mark.parametrize(
    ("probability", "sharpe", "days"), [(0.96, 0.2, 255), (0.0, 0.2, 255), (0.4, -0.1, 255)]
)
def test_no_days_are_named_where_none_are_lacking_or_none_would_do(
    probability: float, sharpe: float, days: int
) -> None:
    assert observations_for_probability(probability, sharpe, days, wanted=0.95) is None


def test_looks_that_wore_the_holdout_out_are_told_the_days_that_they_take() -> None:
    worn = replace(GOOD, deflated_holdout=0.9, comparisons=(replace(BETTER, decision="undecided"),))
    assert "3 looks take about" in said(worn)[0]
    assert "looks take" not in said(replace(worn, deflated_holdout=0.97))[0]


def test_where_only_a_fallback_bars_a_release_the_sentence_names_it() -> None:
    words, verdict = said(GOOD, ("stale bars", "one expert failed"))
    assert verdict == "insufficient evidence"
    assert "no release by a fallback: stale bars; one expert failed" in words
    assert "not yet shown" not in words
    both, _ = said(replace(GOOD, days=59.0), ("stale bars",))
    assert "not yet shown: track record; no release by a fallback: stale bars" in both


def test_days_are_counted_at_the_level_of_the_attempt_that_has_the_longest_way() -> None:
    open_still = replace(BETTER, decision="undecided")
    tenth = Comparison("champion", "undecided", 0.3, 4.0, level=0.0003, attempt=10)
    words, _ = said(replace(GOOD, comparisons=(tenth, open_still)))
    assert f"about {days_needed_sequentially(4.0, level=0.0003):.0f} days of holdout" in words
    found = row(replace(GOOD, comparisons=(tenth, open_still)), "better than champion")
    assert found is not None
    assert found.requirement == "decided by the sequential test, attempt 10, level 0.0003"


def test_every_setting_of_the_gate_and_of_validation_has_its_direction() -> None:
    named = [*rules.LOOSER_BELOW, *rules.LOOSER_ABOVE, *rules.NEITHER]
    there = [f"gate.{name}" for name in GateSettings.model_fields]
    there += [f"validation.{name}" for name in ValidationSettings.model_fields]
    assert sorted(named) == sorted(there)


@pytest.mark.parametrize("path", sorted(rules.LOOSER_BELOW | rules.LOOSER_ABOVE))
def test_a_looser_setting_is_named_and_a_stricter_one_is_not(path: str) -> None:
    group, name = path.split(".")
    kind: Any = {"gate": GateSettings, "validation": ValidationSettings}[group]
    usual = getattr(kind(), name)
    # A step so small that it keeps within every bound; whole numbers go by one.
    step = 1 if isinstance(usual, int) else 0.01
    lower = min(usual - step, usual) if path in rules.LOOSER_BELOW else usual + step
    if path == "validation.cost_stress":
        lower = 1.5
    for value, looser in ((lower, True), (usual, False), (2 * usual - lower, False)):
        groups = {"gate": GateSettings(), "validation": ValidationSettings()}
        groups[group] = kind(**{name: value})
        told = loosened(**groups)
        assert told == ((f"{path} {value:g} (default {usual:g})",) if looser else ())


def test_what_was_asked_less_of_is_shown_and_told_and_decides_nothing() -> None:
    name = "requirements looser than the defaults"
    assert row(GOOD, name) is None
    easy = replace(GOOD, loosened=("gate.minimum_trades 5 (default 30)",))
    found = row(easy, name)
    assert found is not None
    assert (found.passed, found.required) == (False, False)
    words, verdict = said(easy)
    assert verdict == "promote"
    assert words.endswith("asked less than by default: gate.minimum_trades 5 (default 30)")


def test_a_search_whose_sets_all_earn_passes_though_its_pbo_is_a_coin_flip() -> None:
    earning = np.random.default_rng(3).normal(0.006, 0.01, (255, 12))
    found = overfitting(earning)
    assert found["probability"] > 0.5
    assert found["loss_probability"] <= 0.05
    told = {"overfitting": found["probability"], "loss_probability": found["loss_probability"]}
    assert said(replace(GOOD, **told))[1] == "promote"
    noise = overfitting(np.random.default_rng(4).normal(0.0, 0.01, (255, 12)))
    assert noise["loss_probability"] > 0.2
    lucky = {"overfitting": 0.51, "loss_probability": noise["loss_probability"]}
    assert said(replace(GOOD, **lucky))[1] == "keep"


@pytest.mark.parametrize("sets", [0, 1])
def test_where_nothing_was_chosen_nothing_was_overfitted(sets: int) -> None:
    pinned = replace(GOOD, overfitting=None, loss_probability=None, distinct_sets=sets)
    assert said(pinned)[1] == "promote"
    found = row(pinned, "overfitting (PBO)")
    assert found is not None
    assert "nothing was chosen" in str(found.measured)
    assert said(replace(pinned, distinct_sets=2))[1] == "insufficient evidence"


def test_both_figures_of_the_choice_are_shown() -> None:
    found = row(GOOD, "overfitting (PBO)")
    assert found is not None
    assert found.measured == "0.100, probability of loss 0.300, 40 sets"
    assert found.requirement == "at most 0.5, or a probability of loss of at most 0.05"


def test_dependence_of_days_is_found_where_it_is_and_seldom_where_it_is_not() -> None:
    beyond = {0.0: 0, 0.4: 0}
    for seed in range(400):
        shocks = np.random.default_rng(seed).normal(0, 0.01, 147)
        for weight in beyond:
            days = shocks[1:] + weight * shocks[:-1]
            measured = replace(GOOD, days=146.0, day_dependence=day_dependence(days))
            found = row(measured, "dependence of days")
            assert found is not None
            assert not found.required
            beyond[weight] += not found.passed
    # Of independent days 5 %, a little less since the estimate leans down by 1 / n.
    assert 4 <= beyond[0.0] <= 28
    # A moving average of .4 has an autocorrelation of .345, over two limits of 146 days.
    assert beyond[0.4] > 380


def test_dependence_is_the_textbook_figure_and_is_left_out_where_it_says_nothing() -> None:
    days = np.random.default_rng(1).normal(0.5, 1.0, 60)
    centred = days - days.mean()
    lagged = sum(centred[t] * centred[t + 1] for t in range(59))
    assert day_dependence(days) == pytest.approx(lagged / sum(centred**2))
    assert day_dependence(days[:19]) is None
    assert day_dependence(np.zeros(60)) is None
    assert row(GOOD, "dependence of days") is None
