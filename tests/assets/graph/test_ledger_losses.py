"""Who loses the ledger gains nothing by it, and is barred no longer than until it is entered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from helpers.ledger_home import DAY, NOW, SHARPE, bars, judged, other, stored, work_in

from ares_assets.counted_looks import Looks, count_looks, record_look
from ares_assets.engine import Work
from ares_assets.ledger_counts import losses_in_words, trial_count
from ares_assets.ledger_losses import enter_losses
from ares_resources.storage.artifacts import Artifact

STUDY = "ETHUSDT.SIM/bull/parameters"


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return work_in(tmp_path)


def without_ledger(work: Work) -> Work:
    """The same home after its ledger was deleted."""
    for path in work.workspace.home.root.glob("trials.db*"):
        path.unlink()
    return other(work)


def counted(work: Work, report: Artifact, distinct_sets: int = 0) -> dict[str, Any]:
    """What step 14's fingerprint says of this report."""
    searches = {
        name: stored(work, name, distinct_sets=distinct_sets)
        for name in ("enhanced_analysts", "final_parameters")
    }
    return json.loads(trial_count(work, {**searches, "walk_forward_report": report}))


def deflated(work: Work, report: Artifact) -> dict[str, Any]:
    """Step 14 as far as it has to do with the ledger; what it was told."""
    found = counted(work, report)
    sight = report.metadata["sight"]
    if not found["present_lost"]:
        record_look(work, bars(work, report.metadata["holdout_start_ms"] + 20 * DAY), sight, SHARPE)
    enter_losses(work, found["losses"])
    stored(
        work,
        "monte_carlo_report",
        sight=sight,
        holdout_looks=found["looks"],
        trials=found["trials"],
        trial_variance_a_year=found["variance"],
    )
    return found


def tried(work: Work, *names: str) -> None:
    trials = [(name, "complete", [1.0], float(at)) for at, name in enumerate(names)]
    work.workspace.ledger.record(STUDY, trials)


def test_a_look_that_must_have_been_entered_and_is_not_is_lost_and_counts(work: Work) -> None:
    report = judged(work, "a", record=False)
    assert count_looks(work, report) == Looks(1, 1, 0, present_lost=True)


def test_looks_that_only_stored_reports_tell_of_are_lost_and_count(work: Work) -> None:
    for model in ("a", "b", "c"):
        judged(work, model)
    anew = without_ledger(work)
    report = judged(anew, "d")
    for _ in range(2):  # Counting enters nothing.
        assert count_looks(anew, report) == Looks(4, 3, 0, present_lost=False)


def test_a_loss_is_said_once_with_the_remedy_and_counts_for_ever(work: Work) -> None:
    tried(work, *"pqrst")
    for model in ("a", "b", "c"):
        before = deflated(work, judged(work, model))
    assert (before["looks"], before["trials"], losses_in_words(before)) == (3, 5, ())
    anew = without_ledger(work)
    tried(anew, "u")
    first = deflated(anew, judged(anew, "d"))
    assert losses_in_words(first) == (
        "the trial ledger has lost 3 looks at the holdout of this partition and 5 trials: put"
        " trials.db back from a copy, or run again with the loss entered, which then counts for"
        " good",
    )
    for report in (judged(anew, "d"), judged(anew, "d"), judged(anew, "e")):
        later = deflated(anew, report)
        assert losses_in_words(later) == ()
        assert later["trials"] == first["trials"] == 5 + 1
        assert later["variance"] == before["variance"] > 0.0
    assert (first["looks"], later["looks"]) == (4, 5)


def test_a_ledger_lost_again_and_again_never_counts_less(work: Work) -> None:
    looks, trials, variance = 0, 0, 0.0
    for at in range(5):
        tried(work, f"p{at}", f"q{at}")
        for model in (f"a{at}", f"b{at}"):
            found = deflated(work, judged(work, model))
            looks, trials = looks + 1, max(trials, 2 * (at + 1))
            assert found["looks"] >= looks
            assert found["trials"] >= trials
            assert found["variance"] >= variance
            variance = found["variance"]
        work = without_ledger(work)


def test_looks_by_other_requirements_are_lost_with_the_ledger_and_count(work: Work) -> None:
    """One report of step 13 stands for three looks; the reports of step 14 tell of them."""
    report = judged(work, "a")
    for ruin in (0.05, 0.1, 0.2):
        deflated(other(work, gate={"maximum_ruin": ruin}), report)
    anew = without_ledger(work)
    assert deflated(anew, judged(anew, "b"))["looks"] == 4
    assert deflated(anew, judged(anew, "b"))["looks"] == 4


def test_reports_that_step_14_never_saw_count_beside_those_that_it_told_of(work: Work) -> None:
    for model in ("a", "b"):
        deflated(work, judged(work, model))
    for model in ("c", "d"):
        judged(work, model)
    anew = without_ledger(work)
    assert count_looks(anew, judged(anew, "e")) == Looks(5, 4, 0, present_lost=False)


def test_searches_that_came_to_no_report_are_lost_trials_too(work: Work) -> None:
    tried(work, *"pqr")
    deflated(work, judged(work, "a"))
    for seed, sets in ((1, 40), (2, 60)):
        stored(work, "final_parameters", seed=seed, distinct_sets=sets)
    anew = without_ledger(work)
    found = deflated(anew, judged(anew, "b"))
    assert found["losses"]["new_trials"] == 3 + 40 + 60
    assert counted(anew, judged(anew, "b"))["trials"] == found["trials"] == 103


def test_a_result_whose_own_look_is_lost_stays_barred_and_newer_bars_are_the_way_out(
    work: Work,
) -> None:
    report = judged(work, "a")
    deflated(work, report)
    anew = without_ledger(work)
    assert len(losses_in_words(deflated(anew, report))) == 2
    for _ in range(2):
        found = deflated(anew, report)
        assert found["looks"] == 1
        assert losses_in_words(found) == (
            "the trial ledger does not know the look at its holdout that this result comes from:"
            " put trials.db back from a copy, or train on newer bars",
        )
    later = deflated(anew, judged(anew, "later", end=NOW + 30 * DAY))
    assert (later["looks"], losses_in_words(later)) == (2, ())


def test_a_copy_put_back_ends_the_loss_at_once(work: Work) -> None:
    report = judged(work, "a")
    deflated(work, report)
    ledger = work.workspace.home.ledger
    copy = ledger.read_bytes()
    anew = without_ledger(work)
    assert losses_in_words(counted(anew, report)) != ()
    for path in ledger.parent.glob("trials.db*"):
        path.unlink()
    ledger.write_bytes(copy)
    assert losses_in_words(counted(other(work), report)) == ()


def test_trials_of_a_search_that_the_ledger_does_not_know_bar_its_result(work: Work) -> None:
    found = counted(work, judged(work, "a"), distinct_sets=7)
    assert (found["unknown_trials"], found["trials"]) == (14, 14)
    (words,) = losses_in_words(found)
    assert words.startswith("the trial ledger does not know 14 trials that this result comes from")


def test_a_second_loss_in_the_same_ledger_adds_to_the_first(work: Work) -> None:
    """As where results come back from a copy and the ledger does not."""
    tried(work, *"pqr")
    for model in ("a", "b"):
        deflated(work, judged(work, model))
    anew = without_ledger(work)
    first = deflated(anew, judged(anew, "c"))
    assert (first["losses"]["looks"], first["trials"]) == (2, 3)
    judged(anew, "d", record=False)
    stored(anew, "final_parameters", seed=1, distinct_sets=5)
    for _ in range(2):
        found = deflated(anew, judged(anew, "c"))
        assert (found["looks"], found["losses"]["looks"], found["trials"]) == (4, 3, 3 + 5)
    assert losses_in_words(found) == ()


def test_runs_that_notice_at_once_agree_on_the_larger_figures(work: Work) -> None:
    judged(work, "a")
    anew = without_ledger(work)
    losses = counted(anew, judged(anew, "b"))["losses"]
    for trials in (9, 3, 9):
        enter_losses(anew, {**losses, "trials": trials})
    found = counted(anew, judged(anew, "b"))
    assert (found["losses"]["looks"], found["trials"]) == (1, 9)
