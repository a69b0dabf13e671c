"""The history of trainings: one JSON line each, bounded, the same for every process of a home.

Belongs here: the file, its bound and its entries.  Does not belong here: training.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ares_jobs.runner import PartitionOutcome, TrainingRequest, request_settings
from ares_resources.errors import CorruptArtifact
from ares_resources.home import Home
from ares_resources.storage.atomic import file_lock, write_bytes

_FILE = "training_history.jsonl"


@dataclass(frozen=True)
class TrainingHistory:
    """The latest ``maximum`` trainings of a home, oldest first."""

    home: Home
    maximum: int

    @property
    def path(self) -> Path:
        return self.home.root / _FILE

    def append(self, entry: dict[str, Any]) -> None:
        """Add an entry and drop the oldest beyond the bound; old or new, never torn."""
        with file_lock(self.home.locks / "training-history.lock"):
            kept = [*self.entries(), entry][-self.maximum :]
            lines = [json.dumps(one, sort_keys=True, allow_nan=False) for one in kept]
            write_bytes(self.path, "".join(f"{line}\n" for line in lines).encode())

    def entries(self) -> list[dict[str, Any]]:
        """Every entry, oldest first; none where nothing was trained.

        Raises
        ------
        CorruptArtifact
            If a line is not JSON.
        """
        if not self.path.is_file():
            return []
        found = []
        for number, line in enumerate(self.path.read_text().splitlines(), start=1):
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError as error:
                raise CorruptArtifact(
                    f"{self.path} line {number} is not JSON: {error}; remove the file to begin anew"
                ) from error
        return found


def history_entry(request: TrainingRequest) -> dict[str, Any]:
    """The entry of a training that begins now; not a success until it is said to be."""
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "symbol": request.symbol.instrument,
        "exchange": request.symbol.exchange,
        "timeframe": request_settings(request).data.timeframe,
        "mode": request.mode,
        "success": False,
        "partitions": [],
    }


def partition_entry(outcome: PartitionOutcome) -> dict[str, Any]:
    """What the history keeps of a partition's outcome."""
    names = ("partition", "status", "reason", "run_id", "reused", "degraded", "seconds")
    return {name: getattr(outcome, name) for name in names}
