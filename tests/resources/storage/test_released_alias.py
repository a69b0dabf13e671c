"""The registry's alias beside the release store: registries made anew, and two that move it."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from ares_resources import tracking
from ares_resources.home import Home
from ares_resources.released_alias import follow_release, register_release
from ares_resources.settings import load_settings
from ares_resources.storage.releases import Release, ReleaseStore
from ares_resources.tracking import RELEASED, registry_identity

SETTINGS = load_settings({})
NAME = "ares-ETHUSDT.SIM-bull"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def anew(tmp_path: Path) -> Home:
    """Where the registry is once it was removed: nothing is there, until somebody asks it.

    Another folder, since MLflow keeps the removed file open as long as this process lives.
    """
    return Home(tmp_path / "anew")


@pytest.fixture
def store(home: Home) -> ReleaseStore:
    return ReleaseStore(home.releases, "ETHUSDT.SIM", "bull")


def _live(store: ReleaseStore, content: bytes = b"new") -> Release:
    release = store.publish({"model.json": content}, {"run_id": "a test"})
    assert store.promote(release, identity="it", judged_against=store.live_version())
    return release


def _alias_at(home: Home) -> str | None:
    client = tracking._client(home, SETTINGS)
    if RELEASED not in client.get_registered_model(NAME).aliases:
        return None
    return str(client.get_model_version_by_alias(NAME, RELEASED).tags["bundle_sha256"])


def test_a_registry_that_is_made_anew_has_nothing_to_drop(
    home: Home, anew: Home, store: ReleaseStore
) -> None:
    release = _live(store)
    register_release(home, SETTINGS, store, release, None)
    assert _alias_at(home) == release.sha256
    store.roll_back(release.sha256, "for the test")
    assert registry_identity(SETTINGS, anew) == "none yet"
    assert follow_release(anew, SETTINGS, store) is None
    # The call has made the registry: what is noted is true of that.
    assert store.alias() == f"{registry_identity(SETTINGS, anew)} none"
    assert not store.alias().startswith("none yet")


def test_a_live_version_is_registered_and_the_alias_moved_in_a_registry_made_anew(
    home: Home, anew: Home, store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = _live(store)
    register_release(home, SETTINGS, store, release, None)
    assert follow_release(anew, SETTINGS, store) == release
    assert _alias_at(anew) == release.sha256
    assert store.alias() == f"{registry_identity(SETTINGS, anew)} {release.sha256}"
    # So that the next command asks nothing of the registry.
    monkeypatch.setattr(tracking, "move_alias", lambda *_, **__: pytest.fail("moved again"))
    assert follow_release(anew, SETTINGS, store) == release


def test_a_training_does_not_bring_the_alias_back_to_what_was_rolled_back_meanwhile(
    home: Home, store: ReleaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rollback comes after the training has read which version is live, before it moves."""
    old = _live(store, b"old")
    register_release(home, SETTINGS, store, old, None)
    new = _live(store)
    move, others = tracking.move_alias, []

    def slow(*arguments: Any, **named: Any) -> None:
        if not others:
            others.append(threading.Thread(target=_rolled_back, args=(home, store, new)))
            others[0].start()
            others[0].join(3.0)
        move(*arguments, **named)

    monkeypatch.setattr(tracking, "move_alias", slow)
    register_release(home, SETTINGS, store, new, None)
    others[0].join()
    assert store.live_version() == old.sha256
    assert _alias_at(home) == old.sha256
    assert store.alias().endswith(old.sha256)


def _rolled_back(home: Home, store: ReleaseStore, release: Release) -> None:
    store.roll_back(release.sha256, "for the test")
    follow_release(home, SETTINGS, store)


def test_a_version_that_never_went_live_moves_no_alias(home: Home, store: ReleaseStore) -> None:
    release = store.publish({"model.json": b"kept"}, {"run_id": "a test"})
    assert register_release(home, SETTINGS, store, release, None) == "1"
    assert store.alias() == ""
    assert _alias_at(home) is None
    assert follow_release(home, SETTINGS, store) is None
    assert store.record(release.sha256)["registered_version"] == "1"
