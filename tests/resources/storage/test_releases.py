"""Releases: content-addressed, verified, and moved only by a judgement that still holds."""

from __future__ import annotations

import json
import shutil
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


def test_a_promoted_version_shares_with_what_served_before(store: ReleaseStore) -> None:
    a, b = publish(store, "a"), publish(store, "b")
    store.promote(a, identity="A", judged_against=None, share=0.01)
    assert store.shares() == {a.sha256: 0.01}
    assert store.rest() is None
    assert store.set_share(a.sha256, 1.0)
    store.promote(b, identity="B", judged_against=a.sha256, share=0.01)
    assert store.shares() == {b.sha256: 0.01, a.sha256: 0.99}
    assert live(store) == b.sha256
    assert not store.set_share(a.sha256, 0.5)
    assert store.set_share(b.sha256, 0.05)
    assert store.shares() == {b.sha256: 0.05, a.sha256: 0.95}


def test_a_rollback_restores_what_served_before_to_the_byte(store: ReleaseStore) -> None:
    a, b = publish(store, "a"), publish(store, "b")
    store.promote(a, identity="A", judged_against=None)
    files = a.files()
    store.promote(b, identity="B", judged_against=a.sha256, share=0.2)
    assert store.roll_back(b.sha256, "fell too far")
    champion = store.champion()
    assert champion is not None
    assert (champion.sha256, champion.files()) == (a.sha256, files)
    assert store.shares() == {a.sha256: 1.0}
    assert store.withdrawn(b.sha256) == "fell too far"
    assert store.latest_rollout() == b.sha256
    assert store.roll_back(b.sha256, "again")
    assert store.withdrawn(b.sha256) == "fell too far"


def test_a_rollback_is_remembered_by_its_words_until_all_has_followed(store: ReleaseStore) -> None:
    a, b, c = (publish(store, name) for name in "abc")
    store.promote(a, identity="A", judged_against=None)
    store.promote(b, identity="B", judged_against=a.sha256, share=0.2)
    assert store.following() is None
    shutil.rmtree(a.folder)  # the reason says so, the words are as they were given
    store.roll_back(b.sha256, "halt")
    assert store.withdrawn(b.sha256) != "halt"
    assert (store.following(), store.following("halt")) == (b.sha256, b.sha256)
    assert store.following("hal") is None
    store.note_followed(a.sha256)
    assert store.following() == b.sha256
    before = json.loads((store.root / "released.json").read_text())
    store.note_followed(b.sha256)
    assert store.following() is None
    after = json.loads((store.root / "released.json").read_text())
    assert after == {name: before[name] for name in before if name != "following"}
    # A promotion meanwhile ends it: the words would be aimed at what is live now.
    store.promote(c, identity="C", judged_against=None)
    store.roll_back(c.sha256, "halt")
    store.promote(publish(store, "d"), identity="D", judged_against=None)
    assert store.following() is None


def test_what_was_rolled_back_is_never_promoted_again(store: ReleaseStore) -> None:
    a, b, c = (publish(store, name) for name in "abc")
    store.promote(a, identity="A", judged_against=None)
    store.promote(b, identity="B", judged_against=a.sha256, share=0.01)
    store.roll_back(b.sha256, "harm")
    # It still faces the version it beat, with the same stored verdict.
    assert store.champion_against("B") == a.sha256
    assert not store.promote(b, identity="B", judged_against=a.sha256, share=0.01)
    assert store.promote(c, identity="C", judged_against=a.sha256, share=0.01)
    assert store.withdrawn(b.sha256) == "harm"


def test_without_a_predecessor_a_rollback_leaves_none_live(store: ReleaseStore) -> None:
    a = publish(store, "a")
    store.promote(a, identity="A", judged_against=None, share=0.01)
    assert store.roll_back(a.sha256, "harm")
    assert live(store) is None
    assert store.shares() == {}
    assert store.champion_against("anything") is None
    assert store.promote(publish(store, "b"), identity="B", judged_against=None, share=0.01)


def test_a_version_promoted_during_a_rollout_shares_with_the_last_that_served_all(
    store: ReleaseStore,
) -> None:
    a, b, c = (publish(store, name) for name in "abc")
    store.promote(a, identity="A", judged_against=None)
    store.promote(b, identity="B", judged_against=a.sha256, share=0.05)
    store.promote(c, identity="C", judged_against=b.sha256, share=0.01)
    assert store.shares() == {c.sha256: 0.01, a.sha256: 0.99}
    assert not store.roll_back(b.sha256, "too late")
    store.prune(keep=1)
    assert store.find(a.sha256) is not None
    store.roll_back(c.sha256, "harm")
    assert live(store) == a.sha256


def test_what_served_before_and_is_lost_or_damaged_is_not_served_again(
    store: ReleaseStore,
) -> None:
    a, b = publish(store, "a"), publish(store, "b")
    store.promote(a, identity="A", judged_against=None)
    store.promote(b, identity="B", judged_against=a.sha256, share=0.01)
    (a.folder / "model.json").write_bytes(b"rotten")
    assert store.roll_back(b.sha256, "harm")
    assert live(store) is None
    assert "lost: none is live" in str(store.withdrawn(b.sha256))


def test_a_pointer_from_before_there_were_rollouts_serves_all(store: ReleaseStore) -> None:
    from ares_resources.storage.atomic import write_bytes
    from ares_resources.storage.codecs import to_json_bytes

    a, b, c = (publish(store, name) for name in "abc")
    old = {"sha256": b.sha256, "identity": "B", "replaced": a.sha256}
    write_bytes(store.root / "released.json", to_json_bytes(old))
    assert store.shares() == {b.sha256: 1.0}
    assert store.latest_rollout() == b.sha256
    assert store.promote(c, identity="C", judged_against=b.sha256, share=0.01)
    assert store.shares() == {c.sha256: 0.01, b.sha256: 0.99}
    write_bytes(store.root / "released.json", to_json_bytes(old))
    store.roll_back(b.sha256, "by hand")
    assert live(store) == a.sha256


def test_what_is_called_before_is_called_only_by_who_becomes_live(store: ReleaseStore) -> None:
    a, b, c = (publish(store, name) for name in "abc")
    begun: list[str] = []
    for release, against in ((a, None), (a, None), (b, None), (c, a.sha256)):
        store.promote(
            release,
            identity="x",
            judged_against=against,
            share=0.01,
            before=lambda sha256=release.sha256: begun.append(sha256),  # type: ignore[misc]
        )
    assert begun == [a.sha256, c.sha256]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"sha256": 5},
        {"rollout": ["x"]},
        {"share": 0.0},
        {"share": "all"},
        {"rest": "x"},
        {"withdrawn": 5},
        {"withdrawn": [{"sha256": "x"}]},
        {"following": {"words": "x"}},
    ],
)
def test_a_pointer_of_another_form_is_damage_and_no_crash(
    spoilt: dict[str, object], store: ReleaseStore
) -> None:
    a = publish(store, "a")
    store.promote(a, identity="A", judged_against=None, share=0.01)
    assert store.roll_back(a.sha256, "by a test")
    path = store.root / "released.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, **spoilt}))
    for asked in (store.champion, store.shares, lambda: store.withdrawn(a.sha256)):
        with pytest.raises(CorruptArtifact, match=f"{next(iter(spoilt))} is not of its form"):
            asked()
    path.write_text(json.dumps(told))
    assert store.withdrawn(a.sha256) == "by a test"
