"""What counts as a look at a partition's holdout, and how many there were.

Belongs here: a look's identity, entering it and counting looks.  Does not belong here: trials
(``counted_trials.py``), what the ledger has lost (``ledger_losses.py``), the ledger
(``ares_resources/backtesting``) and the statistics that use the counts (``evidence/``).

A look is a model on bars, what it showed there, and the requirements that it is held against:
whoever sees a verdict and then lowers a threshold has looked again.  A training whose
development reaches into these bars has seen them too, whether or not it came to a look of its
own; one that did counts by that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ares_assets.counted_trials import study_prefix, training_key
from ares_assets.ledger_losses import Losses, losses_of

if TYPE_CHECKING:
    from ares_assets.engine import Work
    from ares_resources.storage.artifacts import Artifact


@dataclass(frozen=True)
class Looks:
    """How often bars of this holdout were looked at.

    ``total`` counts all: the looks in the ledger, those that an earlier ledger knew, of which
    ``lost`` are noticed only now, and ``trained_on``, the trainings without a look whose
    development reached into this holdout.  ``present_lost``: the look at the report at hand is a
    lost one.
    """

    total: int
    lost: int
    trained_on: int
    present_lost: bool
    losses: Losses = field(default=Losses(0, 0, 0.0, 0, 0, ()), compare=False)


def sight_key(
    final_parameters: Artifact, market_data: Artifact, first_row: int, sharpe: float | None
) -> str:
    """The name of a model on bars from a row on, and of the annual Sharpe ratio it showed."""
    from ares_resources.hashing import cache_key

    seen = None if sharpe is None else float(sharpe)
    return cache_key((final_parameters.sha256, market_data.sha256, int(first_row), seen))


def record_look(work: Work, market_data: Artifact, sight: str, sharpe: float | None) -> None:
    """Enter one look at the holdout; the same model by the same requirements is the same look."""
    from ares_assets.market.roles import development_span

    # No result depends on these settings, so no step has to declare them for this.
    span = development_span(market_data.metadata, work.request.settings.window)
    training = training_key(work, span["window_start_ms"], span["development_end_ms"])
    key = f"{training}.{sight}.{_requirements(work)}"
    work.workspace.ledger.record_look(study_prefix(work), key, sharpe)


def count_looks(work: Work, report: Artifact) -> Looks:
    """Looks of this partition, the one at this report among them; enters nothing.

    The look at this report is lost where the ledger does not know it: step 13 entered it before
    it stored the report.
    """
    ledger, prefix = work.workspace.ledger, study_prefix(work)
    known, trainings = _known(ledger.look_keys(prefix))
    sight, held_against = report.metadata["sight"], _requirements(work)
    sights = {one for one, _ in known}
    losses = losses_of(work, sights, sight)
    present = {(sight, held_against)} if sight in sights else set()
    begins = report.metadata["holdout_start_ms"]
    reached = {key for key, end in ledger.trainings(prefix).items() if end > begins}
    trained_on = len(reached - trainings)
    total = len(known | present) + losses.looks + trained_on
    return Looks(total, losses.new_looks, trained_on, sight not in sights, losses)


def _known(keys: list[str]) -> tuple[set[tuple[str, str]], set[str]]:
    """Pairs of sight and requirements that were looked at, and the trainings that did."""
    looks, trainings = set(), set()
    for key in keys:
        training, sight, requirements = key.split(".") if key.count(".") == 2 else ("", key, "")
        looks.add((sight, requirements))
        trainings.add(training)
    return looks, trainings


def _requirements(work: Work) -> str:
    """The name of the requirements: those settings a verdict hangs on that are not as usual.

    Without the usual ones, so that a setting which a later version adds makes no look another.
    """
    from ares_assets.evidence.loosened import deciding
    from ares_resources.hashing import cache_key

    settings = work.request.settings
    return cache_key(deciding(settings.gate, settings.validation))
