"""Which challengers have faced a champion, in the order in which they first did.

Belongs here: the durable count of attempts at one champion.  Does not belong here: the level
that an attempt is tested at (``ares_assets/evidence/repeated_tests.py``) and the releases.

``attempts/<champion>.json`` beside a partition's releases holds the champion's content hash and
the challengers' identities; it is only ever added to.
"""

from __future__ import annotations

import json
from pathlib import Path

from ares_resources.errors import CorruptArtifact
from ares_resources.storage.atomic import file_lock, write_bytes
from ares_resources.storage.codecs import to_json_bytes

_NAME = 16


class Attempts:
    """The challengers of each champion of one partition, whose releases stand in ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root / "attempts"

    def number(self, champion: str, challenger: str) -> int | None:
        """Which attempt (from 1) this challenger's is; None if it was never recorded."""
        known = self._challengers(self._path(champion))
        return known.index(challenger) + 1 if challenger in known else None

    def expected(self, champion: str, challenger: str) -> int:
        """The number that this challenger has, or would get now; records nothing."""
        known = self._challengers(self._path(champion))
        return known.index(challenger) + 1 if challenger in known else len(known) + 1

    def record(self, champion: str, challenger: str) -> int:
        """Enter an attempt before it is tested; the same challenger keeps its number."""
        path = self._path(champion)
        with file_lock(self.root.parent / ".attempts.lock"):
            known = self._challengers(path)
            if challenger not in known:
                known.append(challenger)
                told = {"champion": champion, "challengers": known}
                write_bytes(path, to_json_bytes(told))
        return known.index(challenger) + 1

    def faced_by(self, challenger: str) -> list[str]:
        """Content hashes of the champions that this challenger has faced, sorted."""
        paths = sorted(self.root.glob("*.json"))
        return sorted(
            str(_read(path)["champion"]) for path in paths if challenger in self._challengers(path)
        )

    def _challengers(self, path: Path) -> list[str]:
        return [str(one) for one in _read(path)["challengers"]] if path.is_file() else []

    def _path(self, champion: str) -> Path:
        return self.root / f"{champion[:_NAME]}.json"


def _read(path: Path) -> dict[str, list[str] | str]:
    try:
        told = json.loads(path.read_bytes())
    except ValueError as error:
        raise CorruptArtifact(f"{path} is not JSON: {error}; restore it") from error
    if not isinstance(told, dict) or not {"champion", "challengers"} <= told.keys():
        raise CorruptArtifact(f"{path} lists no challengers of a champion; restore it")
    return told
