"""The registry's alias ``released``, brought to where the release store stands.

Belongs here: moving or dropping it after a rollback.  Does not belong here: registering what a
training made (``step16_saving.py``), and talking to MLflow (``tracking.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ares_resources.errors import AresError
from ares_resources.home import Home
from ares_resources.symbols import SymbolKey

if TYPE_CHECKING:
    from ares_resources.storage.releases import ReleaseStore


def follow_release(home: Home, store: ReleaseStore, partition: str, model: str) -> str:
    """Let the registry's alias stand where the release does; in words, where it stands.

    It is not moved where tracking is off.  With the registry away the release has moved all the
    same, and the next command tries again.
    """
    from ares_resources.settings import load_settings
    from ares_resources.tracking import drop_alias, move_alias, register, registry_identity

    # The registry's settings alone: others of an old record may no longer be allowed.
    made_with = store.record(model).get("settings", {})
    settings = load_settings({"tracking": made_with.get("tracking", {})})
    if not settings.tracking.enabled:
        return "tracking is switched off"
    champion, at = store.champion(), registry_identity(settings, home)
    wanted = f"{at} {'none' if champion is None else champion.sha256}"
    regime, symbol = partition.split("|", 1)
    name = f"ares-{SymbolKey.parse(symbol).folder}-{regime}"
    words = "at no version" if champion is None else f"at {champion.sha256[:16]}"
    if store.alias() == wanted or not store.alias():
        return words if store.alias() else "never moved"
    try:
        if champion is None:
            drop_alias(home, settings, name=name)
        else:
            version = register(
                home,
                settings,
                name=name,
                bundle=champion.folder,
                sha256=champion.sha256,
                run_id=None,
            )
            move_alias(home, settings, name=name, version=version)
        store.note_alias(wanted)
    except AresError as away:
        return f"not moved: {away}; the next ares rollout tries again"
    return words
