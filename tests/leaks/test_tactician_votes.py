"""Step 9's and 10's votes are refitted, and step 10's figures counted, part by part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.partition_runs import held

from ares_assets.leak_proof.ranking import _chosen_otherwise, ranking_saw_no_later_event
from ares_assets.leak_proof.tactician_votes import (
    _refitted,
    _voters,
    tactician_votes_are_out_of_fold,
)
from ares_assets.stored import Stored


def drawn(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    class Always:
        def integers(self, _: int) -> int:
            return number

    monkeypatch.setattr(np.random, "default_rng", lambda *_: Always())


@pytest.mark.parametrize("number", range(5))
def test_the_honest_votes_are_those_of_every_fold(
    honest: Stored, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn(monkeypatch, number)
    passed, words = tactician_votes_are_out_of_fold(honest)
    assert passed, words
    names = list(honest["tactician_specialists"].load()["out_of_fold.parquet"])
    assert len(names) == 6
    assert all(f"{name} (fold {number})" in words for name in [*names, "wait"])


def votes_of(honest: Stored) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    labels = honest["tactician_dataset"].load()["labels.parquet"]
    votes = honest["tactician_specialists"].load()["out_of_fold.parquet"]
    return labels, votes, honest["tactician_ensemble"].load()["out_of_fold.parquet"]


def test_a_label_in_any_vote_is_noticed_and_named(honest: Stored) -> None:
    labels, votes, decided = votes_of(honest)
    for name in votes:
        mixed = 0.999 * votes[name] + 0.001 * labels["take"]
        leaking = held(
            honest,
            tactician_specialists={"out_of_fold.parquet": votes.assign(**{name: mixed})},
            tactician_ensemble={"out_of_fold.parquet": decided.assign(**{f"take-{name}": mixed})},
        )
        passed, words = tactician_votes_are_out_of_fold(leaking)
        assert not passed
        assert f"{name} of tactician_specialists, fold" in words
    wait = 0.999 * decided["wait"] + 0.001 * labels["wait"]
    leaking = held(honest, tactician_ensemble={"out_of_fold.parquet": decided.assign(wait=wait)})
    passed, words = tactician_votes_are_out_of_fold(leaking)
    assert not passed
    assert "wait of tactician_ensemble, fold" in words


def test_a_member_of_one_class_is_the_base_rate_of_its_training_signals(honest: Stored) -> None:
    """What a tactician falls back to where there is nothing to tell apart."""
    labels, _, decided = votes_of(honest)
    voter = next(_voters(honest, decided))
    train = np.arange(len(labels)) < 500
    object.__setattr__(voter, "labels", np.arange(len(labels)) < 3)
    found = _refitted(
        voter, train, np.arange(600, 610), weights=np.ones(len(labels)), seed=0, threads=1
    )
    assert found == pytest.approx(np.full(10, 3 / 500))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("other votes", lambda t: t.assign(**{t.columns[4]: t[t.columns[4]] + 1e-6})),
        ("other signals", lambda t: t.iloc[1:]),
        ("other outcomes", lambda t: t.assign(net_return=t["net_return"].clip(lower=0.0))),
    ],
)
def test_columns_that_are_not_those_of_steps_8_and_9_are_noticed(
    honest: Stored, name: str, change: Any
) -> None:
    table = change(votes_of(honest)[2])
    passed, words = tactician_votes_are_out_of_fold(
        held(honest, tactician_ensemble={"out_of_fold.parquet": table})
    )
    assert not passed, name
    assert "step 10 decided on something else than steps 8 and 9 store" in words


def told(honest: Stored, **changes: Any) -> Stored:
    report = honest["tactician_ensemble"].load()["report.json"]
    ensemble = {**report["ensemble"], **changes}
    return held(honest, tactician_ensemble={"report.json": {**report, "ensemble": ensemble}})


def test_a_report_of_other_votes_is_noticed(honest: Stored) -> None:
    report = honest["tactician_ensemble"].load()["report.json"]
    utility = report["ensemble"]["utility"]
    assert utility["traded"] > 0
    for name, leaking in {
        "log-loss": told(honest, log_loss=0.5),
        "turnover": told(honest, turnover=0.0),
        "trades": told(honest, utility={**utility, "traded": utility["traded"] + 1}),
        "utility": told(honest, utility={**utility, "mean": utility["mean"] + 1e-6}),
    }.items():
        passed, words = tactician_votes_are_out_of_fold(leaking)
        assert not passed
        assert words.startswith(f"{name}: ")
        assert "the stored votes make" in words
    passed, words = tactician_votes_are_out_of_fold(told(honest, method="best_member"))
    assert (passed, words) == (False, "step 10 makes another report.json of the stored votes")


def test_figures_that_step_10_does_not_make_of_its_votes_are_noticed(honest: Stored) -> None:
    for name, words in {
        "utility_cross_fitted": "cross-fitted utility: 1.0 is told, but purged folds give",
        "utility_sized": "utility_sized: 1.0 is told, but step 10 makes",
    }.items():
        leaking = held(honest, tactician_ensemble={})
        leaking["tactician_ensemble"].metadata[name] = 1.0  # type: ignore[index]
        passed, found = tactician_votes_are_out_of_fold(leaking)
        assert not passed
        assert found.startswith(words)


def test_a_ranking_that_does_not_follow_from_its_figures_is_noticed(honest: Stored) -> None:
    ranking = honest["enhanced_analysts"].load()["ranking.parquet"]
    swapped = ranking.iloc[[1, 0, *range(2, len(ranking))]].reset_index(drop=True)
    passed, words = ranking_saw_no_later_event(
        held(honest, enhanced_analysts={"ranking.parquet": swapped})
    )
    assert not passed
    first, second = ranking["feature"][:2]
    assert words == f"{first} is ranked below {second}, but its importance is higher"


def test_features_that_pass_over_better_ones_are_noticed(honest: Stored) -> None:
    value = honest["enhanced_analysts"].load()
    names = list(value["ranking.parquet"]["feature"])

    def chosen(kind: str, features: list[str]) -> str | None:
        return _chosen_otherwise({"kind": kind, "features": features}, names)

    assert chosen("linear", sorted(names[:9])) is None
    odd = f"the winner learns from {names[6]}, but not from {names[5]} above it"
    assert chosen("linear", [*names[:5], names[6]]) == odd
    shares = ["p_bull", "p_bear", "p_sideways"]
    assert chosen("multilevel", [*names[:5], *shares]) is None
    assert chosen("linear", [*names[:5], *shares]) is not None
    winner = {**value["enhancement.json"]["candidate"], "features": names[1:]}
    found = {**value["enhancement.json"], "candidate": winner}
    passed, words = ranking_saw_no_later_event(
        held(honest, enhanced_analysts={"enhancement.json": found})
    )
    assert not passed
    assert f"not from {names[0]} above it" in words
