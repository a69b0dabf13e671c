"""Every member's stored predictions are refitted where it carries a weight, whatever its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers.partition_runs import again, held

from ares_assets.analyst import enhancement, enhancement_study, ensemble, out_of_fold
from ares_assets.analyst.cross_validation import PurgedKFold
from ares_assets.analyst.dataset import Examples, MarketExamples, everything_of
from ares_assets.analyst.enhancement_study import Choice
from ares_assets.analyst.experts.base import get_expert
from ares_assets.leak_proof.admission import gain_is_of_later_events
from ares_assets.leak_proof.votes import votes_are_out_of_fold
from ares_assets.stored import Stored

FOLDS = range(5)


def voted_by(honest: Stored, kind: str, table: Any = None) -> Stored:
    """The honest partition, as if this expert alone had the vote; its columns may be others."""
    if table is None:
        table = honest["analyst_specialists"].load()["out_of_fold.parquet"]
    voted = honest["analyst_ensemble"].load()["out_of_fold.parquet"]
    return held(
        honest,
        analyst_specialists={"out_of_fold.parquet": table},
        analyst_ensemble={
            "analyst.json": {"weights": {kind: 1.0}},
            "out_of_fold.parquet": voted.assign(probability=table[kind]),
        },
    )


def kinds(honest: Stored) -> list[str]:
    return sorted(honest.settings.analyst.experts)


def drawn(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    class Always:
        def integers(self, _: int) -> int:
            return number

    monkeypatch.setattr(np.random, "default_rng", lambda *_: Always())


@pytest.mark.parametrize("number", FOLDS)
def test_the_honest_columns_of_all_experts_are_those_of_every_fold(
    honest: Stored, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(monkeypatch, number)
    for kind in kinds(honest):
        passed, words = votes_are_out_of_fold(voted_by(honest, kind))
        assert passed, words
        assert f"{kind} (fold {number})" in words


def test_a_column_of_any_expert_that_knows_its_labels_is_noticed(honest: Stored) -> None:
    table = honest["analyst_specialists"].load()["out_of_fold.parquet"]
    for kind in kinds(honest):
        mixed = table.assign(**{kind: 0.999 * table[kind] + 0.001 * table["label"]})
        passed, words = votes_are_out_of_fold(voted_by(honest, kind, mixed))
        assert not passed
        assert f"{kind} of analyst_specialists" in words


def test_another_regimes_overlapping_events_in_training_are_noticed(
    honest: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    def by_own_events_alone(
        known: MarketExamples, train: Any, test: np.ndarray, **_: Any
    ) -> Examples:
        return known.everything.part(~np.isin(known.everything.rows, known.own.rows[test]))

    monkeypatch.setattr(out_of_fold, "training_part", by_own_events_alone)
    analyst = honest.settings.analyst
    specialists = honest["analyst_specialists"].load()
    leaking = out_of_fold.out_of_fold(
        get_expert("multilevel"),
        everything_of(honest["analyst_dataset"].load(), "development"),
        splitter=PurgedKFold(analyst.folds, analyst.embargo_bars),
        parameters=specialists["recipes.json"]["multilevel"],
        seed=0,
        threads=1,
    )
    table = specialists["out_of_fold.parquet"].assign(multilevel=leaking)
    passed, words = votes_are_out_of_fold(voted_by(honest, "multilevel", table))
    assert not passed
    assert "multilevel of analyst_specialists, fold" in words


def kept_whatever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Step 6 keeps a linear expert of a few features, whatever its study says."""

    def few(_: Any, ranking: Any) -> Choice:
        return Choice("linear", {"prior_variance": 1.0, "clip": 8.0}, tuple(ranking.columns[:9]))

    def admitted(*arguments: Any) -> Any:
        return True, *judge(*arguments)[1:]

    judge = enhancement._judge
    for module in (enhancement, enhancement_study):
        monkeypatch.setattr(module, "choice_of", few)
    monkeypatch.setattr(enhancement, "_judge", admitted)


def test_an_enhanced_model_in_its_seat_is_refitted_and_counts_on_later_events_alone(
    honest: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_whatever(monkeypatch)
    seated = again(honest, tmp_path / "seated", 6, 7)
    passed, words = votes_are_out_of_fold(seated)
    assert passed, words
    assert "enhanced (fold" in words
    passed, words = gain_is_of_later_events(seated)
    assert passed, words
    assert "the gain of" in words
    monkeypatch.setattr(ensemble, "seated_votes", lambda votes, new, kind, _: {**votes, kind: new})
    everywhere = again(honest, tmp_path / "everywhere", 6, 7)
    monkeypatch.undo()
    passed, words = votes_are_out_of_fold(everywhere)
    assert not passed
    assert "the members' votes make" in words


def test_a_gain_from_folds_that_look_ahead_is_noticed(
    honest: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "nothing was admitted" in gain_is_of_later_events(honest)[1]
    kept_whatever(monkeypatch)

    def ahead(folds: int, _: float, embargo_bars: int) -> PurgedKFold:
        return PurgedKFold(folds, embargo_bars)

    monkeypatch.setattr(enhancement, "PurgedForward", ahead)
    leaking = again(honest, tmp_path, 6, 6)
    monkeypatch.undo()
    passed, words = gain_is_of_later_events(leaking)
    assert not passed
    assert "forecasts from earlier events give" in words


def test_a_study_that_looks_at_all_events_is_noticed(
    honest: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_whatever(monkeypatch)
    study = enhancement.run_study
    known = everything_of(honest["analyst_dataset"].load(), "development")
    monkeypatch.setattr(enhancement, "run_study", lambda _, *others: study(known, *others))
    leaking = again(honest, tmp_path, 6, 6)
    monkeypatch.undo()
    passed, words = gain_is_of_later_events(leaking)
    assert not passed
    assert "on events before the later part it scores" in words


def test_other_weights_than_those_released_are_noticed(honest: Stored) -> None:
    other = voted_by(honest, "linear")
    other["analyst_ensemble"].value["analyst.json"] = {"weights": {"linear": 0.5, "forest": 0.5}}  # type: ignore[attr-defined]
    passed, words = votes_are_out_of_fold(other)
    assert not passed
    assert "the members' votes make" in words
    table = other["analyst_ensemble"].load()["out_of_fold.parquet"].iloc[1:]
    other["analyst_ensemble"].value["out_of_fold.parquet"] = table  # type: ignore[attr-defined]
    assert "other rows" in votes_are_out_of_fold(other)[1]
