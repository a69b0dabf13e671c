"""What the trial ledger knows of a partition at the moment step 14 deflates its results.

Belongs here: the counts as step 14's fingerprint, and in words what the ledger has lost.  Does
not belong here: what a trial or a look is (``counted_trials.py``, ``counted_looks.py``), and
the statistics that use the counts (``evidence/``).

Counting enters nothing: a plan asks for it as well as a run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ares_assets.counted_looks import count_looks
from ares_assets.counted_trials import study_prefix

if TYPE_CHECKING:
    from ares_assets.engine import Work
    from ares_resources.storage.artifacts import Artifact

_SEARCHES = {"enhanced_analysts": "enhancement", "final_parameters": "parameters"}


def trial_count(work: Work, inputs: Mapping[str, Artifact]) -> str:
    """What the ledger knows of this partition: every trial and look ever made in this home.

    What it has lost counts too.  ``unknown_trials`` are those of the present result's searches
    beyond what it knows of them.
    """
    study = study_prefix(work)
    ledger = work.workspace.ledger
    unknown = sum(
        max(0, inputs[asset].metadata["distinct_sets"] - ledger.count(f"{study}{search}"))
        for asset, search in _SEARCHES.items()
    )
    looks = count_looks(work, inputs["walk_forward_report"])
    return json.dumps(
        {
            "trials": ledger.count(study) + unknown + looks.losses.trials,
            "unknown_trials": unknown,
            "variance": max(ledger.sharpe_variance(study), looks.losses.variance),
            "looks": looks.total,
            "losses": asdict(looks.losses),
            "looks_by_training": looks.trained_on,
            "present_lost": looks.present_lost,
        }
    )


def losses_in_words(ledger: Mapping[str, Any]) -> tuple[str, ...]:
    """In words, what the ledger should know and does not, and what can be done about it."""
    losses, words = ledger["losses"], []
    if losses["new_looks"]:
        looks = _counted(losses["new_looks"], "look")
        trials = _counted(losses["new_trials"], "trial")
        words.append(
            f"the trial ledger has lost {looks} at the holdout of this partition and {trials}: put"
            f" trials.db back from a copy, or run again with the loss entered, which then counts"
            " for good"
        )
    unknown = [_counted(ledger["unknown_trials"], "trial")] if ledger["unknown_trials"] else []
    unknown += ["the look at its holdout"] if ledger["present_lost"] else []
    if unknown:
        words.append(
            f"the trial ledger does not know {' and '.join(unknown)} that this result comes from:"
            " put trials.db back from a copy, or train on newer bars"
        )
    return tuple(words)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
