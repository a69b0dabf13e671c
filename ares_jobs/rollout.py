"""``ares rollout``: show a rollout, feed it live results, take it back.

Belongs here: which version a command means, and what a feed is told that is not taken.  Does not
belong here: moving results, plan and release (``rollout_moves.py``), files
(``live_feed_file.py``), a rollback by hand (``rollback.py``), what is shown
(``rollout_view.py``), printing (``cli_output.py``).

Each command first finishes what an earlier one left, and the alias moves last.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares_jobs.rollout_moves import Feed, finish, take
from ares_jobs.rollout_view import RolloutView, damaged_view, follow_withdrawal, view_of
from ares_resources.errors import (
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_PARTIAL,
    BadInput,
    CorruptArtifact,
    DataConflict,
)
from ares_resources.home import Home
from ares_resources.symbols import SymbolKey

if TYPE_CHECKING:
    from ares_resources.storage.releases import ReleaseStore


def exit_code(views: list[RolloutView]) -> int:
    """1 where a partition is damaged; 3 where its latest rollout was rolled back; else 0."""
    if any(view.status == "damaged" for view in views):
        return EXIT_FAILED
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
    the version that a rollback restored; the others give the one view of what they moved.  Where
    no regime is named, a look at one that is damaged says so and goes on to the others.
    ``now_ms`` is the time for which a feed's rows have to be over, the clock's if not given.

    Raises
    ------
    BadInput
        For an unknown regime, a feed or a rollback that is not of one partition with a
        release, a feed that is not usable or not taken, or a rollback without a reason or of
        nothing.
    CorruptArtifact
        If a partition that was named, or that is to be moved, is damaged.
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
    if feed is None:
        look = _looked_at if regimes else _looked_at_or_damaged
        shown = [look(home, store, f"{name}|{key}") for name, store in stores.items()]
        return [view for views in shown for view in views]
    released = {
        name: store for name, store in stores.items() if _was_released(store, f"{name}|{key}")
    }
    name = _one(key, named, released)
    clock = int(time.time() * 1000) if now_ms is None else now_ms
    rows = Feed(feed, read_feed(feed), None if key.exchange == "SIM" else clock)
    with _told_of(f"{name}|{key}"):
        return [_fed(home, released[name], f"{name}|{key}", rows)]


def _one(key: SymbolKey, named: list[str], released: Mapping[str, Any]) -> str:
    if len(released) != 1:
        found = ", ".join(released) or "none"
        raise BadInput(
            f"--feed needs one released regime of {key}, and of {', '.join(named)} there are "
            f"{found}; allowed: --regime with one that was released"
        )
    return next(iter(released))


@contextlib.contextmanager
def _told_of(partition: str) -> Iterator[None]:
    try:
        yield
    except CorruptArtifact as damage:
        raise CorruptArtifact(f"{partition}: {damage}") from damage


def _was_released(store: ReleaseStore, partition: str) -> bool:
    with _told_of(partition):
        return store.latest_rollout() is not None


def _looked_at(home: Home, store: ReleaseStore, partition: str) -> list[RolloutView]:
    with _told_of(partition):
        return _shown(home, store, partition) if store.latest_rollout() is not None else []


def _looked_at_or_damaged(home: Home, store: ReleaseStore, partition: str) -> list[RolloutView]:
    try:
        return _looked_at(home, store, partition)
    except CorruptArtifact as damage:
        return [damaged_view(store, partition, damage)]


def _shown(home: Home, store: ReleaseStore, partition: str) -> list[RolloutView]:
    from ares_resources.storage.rollouts import rollout_lock

    with rollout_lock(store.root):
        finish(store)
        latest, live = str(store.latest_rollout()), store.live_version()
        versions = [latest] if live in (None, latest) else [latest, str(live)]
        views = [view_of(store, partition, sha256) for sha256 in versions]
        alias = _alias(home, store, partition, latest)
        return [replace(view, alias=alias) for view in views]


def _fed(home: Home, store: ReleaseStore, partition: str, feed: Feed) -> RolloutView:
    from ares_jobs.live_feed import is_all_of
    from ares_resources.storage.rollouts import rollout_lock

    with rollout_lock(store.root):
        finish(store)
        latest, live = str(store.latest_rollout()), store.live_version()
        # After a rollback the same log may still be fed: whose rows they are has to be said.
        if live is not None and (live == latest or is_all_of(feed.rows, live)):
            fed, new = live, take(store, partition, live, feed)
        else:
            fed, new = latest, 0
            _refuse_unless_standing(store, partition, latest, live, feed)
        view = view_of(store, partition, fed, new_rows=new)
        return replace(view, alias=_alias(home, store, partition, fed))


def _alias(home: Home, store: ReleaseStore, partition: str, model: str) -> str:
    """Where the alias stands, once it and the plan have followed what was rolled back last."""
    from ares_jobs.released_alias import follow_release

    # Read first: what is rolled back by hand from here on has yet to be followed.
    back = store.following()
    if back is not None:
        with contextlib.suppress(CorruptArtifact):
            follow_withdrawal(store, back)
    alias = follow_release(home, store, partition, model)
    if back is not None:
        store.note_followed(back)
    return alias


def _refuse_unless_standing(
    store: ReleaseStore, partition: str, latest: str, live: str | None, feed: Feed
) -> None:
    """The feed that took a version back may come again; any other is not taken, and told so."""
    from ares_resources.storage.rollouts import RolloutStore

    rows = feed.rows.copy()
    for name, empty in _LEFT_OUT.items():
        if name not in rows.columns:
            rows[name] = empty
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


_LEFT_OUT: dict[str, float | str] = {"champion_return": 0.0, "degraded": ""}
