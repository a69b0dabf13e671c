"""Releases: content-addressed, verified, and moved only by a judgement that still holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares_resources.errors import CorruptArtifact
from ares_resources.storage.releases import Release, ReleaseStore


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore(tmp_path, "ETHUSDT.SIM", "bull")


def publish(store: ReleaseStore, text: str) -> Release:
    return store.publish({"model.json": text.encode()}, {"made": text})


def live(store: ReleaseStore) -> str | None:
    champion = store.champion()
    return None if champion is None else champion.sha256


def test_the_same_bundle_is_one_version_with_its_first_record(store: ReleaseStore) -> None:
    first = store.publish({"a": b"1"}, {"run_id": "first"})
    second = store.publish({"a": b"1"}, {"run_id": "second"})
    assert first == second
    assert store.record(first.sha256) == {"run_id": "first"}
    assert first.files() == {"a": b"1"}


def test_a_changed_file_is_refused(store: ReleaseStore) -> None:
    release = publish(store, "a")
    (release.folder / "model.json").write_bytes(b"b")
    with pytest.raises(CorruptArtifact, match=r"model\.json"):
        release.files()


def test_nothing_is_live_until_something_is_promoted(store: ReleaseStore) -> None:
    publish(store, "a")
    assert live(store) is None
    assert store.champion_against("anything") is None


def test_a_challenger_is_promoted_over_whom_it_beat(store: ReleaseStore) -> None:
    a, b = publish(store, "a"), publish(store, "b")
    assert store.promote(a, identity="A", judged_against=None)
    assert store.champion_against("B") == a.sha256
    assert store.promote(b, identity="B", judged_against=a.sha256)
    assert live(store) == b.sha256


def test_asking_again_faces_the_same_rival(store: ReleaseStore) -> None:
    a, b = publish(store, "a"), publish(store, "b")
    store.promote(a, identity="A", judged_against=None)
    store.promote(b, identity="B", judged_against=a.sha256)
    assert store.champion_against("B") == a.sha256
    assert store.champion_against("C") == b.sha256


def test_an_old_verdict_cannot_move_the_live_version_back(store: ReleaseStore) -> None:
    a, b = publish(store, "a"), publish(store, "b")
    store.promote(a, identity="A", judged_against=None)
    store.promote(b, identity="B", judged_against=a.sha256)
    assert not store.promote(a, identity="A", judged_against=None)
    assert live(store) == b.sha256


def test_of_two_challengers_of_one_champion_only_the_first_becomes_live(
    store: ReleaseStore,
) -> None:
    a, b, c = (publish(store, name) for name in "abc")
    store.promote(a, identity="A", judged_against=None)
    assert store.promote(b, identity="B", judged_against=a.sha256)
    assert not store.promote(c, identity="C", judged_against=a.sha256)
    assert live(store) == b.sha256


def test_a_lost_champion_is_still_named(store: ReleaseStore) -> None:
    import shutil

    a = publish(store, "a")
    store.promote(a, identity="A", judged_against=None)
    shutil.rmtree(a.folder)
    assert store.champion_against("B") == a.sha256
    assert store.find(a.sha256) is None


def test_pruning_spares_the_live_version_and_its_predecessor(store: ReleaseStore) -> None:
    a, b = publish(store, "a"), publish(store, "b")
    store.promote(a, identity="A", judged_against=None)
    store.promote(b, identity="B", judged_against=a.sha256)
    for name in "cdefg":
        publish(store, name)
    store.prune(keep=1)
    left = {path.name for path in (store.root / "versions").iterdir()}
    assert {a.folder.name, b.folder.name} <= left
    assert len(left) == 3
