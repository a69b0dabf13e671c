"""The frames that a process keeps: same values, own copies, bounded, never of another file."""

from pathlib import Path

import pandas as pd
import pytest

from ares_resources.errors import CorruptArtifact
from ares_resources.memory import MemoryManager
from ares_resources.storage import artifacts
from ares_resources.storage.artifacts import Artifact, ArtifactStore, Place
from ares_resources.storage.decoded_frames import DecodedFrames

PLACE = Place("market_data", "SIM-ETHUSDT", None)


def _frame(rows: int = 50, value: float = 1.5) -> pd.DataFrame:
    return pd.DataFrame({"timestamp": range(rows), "close": [value] * rows, "name": ["a"] * rows})


class _Counted:
    """Decoding that says how often it was asked for."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame, self.calls = frame, 0

    def __call__(self) -> pd.DataFrame:
        self.calls += 1
        return self.frame.copy()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.parquet"
    path.write_bytes(b"first")
    return path


def test_a_frame_is_decoded_once_and_every_reader_has_its_own(file: Path) -> None:
    frames, decode = DecodedFrames(1 << 20), _Counted(_frame())
    first = frames.read(file, "a" * 64, decode)
    first["close"] = 0.0
    first.loc[0, "name"] = "changed"
    second = frames.read(file, "a" * 64, decode)
    second.loc[:, "close"] = 7.0
    pd.testing.assert_frame_equal(frames.read(file, "a" * 64, decode), _frame())
    assert decode.calls == 1


def test_a_file_that_was_written_again_is_decoded_again(file: Path) -> None:
    frames, decode = DecodedFrames(1 << 20), _Counted(_frame())
    frames.read(file, "a" * 64, decode)
    file.write_bytes(b"other")
    frames.read(file, "a" * 64, decode)
    frames.read(file, "b" * 64, decode)
    assert decode.calls == 3


def test_the_least_recently_used_makes_room_and_the_large_are_not_kept(file: Path) -> None:
    size = int(_frame().memory_usage(deep=True).sum())
    frames, small = DecodedFrames(2 * size), _Counted(_frame())
    for sha256 in ("a", "b", "a", "c", "a"):
        frames.read(file, sha256, small)
    assert small.calls == 3, "a was used between b and c, so b had to go"
    frames.read(file, "b", small)
    assert small.calls == 4
    large = _Counted(_frame(200))
    frames.read(file, "large", large)
    frames.read(file, "large", large)
    assert large.calls == 2


@pytest.fixture
def stored(tmp_path: Path) -> Artifact:
    return ArtifactStore(tmp_path / "artifacts", tmp_path / "runs").publish(
        PLACE,
        "a" * 32,
        {"rows.parquet": _frame(), "told.json": {"n": 1}},
        kind="bundle",
        inputs={},
        metadata={},
        degraded=[],
    )


def test_an_artifact_gives_equal_values_again_and_again(
    stored: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stored.load()
    first["rows.parquet"]["close"] = 0.0
    monkeypatch.setattr(artifacts, "decode_member", lambda path, kind: {"n": 1})
    again = stored.load()
    pd.testing.assert_frame_equal(again["rows.parquet"], _frame())


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_damage_after_a_first_reading_is_still_found(stored: Artifact, damage: str) -> None:
    stored.load()
    path = stored.folder / "rows.parquet"
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CorruptArtifact, match=r"rows\.parquet"):
        stored.load()


def test_memory_pressure_empties_it(stored: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    stored.load()
    MemoryManager(0.9).free_caches()
    decoded = []
    plain = artifacts.decode_member

    def counted(path: Path, kind: str) -> object:
        decoded.append(path.name)
        return plain(path, kind)

    monkeypatch.setattr(artifacts, "decode_member", counted)
    stored.load()
    assert sorted(decoded) == ["rows.parquet", "told.json"]
