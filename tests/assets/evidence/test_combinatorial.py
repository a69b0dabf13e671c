"""CPCV stays on development, the walk shows its purge, drift starts before the holdout."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from helpers.partition_runs import trained

from ares_assets.analyst.cross_validation import CombinatorialPurged
from ares_assets.analyst.dataset import MarketExamples
from ares_assets.engine import Work
from ares_assets.release import combinatorial, holdout_drift
from ares_assets.release.combinatorial import judge_combinatorial
from ares_assets.release.holdout import HoldoutCase, judge_frozen
from ares_assets.release.holdout_refits import judge_refits
from ares_assets.step13_walk_forward_validation import SPEC, holdout_case
from ares_assets.stored import Stored
from ares_resources.errors import PartitionSkipped
from ares_resources.exchanges.simulated import symbols
from ares_resources.settings import load_settings

FIT = {"embargo_bars": 60, "seed": 1, "threads": 1}
SETTINGS: dict[str, Any] = {
    "enhanced_training_manager": {"blank": {"n_trials": 1, "max_trials": 2}},
    "analyst": {"experts": ["linear", "forest"]},
    "labels": {"horizon_bars": 15, "event_every_bars": 15},
    "costs": {"fee_bp": 0.0, "slippage_bp": 0.0},
    "threads": 1,
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    # Three times the edge, or a month's tactician would sit every signal out.
    recipe, seed = symbols.REALISTIC["ETHUSDT"]
    with pytest.MonkeyPatch.context() as patch:
        strong = dataclasses.replace(recipe, edge=3 * recipe.edge)
        patch.setitem(symbols.REALISTIC, "ETHUSDT", (strong, seed))
        return trained(tmp_path_factory.mktemp("case"), regime="sideways", last=12, **SETTINGS)


@pytest.fixture(scope="module")
def case(stored: Stored) -> HoldoutCase:
    work = Work(SPEC, stored.request, stored.workspace)
    found = holdout_case(work, **{name: stored[name] for name in SPEC.inputs})
    eager = dataclasses.replace(
        found.model, parameters={**found.model.parameters, "enter_margin": 0.0}
    )
    return dataclasses.replace(found, model=eager)


def test_a_holdout_of_too_few_decisions_names_the_window_that_would_do(
    stored: Stored, case: HoldoutCase
) -> None:
    settings = load_settings({**SETTINGS, "validation": {"refits": 1000}}, mode="blank")
    work = Work(SPEC, dataclasses.replace(stored.request, settings=settings), stored.workspace)
    with pytest.raises(PartitionSkipped) as skipped:
        holdout_case(work, **{name: stored[name] for name in SPEC.inputs})
    found = len(case.holdout)
    days = math.ceil(stored["market_data"].metadata["window_days"] * 1000 / found)
    assert str(skipped.value) == (
        f"{found} sideways decisions with a known outcome in the holdout; 1000 are the least that "
        f"can be walked through; about {days} days of window would do at this pace "
        "(--lookback-days)"
    )


@pytest.fixture(scope="module")
def report(case: HoldoutCase) -> dict[str, Any]:
    return judge_combinatorial(case, **FIT)


def test_development_and_calibration_are_disjoint_and_no_label_crosses(case: HoldoutCase) -> None:
    development, calibration = case.development, case.calibration
    assert len(development) + len(calibration) == len(case.past.own)
    assert development.everything.t1_rows.max() < case.history_row <= calibration.rows.min()
    assert calibration.t1_rows.max() < case.first_row


def test_nothing_after_development_changes_it(case: HoldoutCase, report: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    cut = case.history_row
    frame, features = case.frame.copy(), case.features.copy()
    scale = np.exp(rng.normal(0, 0.01, len(frame) - cut))
    for name in ("open", "high", "low", "close"):
        frame.loc[frame.index[cut:], name] *= scale
    features.iloc[cut:] = rng.normal(size=features.iloc[cut:].shape)
    everything = case.past.everything
    later = everything.rows >= cut
    labels = np.where(later, 1 - everything.labels, everything.labels)
    past = MarketExamples(dataclasses.replace(everything, labels=labels), case.past.member)
    other = dataclasses.replace(case, frame=frame, features=features, past=past)
    assert judge_combinatorial(other, **FIT) == report
    changed = np.where(later, everything.labels, 1 - everything.labels)
    past = MarketExamples(dataclasses.replace(everything, labels=changed), case.past.member)
    assert judge_combinatorial(dataclasses.replace(case, past=past), **FIT) != report


def test_five_paths_are_traded_and_summed_up(report: dict[str, Any]) -> None:
    json.dumps(report, allow_nan=False)
    sharpe = np.array(report["sharpe"])
    assert report["paths"] == len(sharpe) == len(report["auc"]) == len(report["trades"]) == 5
    assert min(report["trades"]) > 0
    assert len(set(report["sharpe"])) == 5
    assert report["sharpe_median"] == pytest.approx(np.median(sharpe))
    assert report["sharpe_quantiles"]["0.25"] == pytest.approx(np.quantile(sharpe, 0.25))
    assert report["losing_paths"] == np.mean(sharpe <= 0)
    fall = report["sharpe_in_sample"] - report["sharpe_median"]
    assert report["deterioration"]["sharpe"] == pytest.approx(fall)
    assert "after selection" in report["judged_on"]


def test_models_know_what_they_were_trained_on_better(report: dict[str, Any]) -> None:
    assert report["auc_in_sample"] > max(report["auc"])
    assert report["deterioration"]["auc"] > 0.02


def test_a_path_is_predicted_by_models_that_have_not_seen_it(
    case: HoldoutCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With models that answer with the share of asked events they know, a path says 0."""
    rows = case.development.own.rows
    seen: list[np.ndarray] = []

    def fitted(case: Any, known: Any, embargo: int, train: Any, test: Any, **_: Any) -> Any:
        assert not np.intersect1d(train, test).size
        seen.append(train)
        return {"train": rows[train]}

    def vote(case: Any, models: Any, known: Any) -> np.ndarray:
        return np.isin(known.rows, models["train"]).astype(float)

    told: list[np.ndarray] = []
    monkeypatch.setattr(combinatorial, "fit_members", fitted)
    monkeypatch.setattr(combinatorial, "vote", vote)
    monkeypatch.setattr(
        combinatorial, "_traded", lambda case, rows, raw: (told.append(raw), (0.0, 0))[1]
    )
    judge_combinatorial(case, **FIT)
    assert len(seen) == 15
    *paths, inside = told
    assert len(paths) == CombinatorialPurged(6, 2).path_count
    assert all((path == 0).all() for path in paths)
    assert (inside == 1).all()


def test_the_walk_shows_its_purge_and_what_it_keeps(case: HoldoutCase) -> None:
    found = judge_refits(case, refits=2, **FIT, progress=lambda *_: None).report
    assert "tactician" in found["frozen"]
    assert "calibrator" in found["frozen"]
    for scheme in ("anchored", "rolling"):
        purge = found["schemes"][scheme]["purge"]
        assert purge["horizon_bars"] == case.model.settings.labels.horizon_bars
        assert all(gap > 60 for gap in purge["gap_bars"])
        assert len(purge["purged"]) == 2


def test_drift_is_watched_from_calibration_on(case: HoldoutCase) -> None:
    frozen = judge_frozen(case)
    found = holdout_drift.measure_drift(case, frozen, seed=1, level=0.2)
    json.dumps(found, allow_nan=False)
    assert found["loss"]["level"] == 0.2
    base = holdout_drift.base_rate(case.development.own)
    before = holdout_drift.calibration_losses(case.model, case.calibration, base)
    assert before.known_row.max() < case.first_row
    assert found["mean_loss_before"] == pytest.approx(before.loss.mean())
    loss = found["loss"]
    assert len(loss["known_at_ms"]) == len(loss["alarms"])
    assert loss["unjudged"] is not None or loss["reference"] >= len(before.loss)


def test_losses_do_not_change_when_the_future_is_cut(case: HoldoutCase) -> None:
    full = holdout_drift.holdout_losses(case, judge_frozen(case))
    for cut in np.random.default_rng(4).integers(case.holdout.rows[40], len(case.frame), 4):
        begun = dataclasses.replace(
            case,
            frame=case.frame.iloc[:cut],
            features=case.features.iloc[:cut],
            regimes=case.regimes.iloc[:cut],
            rows=case.rows[case.rows < cut],
            market_rows=case.market_rows[case.market_rows < cut],
            served_rows=case.served_rows[case.served_rows < cut],
        )
        found = holdout_drift.holdout_losses(begun, judge_frozen(begun))
        size = len(found.loss)
        assert size > 10
        assert (found.loss == full.loss[:size]).all()
        assert (found.known_row == full.known_row[:size]).all()
        # All that could be known by then but the block that is still open.
        assert size >= np.count_nonzero(full.known_row < cut) - 1


def test_refolded_probabilities_come_from_other_folds(case: HoldoutCase) -> None:
    known = case.calibration
    raw = case.model.analyst.probability(known.features)
    first = np.arange(len(known)) < len(known) // 5
    flipped = dataclasses.replace(known, labels=np.where(first, 1 - known.labels, known.labels))
    once, again = (holdout_drift.refolded("platt", raw, k) for k in (known, flipped))
    # The first fifth's own labels do not calibrate it; they do the rest.
    assert (once[: first.sum()] == again[: first.sum()]).all()
    assert (once[first.sum() :] != again[first.sum() :]).any()
    assert (holdout_drift.refolded("identity", raw, known) == np.clip(raw, 1e-6, 1 - 1e-6)).all()
