"""Requests to train a partition anew, kept as files until a training has answered them.

Belongs here: writing, reading and settling requests, each exactly once.  Does not belong here:
when a partition should be trained anew (``ares_assets``), and asking for runs (``ares_jobs``).

``retrain/pending/<name>.json`` waits, ``retrain/done/<name>.json`` has been settled; the name
is the SHA-256 of the content.  A request that stands in either place is not written again, and
neither is one for a change that an earlier request of the partition asks for or has answered:
its window ended after the change was known.  So the trainings that follow from a request, which
still see the change in their holdout, ask for no further one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ares_resources.errors import CorruptArtifact
from ares_resources.home import Home
from ares_resources.settings import Mode
from ares_resources.storage.atomic import file_lock, write_bytes
from ares_resources.symbols import SymbolKey

_LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class RetrainRequest:
    """What a training found and with what it was asked for.

    ``settings`` is the tree that differs from the defaults; ``since_ms`` when the change was known
    that no earlier request answers, ``window_end_ms`` the close of the last bar of the training.
    """

    symbol: str
    regime: str
    mode: Mode
    settings: Mapping[str, Any]
    offline: bool
    kind: str
    reason: str
    since_ms: int
    window_end_ms: int
    wait_ms: int
    model_sha256: str

    @property
    def key(self) -> SymbolKey:
        return SymbolKey.parse(self.symbol)

    @property
    def partition(self) -> tuple[str, str, str]:
        """Requests of one partition and mode answer each other."""
        return self.symbol, self.regime, self.mode

    def content(self) -> bytes:
        """The same bytes for the same request."""
        return json.dumps(asdict(self), indent=1, sort_keys=True, allow_nan=False).encode()

    @property
    def name(self) -> str:
        """SHA-256 of the content, hexadecimal."""
        return hashlib.sha256(self.content()).hexdigest()


class RetrainRequests:
    """The requests of a home; several processes may use it at once."""

    def __init__(self, home: Home) -> None:
        self._pending = home.root / "retrain" / "pending"
        self._done = home.root / "retrain" / "done"
        self._lock = home.locks / "retrain.lock"

    def ask(self, request: RetrainRequest) -> bool:
        """Keep a request, unless it or one that answers it was kept before; whether it was."""
        with file_lock(self._lock, _LOCK_SECONDS):
            answered = self.answered_to(request.partition)
            if answered is not None and answered >= request.since_ms:
                return False
            write_bytes(self._pending / f"{request.name}.json", request.content())
        return True

    def answered_to(self, partition: tuple[str, str, str]) -> int | None:
        """Up to when changes have their request: the latest window end; None without any."""
        # Pending first: what is settled in between is then read twice and not missed.
        known = _read(self._pending)[0] + _read(self._done)[0]
        return max((r.window_end_ms for r in known if r.partition == partition), default=None)

    def pending(self) -> list[RetrainRequest]:
        """Those that wait and can be read, in the order of their names."""
        return _read(self._pending)[0]

    def unreadable(self) -> list[str]:
        """What is wrong with files that do not hold what their names say, one line each."""
        return [*_read(self._pending)[1], *_read(self._done)[1]]

    def settle(self, names: Iterable[str]) -> None:
        """Move these aside; those that do not wait any more are left alone."""
        with file_lock(self._lock, _LOCK_SECONDS):
            self._move(names)

    def settle_older(self, partition: tuple[str, str, str], window_end_ms: int) -> None:
        """Move aside what waits for a training whose window ends later: it has been made."""
        with file_lock(self._lock, _LOCK_SECONDS):
            self._move(
                request.name
                for request in self.pending()
                if request.partition == partition and request.window_end_ms < window_end_ms
            )

    def _move(self, names: Iterable[str]) -> None:
        for name in names:
            path = self._pending / f"{name}.json"
            if path.is_file():
                self._done.mkdir(parents=True, exist_ok=True)
                os.replace(path, self._done / path.name)


def _read(folder: Path) -> tuple[list[RetrainRequest], list[str]]:
    """The requests of a folder, by name, and what is wrong with the rest."""
    requests, wrong = [], []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        try:
            requests.append(_parsed(path))
        except FileNotFoundError:
            continue  # settled by another process since the folder was listed
        except CorruptArtifact as error:
            wrong.append(str(error))
    return requests, wrong


def _parsed(path: Path) -> RetrainRequest:
    data = path.read_bytes()
    try:
        request = RetrainRequest(**json.loads(data))
        same = request.content() == data and request.name == path.stem
    except (ValueError, TypeError) as error:
        raise CorruptArtifact(f"{path} is no retrain request: {error}") from error
    if not same:
        raise CorruptArtifact(f"{path} does not hold the request that its name says")
    return request
