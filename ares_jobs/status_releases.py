"""What serves each partition, and which trainings anew are asked for, for ``ares status``.

Belongs here: reading release stores, rollouts and retrain requests; nothing is moved.  Does not
belong here: series, partitions and runs (``status.py``), printing (``cli_status.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ares_jobs.status_series import moment
from ares_resources.errors import CorruptArtifact
from ares_resources.home import Home

if TYPE_CHECKING:
    from ares_resources.storage.releases import ReleaseStore


@dataclass(frozen=True)
class ReleaseStatus:
    """The version of a partition that was promoted last, and what serves its capital.

    ``rollout`` is "running", "completed" or "rolled back", "none" where it serves all without
    one, "damaged" where what is stored cannot be read; ``stage`` is in percent of capital, and
    ``shares`` are of capital by version: what is left of 1 does not trade.  Both are as the
    release says, whatever became of the plan; None where the release itself cannot be read.
    """

    partition: str
    model: str
    rollout: str
    stage: float | None
    shares: Mapping[str, float] | None = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class RetrainStatus:
    """A request to train anew that waits for bars that close after a moment (UTC)."""

    partition: str
    mode: str
    kind: str
    reason: str
    after: str


def releases(home: Home) -> list[ReleaseStatus]:
    """The partitions of which a version was ever promoted."""
    from ares_assets.partitions import REGIMES
    from ares_resources.storage.releases import ReleaseStore
    from ares_resources.symbols import SymbolKey

    rows = []
    folders = (path.name for path in home.releases.glob("*") if path.is_dir())
    for symbol in sorted(map(SymbolKey.from_folder, folders), key=str):
        for regime in REGIMES:
            store, partition = (
                ReleaseStore(home.releases, symbol.folder, regime),
                f"{regime}|{symbol}",
            )
            try:
                found = _release(store, partition)
            except CorruptArtifact as error:
                found = ReleaseStatus(partition, "", "damaged", None, None, str(error))
            rows += [] if found is None else [found]
    return rows


def _release(store: ReleaseStore, partition: str) -> ReleaseStatus | None:
    model = store.latest_rollout()
    if model is None:
        return None
    shares, withdrawn = store.shares(), store.withdrawn(model)
    if withdrawn is not None:
        return ReleaseStatus(partition, model, "rolled back", 0.0, shares, withdrawn)
    try:
        rollout, reason = _rollout(store, model)
    except CorruptArtifact as error:
        # It trades by the release all the same.
        rollout, reason = "damaged", str(error)
    return ReleaseStatus(partition, model, rollout, 100.0 * shares.get(model, 0.0), shares, reason)


def _rollout(store: ReleaseStore, model: str) -> tuple[str, str]:
    from ares_jobs.rollout_view import plan_of, refuse_lost_plan
    from ares_resources.storage.rollouts import RolloutStore

    found = plan_of(RolloutStore(store.root, model))
    if found is None:
        refuse_lost_plan(store, model)
        return "none", "it serves all"
    _, plan = found
    return plan.status.replace("_", " "), plan.reason


def retrain_requests(home: Home) -> tuple[list[RetrainStatus], list[str]]:
    """The requests that wait, and what is wrong with those that cannot be read."""
    from ares_resources.storage.retrain_requests import RetrainRequests

    requests = RetrainRequests(home)
    rows = [
        RetrainStatus(
            partition=f"{request.regime}|{request.symbol}",
            mode=request.mode,
            kind=request.kind,
            reason=request.reason,
            after=moment(request.window_end_ms + request.wait_ms),
        )
        for request in requests.pending()
    ]
    return sorted(rows, key=lambda row: (row.partition, row.mode, row.after)), requests.unreadable()
