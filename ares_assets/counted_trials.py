"""What counts as a trial of a partition, and as a training of it.

Belongs here: the names of a partition's studies in the ledger, and entering into it what the
steps choose among.  Does not belong here: looks at the holdout (``counted_looks.py``), the
ledger (``ares_resources/backtesting``) and the statistics that use the counts (``evidence/``).

Every alternative that could have become part of the model is a trial, once for the same data,
settings and seed: the experts and routings of step 5, the trials of step 6, the vote of step
7, the tacticians of step 9, the methods, thresholds, bands and rules of step 10, the
calibrators of step 11 and the parameter sets of step 12.  What is chosen one after another is
added up, not multiplied; the draws inside one fit (a greedy ensemble's, a tree's) are no
trials.  It counts from when it begins, so that what fails or is killed counts too.

A training is what one window of development was learnt from with one set of settings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ares_assets.engine import Work
    from ares_resources.storage.artifacts import Artifact

_LAST_OF_THE_MODEL = 12


def study_prefix(work: Work) -> str:
    """Studies of this partition in the ledger start with this."""
    return f"{work.request.symbol}/{work.request.regime}/"


def choice_identity(work: Work, *judged_on: str) -> tuple[Any, ...]:
    """What makes a step's choice another one: data, seed and settings, without the threads.

    ``judged_on`` are content hashes of what the alternatives are made and judged from.
    """
    settings = work.settings.canonical()
    del settings["threads"]
    return (*judged_on, work.seed, settings)


@contextmanager
def choosing(
    work: Work, study: str, names: Iterable[str], dataset: Artifact, *others: Artifact
) -> Iterator[dict[str, float]]:
    """Enter what a step chooses among, before the block that makes and judges it and after.

    ``dataset`` is the artifact of step 4 or 8 that it learns from, ``others`` what else it
    reads.  The block may enter scores under the alternatives' names into the mapping it gets.
    What it never ends stands as killed, what ends by an error as failed.
    """
    from ares_resources.backtesting.trial_records import TrialRecords
    from ares_resources.hashing import cache_key

    record_training(work, dataset)
    identity = choice_identity(work, dataset.sha256, *(one.sha256 for one in others))
    keys = {name: cache_key((identity, name)) for name in sorted(names)}
    records = TrialRecords(work.workspace.ledger, f"{study_prefix(work)}{study}")
    scores: dict[str, float] = {}
    with records.running(list(keys.values())):
        yield scores
    values = {name: [scores[name]] if name in scores else [] for name in keys}
    records.ended([(key, "complete", values[name], None) for name, key in keys.items()])


def training_key(work: Work, window_start_ms: int, development_end_ms: int) -> str:
    """The name of a training: its development, and all settings that steps 1 to 12 may read."""
    from ares_assets.engine import SettingsView
    from ares_assets.steps import STEPS
    from ares_resources.hashing import cache_key

    names = {name for spec in STEPS[:_LAST_OF_THE_MODEL] for name in spec.uses}
    settings = SettingsView(work.request.settings, tuple(names)).canonical()
    del settings["threads"]
    return cache_key((window_start_ms, development_end_ms, settings))


def record_training(work: Work, dataset: Artifact) -> None:
    """Enter how far the development reaches that this partition learns from, once a training."""
    start, end = (int(dataset.metadata[n]) for n in ("window_start_ms", "development_end_ms"))
    key = training_key(work, start, end)
    work.workspace.ledger.record_training(study_prefix(work), key, end)
