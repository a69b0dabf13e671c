"""Released bundles of a partition: versions, the training record of each, which one is live.

Belongs here: publishing, promoting, pruning, and reading back with hashes verified.
Does not belong here: deciding what is promoted (``evidence/gate.py``), and MLflow.

``releases/<symbol>/<regime>/versions/<content hash>/`` holds the inference-only bundle with a
hashed manifest; ``records/<content hash>.json`` how, when and from what it was made;
``released.json`` which version is live, with what share of capital, and which serves the rest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ares_resources.errors import CorruptArtifact
from ares_resources.storage import released_pointer as pointer
from ares_resources.storage.atomic import file_lock, publish_folder, sha256_file, write_bytes
from ares_resources.storage.codecs import to_json_bytes

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Release:
    """One version: where it stands and the hash of its content."""

    folder: Path
    sha256: str

    def files(self) -> dict[str, bytes]:
        """The bundle's files, each checked against the manifest before anything reads it.

        Raises
        ------
        CorruptArtifact
            If a file is missing or differs from its recorded hash.
        """
        manifest = _read(self.folder / MANIFEST)
        if not isinstance(manifest.get("files"), dict):
            raise CorruptArtifact(f"{self.folder / MANIFEST} names no files; restore a copy of it")
        for name, expected in manifest["files"].items():
            path = self.folder / name
            if not path.is_file() or sha256_file(path) != expected:
                raise CorruptArtifact(f"{name} in {self.folder} does not match its manifest")
        return {name: (self.folder / name).read_bytes() for name in manifest["files"]}


def content_hash(hashes: Mapping[str, str]) -> str:
    """The name of a version: a hash of its files' SHA-256 by name."""
    return hashlib.sha256(json.dumps(dict(hashes), sort_keys=True).encode()).hexdigest()


class ReleaseStore:
    """The releases of one partition."""

    def __init__(self, root: Path, symbol_folder: str, regime: str) -> None:
        self.root = root / symbol_folder / regime

    def publish(self, files: Mapping[str, bytes], record: Mapping[str, Any]) -> Release:
        """Store a bundle and its record; the same content is one version."""
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
        sha256 = content_hash(hashes)
        release = Release(self._version(sha256), sha256)

        def fill(folder: Path) -> None:
            for name, data in files.items():
                (folder / name).write_bytes(data)
            (folder / MANIFEST).write_bytes(to_json_bytes({"sha256": sha256, "files": hashes}))

        if release.folder.exists() and not _intact(release):
            shutil.rmtree(release.folder)
        publish_folder(release.folder, fill)
        os.utime(release.folder)
        release.files()
        if not self._record_path(sha256).exists():
            write_bytes(self._record_path(sha256), to_json_bytes(dict(record)))
        return release

    def record(self, sha256: str) -> dict[str, Any]:
        """The training record of a version; empty if there is none."""
        path = self._record_path(sha256)
        return _read(path) if path.is_file() else {}

    def amend_record(self, sha256: str, **changes: Any) -> None:
        """Add what became known later, such as the registry's version number."""
        write_bytes(self._record_path(sha256), to_json_bytes({**self.record(sha256), **changes}))

    def find(self, sha256: str) -> Release | None:
        """A version by its content hash."""
        folder = self._version(sha256)
        return Release(folder, sha256) if (folder / MANIFEST).is_file() else None

    def live_version(self) -> str | None:
        """Content hash of the live version, whether or not its bundle still stands."""
        live = self._live().get("sha256")
        return None if live is None else str(live)

    def champion(self) -> Release | None:
        """The live version, if any model was ever promoted."""
        live = self.live_version()
        return None if live is None else self.find(live)

    def champion_against(self, challenger: str) -> str | None:
        """Content hash of what a challenger has to beat; None if nothing was ever promoted.

        That is the live version, or, if that is the challenger itself, the one that it
        replaced, so that asking again gives the same answer.  The version may be gone from
        the store: whoever replays it has to say so, not to do without a champion.
        """
        live = self._live()
        wanted = live.get("replaced") if live.get("identity") == challenger else live.get("sha256")
        return None if wanted is None else str(wanted)

    def promote(
        self,
        release: Release,
        *,
        identity: str,
        judged_against: str | None,
        share: float = 1.0,
        before: Callable[[], None] | None = None,
    ) -> bool:
        """Make a version live, if the one that it was judged against still is.

        Parameters
        ----------
        share
            Of capital, in (0, 1]; what served all until now goes on serving the rest.  A
            version that is itself still being rolled out ends there, and its rest stays.
        before
            Called just before, under the lock, and only if the version becomes live now.

        Returns
        -------
        Whether the version is live now.  It is not if another was promoted meanwhile: this
        one was never compared with that, and has to be judged again.  Nor is it ever again
        once it was rolled back.
        """
        with file_lock(self.root / ".lock"):
            live = self._live()
            if live.get("sha256") == release.sha256:
                return True
            if (
                live.get("sha256") != judged_against
                or pointer.reason_of(live, release.sha256) is not None
            ):
                return False
            if before is not None:
                before()
            self._point(
                pointer.promoted(
                    live,
                    release.sha256,
                    identity=identity,
                    judged_against=judged_against,
                    share=share,
                )
            )
            return True

    def shares(self) -> dict[str, float]:
        """Share of capital by version, in (0, 1]; what is left of 1 does not trade."""
        return pointer.shares_of(self._live())

    def set_share(self, sha256: str, share: float) -> bool:
        """Give a version that is still the live one another share; whether it has it now."""
        with file_lock(self.root / ".lock"):
            live = self._live()
            if live.get("sha256") != sha256:
                return False
            if pointer.share_of(live) != share:
                self._point({**live, "share": share})
            return True

    def roll_back(self, sha256: str, reason: str) -> bool:
        """Take a version back for good, if it is still the live one: the rest serves all again.

        Where what served before is gone or damaged, nothing is live, and the reason says so.
        Until :meth:`note_followed` the release remembers that alias and plan have yet to follow.

        Returns
        -------
        Whether the version is withdrawn now; False if another was promoted meanwhile.
        """
        with file_lock(self.root / ".lock"):
            live = self._live()
            if live.get("sha256") != sha256:
                return pointer.reason_of(live, sha256) is not None
            rest, words = pointer.rest_of(live), reason
            if rest is not None and rest["sha256"] == sha256:
                rest = None
            if rest is not None:
                found = self.find(str(rest["sha256"]))
                if found is None or not _intact(found):
                    reason = f"{reason}; {rest['sha256']}, which it replaced, is lost: none is live"
                    rest = None
            self._point(pointer.rolled_back(live, rest, reason, words=words))
            return True

    def following(self, words: str | None = None) -> str | None:
        """The version rolled back last, by ``words`` if given, until alias and plan followed."""
        told = self._live().get("following")
        return str(told["sha256"]) if told and words in (None, told["words"]) else None

    def note_followed(self, sha256: str) -> None:
        """Remember that alias and plan were brought after a rollback, as far as they could be."""
        with file_lock(self.root / ".lock"):
            live = self._live()
            if (live.get("following") or {}).get("sha256") == sha256:
                self._point(pointer.followed(live))

    def withdrawn(self, sha256: str) -> str | None:
        """Why a version was rolled back; None if it never was."""
        return pointer.reason_of(self._live(), sha256)

    def rest(self) -> str | None:
        """The version that serves what the live one leaves, and that a rollback restores."""
        rest = pointer.rest_of(self._live())
        return None if rest is None else str(rest["sha256"])

    def latest_rollout(self) -> str | None:
        """The version that was promoted last, live or rolled back since; None before any."""
        live = self._live()
        wanted = live.get("rollout", live.get("sha256"))
        return None if wanted is None else str(wanted)

    def replaced(self) -> str | None:
        """Content hash of the version that the live one was judged against; None: of none."""
        replaced = self._live().get("replaced")
        return None if replaced is None else str(replaced)

    def alias(self) -> str:
        """Which version the registry's alias was last moved to, and where; empty if never."""
        path = self.root / "alias.txt"
        return path.read_text() if path.is_file() else ""

    def note_alias(self, text: str) -> None:
        """Remember where the registry's alias stands."""
        write_bytes(self.root / "alias.txt", text.encode())

    def prune(self, keep: int) -> None:
        """Remove the oldest beyond ``keep``, never the live one, its predecessor or its rest."""
        with file_lock(self.root / ".lock"):
            self._prune(keep)

    def _prune(self, keep: int) -> None:
        live = self._live()
        kept = {str(live.get(name))[:_NAME] for name in ("sha256", "replaced")}
        kept.add(str((pointer.rest_of(live) or {}).get("sha256"))[:_NAME])
        versions = self.root / "versions"
        made = sorted(
            (p for p in versions.glob("*") if p.is_dir() and not p.name.startswith(".")),
            key=lambda path: path.stat().st_mtime,
        )
        for path in made[: max(0, len(made) - keep)]:
            if path.name not in kept:
                shutil.rmtree(path)

    def _point(self, live: Mapping[str, Any]) -> None:
        write_bytes(self.root / "released.json", to_json_bytes(dict(live)))

    def _live(self) -> dict[str, Any]:
        path = self.root / "released.json"
        told = _read(path) if path.is_file() else {}
        try:
            pointer.check_form(told)
        except ValueError as error:
            raise CorruptArtifact(f"{path}: {error}; restore a copy of it") from error
        return told

    def _version(self, sha256: str) -> Path:
        return self.root / "versions" / sha256[:_NAME]

    def _record_path(self, sha256: str) -> Path:
        return self.root / "records" / f"{sha256[:_NAME]}.json"


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except ValueError as error:
        raise CorruptArtifact(f"{path} is not JSON: {error}; restore a copy of it") from error
    if not isinstance(told, dict):
        raise CorruptArtifact(f"{path} holds no mapping; restore a copy of it")
    return told


def _intact(release: Release) -> bool:
    try:
        release.files()
    except (CorruptArtifact, OSError):
        return False
    return True


_NAME = 16
