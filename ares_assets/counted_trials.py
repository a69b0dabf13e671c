"""What counts as a trial of a partition, and as a look at its holdout.

Belongs here: the names of a partition's studies in the ledger, and entering into it what the
steps chose among.  Does not belong here: the ledger (``ares_resources/backtesting``) and the
statistics that use the counts (``evidence/``).

Every alternative that could have become part of the model is a trial, once for the same data
and the same score: the experts and routings of step 5, the trials of step 6, the vote of step
7, the tacticians of step 9, the methods, thresholds, bands and rules of step 10, the
calibrators of step 11 and the parameter sets of step 12.  What is chosen one after another is
added up, not multiplied; the draws inside one fit (a greedy ensemble's, a tree's) are no
trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ares_assets.engine import Work
    from ares_resources.storage.artifacts import Artifact


def study_prefix(work: Work) -> str:
    """Studies of this partition in the ledger start with this."""
    return f"{work.request.symbol}/{work.request.regime}/"


def record_choices(
    work: Work, study: str, data: str, alternatives: Mapping[str, float | None]
) -> None:
    """Enter what a step chose among: name to score, None where it has no score of its own.

    ``data`` is the content hash of what the alternatives were judged on.
    """
    from ares_resources.hashing import cache_key

    entries = [
        (cache_key((data, name, score)), "complete", [] if score is None else [score], None)
        for name, score in sorted(alternatives.items())
    ]
    work.workspace.ledger.record(f"{study_prefix(work)}{study}", entries)


def record_look(
    work: Work,
    final_parameters: Artifact,
    market_data: Artifact,
    first_row: int,
    seen: Mapping[str, Any],
) -> None:
    """Enter one look at the holdout: this model on these bars, and the Sharpe ratio it showed."""
    work.workspace.ledger.record_look(
        study_prefix(work),
        parameters=final_parameters.sha256,
        data=market_data.sha256,
        first_row=first_row,
        sharpe=seen["performance"]["sharpe"],
    )
