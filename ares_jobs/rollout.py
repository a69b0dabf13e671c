"""``ares rollout``: show a rollout, feed it live results, take it back.

Belongs here: the order in which results, plan, release and alias move, so that a process killed
anywhere leaves something that the next one finishes.  Does not belong here: the plan's steps
(``evidence/rollout.py``), files (``live_feed_file.py``), a rollback by hand (``rollback.py``),
what is shown (``rollout_view.py``), printing (``cli_output.py``).

The order is: live results, plan, release, alias.  Each is published whole before the next, and
each command first finishes what an earlier one left.  Nothing is kept before it was counted.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares_jobs.rollout_view import (
    RolloutView,
    figures_of,
    follow_withdrawal,
    plan_of,
    refuse_lost_plan,
    view_of,
)
from ares_resources.errors import EXIT_DONE, EXIT_PARTIAL, BadInput, CorruptArtifact, DataConflict
from ares_resources.home import Home
from ares_resources.symbols import SymbolKey

if TYPE_CHECKING:
    import pandas as pd

    from ares_assets.evidence.rollout import RolloutPlan
    from ares_resources.storage.releases import ReleaseStore
    from ares_resources.storage.rollouts import RolloutStore


@dataclass(frozen=True)
class _Feed:
    """Checked rows, the file they came in, and the time that it is; None for simulated time."""

    path: Path
    rows: pd.DataFrame
    now_ms: int | None


def exit_code(views: list[RolloutView]) -> int:
    """3 where the latest rollout of a partition was rolled back, else 0."""
    back = any(view.status == "rolled_back" for view in views)
    return EXIT_PARTIAL if back else EXIT_DONE


def rollouts(
    home: Home,
    key: SymbolKey,
    regimes: list[str] | None,
    *,
    feed: Path | None = None,
    rollback: str | None = None,
    now_ms: int | None = None,
) -> list[RolloutView]:
    """Show, feed or take back.

    A look gives each partition that has a release one view of its last rollout, and one more of
    the version that a rollback restored; the others give the one view of what they moved.
    ``now_ms`` is the time for which a feed's rows have to be over, the clock's if not given.

    Raises
    ------
    BadInput
        For an unknown regime, a feed or a rollback that is not of one partition with a
        release, a feed that is not usable or not taken, or a rollback without a reason or of
        nothing.
    """
    from ares_assets.partitions import REGIMES, check_regime
    from ares_jobs.live_feed_file import read_feed
    from ares_jobs.rollback import take_back
    from ares_resources.storage.releases import ReleaseStore

    named = [check_regime(name) for name in dict.fromkeys(regimes or REGIMES)]
    if feed is not None and rollback is not None:
        raise BadInput("--feed and --rollback together; allowed: one of them")
    stores = {name: ReleaseStore(home.releases, key.folder, name) for name in named}
    if rollback is not None:
        return [take_back(home, key, stores, rollback)]
    released = {name: store for name, store in stores.items() if store.latest_rollout()}
    if feed is None:
        shown = [_shown(home, store, f"{name}|{key}") for name, store in released.items()]
        return [view for views in shown for view in views]
    name = _one(key, named, released)
    clock = int(time.time() * 1000) if now_ms is None else now_ms
    rows = _Feed(feed, read_feed(feed), None if key.exchange == "SIM" else clock)
    return [_fed(home, released[name], f"{name}|{key}", rows)]


def _one(key: SymbolKey, named: list[str], released: Mapping[str, Any]) -> str:
    if len(released) != 1:
        found = ", ".join(released) or "none"
        raise BadInput(
            f"--feed needs one released regime of {key}, and of {', '.join(named)} there are "
            f"{found}; allowed: --regime with one that was released"
        )
    return next(iter(released))


def _shown(home: Home, store: ReleaseStore, partition: str) -> list[RolloutView]:
    from ares_jobs.released_alias import follow_release
    from ares_resources.storage.rollouts import rollout_lock

    with rollout_lock(store.root):
        _finish(store)
        latest, live = str(store.latest_rollout()), store.live_version()
        versions = [latest] if live in (None, latest) else [latest, str(live)]
        views = [view_of(store, partition, sha256) for sha256 in versions]
        alias = follow_release(home, store, partition, latest)
        return [replace(view, alias=alias) for view in views]


def _fed(home: Home, store: ReleaseStore, partition: str, feed: _Feed) -> RolloutView:
    from ares_jobs.live_feed import is_all_of
    from ares_jobs.released_alias import follow_release
    from ares_resources.storage.rollouts import rollout_lock

    with rollout_lock(store.root):
        _finish(store)
        latest, live = str(store.latest_rollout()), store.live_version()
        # After a rollback the same log may still be fed: whose rows they are has to be said.
        if live is not None and (live == latest or is_all_of(feed.rows, live)):
            fed, new = live, _take(store, partition, live, feed)
        else:
            fed, new = latest, 0
            _refuse_unless_standing(store, partition, latest, live, feed)
        view = view_of(store, partition, fed, new_rows=new)
        return replace(view, alias=follow_release(home, store, partition, fed))


def _finish(store: ReleaseStore) -> None:
    """Finish what a killed command left of the last rollout, and of the version that is live."""
    latest = str(store.latest_rollout())
    if store.withdrawn(latest) is not None:
        try:
            follow_withdrawal(store, latest)
        except CorruptArtifact:
            # It trades no longer, and its view says what is damaged.
            pass
    while (live := store.live_version()) is not None:
        _move(store, live)
        if store.live_version() == live:
            break


def _take(store: ReleaseStore, partition: str, sha256: str, feed: _Feed) -> int:
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


def _refuse_unless_standing(
    store: ReleaseStore, partition: str, latest: str, live: str | None, feed: _Feed
) -> None:
    """The feed that took a version back may come again; any other is not taken, and told so."""
    from ares_resources.storage.rollouts import RolloutStore

    rows = feed.rows.assign(
        **{name: feed.rows.get(name, empty) for name, empty in _LEFT_OUT.items()}
    )
    kept = RolloutStore(store.root, latest)
    try:
        stands = len(kept.joined(rows)) == len(kept.live())
    except (CorruptArtifact, DataConflict):
        stands = False
    if stands:
        return
    if live is None:
        now = "nothing is live that could be fed"
    else:
        now = f"{live} serves again; allowed: rows of that, named so in a column 'model'"
    raise BadInput(
        f"{feed.path} is not taken: {partition}: {latest[:16]} was rolled back, and {now}"
    )


_LEFT_OUT = {"champion_return": 0.0, "degraded": ""}
