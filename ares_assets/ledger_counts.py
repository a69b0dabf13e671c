"""What the trial ledger knows of a partition at the moment step 14 deflates its results.

Belongs here: the counts as step 14's fingerprint, and in words what the ledger has lost.  Does
not belong here: what a trial or a look is (``counted_trials.py``, ``counted_looks.py``), and
the statistics that use the counts (``evidence/``).

Counting enters nothing: a plan asks for it as well as a run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ares_assets.counted_looks import count_looks
from ares_assets.counted_trials import study_prefix

if TYPE_CHECKING:
    from ares_assets.engine import Work
    from ares_resources.storage.artifacts import Artifact

_SEARCHES = {"enhanced_analysts": "enhancement", "final_parameters": "parameters"}


def trial_count(work: Work, inputs: Mapping[str, Artifact]) -> str:
    """What the ledger knows of this partition: every trial and look ever made in this home.

    A ledger that knows fewer trials of a search than the present result was made with, or not
    the looks that stored reports tell of, has lost some; then those count too, and the loss
    forbids promotion.
    """
    study = study_prefix(work)
    ledger = work.workspace.ledger
    lost = sum(
        max(0, inputs[asset].metadata["distinct_sets"] - ledger.count(f"{study}{search}"))
        for asset, search in _SEARCHES.items()
    )
    looks = count_looks(work, inputs["walk_forward_report"])
    return json.dumps(
        {
            "trials": ledger.count(study) + lost,
            "lost": lost,
            "variance": ledger.sharpe_variance(study),
            "looks": looks.total,
            "lost_looks": looks.lost,
            "looks_by_training": looks.trained_on,
            "present_lost": looks.present_lost,
        }
    )


def losses_in_words(ledger: Mapping[str, Any]) -> tuple[str, ...]:
    """In words, what the ledger should know and does not."""
    lost = (("trial", "", ledger["lost"]), ("look", " at the holdout", ledger["lost_looks"]))
    return tuple(
        f"the trial ledger has lost {count} {what}{'' if count == 1 else 's'}{at} of this partition"
        for what, at, count in lost
        if count
    )
