"""The registry's alias ``released``, as ``ares rollout`` tells where it stands.

Belongs here: the words, and with which registry's settings.  Does not belong here: moving it
(``ares_resources/released_alias.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares_resources.errors import AresError
from ares_resources.home import Home

if TYPE_CHECKING:
    from ares_resources.storage.releases import ReleaseStore


def follow_release(home: Home, store: ReleaseStore, partition: str, model: str) -> str:
    """Let the registry's alias stand where the release does; in words, where it stands.

    It is not moved where tracking is off.  With the registry away the release has moved all the
    same, and the next command tries again.
    """
    from ares_resources import released_alias
    from ares_resources.settings import load_settings

    # The registry's settings alone: others of an old record may no longer be allowed.
    made_with = store.record(model).get("settings", {})
    settings = load_settings({"tracking": made_with.get("tracking", {})})
    if not settings.tracking.enabled:
        return "tracking is switched off"
    try:
        champion = released_alias.follow_release(home, settings, store)
    except AresError as away:
        return f"not moved: {away}; the next ares rollout tries again"
    if not store.alias():
        return "never moved"
    return "at no version" if champion is None else f"at {champion.sha256[:16]}"
