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

from ares_resources.errors import CorruptArtifact, DataConflict
from ares_resources.storage.atomic import file_lock, read_parquet, write_bytes, write_parquet
from ares_resources.storage.codecs import to_json_bytes

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("timestamp", "challenger_return", "champion_return", "trades", "degraded")
_NAME = 16


@contextmanager
def rollout_lock(partition: Path) -> Iterator[None]:
    """Hold what moves a partition's rollout; ``partition`` is ``ReleaseStore.root``."""
    with file_lock(partition / ".rollout.lock"):
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
            If the file is no state, or is ahead of the live results.
        """
        import json

        path = self.root / "rollout.json"
        if not path.is_file():
            return None
        try:
            state = json.loads(path.read_bytes())
            seen = int(state["seen_rows"])
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptArtifact(f"{path} is no state of a rollout; restore a copy") from error
        if seen > len(self.live()):
            raise CorruptArtifact(
                f"{path} has seen {seen} rows of live.parquet, which has {len(self.live())}; "
                "restore a copy of it"
            )
        return dict(state)

    def write(self, state: Mapping[str, Any]) -> None:
        """Publish a state: old or new, never torn."""
        write_bytes(self.root / "rollout.json", to_json_bytes(dict(state)))

    def live(self) -> pd.DataFrame:
        """All live results so far, in time order, with ``COLUMNS``."""
        import pandas as pd

        path = self.root / "live.parquet"
        if path.is_file():
            return read_parquet(path)
        kinds = ("int64", "float64", "float64", "int64", "object")
        named = zip(COLUMNS, kinds, strict=True)
        return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in named})

    def append(self, rows: pd.DataFrame) -> int:
        """Add results that are later than all before; returns how many were new.

        Rows that stand already may come again, as they were.

        Raises
        ------
        DataConflict
            If a row is not later than the last one and does not stand as it is.
        """
        import pandas as pd

        before = self.live()
        last = int(before["timestamp"].iloc[-1]) if len(before) else -1
        again = rows[rows["timestamp"] <= last]
        _check_standing(again, before)
        new = rows[rows["timestamp"] > last]
        if len(new):
            kept = [before, new[list(COLUMNS)]] if len(before) else [new[list(COLUMNS)]]
            write_parquet(self.root / "live.parquet", pd.concat(kept, ignore_index=True))
        return len(new)


def _check_standing(again: pd.DataFrame, before: pd.DataFrame) -> None:
    known = {row[0]: row for row in _tuples(before)}
    for row in _tuples(again):
        standing = known.get(row[0])
        if standing is None:
            raise DataConflict(
                f"live results at {row[0]} are earlier than the last that stand and not among "
                "them; allowed: later rows, or the same again"
            )
        for name, told, stands in zip(COLUMNS, row, standing, strict=True):
            if told != stands:
                raise DataConflict(
                    f"{name} at {row[0]} is {told!r}, but {stands!r} stands; allowed: later "
                    "rows, or the same again"
                )


def _tuples(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(zip(*(frame[name].tolist() for name in COLUMNS), strict=True))
