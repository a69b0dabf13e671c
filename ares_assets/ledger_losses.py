"""What a partition's trial ledger has lost, as far as stored results tell, and entering it.

Belongs here: noticing a loss, how many looks and trials it is taken for, keeping it for good.
Does not belong here: what a look or a trial is (``counted_looks.py``, ``counted_trials.py``),
and saying so (``ledger_counts.py``).

A look that a stored result of step 13 or 14 tells of and the ledger does not know was entered
into a ledger that is gone.  What is lost is never taken for less than the stored results tell,
and once entered it counts in every later result, so that nothing is gained by a loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ares_assets.counted_trials import study_prefix

if TYPE_CHECKING:
    from ares_assets.engine import Work
    from ares_resources.storage.artifacts import Artifact

_SEARCHES = ("enhanced_analysts", "final_parameters")


@dataclass(frozen=True)
class Losses:
    """Lost looks and trials of a partition: all that count, and of these the newly noticed.

    ``variance`` is the largest that lost trials' annual Sharpe ratios are told to have had;
    ``new_sights`` are the models on bars whose looks are lost and not entered yet.
    """

    looks: int
    trials: int
    variance: float
    new_looks: int
    new_trials: int
    new_sights: tuple[str, ...]


def losses_of(work: Work, known: set[str], present: str) -> Losses:
    """What the ledger has lost; enters nothing.

    Parameters
    ----------
    known
        The sights whose looks the ledger knows.
    present
        The sight of the report at hand.
    """
    looks, trials, variance, entered = _entered(work)
    reports = [one.metadata for one in _stored(work, "monte_carlo_report")]
    sights = {one.metadata.get("sight") for one in _stored(work, "walk_forward_report")}
    sights |= {one.get("sight") for one in reports} | {present}
    unknown = {sight for sight in sights if sight is not None} - known - entered
    if not unknown:
        return Losses(looks, trials, variance, 0, 0, ())
    told = [one for one in reports if one.get("sight") in unknown]
    new_looks, new_trials = _lost_looks(told, unknown), _lost_trials(work, told)
    return Losses(
        looks + new_looks,
        trials + new_trials,
        max([variance, *(one["trial_variance_a_year"] for one in told)]),
        new_looks,
        new_trials,
        tuple(sorted(unknown)),
    )


def enter_losses(work: Work, losses: Mapping[str, Any]) -> None:
    """Keep in the ledger what was noticed (the fields of :class:`Losses`), for good."""
    from ares_resources.hashing import cache_key

    figures = [losses["looks"], losses["trials"], losses["variance"]]
    # Runs that notice at once may come to different figures; the largest stand.
    name = cache_key(tuple(figures))
    keys = [f"{sight}.{name}" for sight in losses["new_sights"]]
    work.workspace.ledger.record_losses(study_prefix(work), keys, figures)


def _entered(work: Work) -> tuple[int, int, float, set[str]]:
    """Looks, trials, variance and sights of all losses entered so far; each entry has all."""
    entries = work.workspace.ledger.losses(study_prefix(work))
    sights = {key.partition(".")[0] for key in entries}
    looks, trials, variance = (
        max((values[at] for values in entries.values()), default=0.0) for at in range(3)
    )
    return int(looks), int(trials), variance, sights


def _lost_looks(told: list[dict[str, Any]], unknown: set[str]) -> int:
    """A report of step 14 tells of all looks until then; what has none counts beside it."""
    reported = {one["sight"] for one in told}
    until_then = max((one["holdout_looks"] for one in told), default=0)
    return max(until_then, len(reported)) + len(unknown - reported)


def _lost_trials(work: Work, told: list[dict[str, Any]]) -> int:
    """Trials until the last report of step 14, and of each stored search, before it or after."""
    until_then = max((one["trials"] for one in told), default=0)
    searches = (one for asset in _SEARCHES for one in _stored(work, asset))
    return until_then + sum(one.metadata.get("distinct_sets", 0) for one in searches)


def _stored(work: Work, asset: str) -> Iterator[Artifact]:
    from ares_assets.engine import place_of
    from ares_assets.steps import STEPS

    spec = next(spec for spec in STEPS if spec.name == asset)
    return work.workspace.store.everything_at(place_of(spec, work.request))
