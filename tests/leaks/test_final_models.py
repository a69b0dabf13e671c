"""Every final model, whichever is drawn, and every choice, against what development gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from helpers.partition_runs import again, held

from ares_assets.analyst.dataset import everything_of
from ares_assets.analyst.experts.base import get_expert
from ares_assets.analyst.experts.training_data import MINIMUM_ROWS_PER_CLASS
from ares_assets.leak_proof import choices, final_models
from ares_assets.leak_proof.differences import other_values
from ares_assets.leak_proof.evidence import confined, signals_before_calibration
from ares_assets.leak_proof.tactician_votes import (
    fitted_tactician,
    tactician_votes_are_out_of_fold,
)
from ares_assets.leak_proof.votes import seed_of
from ares_assets.stored import Stored
from ares_assets.tactician import rules, specialists, timing
from ares_resources.settings import ExpertKind, RegimeSettings
from leaks import planted_finals as finals
from leaks.test_votes import kept_whatever

ALGORITHMS = get_args(RegimeSettings.model_fields["algorithm"].annotation)
KINDS = get_args(ExpertKind)


def drawn(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    """This model is drawn wherever it may be."""

    def draw(_: Stored, __: str, names: list[str]) -> str:
        return wanted if wanted in names else names[0]

    monkeypatch.setattr(final_models, "_drawn", draw)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_regime_model_of_any_algorithm_is_that_of_development(
    algorithm: str, honest: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = honest.settings
    other = settings.regimes.model_copy(update={"algorithm": algorithm})
    asked = Stored(honest)
    asked.workspace = honest.workspace
    asked.request = replace(honest.request, settings=settings.model_copy(update={"regimes": other}))
    passed, words = final_models.regime_model_saw_development_only(
        again(asked, tmp_path / "honest", 2, 2)
    )
    assert passed, words
    finals.regimes_fitted_until(None)(monkeypatch)
    leaking = again(asked, tmp_path / "leaking", 2, 2)
    monkeypatch.undo()
    passed, words = final_models.regime_model_saw_development_only(leaking)
    assert not passed
    assert "give another regime model than the stored one" in words


@pytest.mark.parametrize("kind", KINDS)
def test_an_expert_of_any_kind_is_that_of_development(
    kind: str, honest: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(monkeypatch, kind)
    passed, words = final_models.specialists_saw_development_only(honest)
    assert passed, words
    assert f"{kind} (of " in words
    files = expert_of_all_roles(honest, kind)
    leaking = held(
        honest, analyst_specialists={f"{kind}-{name}": data for name, data in files.items()}
    )
    passed, words = final_models.specialists_saw_development_only(leaking)
    assert not passed
    assert words.startswith(f"{kind} expert: {min(files)} ")


def expert_of_all_roles(honest: Stored, kind: str) -> dict[str, bytes]:
    """The files of step 5's expert, had it been fitted on calibration's events too."""
    known, expert = everything_of(honest["analyst_dataset"].load(), None), get_expert(kind)
    events = known.own if expert.scope == "regime" else known.everything
    model = expert.fit(
        events.features,
        events.labels,
        events.weights,
        parameters=honest["analyst_specialists"].load()["recipes.json"][kind],
        seed=seed_of(honest, "analyst_specialists"),
        threads=honest.settings.threads,
    )
    return model.to_files()


def test_which_model_is_drawn_follows_the_seed(honest: Stored) -> None:
    seen = set()
    for seed in range(40):
        asked = Stored(honest)
        asked.workspace = honest.workspace
        settings = honest.settings.model_copy(update={"seed": seed})
        asked.request = replace(honest.request, settings=settings)
        names = sorted(KINDS)
        once = final_models._drawn(asked, "analyst_specialists", names)
        assert once == final_models._drawn(asked, "analyst_specialists", names)
        seen.add(once)
    assert seen == set(KINDS)


def test_an_enhanced_model_in_its_seat_is_that_of_development(
    honest: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_whatever(monkeypatch)
    seated = again(honest, tmp_path / "seated", 6, 7)
    assert seated["analyst_ensemble"].load()["selection.json"]["enhanced_seat"] == "linear"
    for check in (
        final_models.enhanced_model_saw_development_only,
        choices.ensemble_saw_development_only,
    ):
        passed, words = check(seated)
        assert passed, words
    finals.final_fit_on_all_roles("regime")(monkeypatch)
    leaking = again(honest, tmp_path / "leaking", 6, 7)
    passed, words = final_models.enhanced_model_saw_development_only(leaking)
    assert not passed
    assert words.startswith("linear model of step 6: linear.json ")


def test_any_take_model_is_that_of_signals_before_calibration(
    honest: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = honest["tactician_specialists"].load()
    names = [one["name"] for one in value["specialists.json"]]
    assert len(names) == 6
    for name in names:
        drawn(monkeypatch, name)
        passed, words = final_models.take_models_saw_development_only(honest)
        assert passed, words
        assert f"{name} (of 6)" in words
    labels = honest["tactician_dataset"].load()["labels.parquet"]
    fewer = held(honest, tactician_dataset={"labels.parquet": labels.assign(take=labels["wait"])})
    for name in names:
        drawn(monkeypatch, name)
        passed, words = final_models.take_models_saw_development_only(fewer)
        assert not passed
        assert words.startswith(f"take model {name}: ")


@pytest.mark.parametrize("ones", [0, MINIMUM_ROWS_PER_CLASS - 1, MINIMUM_ROWS_PER_CLASS, 60])
@pytest.mark.parametrize("kind", specialists.KINDS)
def test_a_tactician_is_fitted_again_as_step_9_fits_it(kind: str, ones: int) -> None:
    draws = np.random.default_rng(ones)
    features = pd.DataFrame(draws.normal(size=(120, 3)), columns=list("abc"))
    labels = (np.arange(120) < ones).astype(np.int64)
    weights = np.where(np.arange(120) == 0, 0.0, 1.0)
    how: dict[str, Any] = {"weights": weights, "seed": 3, "threads": 1}
    fitted = specialists._fit(features, labels, kind=kind, parameters=None, **how)
    files = fitted_tactician(kind, features, labels, **how).to_files()
    assert files == fitted.to_files()
    assert files == fitted_tactician(fitted.kind, features, labels, **how).to_files()


def waits_whatever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Step 10 keeps the wait model, whatever it brings."""
    honest = rules.train_timing

    def kept(*arguments: Any, **named: Any) -> Any:
        return replace(honest(*arguments, **named), kept=True)

    monkeypatch.setattr(rules, "train_timing", kept)


def test_a_wait_model_that_is_released_is_that_of_signals_before_calibration(
    honest: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_whatever(monkeypatch)
    waiting = again(honest, tmp_path / "waiting", 10, 10)
    released = [n for n in waiting["tactician_ensemble"].load() if n.startswith("wait-")]
    assert released
    passed, words = tactician_votes_are_out_of_fold(waiting)
    assert passed, words
    with pytest.MonkeyPatch.context() as patch:
        finals.final_models_of_later_signals(timing, "wait")(patch)
        leaking = again(honest, tmp_path / "leaking", 8, 10)
    passed, words = tactician_votes_are_out_of_fold(leaking)
    assert (passed, words) == (False, f"step 10 makes another {released[0]} of the stored votes")


def test_only_events_and_signals_within_their_role_are_left(honest: Stored) -> None:
    """By their rows, too: a step that gave a later event an earlier role gains nothing."""
    bundle = honest["analyst_dataset"].load()
    events = bundle["events.parquet"]
    own = events[events["role"] == "development"]
    left = confined(honest, "development")
    assert list(left["events.parquet"]["row"]) == list(own["row"])
    assert len(left["features.parquet"]) == len(own)
    renamed = held(honest, analyst_dataset={"events.parquet": events.assign(role="development")})
    assert list(confined(renamed, "development")["events.parquet"]["row"]) == list(own["row"])
    earlier = held(honest, analyst_dataset={"events.parquet": events.assign(role="calibration")})
    calibration = confined(earlier, "calibration")["events.parquet"]["row"]
    assert list(calibration) == list(events.loc[events["role"] == "calibration", "row"])
    dataset = honest["tactician_dataset"].load()
    labels = dataset["labels.parquet"]
    late = labels["settled_row"].where(labels.index < 500, 10**6)
    fewer = held(honest, tactician_dataset={"labels.parquet": labels.assign(settled_row=late)})
    assert {len(part) for part in signals_before_calibration(fewer).values()} == {500}
    assert {len(part) for part in signals_before_calibration(honest).values()} == {len(labels)}


Change = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.mark.parametrize(
    ("asset", "file", "change"),
    [
        ("analyst_ensemble", "analyst.json", lambda v: {**v, "weights": {"forest": 1.0}}),
        ("analyst_ensemble", "selection.json", lambda v: {**v, "events": v["events"] + 1}),
        ("calibrated_confidence", "conformal.json", lambda v: {**v, "threshold": 0.5}),
        ("calibrated_confidence", "report.json", lambda v: {**v, "events": v["events"] + 1}),
    ],
)
def test_a_choice_that_its_events_do_not_give_is_noticed(
    asset: str, file: str, change: Change, honest: Stored
) -> None:
    checks = {
        "analyst_ensemble": choices.ensemble_saw_development_only,
        "calibrated_confidence": choices.calibrator_saw_its_slice_only,
    }
    passed, words = checks[asset](honest)
    assert passed, words
    changed = held(honest, **{asset: {file: change(honest[asset].load()[file])}})
    passed, words = checks[asset](changed)
    assert not passed
    assert f"makes another {file} of the " in words
    untrue = held(honest, **{asset: {}})
    name = min(untrue[asset].metadata)
    untrue[asset].metadata[name] = "untrue"
    passed, words = checks[asset](untrue)
    assert not passed
    assert words.startswith(f"{name}: 'untrue' is told, but step")


def test_the_first_place_where_two_values_differ_is_named() -> None:
    one = {"a": [1.0, {"b": 2}], "c": "x"}
    assert other_values(one, {"c": "x", "a": (1.0, {"b": 2})}) is None
    assert other_values(one, {"a": [1.0, {"b": 3}], "c": "x"}) == "a[1].b is 2 instead of 3"
    assert other_values(one, {"a": [1.0], "c": "x"}) == "a is [1.0, {'b': 2}] instead of [1.0]"
    assert other_values({"a": 1.0}, {"a": 1}) == "a is 1.0 instead of 1"
    assert other_values([], {}) == "it is [] instead of {}"
