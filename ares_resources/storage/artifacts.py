"""Step outputs on disk: immutable folders named by what they were computed from.

Belongs here: the artifact, its manifest, publishing, finding, pointing and pruning.
Does not belong here: Dagster (``io_managers.py``), and what the steps compute.

A folder ``artifacts/<asset>/<symbol>/<regime>/<key>/`` holds the files and a
``manifest.json`` with their hashes; small pointer files say which key a run, or the latest
run of a mode, produced.  Folders are renamed into place whole, so a kill leaves old or new.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ares_resources.errors import BadInput, CorruptArtifact
from ares_resources.storage.atomic import publish_folder, sha256_file, write_bytes
from ares_resources.storage.codecs import Kind, assemble, decode_member, encode_into
from ares_resources.storage.decoded_frames import FRAMES

MANIFEST = "manifest.json"
_MANIFEST_KEYS = {"asset", "degraded", "files", "inputs", "key", "metadata", "sha256", "skipped"}


@dataclass(frozen=True)
class Place:
    """Where an asset of a partition lives; ``regime`` is None for what regimes share."""

    asset: str
    symbol_folder: str
    regime: str | None

    def below(self, root: Path) -> Path:
        path = root / self.asset / self.symbol_folder / (self.regime or "shared")
        if root.resolve() not in path.resolve().parents:
            raise BadInput(f"partition {self.symbol_folder!r} would leave the artifact folder")
        return path


@dataclass(frozen=True)
class Artifact:
    """One stored step output: a handle that loads on demand."""

    place: Place
    folder: Path
    manifest: Mapping[str, Any]

    @property
    def key(self) -> str:
        return str(self.manifest["key"])

    @property
    def sha256(self) -> str:
        """Hash of the content alone: equal content, equal hash, whatever it came from."""
        return str(self.manifest["sha256"])

    @property
    def metadata(self) -> dict[str, Any]:
        return dict(self.manifest["metadata"])

    @property
    def degraded(self) -> list[str]:
        return list(self.manifest["degraded"])

    @property
    def skipped(self) -> str | None:
        """The reason, if the partition was skipped at this step."""
        return self.manifest["skipped"]

    @property
    def cost(self) -> dict[str, Any]:
        return dict(self.manifest.get("cost", {}))

    @property
    def bytes(self) -> int:
        return sum(int(file["bytes"]) for file in self.manifest["files"].values())

    def load(self) -> Any:
        """The value: a frame, a report or a bundle.

        Raises
        ------
        CorruptArtifact
            If a file is missing or differs from its recorded hash.
        """
        return assemble({name: self._member(name) for name in sorted(self.manifest["files"])})

    def verify(self) -> None:
        """Re-hash every file."""
        for name in self.manifest["files"]:
            self._verify(name)

    def _member(self, name: str) -> Any:
        recorded, path = self.manifest["files"][name], self.folder / name

        def decode() -> Any:
            self._verify(name)
            return decode_member(path, recorded["type"])

        if recorded["type"] != "frame" or not path.is_file():
            return decode()
        return FRAMES.read(path, recorded["sha256"], decode)

    def _verify(self, name: str) -> None:
        path = self.folder / name
        if not path.is_file() or sha256_file(path) != self.manifest["files"][name]["sha256"]:
            raise CorruptArtifact(
                f"{self.place.asset}: {name} in {self.folder} does not match its manifest; "
                "remove the folder and run again"
            )


class ArtifactStore:
    """All artifacts below one folder, and the pointers of each run below another."""

    def __init__(self, root: Path, runs: Path) -> None:
        self.root = root
        self.runs = runs

    def find(self, place: Place, key: str) -> Artifact | None:
        """The artifact of that key, or None if it was never made, is gone or is torn."""
        folder = place.below(self.root) / key
        manifest = _read_json(folder / MANIFEST)
        if manifest is None:
            return None
        for name, recorded in manifest["files"].items():
            path = folder / name
            if not path.is_file() or path.stat().st_size != recorded["bytes"]:
                return None
        return Artifact(place, folder, manifest)

    def find_intact(self, place: Place, key: str) -> Artifact | None:
        """As :meth:`find`, but every file is hashed; what has rotted is removed and a miss.

        Being found counts as being used: the artifact is young again when it comes to pruning.
        """
        artifact = self.find(place, key)
        if artifact is None:
            return None
        try:
            artifact.verify()
        except CorruptArtifact:
            shutil.rmtree(artifact.folder, ignore_errors=True)
            return None
        os.utime(artifact.folder)
        return artifact

    def publish(
        self,
        place: Place,
        key: str,
        value: Any,
        *,
        kind: Kind,
        inputs: Mapping[str, str],
        metadata: Mapping[str, Any],
        degraded: list[str],
        skipped: str | None = None,
        cost: Mapping[str, Any] | None = None,
    ) -> Artifact:
        """Write a value under its key, atomically; an artifact that stands there is kept.

        Parameters
        ----------
        inputs
            Content hashes by name: what the value was computed from.
        cost
            Seconds and memory of making it; recorded, never part of a hash.
        """
        target = place.below(self.root) / key
        if target.exists() and self.find(place, key) is None:
            shutil.rmtree(target)

        def fill(folder: Path) -> None:
            types = {} if skipped is not None else encode_into(folder, value, kind)
            files = {
                name: {
                    "sha256": sha256_file(folder / name),
                    "bytes": (folder / name).stat().st_size,
                    "type": types[name],
                }
                for name in sorted(types)
            }
            manifest = {
                "asset": place.asset,
                "key": key,
                "sha256": _content_hash(files, skipped),
                "files": files,
                "inputs": dict(sorted(inputs.items())),
                "metadata": dict(metadata),
                "degraded": sorted(set(degraded)),
                "skipped": skipped,
                "cost": dict(cost or {}),
            }
            text = json.dumps(manifest, indent=1, sort_keys=True, allow_nan=False)
            (folder / MANIFEST).write_text(text + "\n")

        publish_folder(target, fill)
        artifact = self.find(place, key)
        if artifact is None:
            raise CorruptArtifact(f"{place.asset}: {target} was written but cannot be read back")
        return artifact

    def point(self, artifact: Artifact, *, run_id: str | None, mode: str) -> None:
        """Let a run (if there is one), and the latest of its mode, stand for this artifact."""
        if run_id is not None:
            write_bytes(self._run_pointer(artifact.place, run_id), artifact.key.encode())
        write_bytes(self._mode_pointer(artifact.place, mode), artifact.key.encode())

    def pointed(self, place: Place, *, run_id: str | None, mode: str) -> Artifact | None:
        """What this run made; else what the latest run of the mode made; else None."""
        pointers = [self._mode_pointer(place, mode)]
        if run_id is not None:
            pointers.insert(0, self._run_pointer(place, run_id))
        for pointer in pointers:
            if pointer.is_file():
                artifact = self.find(place, _pointed_key(pointer))
                if artifact is not None:
                    return artifact
        return None

    def pointed_at(self, place: Place, *, mode: str) -> float | None:
        """When the latest run of the mode found or made its artifact, seconds; None: never."""
        pointer = self._mode_pointer(place, mode)
        return pointer.stat().st_mtime if pointer.is_file() else None

    def everything_at(self, place: Place) -> Iterator[Artifact]:
        """All artifacts of the place that are still there, in the order of their keys."""
        for folder in sorted(place.below(self.root).glob("*/")):
            artifact = self.find(place, folder.name)
            if artifact is not None:
                yield artifact

    def with_content(self, place: Place, sha256: str) -> Artifact | None:
        """An artifact of the place that holds this content, if one is still there."""
        found = self.everything_at(place)
        return next((artifact for artifact in found if artifact.sha256 == sha256), None)

    def _mode_pointer(self, place: Place, mode: str) -> Path:
        return place.below(self.root) / f"{mode}.pointer"

    def _run_pointer(self, place: Place, run_id: str) -> Path:
        partition = f"{place.symbol_folder}-{place.regime or 'shared'}"
        return self.runs / run_id / f"{place.asset}-{partition}.pointer"

    def prune(self, place: Place, *, keep: int, spared_seconds: float = 86_400) -> int:
        """Remove the oldest folders beyond ``keep`` that no mode points at; returns how many.

        What was made or found within ``spared_seconds`` stays: a run may be working on it.
        """
        folder = place.below(self.root)
        if not folder.is_dir():
            return 0
        kept = {_pointed_key(path) for path in folder.glob("*.pointer")}
        made = sorted((p for p in folder.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime)
        old = time.time() - spared_seconds
        stale = [
            path
            for path in made[: max(0, len(made) - keep)]
            if path.name not in kept and path.stat().st_mtime < old
        ]
        for path in stale:
            shutil.rmtree(path, ignore_errors=True)
        return len(stale)


def _pointed_key(pointer: Path) -> str:
    text = pointer.read_bytes().decode("ascii", errors="replace").strip()
    return text if text.isalnum() else "garbage"


def _content_hash(files: Mapping[str, Mapping[str, Any]], skipped: str | None) -> str:
    text = json.dumps([{n: f["sha256"] for n, f in files.items()}, skipped], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _read_json(path: Path) -> dict[str, Any] | None:
    """A whole manifest, or None: one that is gone, torn or garbage is no artifact."""
    try:
        told = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return told if isinstance(told, dict) and set(told) >= _MANIFEST_KEYS else None
