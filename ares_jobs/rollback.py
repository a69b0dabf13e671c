"""``ares rollout --rollback``: the version that is live stops, whatever else is damaged.

Belongs here: aiming at the live version, and the order of a rollback by hand.  Does not belong
here: rollbacks that live results ask for (``rollout_moves.py``).

The order is: release, alias, plan.  The release needs ``released.json`` and its bundles alone,
and waits for no lock of a feed.  It remembers by which words it withdrew a version until alias and
plan were tried, so that until then the same command again finishes this rollback and does not begin
another, whether or not there is a plan to be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ares_jobs.rollout_view import RolloutView, follow_withdrawal, view_of
from ares_resources.errors import AresError, BadInput, CorruptArtifact
from ares_resources.home import Home
from ares_resources.symbols import SymbolKey

if TYPE_CHECKING:
    from ares_resources.storage.releases import ReleaseStore

_LOCK_SECONDS = 60.0
_UNSAID = "taken back, but its plan does not say so"


def take_back(
    home: Home, key: SymbolKey, stores: Mapping[str, ReleaseStore], reason: str
) -> RolloutView:
    """Withdraw the live version of the one of these partitions that has one, for good.

    What of alias and plan cannot follow is told in the view's ``alias`` and ``note``.

    Raises
    ------
    BadInput
        Without a reason, where nothing is live or more than one partition has a live version,
        or if another version was promoted at this moment.
    """
    from ares_assets.evidence.rollout import by_hand

    words = by_hand(reason)
    name, store = _aimed(key, stores, words)
    sha256 = store.following(words)
    if sha256 is None:
        sha256 = str(store.live_version())
        if not store.roll_back(sha256, words):
            raise BadInput(
                f"{name}|{key}: {sha256[:16]} is live no longer, another version was promoted at "
                "this moment; nothing was taken back; allowed: the same again"
            )
    return _followed(home, store, f"{name}|{key}", sha256)


def _aimed(
    key: SymbolKey, stores: Mapping[str, ReleaseStore], words: str
) -> tuple[str, ReleaseStore]:
    able = [
        name
        for name, store in stores.items()
        if store.live_version() is not None or store.following(words) is not None
    ]
    if not able:
        raise BadInput(
            f"--rollback: nothing is live of {key} in {', '.join(stores)}; allowed: a regime "
            "with a live version"
        )
    if len(able) > 1:
        raise BadInput(
            f"--rollback needs one regime of {key}, and {', '.join(able)} have a live version; "
            "allowed: --regime with one of them"
        )
    return able[0], stores[able[0]]


def _followed(home: Home, store: ReleaseStore, partition: str, sha256: str) -> RolloutView:
    """Alias and plan brought to where the release stands, as far as they can be."""
    from ares_jobs.released_alias import follow_release
    from ares_resources.storage.rollouts import rollout_lock

    alias, note = "not moved yet; the next ares rollout tries", ""
    try:
        with rollout_lock(store.root, _LOCK_SECONDS):
            try:
                alias = follow_release(home, store, partition, sha256)
            except AresError as error:
                alias = f"not moved: {error}; the next ares rollout tries again"
            note = _plan_follows(store, sha256)
            store.note_followed(sha256)
    except (AresError, OSError) as error:
        note = f"{_UNSAID}: {error}"
    view = view_of(store, partition, sha256)
    return replace(view, alias=alias, note=note or view.note)


def _plan_follows(store: ReleaseStore, sha256: str) -> str:
    """Empty, or that the plan is damaged: to try again would not mend it."""
    try:
        follow_withdrawal(store, sha256)
    except CorruptArtifact as error:
        return f"{_UNSAID}: {error}"
    return ""
