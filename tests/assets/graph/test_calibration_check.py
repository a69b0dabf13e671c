"""The check of calibration warns where probabilities mislead, and where none could be judged."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from ares_assets.evidence.conformal import fit_conformal
from ares_assets.evidence.holdout_calibration import holdout_calibration
from ares_assets.release_checks import probabilities_are_calibrated
from ares_assets.stored import Finding, Stored

EVENTS = 2000


def _finding(calibration: dict[str, Any]) -> Finding:
    report = SimpleNamespace(load=lambda: {"report.json": {"calibration": calibration}})
    return probabilities_are_calibrated(
        Stored(walk_forward_report=report)  # type: ignore[arg-type]
    )


def _calibration(stretch: float) -> dict[str, Any]:
    """Claims whose log-odds are ``stretch`` times the true ones."""
    rng = np.random.default_rng(4)
    truth = rng.uniform(0.2, 0.8, EVENTS)
    labels = (rng.random(EVENTS) < truth).astype(np.int8)
    odds = stretch * np.log(truth / (1 - truth))
    claimed = 1 / (1 + np.exp(-odds))
    rows = 10 * np.arange(EVENTS)
    half = EVENTS // 2
    sets = fit_conformal(claimed[:half], labels[:half], coverage=0.9)
    later = slice(half, None)
    return holdout_calibration(
        claimed[later],
        labels[later],
        np.ones(EVENTS - half),
        rows[later],
        rows[later] + 5,
        sets=sets,
        bins=10,
        seed=1,
    )


def test_true_probabilities_pass_and_overconfident_ones_are_told() -> None:
    true = _finding(_calibration(1.0))
    assert true.passed
    assert true.figures["events"] == EVENTS // 2
    wrong = _finding(_calibration(3.0))
    assert not wrong.passed
    assert wrong.figures["ece"] > wrong.figures["ece_noise_95_fitted"]
    assert "calibration error" in wrong.words


def test_a_holdout_without_events_is_not_called_calibrated() -> None:
    empty = holdout_calibration(
        *(np.empty(0) for _ in range(5)),
        sets=fit_conformal(np.array([0.4, 0.6]), np.array([0, 1]), coverage=0.9),
        bins=10,
        seed=1,
    )
    found = _finding(empty)
    assert (found.passed, found.words) == (False, "the holdout has no labelled event to judge by")
