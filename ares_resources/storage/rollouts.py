"""Where a rollout stands on disk: its plan, and the live results that moved it.

Belongs here: keeping both so that a crash at any point loses or repeats nothing.  Does not
belong here: the steps of a plan (``evidence/rollout.py``), whose form this room does not know,
and which version serves (``releases.py``).

``rollouts/<content hash>/live.parquet`` is append-only and written first; ``rollout.json`` says
how many of its rows the plan has seen.  So rows that a killed process left unseen are seen by
the next, once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ares_resources.errors import CorruptArtifact, DataConflict
from ares_resources.storage.atomic import file_lock, read_parquet, write_bytes, write_parquet
from ares_resources.storage.codecs import to_json_bytes

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("timestamp", "challenger_return", "champion_return", "trades", "degraded")
_STATE = ("plan", "level", "live_from_ms", "seen_rows", "stage_row")
_NAME = 16
# Readers of decimal text may differ in the last place of a float.
_SAME = 1e-12


@contextmanager
def rollout_lock(partition: Path, timeout_seconds: float = 600) -> Iterator[None]:
    """Hold what moves a partition's rollout; ``partition`` is ``ReleaseStore.root``."""
    with file_lock(partition / ".rollout.lock", timeout_seconds):
        yield


class RolloutStore:
    """The rollout of one version of one partition."""

    def __init__(self, partition: Path, sha256: str) -> None:
        self.root = partition / "rollouts" / sha256[:_NAME]
        self.sha256 = sha256

    def begin(self, start: Mapping[str, Any]) -> None:
        """Begin with a plan; live results of an earlier try of this version stay, as seen."""
        rows = len(self.live())
        self.write({**start, "model": self.sha256, "seen_rows": rows, "stage_row": rows})

    def state(self) -> dict[str, Any] | None:
        """What ``begin`` and ``write`` left; None where this version had no rollout.

        Raises
        ------
        CorruptArtifact
            If the file is no state, is ahead of the live results, or is gone while they stand.
        """
        import json

        path, rows = self.root / "rollout.json", len(self.live())
        if not path.is_file():
            if rows:
                raise CorruptArtifact(f"{path} is gone, its {rows} results stand; restore a copy")
            return None
        try:
            state = json.loads(path.read_bytes())
            lacking = [name for name in _STATE if name not in state]
            seen = int(state["seen_rows"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorruptArtifact(f"{path} is no state of a rollout; restore a copy") from error
        if lacking:
            raise CorruptArtifact(f"{path} lacks {lacking[0]!r}; restore a copy")
        if seen > rows:
            raise CorruptArtifact(
                f"{path} has seen {seen} rows of live.parquet, which has {rows}; "
                "restore a copy of it"
            )
        return dict(state)

    def write(self, state: Mapping[str, Any]) -> None:
        """Publish a state: old or new, never torn."""
        write_bytes(self.root / "rollout.json", to_json_bytes(dict(state)))

    def live(self) -> pd.DataFrame:
        """All live results so far, in time order, with ``COLUMNS``.

        Raises
        ------
        CorruptArtifact
            If the file is torn, fails a checksum, or holds something else.
        """
        import pandas as pd

        path = self.root / "live.parquet"
        if path.is_file():
            frame = read_parquet(path)
            if tuple(frame.columns) != COLUMNS:
                raise CorruptArtifact(f"{path} holds other columns than results; restore a copy")
            return frame
        kinds = ("int64", "float64", "float64", "int64", "object")
        named = zip(COLUMNS, kinds, strict=True)
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in named})

    def joined(self, rows: pd.DataFrame) -> pd.DataFrame:
        """What would stand with these results added, in time order; nothing is written.

        Rows that stand already may come again, as they were.

        Raises
        ------
        DataConflict
            If a row is not later than the last one and does not stand as it is.
        """
        import pandas as pd

        before = self.live()
        last = int(before["timestamp"].iloc[-1]) if len(before) else -1
        old = (rows["timestamp"] <= last).to_numpy()
        _check_standing(rows[old], before)
        new = rows.loc[~old, list(COLUMNS)]
        kept = [frame for frame in (before, new) if len(frame)]
        return pd.concat(kept, ignore_index=True) if kept else before

    def keep(self, joined: pd.DataFrame) -> None:
        """Publish what ``joined`` gave: all results that stood, and later ones."""
        write_parquet(self.root / "live.parquet", joined)


def _check_standing(again: pd.DataFrame, before: pd.DataFrame) -> None:
    stamps, told = before["timestamp"].to_numpy(), again["timestamp"].to_numpy()
    if not len(told):
        return
    at = np.searchsorted(stamps, told)
    foreign = stamps[at] != told
    if foreign.any():
        raise DataConflict(
            f"live results at {told[np.argmax(foreign)]} are earlier than the last that stand and "
            "not among them; allowed: later rows, or the same again"
        )
    for name in COLUMNS[1:]:
        values, standing = again[name].to_numpy(), before[name].to_numpy()[at]
        near = standing.dtype.kind == "f"
        other = np.abs(values - standing) > _SAME if near else values != standing
        if other.any():
            row = int(np.argmax(other))
            raise DataConflict(
                f"{name} at {told[row]} is {values[row]!r}, but {standing[row]!r} stands; allowed: "
                "later rows, or the same again"
            )
