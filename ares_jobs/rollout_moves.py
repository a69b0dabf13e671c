"""A rollout moved by live results: what is counted, and the order in which it is written.

Belongs here: results, plan and release of one version, and finishing what a killed command left
of them.  Does not belong here: which version a command means, and the alias (``rollout.py``), a
rollback by hand (``rollback.py``), the plan's steps (``evidence/rollout.py``).

The order is: live results, plan, release.  Each is published whole before the next, and nothing
is kept before it was counted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares_jobs.rollout_view import figures_of, follow_withdrawal, plan_of, refuse_lost_plan
from ares_resources.errors import BadInput, CorruptArtifact

if TYPE_CHECKING:
    import pandas as pd

    from ares_assets.evidence.rollout import RolloutPlan
    from ares_resources.storage.releases import ReleaseStore
    from ares_resources.storage.rollouts import RolloutStore


@dataclass(frozen=True)
class Feed:
    """Checked rows, the file they came in, and the time that it is; None for simulated time."""

    path: Path
    rows: pd.DataFrame
    now_ms: int | None


def finish(store: ReleaseStore) -> None:
    """Finish what a killed command left of the last rollout, and of the version that is live."""
    latest = str(store.latest_rollout())
    if store.withdrawn(latest) is not None:
        # Where that is damaged, it trades no longer all the same, and its view says so.
        with contextlib.suppress(CorruptArtifact):
            follow_withdrawal(store, latest)
    while (live := store.live_version()) is not None:
        _move(store, live)
        if store.live_version() == live:
            break


def take(store: ReleaseStore, partition: str, sha256: str, feed: Feed) -> int:
    """Add rows to the live version's results and move it; returns how many were new."""
    from ares_jobs.live_feed import as_live_rows, check_closed
    from ares_resources.storage.rollouts import RolloutStore

    kept = RolloutStore(store.root, sha256)
    state = kept.state()
    if state is None:
        refuse_lost_plan(store, sha256)
        raise BadInput(f"{partition}: {sha256[:16]} serves all without a rollout; none to feed")
    settings = store.record(sha256).get("settings", {})
    rows = as_live_rows(
        feed.rows,
        feed.path,
        sha256=sha256,
        alone=store.rest() is None,
        live_from_ms=state["live_from_ms"],
        last_ms=int(kept.live()["timestamp"].max()) if state["seen_rows"] else -1,
        maximum_position=settings.get("tactician", {}).get("maximum_position", 1.0),
    )
    joined = kept.joined(rows)
    if feed.now_ms is not None:
        stamps = joined["timestamp"].to_numpy()
        check_closed(rows, feed.path, stamps=stamps, now_ms=feed.now_ms)
    try:
        return _move(store, sha256, joined)
    except BadInput as error:
        raise BadInput(f"{feed.path}: its results cannot be counted: {error}") from error


def _move(store: ReleaseStore, sha256: str, joined: pd.DataFrame | None = None) -> int:
    """Let the plan see what it has not seen, then write results, plan and release."""
    from ares_resources.storage.rollouts import RolloutStore

    kept = RolloutStore(store.root, sha256)
    found = plan_of(kept)
    if found is None:
        return 0
    state, before = found
    standing = kept.live()
    frame = standing if joined is None else joined
    plan = before
    if len(frame) > state["seen_rows"]:
        plan = _advanced(kept, plan, frame, state, stored=joined is None)
    if len(frame) > len(standing):
        kept.keep(frame)
    _write(kept, state, before, plan, len(frame))
    if plan.status == "rolled_back":
        store.roll_back(sha256, plan.reason)
    elif not store.set_share(sha256, plan.share):
        # By hand, at this very moment; a rollback waits for no lock of ours.
        follow_withdrawal(store, sha256)
    return len(frame) - len(standing)


def _advanced(
    kept: RolloutStore,
    plan: RolloutPlan,
    frame: pd.DataFrame,
    state: Mapping[str, Any],
    *,
    stored: bool,
) -> RolloutPlan:
    from ares_assets.evidence.rollout import advance

    try:
        return advance(plan, figures_of(frame, state).result)
    except BadInput as error:
        if not stored:
            raise
        raise CorruptArtifact(f"live.parquet in {kept.root} cannot be counted: {error}") from error


def _write(
    kept: RolloutStore, state: dict[str, Any], before: RolloutPlan, plan: RolloutPlan, rows: int
) -> None:
    # A new stage begins after all rows that moved it there.
    stage_row = rows if plan.stage != before.stage else state["stage_row"]
    after = {**state, "plan": plan.as_dict(), "seen_rows": rows, "stage_row": stage_row}
    if after != state:
        kept.write(after)
