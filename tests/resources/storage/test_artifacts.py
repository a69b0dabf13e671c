"""The artifact store: immutable, verified, and whole or absent."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from ares_resources.errors import BadInput, CorruptArtifact
from ares_resources.storage.artifacts import MANIFEST, Artifact, ArtifactStore, Place

PLACE = Place("analyst_dataset", "ETHUSDT.SIM", "bull")
FRAME = pd.DataFrame({"timestamp": [1, 2], "x": [0.5, 1.5]})


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts", tmp_path / "runs")


def publish(store: ArtifactStore, key: str = "k1", value: object = None) -> Artifact:
    bundle = {"a.parquet": FRAME, "b.json": {"z": 1}, "m.cbm": b"\x00\x01"}
    return store.publish(
        PLACE,
        key,
        bundle if value is None else value,
        kind="bundle",
        inputs={"market_data": "00"},
        metadata={"rows": 2},
        degraded=["b", "a", "b"],
    )


def test_a_bundle_comes_back_as_it_went(store: ArtifactStore) -> None:
    loaded = publish(store).load()
    pd.testing.assert_frame_equal(loaded["a.parquet"], FRAME)
    assert loaded["b.json"] == {"z": 1}
    assert loaded["m.cbm"] == b"\x00\x01"


def test_frames_and_reports_come_back_as_such(store: ArtifactStore) -> None:
    frame = store.publish(PLACE, "f", FRAME, kind="frame", inputs={}, metadata={}, degraded=[])
    report = store.publish(
        PLACE, "r", {"a.b": 1}, kind="report", inputs={}, metadata={}, degraded=[]
    )
    pd.testing.assert_frame_equal(frame.load(), FRAME)
    assert report.load() == {"a.b": 1}


def test_the_content_hash_ignores_key_inputs_and_cost(store: ArtifactStore) -> None:
    first, second = publish(store, "k1"), publish(store, "k2")
    assert first.sha256 == second.sha256
    assert publish(store, "k3", {"b.json": {"z": 2}}).sha256 != first.sha256


def test_degraded_reasons_are_sorted_and_unique(store: ArtifactStore) -> None:
    assert publish(store).degraded == ["a", "b"]


def test_a_changed_byte_is_refused_by_name(store: ArtifactStore) -> None:
    artifact = publish(store)
    (artifact.folder / "m.cbm").write_bytes(b"\x00\x02")
    with pytest.raises(CorruptArtifact, match=r"m\.cbm"):
        artifact.load()


@pytest.mark.parametrize("lost", [MANIFEST, "a.parquet"])
def test_a_torn_folder_is_a_miss_and_can_be_published_again(
    store: ArtifactStore, lost: str
) -> None:
    artifact = publish(store)
    (artifact.folder / lost).unlink()
    assert store.find(PLACE, "k1") is None
    assert publish(store).load()["b.json"] == {"z": 1}


def test_a_failing_writer_leaves_nothing(store: ArtifactStore) -> None:
    with pytest.raises(ValueError, match="Out of range"):
        publish(store, "bad", {"b.json": {"z": float("nan")}})
    assert store.find(PLACE, "bad") is None
    assert list(PLACE.below(store.root).iterdir()) == []


def test_a_run_sees_its_own_result_before_the_latest(store: ArtifactStore) -> None:
    store.point(publish(store, "k1"), run_id="run-1", mode="blank")
    store.point(publish(store, "k2", {"b.json": {"z": 2}}), run_id="run-2", mode="blank")
    mine = store.pointed(PLACE, run_id="run-1", mode="blank")
    latest = store.pointed(PLACE, run_id=None, mode="blank")
    assert mine is not None
    assert mine.key == "k1"
    assert latest is not None
    assert latest.key == "k2"
    assert store.pointed(PLACE, run_id=None, mode="full") is None


def test_pruning_keeps_the_newest_and_what_a_mode_points_at(store: ArtifactStore) -> None:
    store.point(publish(store, "k0"), run_id="r", mode="full")
    for number in range(1, 6):
        publish(store, f"k{number}")
    assert store.prune(PLACE, keep=2) == 0
    store.prune(PLACE, keep=2, spared_seconds=-1)
    left = {path.name for path in PLACE.below(store.root).iterdir() if path.is_dir()}
    assert left == {"k0", "k4", "k5"}


def test_a_symbol_cannot_leave_the_folder(store: ArtifactStore) -> None:
    with pytest.raises(BadInput, match="leave"):
        Place("a", "../../..", None).below(store.root)


def test_the_same_frame_gives_the_same_bytes(store: ArtifactStore, tmp_path: Path) -> None:
    first = store.publish(PLACE, "f", FRAME, kind="frame", inputs={}, metadata={}, degraded=[])
    before = (first.folder / "data.parquet").read_bytes()
    shutil.rmtree(first.folder)
    second = store.publish(
        PLACE, "f", FRAME.copy(), kind="frame", inputs={}, metadata={}, degraded=[]
    )
    assert (second.folder / "data.parquet").read_bytes() == before
