"""The registry beside the release store: each version once, the alias where the release is.

Belongs here: registering a stored version, moving and dropping the alias ``released``, both under
the partition's own lock, with what the store remembers of them.  Does not belong here: talking to
MLflow (``tracking.py``), and which version is live (``storage/releases.py``).

A training and ``ares rollout`` both move the alias.  Which version is live is read under the lock
that is held until the alias stands there; so whoever comes last brings it to where the store is,
and neither undoes what the other did meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ares_resources.home import Home
from ares_resources.settings import Settings
from ares_resources.storage.atomic import file_lock

if TYPE_CHECKING:
    from ares_resources.storage.releases import Release, ReleaseStore


def register_release(
    home: Home, settings: Settings, store: ReleaseStore, release: Release, run_id: str | None
) -> str:
    """The registry's version of a release; the alias follows if it is live, or ever was moved.

    Nothing is asked of a registry that is known to have the version and the alias already.

    Raises
    ------
    AresError
        If the registry cannot be reached.
    """
    with _alias_lock(store):
        version = _version(home, settings, store, release, run_id)
        champion = store.champion()
        if store.alias() or (champion is not None and champion.sha256 == release.sha256):
            _bring(home, settings, store)
        return version


def follow_release(home: Home, settings: Settings, store: ReleaseStore) -> Release | None:
    """Bring an alias that was ever moved to the live version; returns that, None: none is live.

    Raises
    ------
    AresError
        If the registry cannot be reached.
    """
    with _alias_lock(store):
        return _bring(home, settings, store) if store.alias() else store.champion()


@contextmanager
def _alias_lock(store: ReleaseStore) -> Iterator[None]:
    with file_lock(store.root / ".alias.lock"):
        yield


def _bring(home: Home, settings: Settings, store: ReleaseStore) -> Release | None:
    from ares_resources.tracking import drop_alias, move_alias, registry_identity

    champion = store.champion()
    stands = "none" if champion is None else champion.sha256
    if store.alias() == f"{registry_identity(settings, home)} {stands}":
        return champion
    name = _name(store)
    if champion is None:
        drop_alias(home, settings, name=name)
    else:
        version = _registered(home, settings, store, champion, None)
        move_alias(home, settings, name=name, version=version)
    # Read now: a registry that was removed has been made anew by the calls above.
    store.note_alias(f"{registry_identity(settings, home)} {stands}")
    return champion


def _version(
    home: Home, settings: Settings, store: ReleaseStore, release: Release, run_id: str | None
) -> str:
    from ares_resources.tracking import registry_identity

    known = store.record(release.sha256)
    if known.get("registered_at") == registry_identity(settings, home):
        return str(known["registered_version"])
    version = _registered(home, settings, store, release, run_id)
    at = registry_identity(settings, home)
    store.amend_record(release.sha256, registered_at=at, registered_version=version)
    return version


def _registered(
    home: Home, settings: Settings, store: ReleaseStore, release: Release, run_id: str | None
) -> str:
    from ares_resources.tracking import register

    return register(
        home,
        settings,
        name=_name(store),
        bundle=release.folder,
        sha256=release.sha256,
        run_id=run_id,
    )


def _name(store: ReleaseStore) -> str:
    """The registered model of the store's partition."""
    return f"ares-{store.root.parent.name}-{store.root.name}"
