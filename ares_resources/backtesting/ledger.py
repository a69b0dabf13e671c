"""The ledger of trials: every parameter set ever looked at counts against the result.

Belongs here: recording trials for good, from any number of processes, and counting them;
looks at a holdout, how far trainings reached, and what an earlier ledger knew stand in studies
of their own.  Does not belong here: what a trial or a look is, and the statistics that use the
count.
"""

from __future__ import annotations

import contextlib
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ares_resources.errors import AresError, BadInput, CorruptArtifact, DataConflict
from ares_resources.storage.atomic import file_lock

STATES = ("complete", "cached", "pruned", "failed", "killed")
"""What became of a trial, best first: of several records of one trial the first stands."""

LOOKS = "holdout"
"""Last part of the name of a study of holdout looks: ``<prefix>holdout``."""

TRAININGS = "trainings"
"""Last part of the name of a study of how far trainings reached: ``<prefix>trainings``."""

LOST = "lost"
"""Last part of the name of a study of what an earlier ledger knew: ``<prefix>lost``."""

_KEPT = {
    LOOKS: "looks at the holdout",
    TRAININGS: "the reach of trainings",
    LOST: "what an earlier ledger knew",
}

_SCHEMA = """
CREATE TABLE IF NOT EXISTS trials (
    study TEXT NOT NULL,
    key TEXT NOT NULL,
    rank INTEGER NOT NULL,
    trial_values TEXT NOT NULL,
    sharpe REAL,
    PRIMARY KEY (study, key, rank)
) WITHOUT ROWID
"""
_INSERT = "INSERT OR IGNORE INTO trials VALUES (?, ?, ?, ?, ?)"
# SQLite takes the other columns from the row that gave MIN(rank), the best record.
_STANDING = """
SELECT study, key, MIN(rank), trial_values, sharpe FROM trials
WHERE substr(study, 1, length(?)) = ? GROUP BY study, key ORDER BY study, key
"""
_COUNT = """
SELECT study, COUNT(DISTINCT key) FROM trials
WHERE substr(study, 1, length(?)) = ? GROUP BY study
"""
_STUDIES = "SELECT study, COUNT(DISTINCT key) FROM trials GROUP BY study ORDER BY study"
_KNOWN = "SELECT 1 FROM trials WHERE study = ? AND key = ? LIMIT 1"
_BUSY_SECONDS = 120.0


@dataclass(frozen=True)
class LedgerEntry:
    """One trial: ``values`` as recorded; ``sharpe`` is None where it has none."""

    study: str
    key: str
    state: str
    values: tuple[float, ...]
    sharpe: float | None


Record = tuple[str, str, Sequence[float], float | None]
"""(key, state, values, sharpe) as :meth:`TrialLedger.record` takes it."""


class TrialLedger:
    """An append-only SQLite ledger, shared by processes; one transaction a batch.

    A trial is a (study, key): recording it again, whatever its state, does not count it
    again.  ``key`` must identify data and parameters.  Nothing is ever removed.

    Trials are what was chosen among on development; a look at the holdout is not one of them,
    nor is a training.  Both have their own study, own count and no part in the trials' Sharpe
    ratios, which are those of other bars.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        with file_lock(self.path.with_name(f"{self.path.name}.lock")), self._open() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(_SCHEMA)
            found = database.execute("PRAGMA quick_check").fetchone()[0]
            if found != "ok":
                raise AresError(f"trial ledger {self.path} is damaged: {found}; restore a copy")

    def record(self, study: str, entries: Iterable[Record]) -> int:
        """Append a batch, all of it or nothing; returns how many trials are new.

        Raises
        ------
        BadInput
            For an unknown state, an empty study or key, a Sharpe ratio that is not finite, or
            a study that is kept for holdout looks, trainings or losses.
        DataConflict
            If a trial is already recorded in the same state with other values.
        """
        if not study:
            raise BadInput("a trial needs the name of its study, not ''")
        if (last := _last_part(study)) in _KEPT:
            raise BadInput(f"study {study!r} is kept for {_KEPT[last]}; choose another name")
        return self._append_all(study, entries)

    def record_look(self, prefix: str, key: str, sharpe: float | None) -> bool:
        """Append a look at the holdout of the studies with this prefix; whether it is a new one.

        ``key`` must identify what was judged, and by what; ``sharpe`` is what was seen (annual;
        None where it could not be measured).
        """
        return self._append_all(f"{prefix}{LOOKS}", [(key, "complete", [], sharpe)]) == 1

    def record_training(self, prefix: str, key: str, reach_ms: int) -> bool:
        """Append how far a training's development reached, ms UTC; whether it is a new one."""
        return self._append_all(f"{prefix}{TRAININGS}", [(key, "complete", [reach_ms], None)]) == 1

    def record_losses(self, prefix: str, keys: Iterable[str], figures: Sequence[float]) -> int:
        """Append what an earlier ledger knew, the same figures by each key; how many are new."""
        rows: list[Record] = [(key, "complete", figures, None) for key in keys]
        return self._append_all(f"{prefix}{LOST}", rows)

    def losses(self, prefix: str) -> dict[str, tuple[float, ...]]:
        """The figures of each recorded loss, by key."""
        return {one.key: one.values for one in self.entries(f"{prefix}{LOST}")}

    def look_keys(self, prefix: str) -> list[str]:
        """The keys of the looks at the holdout of the studies with exactly this prefix."""
        return [one.key for one in self.entries(f"{prefix}{LOOKS}")]

    def trainings(self, prefix: str) -> dict[str, int]:
        """How far the development of each recorded training reached, ms UTC, by key."""
        return {one.key: int(one.values[0]) for one in self.entries(f"{prefix}{TRAININGS}")}

    def count(self, prefix: str = "") -> int:
        """Trials of all studies whose name starts with ``prefix``, each once; no looks."""
        return sum(n for study, n in self._counted(prefix) if _last_part(study) not in _KEPT)

    def looks(self, prefix: str = "") -> int:
        """Looks at holdouts in all studies whose name starts with ``prefix``, each once."""
        return sum(n for study, n in self._counted(prefix) if _last_part(study) == LOOKS)

    def sharpes(self, prefix: str = "") -> np.ndarray:
        """float64: the trials' recorded Sharpe ratios, in the order of study and key."""
        trials = (one for one in self._standing(prefix) if _last_part(one.study) not in _KEPT)
        known = (entry.sharpe for entry in trials)
        return np.array([sharpe for sharpe in known if sharpe is not None], dtype=np.float64)

    def sharpe_variance(self, prefix: str = "") -> float:
        """Sample variance of the Sharpe ratios, in the square of their unit; 0.0 below two."""
        sharpes = self.sharpes(prefix)
        return float(np.var(sharpes, ddof=1)) if len(sharpes) > 1 else 0.0

    def entries(self, study: str) -> list[LedgerEntry]:
        """The trials of exactly this study, sorted by key."""
        return [entry for entry in self._standing(study) if entry.study == study]

    def studies(self) -> dict[str, int]:
        """Trials, looks and trainings, by study, sorted by name."""
        with self._open() as database:
            return dict(database.execute(_STUDIES).fetchall())

    def _append_all(self, study: str, entries: Iterable[Record]) -> int:
        rows = [_row(study, entry) for entry in entries]
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            return sum(_append(database, row) for row in rows)

    def _counted(self, prefix: str) -> list[tuple[str, int]]:
        with self._open() as database:
            return database.execute(_COUNT, (prefix, prefix)).fetchall()

    def _standing(self, prefix: str) -> list[LedgerEntry]:
        with self._open() as database:
            rows = database.execute(_STANDING, (prefix, prefix)).fetchall()
        return [
            LedgerEntry(study, key, STATES[rank], tuple(json.loads(values)), sharpe)
            for study, key, rank, values, sharpe in rows
        ]

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        # A connection for each call: one that crosses a fork corrupts the file.
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with contextlib.closing(
                sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
            ) as database:
                yield database
                if database.in_transaction:
                    database.commit()
        except sqlite3.OperationalError as error:
            raise AresError(f"trial ledger {self.path} is not usable: {error}") from error
        except sqlite3.DatabaseError as error:
            raise CorruptArtifact(f"trial ledger {self.path} is damaged: {error}") from error


def _last_part(study: str) -> str:
    return study.rpartition("/")[2]


def _row(study: str, entry: Record) -> tuple[str, str, int, str, float | None]:
    key, state, values, sharpe = entry
    if not key:
        raise BadInput(f"a trial of study {study!r} has an empty key")
    if state not in STATES:
        raise BadInput(f"trial state {state!r} is not known; allowed: {', '.join(STATES)}")
    if sharpe is not None and not math.isfinite(sharpe):
        raise BadInput(f"trial {key!r} of {study!r}: sharpe {sharpe} must be finite, or None")
    numbers = json.dumps([float(value) for value in values])
    return study, key, STATES.index(state), numbers, None if sharpe is None else float(sharpe)


def _append(database: sqlite3.Connection, row: tuple[str, str, int, str, float | None]) -> bool:
    """Whether the trial is new; a look already recorded in this state must say the same."""
    known = database.execute(_KNOWN, row[:2]).fetchone() is not None
    if database.execute(_INSERT, row).rowcount == 0:
        _check_same(database, row)
    return not known


def _check_same(database: sqlite3.Connection, row: tuple[str, str, int, str, float | None]) -> None:
    query = "SELECT trial_values, sharpe FROM trials WHERE study = ? AND key = ? AND rank = ?"
    known = database.execute(query, row[:3]).fetchone()
    if known != row[3:]:
        raise DataConflict(
            f"trial {row[1]!r} of {row[0]!r} is {STATES[row[2]]} with values {known[0]} and"
            f" sharpe {known[1]}; now {row[3]} and {row[4]}: its key does not identify it"
        )
